//! `steadygate.io/`: settings that no other family has. Those of WebSocket sessions are in `api::session`.

use super::{Annotation, EncodedSlashesSetting, SslRedirect, token};
use crate::api::application_gateway::LoadDistributionAlgorithm;
use crate::api::session::DrainTime;
use crate::api::upgrade;
use crate::api::value::{AllowedValues, ValueKind};

/// This entry is one of AGIC too.
pub(super) const SSL_REDIRECT: Annotation = Annotation {
    key: "ssl-redirect",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether port 80 answers 301 to HTTPS where the host has TLS.",
    read: Some(|settings, text| {
        let redirect = if bool::from_text(text)? { SslRedirect::MovedPermanently } else { SslRedirect::Off };
        settings.redirect = Some(redirect);
        Ok(())
    }),
};

/// The annotations of this family.
pub(super) const ENTRIES: &[Annotation] = &[
    SSL_REDIRECT,
    Annotation {
        key: "encoded-slashes",
        values: AllowedValues::Words("keep, refuse or decode"),
        default: "keep; decode on a class that is taken over from ingress-nginx",
        meaning: "Requests whose path has `%2F`, `%5C`, `\\` or `;`: these are no separators (keep), the answer is 400 (refuse), or the \
                  path is matched as a backend may read it (decode).",
        read: Some(|settings, text| {
            settings.encoded_slashes = Some(match text {
                "keep" => EncodedSlashesSetting::Keep,
                "refuse" => EncodedSlashesSetting::Refuse,
                "decode" => EncodedSlashesSetting::Decode,
                _ => return Err("keep, refuse or decode".to_owned().into()),
            });
            Ok(())
        }),
    },
    Annotation {
        key: "ignore-snippets",
        values: bool::VALUES,
        default: "false",
        meaning: "Whether paths are served although a snippet of ingress-nginx guards them, for whoever guards them otherwise.",
        read: Some(|settings, text| {
            settings.ignore_snippets = Some(bool::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "load-distribution",
        values: AllowedValues::Words("round-robin or least-connections"),
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
    Annotation {
        key: "upgrade",
        values: AllowedValues::Words("protocols with commas, or *"),
        default: "none",
        meaning: "Protocols other than WebSocket to which requests may be upgraded, if the backend agrees: SPDY/3.1, tcp, DERP. \
            *: every protocol that does not carry HTTP itself. The `websocket-` annotations hold for sessions of these \
            protocols too, except those about messages and pings.",
        read: Some(|settings, text| {
            settings.upgrade_protocols = upgrade::protocols(text)?;
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe",
        values: AllowedValues::Words("on or off"),
        default: "on",
        meaning: "Whether members are probed. `off`: the readiness of their endpoints alone decides; the annotations \
                  `health-probe-…` have no effect.",
        read: Some(|settings, text| {
            settings.probe.off = Some(match text {
                "on" => false,
                "off" => true,
                _ => return Err("on or off".to_owned().into()),
            });
            Ok(())
        }),
    },
    Annotation {
        key: "websocket-drain-timeout",
        values: DrainTime::VALUES,
        default: "what connection-draining gives, else half of the pod's grace period, or half of 30 seconds for a rule",
        meaning: "Time over which the sessions of a pod that goes away, or of a rule that is removed, are closed (1001).",
        read: Some(|settings, text| {
            settings.session.drain = Some(DrainTime::from_text(text)?);
            Ok(())
        }),
    },
    token::ENTRA_TENANT,
    token::ISSUER,
    token::AUDIENCES,
    token::JWKS_URL,
    token::JWKS_SECRET,
    token::JWKS_CONFIG_MAP,
    token::CLOCK_SKEW,
    token::HEADER,
    token::QUERY_PARAMETER,
    token::CLAIMS_TO_HEADERS,
    token::UNAUTHORIZED,
    token::SESSION_AT_TOKEN_END,
];
