//! Scalars of the YAML 1.2 core schema (section 10.3.2): the values of words without quotes.

use saphyr_parser::{ScalarStyle, Tag};
use serde_json::{Number, Value};

/// Why a scalar has no value.
pub(super) struct InvalidScalar {
    /// The problem, for people.
    pub(super) message: String,
    /// A remedy.
    pub(super) remedy: &'static str,
}

/// The value of a scalar.
pub(super) fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, InvalidScalar> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text) } else { Ok(Value::String(text.to_owned())) };
    };
    let core = if tag.is_yaml_core_schema() { tag.suffix.as_str() } else { "" };
    let value = match core {
        "str" => return Ok(Value::String(text.to_owned())),
        "null" | "bool" | "int" | "float" => plain(text)?,
        _ if tag.handle.is_empty() && tag.suffix == "!" || tag.handle == "!" && tag.suffix.is_empty() => {
            return Ok(Value::String(text.to_owned()));
        }
        "binary" => {
            return Err(InvalidScalar {
                message: "the tag !!binary is not read".to_owned(),
                remedy: "write the base64 text without the tag",
            });
        }
        _ => return Err(unknown_tag(tag)),
    };
    let fits = match core {
        "null" => value.is_null(),
        "bool" => value.is_boolean(),
        "int" => value.is_i64() || value.is_u64(),
        _ => value.is_number(),
    };
    if fits {
        return Ok(value);
    }
    Err(InvalidScalar { message: format!("the value is not what its tag !!{core} says"), remedy: "remove the tag" })
}

/// The error for a tag that manifests can't have.
pub(super) fn unknown_tag(tag: &Tag) -> InvalidScalar {
    let name = if tag.is_yaml_core_schema() { format!("!!{}", tag.suffix) } else { tag.to_string() };
    InvalidScalar { message: format!("the tag {name} is not known"), remedy: "remove the tag" }
}

fn plain(text: &str) -> Result<Value, InvalidScalar> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if text.as_bytes()[0].is_ascii_digit() || matches!(text.as_bytes()[0], b'-' | b'+' | b'.') => {
            return number(text).transpose().unwrap_or_else(|| Ok(Value::String(text.to_owned())));
        }
        _ => Value::String(text.to_owned()),
    })
}

/// A number, if the text is one.
fn number(text: &str) -> Result<Option<Value>, InvalidScalar> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(InvalidScalar {
            message: "infinity and not-a-number can't stand in a manifest".to_owned(),
            remedy: "write a finite number, or put the text in quotes",
        });
    }
    let based = match text.get(..2) {
        Some("0o") => Some((8, &text[2..])),
        Some("0x") => Some((16, &text[2..])),
        _ => None,
    };
    if let Some((radix, digits)) = based {
        let valid = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
        return Ok(valid.then(|| u64::from_str_radix(digits, radix).ok().map(Value::from)).flatten());
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if let Ok(whole) = digits.parse::<i64>() {
            return Ok(Some(whole.into()));
        }
        if let Ok(whole) = digits.parse::<u64>() {
            return Ok(Some(whole.into()));
        }
    }
    if !is_float(unsigned) {
        return Ok(None);
    }
    let parsed = text.parse::<f64>().ok().and_then(Number::from_f64);
    parsed.map(|n| Some(Value::Number(n))).ok_or_else(|| InvalidScalar {
        message: "the number is out of range".to_owned(),
        remedy: "write a smaller number, or put the text in quotes",
    })
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && digits(e)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent
}
