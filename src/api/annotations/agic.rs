//! `appgw.ingress.kubernetes.io/`: the 26 annotations of AGIC, the Azure ingress controller.

use super::own::SSL_REDIRECT;
use super::{BackendProtocol, Entry, affinity, read};

/// The table.
pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        key: "backend-path-prefix",
        value: "path",
        meaning: "what backends see in place of the rule's path; nothing changes unless given",
        read: Some(|settings, text| {
            settings.backend_path_prefix = Some(read::path(text)?);
            Ok(())
        }),
    },
    Entry {
        key: "backend-hostname",
        value: "host name",
        meaning: "the Host that backends and their probes see; the client's unless given",
        read: Some(|settings, text| {
            settings.backend_hostname = Some(read::host(text)?);
            Ok(())
        }),
    },
    Entry {
        key: "backend-protocol",
        value: "http or https",
        meaning: "what backends speak; http unless given",
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
    Entry {
        key: "request-timeout",
        value: "seconds, 1 to 86400",
        meaning: "time for a backend's answer, and a WebSocket session's idle timeout; 30 unless given",
        read: Some(|settings, text| {
            settings.request_timeout = Some(read::seconds(text, 1, 86_400)?);
            Ok(())
        }),
    },
    Entry {
        key: "hostname-extension",
        value: "host names with commas",
        meaning: "more hosts for each rule",
        read: Some(|settings, text| {
            settings.hostname_extension = read::list(text);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-hostname",
        value: "host name",
        meaning: "the Host that probes send; what the pod's own probe sends, or the rule's host, unless given",
        read: Some(|settings, text| {
            settings.probe.hostname = Some(read::host(text)?);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-port",
        value: "port",
        meaning: "the port that probes ask; that of the pod's own probe, or the member's, unless given",
        read: Some(|settings, text| {
            settings.probe.port = Some(read::port(text)?);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-path",
        value: "path",
        meaning: "the path that probes ask for; that of the pod's own probe, or /, unless given",
        read: Some(|settings, text| {
            settings.probe.path = Some(read::path(text)?);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-status-codes",
        value: "statuses and ranges with commas",
        meaning: "statuses that count as healthy; 200-399, or 100-499 where the pods declare no probe, unless given",
        read: Some(|settings, text| {
            settings.probe.status_codes = Some(read::statuses(text)?);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-interval",
        value: "seconds, 1 to 86400",
        meaning: "time between two probes; that of the pod's own probe, or 30, unless given",
        read: Some(|settings, text| {
            settings.probe.interval = Some(read::seconds(text, 1, 86_400)?);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-timeout",
        value: "seconds, 1 to 86400",
        meaning: "time in which a probe's answer must have come; that of the pod's own probe, or 30, unless given",
        read: Some(|settings, text| {
            settings.probe.timeout = Some(read::seconds(text, 1, 86_400)?);
            Ok(())
        }),
    },
    Entry {
        key: "health-probe-unhealthy-threshold",
        value: "1 to 20",
        meaning: "failures in a row that mark a member down; those of the pod's own probe, or 3, unless given",
        read: Some(|settings, text| {
            settings.probe.unhealthy_threshold = Some(read::number(text, 1, 20)?);
            Ok(())
        }),
    },
    Entry {
        key: "connection-draining",
        value: "true or false",
        meaning: "whether the WebSocket sessions of a pod that goes away, or of a rule that is removed, are closed \
                  (1001) over connection-draining-timeout; else it is over half of the pod's grace, or half of 30 \
                  seconds for a rule; requests in progress are let finish either way; false unless given",
        read: Some(|settings, text| {
            settings.connection_draining = Some(read::boolean(text)?);
            // What is left of the class; the Ingress's own comes after this.
            settings.session.drain = None;
            Ok(())
        }),
    },
    Entry {
        key: "connection-draining-timeout",
        value: "seconds, 1 to 3600",
        meaning: "time over which those sessions are closed; 30 unless given; no effect without connection-draining",
        read: Some(|settings, text| {
            settings.connection_draining_timeout = Some(read::seconds(text, 1, 3600)?);
            Ok(())
        }),
    },
    affinity::AGIC,
    affinity::AGIC_DISTINCT,
    unsupported("appgw-ssl-certificate", "name a Secret in spec.tls"),
    unsupported("appgw-trusted-root-certificate", "use an ApplicationGateway, which has trustedRootCertificates"),
    unsupported("appgw-ssl-profile", ""),
    unsupported("override-frontend-port", "use an ApplicationGateway, whose listeners name their port"),
    unsupported("use-private-ip", ""),
    unsupported("waf-policy-for-path", "there is no web application firewall here; put one in front"),
    unsupported("rewrite-rule-set", ""),
    unsupported("rewrite-rule-set-custom-resource", ""),
    unsupported("rule-priority", "hosts and paths have the precedence that the Ingress API gives them"),
];

const fn unsupported(key: &'static str, instead: &'static str) -> Entry {
    Entry { key, value: "", meaning: instead, read: None }
}
