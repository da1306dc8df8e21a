//! Requests for hosts and paths that must not be served.

use crate::model::ProhibitedTargets;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::RequestTarget;

/// Lets a request through, unless it is for a prohibited target.
///
/// # Errors
/// It is: the answer is 503.
pub(super) fn admit(targets: &ProhibitedTargets, requested: &RequestTarget) -> Result<(), Refusal> {
    match targets.find(requested.host(), requested.path()) {
        Some(_) => Err(Refusal::prohibited_target()),
        None => Ok(()),
    }
}
