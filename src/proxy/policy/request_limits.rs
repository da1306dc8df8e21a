//! Refuses requests of a client that sends too many.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;

use crate::model::RequestLimits;
use crate::proxy::request::client_requests::{ClientRequests, LimitedClient, RequestSlot};
use crate::proxy::request::refusal::{Refusal, RefusalReason};

/// Admits a request of a client, and counts it. It is under way as long as the slot is held, if there is one.
///
/// # Errors
/// 429 or 503: the client has too many requests under way, or has sent too many in a time.
pub(super) fn admit(
    limits: &RequestLimits,
    requests: &Arc<ClientRequests>,
    address: IpAddr,
) -> Result<Option<RequestSlot>, Refusal> {
    if !limits.are_for(address) {
        return Ok(None);
    }
    let client = LimitedClient { owner: Arc::clone(&limits.origin.owner), address: address.to_canonical() };
    let slot = match limits.concurrent {
        None => None,
        Some(limit) => Some(requests.begin(client.clone(), limit).ok_or_else(|| {
            refused(limits, RefusalReason::ClientRequestLimit, "this address has too many requests under way")
        })?),
    };
    if !limits.rates.is_empty() && !requests.take(&client, &limits.rates, Instant::now()) {
        return Err(refused(limits, RefusalReason::RequestRateLimit, "this address has sent too many requests"));
    }
    Ok(slot)
}

fn refused(limits: &RequestLimits, reason: RefusalReason, message: &'static str) -> Refusal {
    match StatusCode::from_u16(limits.status) {
        Ok(StatusCode::SERVICE_UNAVAILABLE) => Refusal::with_status(StatusCode::SERVICE_UNAVAILABLE, reason, message),
        _ => Refusal::new(reason, message).retry_after(1),
    }
}
