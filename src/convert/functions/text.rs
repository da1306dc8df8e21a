//! Texts. `concat`, `format` and the like go on with what is known of a text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Arguments, Failure, Outcome, TextBuilder, fault};
use crate::convert::value::{Part, Value};

/// Widest text that `padLeft` makes.
const MAX_PADDED: usize = 10_000;

/// `None`: no function of this family, or not for these arguments.
pub(super) fn call(name: &str, arguments: Arguments<'_>) -> Option<Outcome> {
    let text = arguments.all().first().is_none_or(|first| !matches!(first, Value::List(_) | Value::Object(_)));
    Some(match name {
        "concat" if text => concat(arguments),
        "format" => format(arguments),
        "string" => string(arguments),
        "join" => join(arguments),
        "tolower" => map_text(arguments, str::to_lowercase),
        "toupper" => map_text(arguments, str::to_uppercase),
        "trim" => arguments.text(0).map(|text| Value::text(text.trim())),
        "replace" => replace(arguments),
        "split" => split(arguments),
        "substring" => substring(arguments),
        "take" if text => cut(arguments, |text, count| text.chars().take(count).collect()),
        "skip" if text => cut(arguments, |text, count| text.chars().skip(count).collect()),
        "first" if text => arguments.text(0).map(|text| Value::text(text.chars().take(1).collect::<String>())),
        "last" if text => {
            arguments.text(0).map(|text| Value::text(text.chars().last().map(String::from).unwrap_or_default()))
        }
        "startswith" => both(arguments, |text, part| text.starts_with(part)),
        "endswith" => both(arguments, |text, part| text.ends_with(part)),
        "contains" if text => contains(arguments),
        "indexof" if text => index(arguments, |text, part| text.find(part)),
        "lastindexof" if text => index(arguments, |text, part| text.rfind(part)),
        "length" if text => arguments.text(0).map(|text| count(text.encode_utf16().count())),
        "empty" if text => empty(arguments),
        "padleft" => pad_left(arguments),
        "base64" => arguments.text(0).map(|text| Value::text(STANDARD.encode(text))),
        "base64tostring" => base64_to_text(arguments),
        "uri" => uri(arguments),
        "uricomponent" => arguments.text(0).map(|text| Value::text(percent_encode(text))),
        _ => return None,
    })
}

fn count(number: usize) -> Value {
    Value::int(i64::try_from(number).unwrap_or(i64::MAX))
}

fn concat(arguments: Arguments<'_>) -> Outcome {
    let mut text = TextBuilder::default();
    arguments.all().iter().try_for_each(|value| text.push_value(value))?;
    Ok(text.finish())
}

/// The composite format of .NET, without its format strings.
fn format(arguments: Arguments<'_>) -> Outcome {
    let mut rest = arguments.text(0)?;
    let mut text = TextBuilder::default();
    while let Some(at) = rest.find(['{', '}']) {
        text.push(Part::Known(rest[..at].to_owned()))?;
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push(Part::Known(brace.to_owned()))?;
            rest = after;
            continue;
        }
        let Some((number, after)) = rest.split_once('}').filter(|_| brace == "{") else {
            return fault("the braces of the format don't pair");
        };
        match number.trim().parse::<usize>() {
            Ok(number) => text.push_value(arguments.get(number.saturating_add(1))?)?,
            Err(_) => return fault(std::format!("the format item {number:?} is not evaluated")),
        }
        rest = after;
    }
    text.push(Part::Known(rest.to_owned()))?;
    Ok(text.finish())
}

fn string(arguments: Arguments<'_>) -> Outcome {
    let mut text = TextBuilder::default();
    text.push_value(arguments.get(0)?)?;
    Ok(text.finish())
}

fn join(arguments: Arguments<'_>) -> Outcome {
    let delimiter = arguments.text(1)?;
    let mut text = TextBuilder::default();
    for (index, item) in arguments.list(0)?.iter().enumerate() {
        if index > 0 {
            text.push(Part::Known(delimiter.to_owned()))?;
        }
        text.push_value(item)?;
    }
    Ok(text.finish())
}

/// Changes what is known of a text, and leaves what is not.
fn map_text(arguments: Arguments<'_>, change: fn(&str) -> String) -> Outcome {
    match arguments.get(0)? {
        Value::Partial(partial) => Ok(Value::join(partial.parts().iter().map(|part| match part {
            Part::Known(text) => Part::Known(change(text)),
            Part::Unknown(unknown) => Part::Unknown(unknown.clone()),
        }))),
        _ => arguments.text(0).map(|text| Value::text(change(text))),
    }
}

