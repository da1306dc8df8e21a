//! Refuses clients by their address: the peer's, or the one that a trusted proxy tells.

use std::net::IpAddr;

use crate::model::ClientAddresses;
use crate::proxy::request::refusal::{Refusal, RefusalReason};

/// Admits a client.
///
/// # Errors
/// 403: the lists do not admit it.
pub(super) fn admit(addresses: &ClientAddresses, client: IpAddr) -> Result<(), Refusal> {
    if addresses.admit(client) {
        return Ok(());
    }
    Err(Refusal::new(RefusalReason::ClientAddress, "this address may not use the route"))
}
