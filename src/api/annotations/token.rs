//! Annotations for tokens (JWT) that requests have to bring. They guard: one that can't be read closes its Ingress.

use std::time::Duration;

use super::Annotation;
use crate::api::application_gateway::{SessionAtTokenEnd, UnauthorizedRequestAction};
use crate::api::value::{AllowedValues, ClockSkew, ValueKind};

/// The tokens that annotations ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSettings {
    /// The tenant of Microsoft Entra.
    pub entra_tenant: Option<String>,
    /// The issuer, where that is another.
    pub issuer: Option<String>,
    /// The audiences.
    pub audiences: Vec<String>,
    /// The URL of the issuer's keys.
    pub keys_url: Option<String>,
    /// The Secret with the issuer's keys.
    pub keys_secret: Option<ObjectValue>,
    /// The ConfigMap with the issuer's keys.
    pub keys_config_map: Option<ObjectValue>,
    /// By how much clocks may differ.
    pub clock_skew: Option<Duration>,
    /// The header that brings the token.
    pub header: Option<String>,
    /// The parameter of the query that brings it.
    pub query_parameter: Option<String>,
    /// Claims, and the header of each.
    pub claims_to_headers: Vec<(String, String)>,
    /// What becomes of a request without a valid token.
    pub unauthorized: Option<UnauthorizedRequestAction>,
    /// What becomes of a session when its token ends.
    pub session_end: Option<SessionAtTokenEnd>,
}

/// A value of a Secret or ConfigMap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectValue {
    /// The name of the object.
    pub name: String,
    /// The key of its data.
    pub key: String,
}

/// The most claims that become headers.
const MAX_CLAIMS: usize = 20;

/// An annotation that guards: nothing is served if it can't be read.
const fn guarding(
    key: &'static str,
    values: &'static str,
    default: &'static str,
    meaning: &'static str,
    read: super::Read,
) -> Annotation {
    Annotation { key, values: AllowedValues::Words(values), default, meaning, read: Some(read) }
}

pub(super) const ENTRA_TENANT: Annotation = guarding(
    "jwt-entra-tenant",
    "a GUID, common, organizations or consumers",
    "none",
    "Requests have to bring a token (JWT) of Microsoft Entra, of this tenant. `jwt-audiences` has to be there too.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.entra_tenant = Some(named(text, "a tenant")?);
            Ok(())
        })
    },
);

pub(super) const ISSUER: Annotation = guarding(
    "jwt-issuer",
    "the text of the claim iss",
    "none",
    "Requests have to bring a token (JWT) of this issuer. `jwt-audiences` and one of `jwt-jwks-url`, `jwt-jwks-secret` and \
     `jwt-jwks-config-map` have to be there too.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.issuer = Some(named(text, "the issuer")?);
            Ok(())
        })
    },
);

pub(super) const AUDIENCES: Annotation = guarding(
    "jwt-audiences",
    "texts with commas",
    "none",
    "The audiences for which a token may be meant (claim `aud`).",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.audiences = list(text);
            if token.audiences.is_empty() { Err("one audience, or several with commas".to_owned()) } else { Ok(()) }
        })
    },
);

pub(super) const JWKS_URL: Annotation = guarding(
    "jwt-jwks-url",
    "a URL",
    "that of Entra, for a tenant of Entra",
    "Where the keys of the issuer are, as a JSON Web Key Set (RFC 7517).",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.keys_url = Some(named(text, "a URL")?);
            Ok(())
        })
    },
);

pub(super) const JWKS_SECRET: Annotation = guarding(
    "jwt-jwks-secret",
    "NAME/KEY",
    "none",
    "A Secret of the same namespace, and the key of its data, that has the keys of the issuer.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.keys_secret = Some(object_value(text)?);
            Ok(())
        })
    },
);