fn replace(arguments: Arguments<'_>) -> Outcome {
    let (text, old, new) = (arguments.text(0)?, arguments.text(1)?, arguments.text(2)?);
    if old.is_empty() {
        return Ok(Value::text(text));
    }
    let grown = text.matches(old).count().saturating_mul(new.len()).saturating_add(text.len());
    if grown > TextBuilder::MAX_BYTES {
        return fault("its text would be too long");
    }
    Ok(Value::text(text.replace(old, new)))
}

fn split(arguments: Arguments<'_>) -> Outcome {
    let text = arguments.text(0)?;
    let delimiters: Vec<&str> = match arguments.known(1)? {
        Value::Text(delimiter) => vec![delimiter],
        Value::List(list) => list.items.iter().filter_map(Value::as_text).collect(),
        _ => return fault("argument 2 is no text"),
    };
    let mut pieces = vec![text];
    for delimiter in delimiters.into_iter().filter(|delimiter| !delimiter.is_empty()) {
        pieces = pieces.into_iter().flat_map(|piece| piece.split(delimiter)).collect();
    }
    Ok(Value::list(pieces.into_iter().map(Value::text).collect()))
}

fn substring(arguments: Arguments<'_>) -> Outcome {
    let (text, start) = (arguments.text(0)?, usize::try_from(arguments.int(1)?));
    let length = if arguments.all().len() > 2 { usize::try_from(arguments.int(2)?) } else { Ok(usize::MAX) };
    match (start, length) {
        (Ok(start), Ok(length)) => Ok(Value::text(text.chars().skip(start).take(length).collect::<String>())),
        _ => fault("a position is not negative"),
    }
}

fn cut(arguments: Arguments<'_>, cut: fn(&str, usize) -> String) -> Outcome {
    let count = usize::try_from(arguments.int(1)?).unwrap_or(0);
    arguments.text(0).map(|text| Value::text(cut(text, count)))
}

/// Compares without case, as ARM does here.
fn both(arguments: Arguments<'_>, decide: fn(&str, &str) -> bool) -> Outcome {
    let (text, part) = (arguments.text(0)?.to_lowercase(), arguments.text(1)?.to_lowercase());
    Ok(Value::Bool(decide(&text, &part)))
}

fn contains(arguments: Arguments<'_>) -> Outcome {
    let mut part = TextBuilder::default();
    part.push_value(arguments.known(1)?)?;
    match part.finish() {
        Value::Text(part) => arguments.text(0).map(|text| Value::Bool(text.contains(&*part))),
        _ => Err(Failure::Open),
    }
}

fn index(arguments: Arguments<'_>, find: fn(&str, &str) -> Option<usize>) -> Outcome {
    let (text, part) = (arguments.text(0)?.to_lowercase(), arguments.text(1)?.to_lowercase());
    Ok(find(&text, &part).map_or(Value::int(-1), |at| count(text[..at].chars().count())))
}

fn empty(arguments: Arguments<'_>) -> Outcome {
    match arguments.get(0)? {
        Value::Null => Ok(Value::Bool(true)),
        Value::Text(text) => Ok(Value::Bool(text.is_empty())),
        Value::Partial(partial) if partial.parts().iter().any(|part| matches!(part, Part::Known(_))) => {
            Ok(Value::Bool(false))
        }
        Value::Partial(_) | Value::Unknown(_) => Err(Failure::Open),
        _ => fault("a text, an array or an object is expected"),
    }
}

fn pad_left(arguments: Arguments<'_>) -> Outcome {
    let mut text = TextBuilder::default();
    text.push_value(arguments.known(0)?)?;
    let Value::Text(text) = text.finish() else { return Err(Failure::Open) };
    let fill = if arguments.all().len() > 2 { arguments.text(2)? } else { " " };
    let width = usize::try_from(arguments.int(1)?).ok().filter(|width| *width <= MAX_PADDED);
    let Some(width) = width else { return fault(std::format!("a width is up to {MAX_PADDED}")) };
    let missing = width.saturating_sub(text.chars().count());
    let padding: String = fill.chars().cycle().take(if fill.is_empty() { 0 } else { missing }).collect();
    Ok(Value::text(padding + &text))
}

fn base64_to_text(arguments: Arguments<'_>) -> Outcome {
    let decoded = STANDARD.decode(arguments.text(0)?).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    decoded.map_or_else(|| fault("this is no base64 of a text"), |text| Ok(Value::text(text)))
}

fn uri(arguments: Arguments<'_>) -> Outcome {
    let (base, relative) = (arguments.text(0)?, arguments.text(1)?);
    let end = if base.ends_with('/') { base.len() } else { base.rfind('/').map_or(base.len(), |slash| slash + 1) };
    Ok(Value::text(std::format!("{}{}", &base[..end], relative.trim_start_matches('/'))))
}

fn percent_encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&std::format!("%{byte:02X}"));
        }
    }
    encoded
}
