//! The gateway's own answers to requests whose heads could not be read.

use std::sync::Arc;
use std::time::Duration;

use http::Response;

use super::head::HeadFault;
use crate::proxy::decision;
use crate::proxy::forward::response_body::ResponseBody;
use crate::proxy::limits::{MAX_HEADER_BYTES, MAX_HEADER_FIELDS};
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::record::RequestLine;
use crate::proxy::request::refusal::Refusal;

/// Why there is no head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoHead {
    Fault(HeadFault),
    /// It did not come within this time.
    Slow(Duration),
}

/// The answer, with the record of the request.
pub(super) fn answer(context: Arc<ConnectionContext>, why: NoHead, line: RequestLine) -> Response<ResponseBody> {
    decision::refuse(context, line, refusal(why))
}

fn refusal(why: NoHead) -> Refusal {
    match why {
        NoHead::Fault(HeadFault::Malformed(fault)) => Refusal::malformed(fault),
        NoHead::Fault(HeadFault::Version) => Refusal::version(),
        NoHead::Fault(HeadFault::TransferCoding) => Refusal::transfer_coding(),
        NoHead::Fault(HeadFault::TooManyFields) => Refusal::header_too_large(format!(
            "the request has more header fields than the {MAX_HEADER_FIELDS} that are taken"
        )),
        NoHead::Fault(HeadFault::TooLarge) => Refusal::header_too_large(format!(
            "the request's header has more bytes than the {MAX_HEADER_BYTES} that are taken"
        )),
        NoHead::Fault(HeadFault::TargetTooLarge) => Refusal::target_too_large(format!(
            "the request's target has more bytes than the {MAX_HEADER_BYTES} that are taken of a header"
        )),
        NoHead::Slow(timeout) => Refusal::slow_header(timeout),
    }
}
