//! `appgw.ingress.kubernetes.io/`: the 26 annotations of AGIC, the Application Gateway Ingress Controller of Azure.

use super::own::SSL_REDIRECT;
use super::{Annotation, BackendProtocol, affinity};
use crate::api::read;
use crate::api::session::DrainTime;
use crate::api::value::{AllowedValues, Number, ProbeThreshold, ProbeTime, RequestTimeout, ValueKind};

/// Frontend ports that a listener may have (ARM).
type FrontendPort = Number<1, 64999>;
/// Priority of a rule (ARM).
type RulePriority = Number<1, 20000>;

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
        default: "http; https for port 443, on a class that is taken over from AGIC",
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
        meaning: "More hosts for each rule. `*` and `?` are wildcards as in `hostNames` of an ApplicationGateway: `*` stands for any \
                  characters, also several labels.",
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
    Annotation {
        key: "appgw-ssl-certificate",
        values: ELEMENT,
        default: "",
        meaning: "Certificate of all hosts of the Ingress: an element of `sslCertificates` of the class's ApplicationGateway. Of no effect \
                  beside spec.tls.",
        read: Some(|settings, text| {
            settings.agic.certificate = Some(element(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "appgw-trusted-root-certificate",
        values: AllowedValues::Words("names of elements with commas"),
        default: "the well-known authorities",
        meaning: "CA certificates that verify HTTPS backends: elements of `trustedRootCertificates` of the class's ApplicationGateway. \
                  Backends then see their own address as `Host`, unless backend-hostname says otherwise.",
        read: Some(|settings, text| {
            let names = read::list(text);
            if names.is_empty() {
                return Err("names of elements with commas".to_owned().into());
            }
            settings.agic.trusted_roots = names;
            Ok(())
        }),
    },
    Annotation {
        key: "appgw-ssl-profile",
        values: ELEMENT,
        default: "that of the class's first listener over TLS",
        meaning: "What the connections of the Ingress's hosts must be like: an element of `sslProfiles` of the class's \
                  ApplicationGateway. Where it can't be set up, the Ingress answers 503; where it asks for client certificates, so do paths \
                  in clear text that are not redirected.",
        read: Some(|settings, text| {
            settings.agic.ssl_profile = Some(element(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "override-frontend-port",
        values: FrontendPort::VALUES,
        default: "80, or 443 with TLS",
        meaning: "Port on which the Ingress is served: over TLS if it has TLS, else in clear text. Redirects from port 80 lead there.",
        read: Some(|settings, text| {
            settings.agic.frontend_port = u16::try_from(FrontendPort::from_text(text)?).ok();
            Ok(())
        }),
    },
    Annotation {
        key: "use-private-ip",
        values: bool::VALUES,
        default: "false",
        meaning: "Whether the Ingress is served at the private address alone. The class's ApplicationGateway must have a private frontend, \
                  and no public one; otherwise the Ingress answers 503.",
        read: Some(|settings, text| {
            settings.agic.private_ip = Some(bool::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "rewrite-rule-set",
        values: ELEMENT,
        default: "",
        meaning: "Rewrites of requests and answers: an element of `rewriteRuleSets` of the class's ApplicationGateway. One that is not \
                  there is reported, and requests are served without.",
        read: Some(|settings, text| {
            settings.agic.rewrite_rule_set = Some(element(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "rewrite-rule-set-custom-resource",
        values: AllowedValues::Words("name of an AzureApplicationGatewayRewrite"),
        default: "",
        meaning: "Rewrites of requests and answers: an AzureApplicationGatewayRewrite of the Ingress's namespace. It can't stand beside \
                  `rewrite-rule-set`. One that is not there is reported, and requests are served without.",
        read: Some(|settings, text| {
            settings.agic.rewrite_resource = Some(element(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "rule-priority",
        values: RulePriority::VALUES,
        default: "after those that have one",
        meaning: "Which Ingress of a namespace goes first where several have the same host and path: the lowest number, then the oldest. \
                  Hosts and paths that differ have the precedence that the Ingress API gives them.",
        read: Some(|settings, text| {
            settings.agic.rule_priority = Some(RulePriority::from_text(text)?);
            Ok(())
        }),
    },
    unsupported("waf-policy-for-path", "there is no web application firewall here; put one in front"),
];

/// The name of an element of an ApplicationGateway.
const ELEMENT: AllowedValues = AllowedValues::Words("name of an element");

fn element(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() { Err("the name of an element".to_owned()) } else { Ok(name.to_owned()) }
}

const fn unsupported(key: &'static str, instead: &'static str) -> Annotation {
    Annotation { key, values: AllowedValues::Words(""), default: "", meaning: instead, read: None }
}
