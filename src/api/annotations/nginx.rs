//! `nginx.ingress.kubernetes.io/`: the annotations of ingress-nginx that migrations need.

use super::{Annotation, AnnotationProblemKind, BackendProtocol, affinity, guard, paths, redirects};
use crate::api::read;
use crate::api::value::{AllowedValues, RequestTimeout, ValueKind};

/// The annotations of this family.
pub(super) const ENTRIES: &[Annotation] = &[
    redirects::SSL,
    redirects::FORCE_SSL,
    redirects::PRESERVE_TRAILING_SLASH,
    redirects::PORT,
    redirects::PERMANENT,
    redirects::PERMANENT_CODE,
    redirects::TEMPORAL,
    redirects::TEMPORAL_CODE,
    redirects::RELATIVE,
    redirects::WWW,
    paths::USE_REGEX,
    paths::REWRITE_TARGET,
    paths::FORWARDED_PREFIX,
    paths::APP_ROOT,
    Annotation {
        key: "backend-protocol",
        values: AllowedValues::Words("HTTP or HTTPS"),
        default: "HTTP",
        meaning: "Protocol of the backends.",
        read: Some(|settings, text| {
            settings.backend_protocol = Some(match text.to_ascii_uppercase().as_str() {
                "HTTP" => BackendProtocol::Http,
                "HTTPS" => BackendProtocol::Https,
                "GRPC" | "GRPCS" | "AUTO_HTTP" | "FCGI" => {
                    return Err(AnnotationProblemKind::UnsupportedValue(
                        "write HTTP or HTTPS, if the backend speaks it",
                    ));
                }
                _ => return Err("HTTP or HTTPS".to_owned().into()),
            });
            Ok(())
        }),
    },
    Annotation {
        key: "proxy-read-timeout",
        values: RequestTimeout::VALUES,
        default: "60 on a class of ingress-nginx, else 30",
        meaning: "Time for a backend's answer. Where it is written, it is the idle timeout of sessions too.",
        read: Some(|settings, text| {
            settings.request_timeout = Some(RequestTimeout::from_text(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "server-alias",
        values: AllowedValues::Words("host names with commas"),
        default: "",
        meaning: "More hosts for each rule.",
        read: Some(|settings, text| {
            settings.server_alias = read::list(text);
            Ok(())
        }),
    },
    Annotation {
        key: "upstream-vhost",
        values: AllowedValues::Words("host name"),
        default: "that of the client",
        meaning: "`Host` that backends see.",
        read: Some(|settings, text| {
            settings.backend_hostname = Some(read::host(text)?);
            Ok(())
        }),
    },
    Annotation {
        key: "allowlist-source-range",
        values: ADDRESSES,
        default: "everybody",
        meaning: "The only clients that are admitted; others get 403. `0.0.0.0/0` means everybody.",
        read: Some(|settings, text| {
            if let Some(list) = guard::addresses(settings, text)? {
                settings.allowed_addresses = Some((ALLOW, list));
            }
            Ok(())
        }),
    },
    Annotation {
        key: "whitelist-source-range",
        values: ADDRESSES,
        default: "everybody",
        meaning: "An older name of `allowlist-source-range`, which has precedence.",
        read: Some(|settings, text| {
            let list = guard::addresses(settings, text)?;
            if settings.allowed_addresses.as_ref().is_none_or(|(key, _)| *key != ALLOW) {
                settings.allowed_addresses = list.map(|list| (ALLOW_OLDER, list));
            }
            Ok(())
        }),
    },
    Annotation {
        key: "denylist-source-range",
        values: ADDRESSES,
        default: "nobody",
        meaning: "Clients that are not admitted; they get 403.",
        read: Some(|settings, text| {
            if let Some(list) = guard::addresses(settings, text)? {
                settings.denied_addresses = Some((DENY, list));
            }
            Ok(())
        }),
    },
    Annotation {
        key: "canary",
        values: bool::VALUES,
        default: "false",
        meaning: "Whether the Ingress is a canary of another, as Argo Rollouts and Flagger write them. Canaries are not \
                  supported by this version: that is an error, nothing of the Ingress is served, and the other Ingress \
                  takes all requests.",
        read: Some(|settings, text| {
            settings.is_canary = bool::from_text(text)?;
            if settings.is_canary { Err(AnnotationProblemKind::Canary) } else { Ok(()) }
        }),
    },
    affinity::NGINX,
    affinity::NGINX_MODE,
    affinity::NGINX_NAME,
    affinity::NGINX_PATH,
    affinity::NGINX_DOMAIN,
    affinity::NGINX_SAMESITE,
    affinity::NGINX_SECURE,
    affinity::NGINX_MAX_AGE,
    affinity::NGINX_EXPIRES,
    unsupported("configuration-snippet", SNIPPET),
    unsupported("server-snippet", SNIPPET),
    unsupported("stream-snippet", SNIPPET),
    unsupported("auth-snippet", SNIPPET),
    unsupported("modsecurity-snippet", SNIPPET),
    unsupported("affinity-canary-behavior", ""),
    unsupported("session-cookie-change-on-failure", "a client whose member fails always gets a new cookie"),
    unsupported("session-cookie-conditional-samesite-none", ""),
    unsupported("canary-by-header", ""),
    unsupported("canary-by-header-value", ""),
    unsupported("canary-by-header-pattern", ""),
    unsupported("canary-by-cookie", ""),
    unsupported("canary-weight", ""),
    unsupported("canary-weight-total", ""),
    unsupported("enable-cors", ""),
    unsupported("cors-allow-origin", ""),
    unsupported("cors-allow-methods", ""),
    unsupported("cors-allow-headers", ""),
    unsupported("cors-allow-credentials", ""),
    unsupported("cors-expose-headers", ""),
    unsupported("cors-max-age", ""),
    unsupported("custom-headers", ""),
    unsupported("proxy-body-size", "bodies of any size are streamed; the annotation can go"),
    unsupported("client-body-buffer-size", "bodies are streamed, not buffered; the annotation can go"),
    unsupported("proxy-buffering", "bodies are streamed, not buffered; the annotation can go"),
    unsupported("proxy-request-buffering", "bodies are streamed, not buffered; the annotation can go"),
    unsupported("proxy-buffer-size", "bodies are streamed, not buffered; the annotation can go"),
    unsupported("proxy-buffers-number", "bodies are streamed, not buffered; the annotation can go"),
    unsupported("proxy-http-version", "WebSocket needs no setting; the annotation can go"),
    unsupported("websocket-services", "WebSocket needs no setting; the annotation can go"),
    unsupported("proxy-connect-timeout", ""),
    unsupported("proxy-send-timeout", "for WebSocket sessions use steadygate.io/websocket-idle-timeout"),
    unsupported("proxy-next-upstream", ""),
    unsupported("proxy-next-upstream-tries", ""),
    unsupported("proxy-next-upstream-timeout", ""),
    unsupported("proxy-ssl-name", ""),
    unsupported("proxy-ssl-secret", ""),
    unsupported("proxy-ssl-server-name", ""),
    unsupported("proxy-ssl-verify", "HTTPS backends are always verified"),
    unsupported("proxy-ssl-verify-depth", ""),
    unsupported("proxy-ssl-ciphers", ""),
    unsupported("proxy-ssl-protocols", ""),
    unsupported("ssl-passthrough", ""),
    unsupported("upstream-hash-by", ""),
    unsupported("load-balance", "use steadygate.io/load-distribution"),
    unsupported("service-upstream", ""),
    unsupported("default-backend", "use spec.defaultBackend"),
    unsupported("custom-http-errors", ""),
    unsupported("auth-secret-type", ""),
    unsupported("auth-realm", ""),
    unsupported("auth-method", ""),
    unsupported("auth-response-headers", ""),
    unsupported("auth-tls-verify-depth", ""),
    unsupported("auth-tls-error-page", ""),
    unsupported("auth-always-set-cookie", ""),
    unsupported("auth-cache-duration", ""),
    unsupported("auth-cache-key", ""),
    unsupported("auth-keepalive", ""),
    unsupported("auth-keepalive-requests", ""),
    unsupported("auth-keepalive-share-vars", ""),
    unsupported("auth-keepalive-timeout", ""),
    unsupported("auth-proxy-set-headers", ""),
    unsupported("auth-request-redirect", ""),
    unsupported("auth-signin-redirect-param", ""),
    unsupported("auth-tls-pass-certificate-to-upstream", ""),
    unsupported("limit-rps", ""),
    unsupported("limit-rpm", ""),
    unsupported("limit-connections", ""),
    unsupported("limit-burst-multiplier", ""),
    unsupported("limit-allowlist", ""),
    unsupported("enable-access-log", ""),
    unsupported("mirror-target", ""),
];

const ADDRESSES: AllowedValues = AllowedValues::Words("IP addresses and CIDRs with commas");
const ALLOW: &str = "nginx.ingress.kubernetes.io/allowlist-source-range";
const ALLOW_OLDER: &str = "nginx.ingress.kubernetes.io/whitelist-source-range";
const DENY: &str = "nginx.ingress.kubernetes.io/denylist-source-range";

const SNIPPET: &str = "snippets are never run: they put text into a configuration that everyone shares, which was the \
                       source of the gravest vulnerabilities of their controller";

const fn unsupported(key: &'static str, instead: &'static str) -> Annotation {
    Annotation { key, values: AllowedValues::Words(""), default: "", meaning: instead, read: None }
}
