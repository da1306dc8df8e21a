//! Annotations for sticky sessions, of ingress-nginx and AGIC.

use std::time::Duration;

use super::{Annotation, AnnotationProblemKind};
use crate::api::cookie;
use crate::api::value::{AllowedValues, Seconds, ValueKind};

/// Sticky sessions as annotations ask for them. Each family has its own cookie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AffinitySettings {
    /// The family whose cookie is set. `None`: no annotation asks for sticky sessions.
    pub by: Option<AffinityBy>,
    /// AGIC: whether the name of the cookie is distinct for each backend.
    pub distinct_name: Option<bool>,
    /// AGIC: the name of a cookie that is not distinct (`affinityCookieName` of the class's ApplicationGateway).
    pub agic_cookie: Option<String>,
    /// ingress-nginx: the attributes of its cookie.
    pub cookie: SessionCookie,
}

/// The family whose cookie is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AffinityBy {
    /// No cookie, as an annotation says explicitly.
    Off,
    /// AGIC: `appgw.ingress.kubernetes.io/cookie-based-affinity`.
    Agic,
    /// ingress-nginx: `nginx.ingress.kubernetes.io/affinity`.
    IngressNginx,
}

/// The attributes of the cookie of ingress-nginx.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionCookie {
    /// Name.
    pub name: Option<String>,
    /// `Path`.
    pub path: Option<String>,
    /// `Domain`.
    pub domain: Option<String>,
    /// `SameSite`.
    pub same_site: Option<SameSiteSetting>,
    /// `Secure`.
    pub secure: Option<bool>,
    /// `Max-Age`.
    pub max_age: Option<Duration>,
    /// `Max-Age` by its older annotation, which counts only where `max_age` is absent.
    pub expires: Option<Duration>,
}

/// The `SameSite` attribute: the requests of other sites that a cookie is sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSiteSetting {
    /// All requests.
    None,
    /// Those that lead the user here.
    Lax,
    /// No requests.
    Strict,
}

/// Lifetime of a cookie.
type CookieAge = Seconds<1, 2_147_483_647>;

pub(super) const AGIC: Annotation = Annotation {
    key: "cookie-based-affinity",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether clients come back to their member by the cookie ApplicationGatewayAffinity, and over HTTPS also by \
              ApplicationGatewayAffinityCORS.",
    read: Some(|settings, text| {
        settings.affinity.by = Some(if bool::from_text(text)? { AffinityBy::Agic } else { AffinityBy::Off });
        Ok(())
    }),
};

pub(super) const AGIC_DISTINCT: Annotation = Annotation {
    key: "cookie-based-affinity-distinct-name",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether that cookie has a name of its own for each Service, `appgw-affinity-` and the MD5 of `namespace-service`, as \
              AGIC names it. If not, a client that uses several backends of a host has the cookie of the last one only.",
    read: Some(|settings, text| {
        settings.affinity.distinct_name = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const NGINX: Annotation = Annotation {
    key: "affinity",
    values: AllowedValues::Words("cookie"),
    default: "each request goes to any member",
    meaning: "Clients come back to their member by a cookie.",
    read: Some(|settings, text| {
        if text != "cookie" {
            return Err("cookie".to_owned().into());
        }
        settings.affinity.by = Some(AffinityBy::IngressNginx);
        Ok(())
    }),
};

pub(super) const NGINX_MODE: Annotation = Annotation {
    key: "affinity-mode",
    values: AllowedValues::Words("balanced or persistent"),
    default: "",
    meaning: "Both values have one effect here: a client stays as long as its member takes requests. Where members are added, \
              ingress-nginx moves some clients to them if balanced; here only new clients go there.",
    read: Some(|_, text| match text {
        "balanced" | "persistent" => Ok(()),
        _ => Err("balanced or persistent".to_owned().into()),
    }),
};

pub(super) const NGINX_NAME: Annotation = Annotation {
    key: "session-cookie-name",
    values: AllowedValues::Words("cookie name"),
    default: "INGRESSCOOKIE",
    meaning: "Name of the cookie.",
    read: Some(|settings, text| {
        settings.affinity.cookie.name =
            Some(checked(text, cookie::is_name, "a cookie name: letters, digits, '-' and '_'")?);
        Ok(())
    }),
};

pub(super) const NGINX_PATH: Annotation = Annotation {
    key: "session-cookie-path",
    values: AllowedValues::Words("path"),
    default: "the rule's path",
    meaning: "`Path` of the cookie.",
    read: Some(|settings, text| {
        settings.affinity.cookie.path =
            Some(checked(text, cookie::is_path, "a path that begins with '/', without ';'")?);
        Ok(())
    }),
};

pub(super) const NGINX_DOMAIN: Annotation = Annotation {
    key: "session-cookie-domain",
    values: AllowedValues::Words("DNS name"),
    default: "the host alone",
    meaning: "`Domain` of the cookie.",
    read: Some(|settings, text| {
        settings.affinity.cookie.domain = Some(checked(text, cookie::is_domain, "a DNS name, such as example.com")?);
        Ok(())
    }),
};

pub(super) const NGINX_SAMESITE: Annotation = Annotation {
    key: "session-cookie-samesite",
    values: AllowedValues::Words("None, Lax or Strict, in any case"),
    default: "not sent; browsers take that for Lax",
    meaning: "`SameSite` of the cookie.",
    read: Some(|settings, text| {
        settings.affinity.cookie.same_site = Some(match text.to_ascii_lowercase().as_str() {
            "none" => SameSiteSetting::None,
            "lax" => SameSiteSetting::Lax,
            "strict" => SameSiteSetting::Strict,
            _ => return Err("None, Lax or Strict".to_owned().into()),
        });
        Ok(())
    }),
};

pub(super) const NGINX_SECURE: Annotation = Annotation {
    key: "session-cookie-secure",
    values: bool::VALUES,
    default: "true over HTTPS, else false",
    meaning: "Whether the cookie is `Secure`.",
    read: Some(|settings, text| {
        settings.affinity.cookie.secure = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const NGINX_MAX_AGE: Annotation = Annotation {
    key: "session-cookie-max-age",
    values: CookieAge::VALUES,
    default: "until the browser ends",
    meaning: "`Max-Age` of the cookie.",
    read: Some(|settings, text| {
        settings.affinity.cookie.max_age = Some(CookieAge::from_text(text)?);
        Ok(())
    }),
};

pub(super) const NGINX_EXPIRES: Annotation = Annotation {
    key: "session-cookie-expires",
    values: CookieAge::VALUES,
    default: "",
    meaning: "The older name of session-cookie-max-age, which is used where both are written. Sent as `Max-Age`.",
    read: Some(|settings, text| {
        settings.affinity.cookie.expires = Some(CookieAge::from_text(text)?);
        Ok(())
    }),
};

fn checked(text: &str, fits: fn(&str) -> bool, expected: &str) -> Result<String, AnnotationProblemKind> {
    if fits(text) { Ok(text.to_owned()) } else { Err(expected.to_owned().into()) }
}
