//! Annotations for cross-origin requests.

use super::Annotation;
use crate::api::read;
use crate::api::value::{AllowedValues, Number, ValueKind};

/// Cross-origin requests, as they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CorsSettings {
    /// Whether browsers are told of origins.
    pub enabled: Option<bool>,
    /// Origins. `Some` and empty: no entry can be read, so none is allowed.
    pub origins: Option<Vec<String>>,
    /// Methods.
    pub methods: Option<String>,
    /// Headers of requests.
    pub headers: Option<String>,
    /// Headers of answers.
    pub exposed: Option<String>,
    /// Whether cookies and passwords may be sent.
    pub credentials: Option<bool>,
    /// Seconds for which a browser remembers it.
    pub max_age: Option<u32>,
}

pub(super) const ENABLE: Annotation = Annotation {
    key: "enable-cors",
    values: bool::VALUES,
    default: "false",
    meaning: "Whether browsers are told which origins may read answers. OPTIONS of an origin that is allowed is then answered 204 by the \
              gateway, before all that asks who the client is.",
    read: Some(|settings, text| {
        settings.cors.enabled = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const ALLOW_ORIGIN: Annotation = Annotation {
    key: "cors-allow-origin",
    values: AllowedValues::Words("* or origins with commas: https://a.example:8080, https://*.b.example"),
    default: "*",
    meaning: "The origins that are allowed. `*.` stands for one label. An entry that is no origin allows none.",
    read: Some(|settings, text| {
        settings.cors.origins = Some(read::list(text));
        Ok(())
    }),
};

pub(super) const ALLOW_METHODS: Annotation = Annotation {
    key: "cors-allow-methods",
    values: AllowedValues::Words("methods with commas"),
    default: "GET, PUT, POST, DELETE, PATCH, OPTIONS",
    meaning: "`Access-Control-Allow-Methods`.",
    read: Some(|settings, text| {
        settings.cors.methods = Some(tokens(text, "methods with commas")?);
        Ok(())
    }),
};

pub(super) const ALLOW_HEADERS: Annotation = Annotation {
    key: "cors-allow-headers",
    values: AllowedValues::Words("names of headers with commas"),
    default: "DNT, Keep-Alive, User-Agent, X-Requested-With, If-Modified-Since, Cache-Control, Content-Type, Range, Authorization",
    meaning: "`Access-Control-Allow-Headers`.",
    read: Some(|settings, text| {
        settings.cors.headers = Some(tokens(text, "names of headers with commas")?);
        Ok(())
    }),
};

pub(super) const EXPOSE_HEADERS: Annotation = Annotation {
    key: "cors-expose-headers",
    values: AllowedValues::Words("names of headers with commas, or *"),
    default: "",
    meaning: "`Access-Control-Expose-Headers`.",
    read: Some(|settings, text| {
        settings.cors.exposed = Some(tokens(text, "names of headers with commas, or *")?);
        Ok(())
    }),
};

pub(super) const ALLOW_CREDENTIALS: Annotation = Annotation {
    key: "cors-allow-credentials",
    values: bool::VALUES,
    default: "true",
    meaning: "`Access-Control-Allow-Credentials`.",
    read: Some(|settings, text| {
        settings.cors.credentials = Some(bool::from_text(text)?);
        Ok(())
    }),
};

pub(super) const MAX_AGE: Annotation = Annotation {
    key: "cors-max-age",
    values: Number::<0, 2_147_483_647>::VALUES,
    default: "1728000",
    meaning: "`Access-Control-Max-Age`, in seconds.",
    read: Some(|settings, text| {
        settings.cors.max_age = Some(Number::<0, 2_147_483_647>::from_text(text)?);
        Ok(())
    }),
};

/// A list of tokens (RFC 9110 section 5.6.2), as it is written.
fn tokens(text: &str, expected: &str) -> Result<String, String> {
    let is_token = |part: &str| {
        let part = part.trim();
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    let text = text.trim();
    if text.split(',').all(is_token) { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}