pub(super) const JWKS_CONFIG_MAP: Annotation = guarding(
    "jwt-jwks-config-map",
    "NAME/KEY",
    "none",
    "A ConfigMap of the same namespace, and the key of its data, that has the keys of the issuer.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.keys_config_map = Some(object_value(text)?);
            Ok(())
        })
    },
);

pub(super) const CLOCK_SKEW: Annotation = Annotation {
    key: "jwt-clock-skew",
    values: ClockSkew::VALUES,
    default: "60",
    meaning: "By how much the clocks of issuer and gateway may differ.",
    read: Some(|settings, text| {
        settings.read_token(text, |token, text| {
            token.clock_skew = Some(ClockSkew::from_text(text)?);
            Ok(())
        })
    }),
};

pub(super) const HEADER: Annotation = guarding(
    "jwt-header",
    "the name of a header",
    "Authorization",
    "The header that brings the token, after `Bearer` or alone.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.header = Some(named(text, "the name of a header")?);
            Ok(())
        })
    },
);

pub(super) const QUERY_PARAMETER: Annotation = guarding(
    "jwt-query-parameter",
    "the name of a parameter",
    "none",
    "The parameter of the query that brings the token where the header does not: browsers can't send a header with a WebSocket \
     handshake. Backends never get it.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.query_parameter = Some(named(text, "the name of a parameter")?);
            Ok(())
        })
    },
);

pub(super) const CLAIMS_TO_HEADERS: Annotation = guarding(
    "jwt-claims-to-headers",
    "CLAIM=HEADER, several with commas",
    "none",
    "Claims that backends get as headers: `sub=X-User`. What clients send in these headers is removed.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            let pairs = list(text).into_iter().map(|pair| {
                let (claim, header) = pair.rsplit_once('=')?;
                let (claim, header) = (claim.trim(), header.trim());
                (!claim.is_empty() && !header.is_empty()).then(|| (claim.to_owned(), header.to_owned()))
            });
            let pairs: Option<Vec<_>> = pairs.collect();
            let few = |pairs: &Vec<_>| (1..=MAX_CLAIMS).contains(&pairs.len());
            let expected = || format!("CLAIM=HEADER, up to {MAX_CLAIMS} of them with commas");
            token.claims_to_headers = pairs.filter(few).ok_or_else(expected)?;
            Ok(())
        })
    },
);

pub(super) const UNAUTHORIZED: Annotation = guarding(
    "jwt-unauthorized",
    "deny or allow",
    "deny",
    "What becomes of a request without a valid token: it is answered 401, or it goes on and says nothing of who has sent it.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.unauthorized = Some(match text {
                "deny" => UnauthorizedRequestAction::Deny,
                "allow" => UnauthorizedRequestAction::Allow,
                _ => return Err("deny or allow".to_owned()),
            });
            Ok(())
        })
    },
);

pub(super) const SESSION_AT_TOKEN_END: Annotation = guarding(
    "jwt-session-at-token-end",
    "close or keep",
    "close",
    "What becomes of a WebSocket session when the token ends that has admitted it: it is closed (1008 `token expired`), or it stays.",
    |settings, text| {
        settings.read_token(text, |token, text| {
            token.session_end = Some(match text {
                "close" => SessionAtTokenEnd::Close,
                "keep" => SessionAtTokenEnd::Keep,
                _ => return Err("close or keep".to_owned()),
            });
            Ok(())
        })
    },
);

/// The elements of a list with commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|element| !element.is_empty()).map(str::to_owned).collect()
}

/// A text that is not empty.
fn named(text: &str, expected: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err(expected.to_owned()) } else { Ok(text.to_owned()) }
}

/// The name of an object and a key of its data.
fn object_value(text: &str) -> Result<ObjectValue, String> {
    match text.trim().split_once('/') {
        Some((name, key)) if !name.is_empty() && !key.is_empty() && !key.contains('/') => {
            Ok(ObjectValue { name: name.to_owned(), key: key.to_owned() })
        }
        _ => Err("NAME/KEY: an object of the same namespace, and a key of its data".to_owned()),
    }
}
