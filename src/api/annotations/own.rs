//! `steadygate.io/`: settings that no other family has. Those of WebSocket sessions are in `api::session`.

use super::{Entry, Redirect};
use crate::api::application_gateway::LoadDistributionAlgorithm;
use crate::api::session::DrainTime;
use crate::api::value::{ValueKind, Values};

/// This entry is one of AGIC too.
pub(super) const SSL_REDIRECT: Entry = Entry {
    key: "ssl-redirect",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether port 80 answers 301 to HTTPS where the host has TLS.",
    read: Some(|settings, text| {
        let redirect = if bool::from_text(text)? { Redirect::MovedPermanently } else { Redirect::Off };
        settings.redirect = Some(redirect);
        Ok(())
    }),
};

/// The table.
pub(super) const ENTRIES: &[Entry] = &[
    SSL_REDIRECT,
    Entry {
        key: "load-distribution",
        values: Values::Words("round-robin or least-connections"),
        default: "round-robin",
        meaning: "Which member takes the next request.",
        read: Some(|settings, text| {
            settings.load_distribution = Some(match text {
                "round-robin" => LoadDistributionAlgorithm::RoundRobin,
                "least-connections" => LoadDistributionAlgorithm::LeastConnections,
                _ => return Err("round-robin or least-connections".to_owned().into()),
            });
            Ok(())
        }),
    },
    Entry {
        key: "websocket-drain-timeout",
        values: DrainTime::VALUES,
        default: "what connection-draining gives, else half of the pod's grace period, or half of 30 seconds for a rule",
        meaning: "Time over which the sessions of a pod that goes away, or of a rule that is removed, are closed (1001).",
        read: Some(|settings, text| {
            settings.session.drain = Some(DrainTime::from_text(text)?);
            Ok(())
        }),
    },
];
