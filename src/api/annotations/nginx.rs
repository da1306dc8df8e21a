//! `nginx.ingress.kubernetes.io/`: the annotations of ingress-nginx that migrations need.

use super::{
    Annotation, AnnotationProblemKind, BackendProtocol, affinity, canary, cors, guard, limits, paths, redirects,
};
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
    limits::BODY_SIZE,
    limits::RPS,
    limits::RPM,
    limits::CONNECTIONS,
    limits::BURST_MULTIPLIER,
    limits::ALLOWLIST,
    limits::WHITELIST,
    cors::ENABLE,
    cors::ALLOW_ORIGIN,
    cors::ALLOW_METHODS,
    cors::ALLOW_HEADERS,
    cors::EXPOSE_HEADERS,
    cors::ALLOW_CREDENTIALS,
    cors::MAX_AGE,
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
        values: AllowedValues::Words("host name, with variables of nginx"),
        default: "that of the client",
        meaning: "`Host` that backends see. Variables are `$service_name`, `$namespace`, `$service_port`, `$ingress_name`, `$host` and others of \
                  the request.",
        read: Some(|settings, text| {
            if text.contains('$') {
                settings.paths.host = Some(text.trim().to_owned());
            } else {
                settings.backend_hostname = Some(read::host(text)?);
            }
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
    canary::CANARY,
    canary::WEIGHT,
    canary::TOTAL,
    canary::HEADER,
    canary::HEADER_VALUE,
    canary::HEADER_PATTERN,
    canary::COOKIE,
    canary::AFFINITY,
    accepted("auth-keepalive"),
    accepted("auth-keepalive-requests"),
    accepted("auth-keepalive-share-vars"),
    accepted("auth-keepalive-timeout"),
    accepted("client-body-buffer-size"),
    accepted("connection-proxy-header"),
    accepted("enable-rewrite-log"),
    accepted("http2-push-preload"),
    accepted("proxy-buffer-size"),
    accepted("proxy-buffering"),
    accepted("proxy-buffers-number"),
    accepted("proxy-busy-buffers-size"),
    accepted("proxy-http-version"),
    accepted("proxy-max-temp-file-size"),
    accepted("session-cookie-hash"),
    accepted("websocket-services"),
    Annotation {
        key: "service-upstream",
        values: bool::VALUES,
        default: "false",
        meaning: "Whether requests go to the cluster IP of the Service, and not to its pods: a service mesh or kube-proxy chooses. Sticky \
                  sessions have no effect then.",
        read: Some(|settings, text| {
            settings.service_upstream = Some(bool::from_text(text)?);
            Ok(())
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
    unsupported("session-cookie-change-on-failure", "a client whose member fails always gets a new cookie"),
    unsupported("session-cookie-conditional-samesite-none", ""),
    unsupported("custom-headers", ""),
    unsupported("proxy-request-buffering", "bodies are streamed, not buffered; the annotation can go"),
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
    unsupported("auth-proxy-set-headers", ""),
    unsupported("auth-request-redirect", ""),
    unsupported("auth-signin-redirect-param", ""),
    unsupported("auth-tls-pass-certificate-to-upstream", ""),
    unsupported("disable-proxy-intercept-errors", ""),
    unsupported("enable-modsecurity", "there is no web application firewall here; put one in front"),
    unsupported("enable-owasp-core-rules", "there is no web application firewall here; put one in front"),
    unsupported("modsecurity-transaction-id", "there is no web application firewall here; put one in front"),
    unsupported("enable-opentelemetry", "no traces are sent; the traceparent of a client is passed on"),
    unsupported("opentelemetry-operation-name", "no traces are sent; the traceparent of a client is passed on"),
    unsupported("opentelemetry-trust-incoming-span", "no traces are sent; the traceparent of a client is passed on"),
    unsupported("fastcgi-index", "put a server that speaks HTTP before the FastCGI program"),
    unsupported("fastcgi-params-configmap", "put a server that speaks HTTP before the FastCGI program"),
    unsupported("limit-rate", ""),
    unsupported("limit-rate-after", ""),
    unsupported("mirror-host", ""),
    unsupported("mirror-request-body", ""),
    unsupported("proxy-cookie-domain", ""),
    unsupported("proxy-cookie-path", ""),
    unsupported("proxy-redirect-from", ""),
    unsupported("proxy-redirect-to", ""),
    unsupported("ssl-ciphers", "the cipher suites of TLS 1.2 and 1.3 that are secure are offered to every client"),
    unsupported("ssl-prefer-server-ciphers", "the gateway's order of cipher suites counts"),
    unsupported("upstream-hash-by-subset", ""),
    unsupported("upstream-hash-by-subset-size", ""),
    unsupported("enable-access-log", ""),
    unsupported("mirror-target", ""),
];

const ADDRESSES: AllowedValues = AllowedValues::Words("IP addresses and CIDRs with commas");
const ALLOW: &str = "nginx.ingress.kubernetes.io/allowlist-source-range";
const ALLOW_OLDER: &str = "nginx.ingress.kubernetes.io/whitelist-source-range";
const DENY: &str = "nginx.ingress.kubernetes.io/denylist-source-range";

const SNIPPET: &str = "snippets are never run: they put text into a configuration that everyone shares, which was the \
                       source of the gravest vulnerabilities of their controller";

/// An annotation that tunes the inside of nginx: nothing of it can be seen by a client or a backend.
const fn accepted(key: &'static str) -> Annotation {
    let (values, meaning) =
        (AllowedValues::Words("any"), "No effect: it tunes the inside of nginx, and nothing is to be done about it.");
    Annotation { key, values, default: "", meaning, read: Some(|_, _| Ok(())) }
}

const fn unsupported(key: &'static str, instead: &'static str) -> Annotation {
    Annotation { key, values: AllowedValues::Words(""), default: "", meaning: instead, read: None }
}
