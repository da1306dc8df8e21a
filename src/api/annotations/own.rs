//! `steadygate.io/`: what no other family can say.

mod websocket;

use super::{Entry, Redirect, read};
use crate::api::application_gateway::LoadDistributionAlgorithm;

/// The same here and with AGIC.
pub(super) const SSL_REDIRECT: Entry = Entry {
    key: "ssl-redirect",
    value: "true or false",
    meaning: "whether port 80 answers 301 to HTTPS where the host has TLS; false unless given",
    read: Some(|settings, text| {
        let redirect = if read::boolean(text)? { Redirect::MovedPermanently } else { Redirect::Off };
        settings.redirect = Some(redirect);
        Ok(())
    }),
};

/// The table.
pub(super) const ENTRIES: &[Entry] = &[
    SSL_REDIRECT,
    Entry {
        key: "load-distribution",
        value: "round-robin or least-connections",
        meaning: "which member takes the next request; round-robin unless given",
        read: Some(|settings, text| {
            settings.load_distribution = Some(match text {
                "round-robin" => LoadDistributionAlgorithm::RoundRobin,
                "least-connections" => LoadDistributionAlgorithm::LeastConnections,
                _ => return Err("round-robin or least-connections".to_owned().into()),
            });
            Ok(())
        }),
    },
    websocket::IDLE_TIMEOUT,
    websocket::IDLE_COUNTS,
    websocket::PING_INTERVAL,
    websocket::PING_TIMEOUT,
    websocket::MAX_AGE,
    websocket::DRAIN_TIMEOUT,
    websocket::UNHEALTHY_GRACE,
    websocket::REBALANCE,
    websocket::MAX_SESSIONS,
    websocket::MAX_SESSIONS_PER_CLIENT,
    websocket::HANDSHAKE_RATE,
    websocket::MAX_MESSAGE_SIZE,
    websocket::MESSAGE_RATE,
    websocket::BACKEND_HTTP2,
];
