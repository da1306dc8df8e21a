//! Sticky sessions, as ingress-nginx and AGIC name their parts.

use std::time::Duration;

use super::{Entry, ProblemKind, read};
use crate::api::cookie;

/// What annotations ask for. Each family has its own cookie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AffinitySettings {
    /// Whose cookie is set.
    pub by: Option<AffinityBy>,
    /// AGIC: whether each backend has a cookie of its own.
    pub distinct_name: Option<bool>,
    /// ingress-nginx: parts of its cookie.
    pub cookie: SessionCookie,
}

/// Whose cookie is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AffinityBy {
    /// Nobody's.
    Off,
    /// That of `appgw.ingress.kubernetes.io/cookie-based-affinity`.
    Agic,
    /// That of `nginx.ingress.kubernetes.io/affinity`.
    IngressNginx,
}

/// Parts of the cookie of ingress-nginx.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionCookie {
    /// Name.
    pub name: Option<String>,
    /// `Path`.
    pub path: Option<String>,
    /// `Domain`.
    pub domain: Option<String>,
    /// `SameSite`.
    pub same_site: Option<SameSite>,
    /// `Secure`.
    pub secure: Option<bool>,
    /// `Max-Age`.
    pub max_age: Option<Duration>,
    /// The same by its older name.
    pub expires: Option<Duration>,
}

/// Which requests of other sites a cookie goes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// All.
    None,
    /// Those that lead the user here.
    Lax,
    /// None.
    Strict,
}

/// Oldest cookie that can be asked for.
const LONGEST: u32 = 2_147_483_647;

pub(super) const AGIC: Entry = Entry {
    key: "cookie-based-affinity",
    value: "true or false",
    meaning: "whether clients come back to their member by the cookie ApplicationGatewayAffinity, and over HTTPS also by \
              ApplicationGatewayAffinityCORS; false unless given",
    read: Some(|settings, text| {
        settings.affinity.by = Some(if read::boolean(text)? { AffinityBy::Agic } else { AffinityBy::Off });
        Ok(())
    }),
};

pub(super) const AGIC_DISTINCT: Entry = Entry {
    key: "cookie-based-affinity-distinct-name",
    value: "true or false",
    meaning: "whether that cookie has a name of its own for each backend: without, of several backends of a host the one \
              asked last has the cookie; false unless given",
    read: Some(|settings, text| {
        settings.affinity.distinct_name = Some(read::boolean(text)?);
        Ok(())
    }),
};

pub(super) const NGINX: Entry = Entry {
    key: "affinity",
    value: "cookie",
    meaning: "clients come back to their member by a cookie; each request goes anywhere unless given",
    read: Some(|settings, text| {
        if text != "cookie" {
            return Err("cookie".to_owned().into());
        }
        settings.affinity.by = Some(AffinityBy::IngressNginx);
        Ok(())
    }),
};

pub(super) const NGINX_MODE: Entry = Entry {
    key: "affinity-mode",
    value: "balanced or persistent",
    meaning: "the same here: a client stays as long as its member takes requests. Where members are added, ingress-nginx \
              moves some clients to them if balanced; here new clients alone go there",
    read: Some(|_, text| match text {
        "balanced" | "persistent" => Ok(()),
        _ => Err("balanced or persistent".to_owned().into()),
    }),
};

pub(super) const NGINX_NAME: Entry = Entry {
    key: "session-cookie-name",
    value: "cookie name",
    meaning: "name of the cookie; INGRESSCOOKIE unless given",
    read: Some(|settings, text| {
        settings.affinity.cookie.name =
            Some(checked(text, cookie::is_name, "a cookie name: letters, digits, '-' and '_'")?);
        Ok(())
    }),
};

pub(super) const NGINX_PATH: Entry = Entry {
    key: "session-cookie-path",
    value: "path",
    meaning: "Path of the cookie; the rule's path unless given",
    read: Some(|settings, text| {
        settings.affinity.cookie.path =
            Some(checked(text, cookie::is_path, "a path that begins with '/', without ';'")?);
        Ok(())
    }),
};

pub(super) const NGINX_DOMAIN: Entry = Entry {
    key: "session-cookie-domain",
    value: "DNS name",
    meaning: "Domain of the cookie; the host alone unless given",
    read: Some(|settings, text| {
        settings.affinity.cookie.domain = Some(checked(text, cookie::is_domain, "a DNS name, such as example.com")?);
        Ok(())
    }),
};

pub(super) const NGINX_SAMESITE: Entry = Entry {
    key: "session-cookie-samesite",
    value: "None, Lax or Strict",
    meaning: "SameSite of the cookie; left to browsers, which take it for Lax, unless given",
    read: Some(|settings, text| {
        settings.affinity.cookie.same_site = Some(match text {
            "None" => SameSite::None,
            "Lax" => SameSite::Lax,
            "Strict" => SameSite::Strict,
            _ => return Err("None, Lax or Strict".to_owned().into()),
        });
        Ok(())
    }),
};

pub(super) const NGINX_SECURE: Entry = Entry {
    key: "session-cookie-secure",
    value: "true or false",
    meaning: "whether the cookie is Secure; if it is set over HTTPS, unless given",
    read: Some(|settings, text| {
        settings.affinity.cookie.secure = Some(read::boolean(text)?);
        Ok(())
    }),
};

pub(super) const NGINX_MAX_AGE: Entry = Entry {
    key: "session-cookie-max-age",
    value: "seconds, 1 to 2147483647",
    meaning: "Max-Age of the cookie; until the browser ends unless given",
    read: Some(|settings, text| {
        settings.affinity.cookie.max_age = Some(read::seconds(text, 1, LONGEST)?);
        Ok(())
    }),
};

pub(super) const NGINX_EXPIRES: Entry = Entry {
    key: "session-cookie-expires",
    value: "seconds, 1 to 2147483647",
    meaning: "the older name of session-cookie-max-age, which stands where both are given; sent as Max-Age",
    read: Some(|settings, text| {
        settings.affinity.cookie.expires = Some(read::seconds(text, 1, LONGEST)?);
        Ok(())
    }),
};

fn checked(text: &str, fits: fn(&str) -> bool, expected: &str) -> Result<String, ProblemKind> {
    if fits(text) { Ok(text.to_owned()) } else { Err(expected.to_owned().into()) }
}
