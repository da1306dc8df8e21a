//! What guards in the families of other controllers. An Ingress that came from one of them must not be open here to people that
//! were kept out there. Their other annotations are not looked at.

use super::guard::{ADDRESSES, AUTHORISATION, CERTIFICATES, Guard, PASSWORDS};

/// `haproxy-ingress.github.io/` and `ingress.kubernetes.io/`, which ingress-nginx had too before it had a prefix of its own.
pub(super) const HAPROXY_INGRESS: &[Guard] = &[
    Guard::always("auth-type", PASSWORDS),
    Guard::always("auth-secret", PASSWORDS),
    Guard::always("auth-url", AUTHORISATION),
    Guard::always("auth-signin", AUTHORISATION),
    Guard::always("oauth", AUTHORISATION),
    Guard::always("auth-tls-secret", CERTIFICATES),
    Guard::allow_list("allowlist-source-range"),
    Guard::allow_list("whitelist-source-range"),
    Guard::always("denylist-source-range", ADDRESSES),
];

/// `haproxy.org/`
pub(super) const HAPROXY_TECHNOLOGIES: &[Guard] = &[
    Guard::always("auth-type", PASSWORDS),
    Guard::always("auth-secret", PASSWORDS),
    Guard::always("client-ca", CERTIFICATES),
    Guard::allow_list("allow-list"),
    Guard::allow_list("whitelist"),
    Guard::always("deny-list", ADDRESSES),
    Guard::always("blacklist", ADDRESSES),
];

/// `nginx.org/`
pub(super) const NGINX_INC: &[Guard] = &[
    Guard::always("basic-auth-secret", PASSWORDS),
    Guard::always("policies", AUTHORISATION),
    Guard::snippet("location-snippets"),
    Guard::snippet("server-snippets"),
];

/// `nginx.com/`
pub(super) const NGINX_PLUS: &[Guard] = &[Guard::always("jwt-key", AUTHORISATION)];

/// `traefik.ingress.kubernetes.io/`, as version 1 had it. What a middleware of later versions does is not written in the Ingress.
pub(super) const TRAEFIK: &[Guard] = &[
    Guard::always("auth-type", PASSWORDS),
    Guard::always("auth-secret", PASSWORDS),
    Guard::allow_list("whitelist-source-range"),
];

/// `alb.ingress.kubernetes.io/`
pub(super) const ALB: &[Guard] = &[
    Guard::always("auth-idp-cognito", AUTHORISATION),
    Guard::always("auth-idp-oidc", AUTHORISATION),
    Guard::always("mutual-authentication", CERTIFICATES),
    Guard::allow_list("inbound-cidrs"),
];
