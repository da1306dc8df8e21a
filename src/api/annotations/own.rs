//! `steadygate.io/`: what no other family can say.

use super::{Entry, Redirect, read};
use crate::api::gateway::LoadDistributionAlgorithm;

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
    Entry {
        key: "websocket-idle-timeout",
        value: "seconds, 0 to 2592000",
        meaning: "longest silence of a WebSocket session, 0: no limit; the request timeout unless given",
        read: Some(|settings, text| {
            let idle = read::seconds(text, 0, 2_592_000)?;
            settings.websocket_idle_timeout = Some(Some(idle).filter(|idle| !idle.is_zero()));
            Ok(())
        }),
    },
];
