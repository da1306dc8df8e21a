//! How many requests a client may send.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::PolicyOrigin;

/// Limits for the requests of each client address, for all routes of one object together, by each replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestLimits {
    /// Who asked for it. Requests for all routes with limits of one owner count together.
    pub origin: PolicyOrigin,
    /// Requests in a time, all of which hold.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub rates: Box<[RateLimit]>,
    /// Requests at once. A session counts as long as it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Clients that have no limit.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub exempt: Box<[IpNet]>,
    /// The status of the answer to what is too much: 429 or 503.
    pub status: u16,
}

/// A leaky bucket: it leaks at a steady rate, each request adds one, and a request that would overflow it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RateLimit {
    /// Requests in each unit of time.
    pub requests: u32,
    /// The unit.
    pub per: RateUnit,
    /// How many requests it holds, beside the one that finds it empty.
    pub burst: u64,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RateUnit {
    /// A second.
    Second,
    /// A minute.
    Minute,
}

impl RequestLimits {
    /// Whether a client has limits. IPv4 addresses that are mapped to IPv6 count as IPv4.
    pub fn are_for(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        !self.exempt.iter().any(|network| network.contains(&client))
    }
}

impl RateLimit {
    /// Requests that leak in a second.
    pub fn per_second(self) -> f64 {
        match self.per {
            RateUnit::Second => f64::from(self.requests),
            RateUnit::Minute => f64::from(self.requests) / 60.0,
        }
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, per, burst } = self;
        let unit = match per {
            RateUnit::Second => "second",
            RateUnit::Minute => "minute",
        };
        write!(f, "{requests} requests a {unit}, {burst} more at once")
    }
}
