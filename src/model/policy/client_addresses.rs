//! Lists of client addresses: who is admitted, and who is not.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::PolicyOrigin;

/// The clients of a route by their address. One of the two lists is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientAddresses {
    /// Nobody with one of these is admitted. It has precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deny: Option<AddressList>,
    /// Nobody else than these is admitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<AddressList>,
}

/// A list of addresses, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AddressList {
    /// Who asked for the list.
    pub origin: PolicyOrigin,
    /// The networks. An address is a network of one.
    pub networks: Box<[IpNet]>,
}

impl ClientAddresses {
    /// Whether a client is admitted. IPv4 addresses that are mapped to IPv6 count as IPv4.
    pub fn admit(&self, client: IpAddr) -> bool {
        let Self { deny, allow } = self;
        let client = client.to_canonical();
        let has = |list: &AddressList| list.networks.iter().any(|network| network.contains(&client));
        !deny.as_ref().is_some_and(has) && allow.as_ref().is_none_or(has)
    }
}
