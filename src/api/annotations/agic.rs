//! `appgw.ingress.kubernetes.io/`: the 26 annotations of AGIC, the Application Gateway Ingress Controller of Azure.

use super::own::SSL_REDIRECT;
use super::{Annotation, BackendProtocol, affinity};
use crate::api::read;
use crate::api::session::DrainTime;
use crate::api::value::{AllowedValues, ProbeThreshold, ProbeTime, RequestTimeout, ValueKind};

/// The annotations of this family.
pub(super) const ENTRIES: &[Annotation] = &[
    Annotation {
        key: "backend-path-prefix",
        values: AllowedValues::Words("path"),
        default: "the path stays",
        meaning: "Path that backends see in place of the rule's path.",
        read: Some(|settings, text| {
            settings.backend_path_prefix = Some(read::path(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "backend-hostname",
        values: AllowedValues::Words("host name"),
        default: "that of the client",
        meaning: "`Host` that backends and their probes see.",
        read: Some(|settings, text| {
            settings.backend_hostname = Some(read::host(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "backend-protocol",
        values: AllowedValues::Words("http or https"),
        default: "http",
        meaning: "Protocol of the backends.",
        read: Some(|settings, text| {
            settings.backend_protocol = Some(match text.to_ascii_lowercase().as_str() {
                "http" => BackendProtocol::Http,
                "https" => BackendProtocol::Https,
                _ => return Err("http or https".to_owned().into()),
            });
            Ok(())
        }),
    },
    SSL_REDIRECT,
    Annotation {
        key: "request-timeout",
        values: RequestTimeout::VALUES,
        default: "30",
        meaning: "Time for a backend's answer. Where it is written, it is the idle timeout of sessions too.",
        read: Some(|settings, text| {
            settings.request_timeout = Some(RequestTimeout::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "hostname-extension",
        values: AllowedValues::Words("host names with commas"),
        default: "",
        meaning: "More hosts for each rule.",
        read: Some(|settings, text| {
            settings.hostname_extension = read::list(text);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-hostname",
        values: AllowedValues::Words("host name"),
        default: "that of the pod's own probe, else the rule's host",
        meaning: "`Host` that probes send.",
        read: Some(|settings, text| {
            settings.probe.hostname = Some(read::host(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-port",
        values: AllowedValues::Words("port"),
        default: "that of the pod's own probe, else the member's",
        meaning: "Port that probes connect to.",
        read: Some(|settings, text| {
            settings.probe.port = Some(read::port(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-path",
        values: AllowedValues::Words("path"),
        default: "that of the pod's own probe, else /",
        meaning: "Path that probes request.",
        read: Some(|settings, text| {
            settings.probe.path = Some(read::path(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-status-codes",
        values: AllowedValues::Words("statuses and ranges with commas"),
        default: "200-399, or 100-499 where the pods declare no probe",
        meaning: "Statuses that count as healthy.",
        read: Some(|settings, text| {
            settings.probe.status_codes = Some(read::statuses(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-interval",
        values: ProbeTime::VALUES,
        default: "that of the pod's own probe, else 30",
        meaning: "Time between two probes.",
        read: Some(|settings, text| {
            settings.probe.interval = Some(ProbeTime::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-timeout",
        values: ProbeTime::VALUES,
        default: "that of the pod's own probe, else 30",
        meaning: "Time in which a probe's answer must have come.",
        read: Some(|settings, text| {
            settings.probe.timeout = Some(ProbeTime::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "health-probe-unhealthy-threshold",
        values: ProbeThreshold::VALUES,
        default: "that of the pod's own probe, else 3",
        meaning: "Failures in a row that mark a member down.",
        read: Some(|settings, text| {
            settings.probe.unhealthy_threshold = Some(ProbeThreshold::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "connection-draining",
        values: bool::VALUES,
        default: "false",
        meaning: "Whether the WebSocket sessions of a pod that goes away, or of a rule that is removed, are closed (1001) \
                  over connection-draining-timeout. If not, they are closed over half of the pod's grace period, or half \
                  of 30 seconds for a rule. Requests in progress are finished in both cases.",
        read: Some(|settings, text| {
            settings.connection_draining = Some(bool::from_text(text)?);
            // This replaces a drain time that the class has set. One that the Ingress sets itself is read after this.
            settings.session.drain = None;
            Ok(())
        }),
    },
    Annotation {
        key: "connection-draining-timeout",
        values: DrainTime::VALUES,
        default: "30",
        meaning: "Time over which those sessions are closed. No effect without connection-draining.",
        read: Some(|settings, text| {
            settings.connection_draining_timeout = Some(DrainTime::from_text(text)?);
            Ok(())
        }),
    },
    affinity::AGIC,
    affinity::AGIC_DISTINCT,
    unsupported("appgw-ssl-certificate", "name a Secret in spec.tls"),
    unsupported("appgw-trusted-root-certificate", "use an ApplicationGateway, which has trustedRootCertificates"),
    unsupported("override-frontend-port", "use an ApplicationGateway, whose listeners name their port"),
    unsupported("use-private-ip", ""),
    unsupported("waf-policy-for-path", "there is no web application firewall here; put one in front"),
    unsupported("rewrite-rule-set", ""),
    unsupported("rewrite-rule-set-custom-resource", ""),
    unsupported("rule-priority", "hosts and paths have the precedence that the Ingress API gives them"),
];

const fn unsupported(key: &'static str, instead: &'static str) -> Annotation {
    Annotation { key, values: AllowedValues::Words(""), default: "", meaning: instead, read: None }
}
