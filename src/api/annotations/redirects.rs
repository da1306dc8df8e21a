//! Annotations for redirects: to HTTPS, to another URL, to and from `www`.

use super::Annotation;
use crate::api::value::{AllowedValues, Number, ValueKind};

/// Redirects to URLs, and how the URLs of all redirects are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RedirectSettings {
    /// A URL, or a path of the same host.
    pub permanent: Option<String>,
    /// The status of the redirect there.
    pub permanent_code: Option<u16>,
    /// A URL. It goes before `permanent`.
    pub temporal: Option<String>,
    /// The status of the redirect there.
    pub temporal_code: Option<u16>,
    /// Whether a path is sent as it is, without scheme and host.
    pub relative: Option<bool>,
    /// Whether `www.` is put before the host, or taken from it.
    pub www: Option<bool>,
    /// Whether redirects to HTTPS leave a slash at the end of the URL.
    pub preserve_trailing_slash: Option<bool>,
    /// Whether redirects to HTTPS name the port.
    pub port: Option<bool>,
}

/// Redirects from HTTP to HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslRedirect {
    /// No redirect.
    Off,
    /// 301, as AGIC sends it.
    MovedPermanently,
    /// 308, as ingress-nginx sends it.
    PermanentRedirect,
}

pub(super) const SSL: Annotation = Annotation {
    key: "ssl-redirect",
    values: bool::VALUES,
    default: "true on a class of ingress-nginx, else false",
    meaning: "Whether port 80 answers 308 to HTTPS where the host has TLS.",
    read: Some(|settings, text| {
        let redirect = if bool::from_text(text)? { SslRedirect::PermanentRedirect } else { SslRedirect::Off };
        settings.redirect = Some(redirect);
        Ok(())
    }),
};

pub(super) const FORCE_SSL: Annotation = Annotation {
    key: "force-ssl-redirect",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether port 80 answers 308 to HTTPS although this Ingress has no TLS. On a class of ingress-nginx it does so even where \
              nothing serves the host over HTTPS; clients that came over TLS to a trusted proxy are then served.",
    read: Some(|settings, text| {
        settings.force_redirect = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const PRESERVE_TRAILING_SLASH: Annotation = Annotation {
    key: "preserve-trailing-slash",
    values: bool::VALUES,
    default: "false on a class of ingress-nginx, else true",
    meaning: "Whether the URL of such a redirect keeps a slash at its very end.",
    read: Some(|settings, text| {
        settings.redirects.preserve_trailing_slash = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const PORT: Annotation = Annotation {
    key: "use-port-in-redirects",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether the URL of such a redirect names the port even if it is 443.",
    read: Some(|settings, text| {
        settings.redirects.port = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const PERMANENT: Annotation = Annotation {
    key: "permanent-redirect",
    values: AllowedValues::Words("a URL or a path of letters, digits and -._~/:,?&="),
    default: "",
    meaning: "Where all requests are redirected (301), as it is written: nothing of the request is added. It needs no password or token.",
    read: Some(|settings, text| {
        settings.redirects.permanent = Some(url(text, is_url_or_path, "a URL of http or https or a path")?);
        Ok(())
    }),
};

pub(super) const PERMANENT_CODE: Annotation = Annotation {
    key: "permanent-redirect-code",
    values: AllowedValues::Numbers(300, 308),
    default: "301",
    meaning: "The status of that redirect.",
    read: Some(|settings, text| {
        settings.redirects.permanent_code = Some(status::<308>(text)?);
        Ok(())
    }),
};

pub(super) const TEMPORAL: Annotation = Annotation {
    key: "temporal-redirect",
    values: AllowedValues::Words("a URL of letters, digits and -._~/:,?&="),
    default: "",
    meaning: "Where all requests are redirected (302). It goes before permanent-redirect.",
    read: Some(|settings, text| {
        settings.redirects.temporal = Some(url(text, is_url, "a URL of http or https")?);
        Ok(())
    }),
};

pub(super) const TEMPORAL_CODE: Annotation = Annotation {
    key: "temporal-redirect-code",
    values: AllowedValues::Numbers(300, 307),
    default: "302",
    meaning: "The status of that redirect.",
    read: Some(|settings, text| {
        settings.redirects.temporal_code = Some(status::<307>(text)?);
        Ok(())
    }),
};

pub(super) const RELATIVE: Annotation = Annotation {
    key: "relative-redirects",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether a permanent-redirect that is a path is sent without scheme and host.",
    read: Some(|settings, text| {
        settings.redirects.relative = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const WWW: Annotation = Annotation {
    key: "from-to-www-redirect",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether `www.HOST` is redirected (308) to each host of a rule, or `HOST` where the rule is for `www.HOST`, unless some \
              Ingress has a rule for that host. Over HTTPS where the certificate is for both.",
    read: Some(|settings, text| {
        settings.redirects.www = Some(bool::from_text(text)?);
        Ok(())
    }),
};

fn status<const MAX: u32>(text: &str) -> Result<u16, String> {
    Number::<300, MAX>::from_text(text).map(|status| u16::try_from(status).unwrap_or_default())
}

/// Reads a URL of the characters that ingress-nginx takes.
fn url(text: &str, is_one: fn(&str) -> bool, expected: &str) -> Result<String, String> {
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~/:,?&=".contains(&byte));
    if is_plain && is_one(text) {
        return Ok(text.to_owned());
    }
    Err(format!("{expected}, of letters, digits and -._~/:,?&="))
}

fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}

fn is_url_or_path(text: &str) -> bool {
    is_url(text) || text.starts_with('/')
}
