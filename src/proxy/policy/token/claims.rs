//! The claims of a token (RFC 7519 section 4), whose signature has been verified: what is read of them.

use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Map, Value};

/// The claims of a token.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A claim that is a time, in seconds since 1970. A time before that is 0. `None`: there is no such claim, or it is no time.
    pub(super) fn time(&self, name: &str) -> Option<u64> {
        let value = self.0.get(name)?;
        // A conversion from a fraction ends at the limits of the type.
        value.as_u64().or_else(|| value.as_f64().map(|seconds| seconds as u64))
    }

    /// Whether there is such a claim.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether the token is meant for one of `audiences`. The claim `aud` is a text or a list.
    pub(super) fn is_for(&self, audiences: &[Box<str>]) -> bool {
        let is_one = |value: &Value| value.as_str().is_some_and(|text| audiences.iter().any(|one| **one == *text));
        match self.0.get("aud") {
            Some(Value::Array(values)) => values.iter().any(is_one),
            Some(value) => is_one(value),
            None => false,
        }
    }

    /// A claim as the value of a header: a text, a number, true or false, or a list of these with commas. A name with dots may lead
    /// into objects: `realm_access.roles`. `None`: there is no such claim, or it can't be a header without being taken for another.
    pub(super) fn header(&self, name: &str) -> Option<HeaderValue> {
        let value = self.0.get(name).or_else(|| {
            let (first, rest) = name.split_once('.')?;
            rest.split('.').try_fold(self.0.get(first)?, |value, part| value.get(part))
        });
        let text = match value? {
            Value::Array(values) => {
                let texts: Option<Vec<String>> = values.iter().map(plain).collect();
                let texts = texts.filter(|texts| texts.iter().all(|text| !text.contains(',')))?;
                texts.join(",")
            }
            value => plain(value)?,
        };
        HeaderValue::from_bytes(text.as_bytes()).ok()
    }
}

/// The text of a value that has no others in it.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is_true) => Some(is_true.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(json: Value) -> Claims {
        serde_json::from_value(json).expect("claims")
    }

    #[test]
    fn a_time_is_a_number_of_any_kind() {
        let claims = claims(json!({"a": 5, "b": 5.9, "c": -3, "d": 1e300, "e": "5", "f": null}));
        let times = ["a", "b", "c", "d", "e", "f", "g"].map(|name| claims.time(name));
        assert_eq!(times, [Some(5), Some(5), Some(0), Some(u64::MAX), None, None, None]);
    }

    #[test]
    fn an_audience_is_one_of_a_list_and_has_the_same_text() {
        let audiences = ["api://a".into(), "b".into()];
        for (aud, expected) in [
            (json!("b"), true),
            (json!(["x", "api://a"]), true),
            (json!("B"), false),
            (json!("b "), false),
            (json!([]), false),
            (json!([["b"]]), false),
            (json!({"b": 1}), false),
            (json!(null), false),
        ] {
            assert_eq!(claims(json!({"aud": aud})).is_for(&audiences), expected, "{aud}");
        }
        assert!(!claims(json!({})).is_for(&audiences));
    }

    #[test]
    fn a_claim_becomes_a_header_if_it_can_be_read_in_one_way() {
        let claims = claims(json!({
            "sub": "u1", "level": 3, "admin": true, "roles": ["a", "b"], "odd": ["a,b", "c"], "deep": [["a"]], "none": null,
            "lines": "a\r\nX-Admin: 1", "name": "Zoë", "realm_access": {"roles": ["r"]}, "https://a.example/id": 7,
        }));
        let text = |name: &str| claims.header(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        for (name, expected) in [
            ("sub", Some("u1")),
            ("level", Some("3")),
            ("admin", Some("true")),
            ("roles", Some("a,b")),
            ("odd", None),
            ("deep", None),
            ("none", None),
            ("lines", None),
            ("name", Some("Zoë")),
            ("realm_access.roles", Some("r")),
            ("realm_access", None),
            ("https://a.example/id", Some("7")),
            ("no.such", None),
        ] {
            assert_eq!(text(name).as_deref(), expected, "{name}");
        }
    }
}
