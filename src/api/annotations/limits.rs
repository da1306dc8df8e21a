//! Annotations that limit what clients send: requests in a time and at once, and the size of bodies.

use ipnet::IpNet;

use super::Annotation;
use crate::api::read;
use crate::api::value::{AllowedValues, Number, ValueKind};

/// Limits, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitSettings {
    /// Requests a second. 0: no limit.
    pub per_second: Option<u32>,
    /// Requests a minute. 0: no limit.
    pub per_minute: Option<u32>,
    /// Requests at once. 0: no limit.
    pub connections: Option<u32>,
    /// What the rates are multiplied by for a burst.
    pub burst_multiplier: Option<u32>,
    /// Clients without a limit, and whether it is the newer annotation that says so.
    pub exempt: Option<(bool, Vec<IpNet>)>,
    /// Bytes of a body. 0: no limit.
    pub body_size: Option<u64>,
}

type Count = Number<0, 1_000_000>;

const ADDRESSES: AllowedValues = AllowedValues::Words("IP addresses and CIDRs with commas");
const MAX_BODY: u64 = 1 << 50;

pub(super) const RPS: Annotation = Annotation {
    key: "limit-rps",
    values: Count::VALUES,
    default: "0",
    meaning: "Requests a second of each client address, for all paths of the Ingress together, by each replica. More are answered 503 on a \
              class of ingress-nginx, else 429. 0: no limit.",
    read: Some(|settings, text| {
        settings.limits.per_second = Some(Count::from_text(text)?);
        Ok(())
    }),
};

pub(super) const RPM: Annotation = Annotation {
    key: "limit-rpm",
    values: Count::VALUES,
    default: "0",
    meaning: "Requests a minute, in the same way.",
    read: Some(|settings, text| {
        settings.limits.per_minute = Some(Count::from_text(text)?);
        Ok(())
    }),
};

pub(super) const CONNECTIONS: Annotation = Annotation {
    key: "limit-connections",
    values: Count::VALUES,
    default: "0",
    meaning: "Requests at once of each client address, in the same way. A session counts as long as it is open.",
    read: Some(|settings, text| {
        settings.limits.connections = Some(Count::from_text(text)?);
        Ok(())
    }),
};

pub(super) const BURST_MULTIPLIER: Annotation = Annotation {
    key: "limit-burst-multiplier",
    values: Number::<1, 1000>::VALUES,
    default: "5",
    meaning: "How many times as many requests as the rate may come at once.",
    read: Some(|settings, text| {
        settings.limits.burst_multiplier = Some(Number::<1, 1000>::from_text(text)?);
        Ok(())
    }),
};

pub(super) const ALLOWLIST: Annotation = Annotation {
    key: "limit-allowlist",
    values: ADDRESSES,
    default: "nobody",
    meaning: "Clients that have no limit.",
    read: Some(|settings, text| {
        settings.limits.exempt = Some((true, read::addresses(text)?));
        Ok(())
    }),
};

pub(super) const WHITELIST: Annotation = Annotation {
    key: "limit-whitelist",
    values: ADDRESSES,
    default: "nobody",
    meaning: "An older name of `limit-allowlist`, which has precedence.",
    read: Some(|settings, text| {
        let list = read::addresses(text)?;
        if !settings.limits.exempt.as_ref().is_some_and(|(is_newer, _)| *is_newer) {
            settings.limits.exempt = Some((false, list));
        }
        Ok(())
    }),
};

pub(super) const BODY_SIZE: Annotation = Annotation {
    key: "proxy-body-size",
    values: AllowedValues::Words("bytes, or with k, m, g: 64m"),
    default: "1m on a class of ingress-nginx, else no limit",
    meaning: "Size of a request's body. A larger one is answered 413: at once if its length is declared, else when it has come so far. 0: no limit.",
    read: Some(|settings, text| {
        settings.limits.body_size = Some(read::size(text, 0, MAX_BODY)?);
        Ok(())
    }),
};
