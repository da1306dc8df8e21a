//! The forms of names that Kubernetes has (k8s.io/apimachinery, util/validation).

/// Why a text is not a name of some form: the problem, and a remedy.
pub(crate) type InvalidName = (String, &'static str);

/// RFC 1123 label: up to 63 lower-case letters, digits and `-`.
pub(crate) fn label(text: &str) -> Result<(), InvalidName> {
    let remedy = "use at most 63 lower-case letters, digits and '-', beginning and ending with a letter or digit";
    if text.len() <= 63 && is_label(text) {
        return Ok(());
    }
    Err((format!("{} is not a valid name", quoted(text)), remedy))
}

/// RFC 1123 subdomain: labels with dots between them, 253 characters in all.
pub(crate) fn subdomain(text: &str) -> Result<(), InvalidName> {
    let remedy = "use at most 253 lower-case letters, digits, '-' and '.', each part beginning and ending with a \
                  letter or digit";
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(());
    }
    Err((format!("{} is not a valid name", quoted(text)), remedy))
}

/// A DNS name of a host, as rules and certificates have it: `*.` may stand before it.
pub(crate) fn host(text: &str) -> Result<(), InvalidName> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Err((format!("{} is an IP address, not a host name", quoted(text)), "write a DNS name, or no host"));
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if text.contains('*') && (name.contains('*') || name == text) {
        let remedy = "the wildcard is the whole first label, as in *.example.com";
        return Err((format!("{} is not a host name", quoted(text)), remedy));
    }
    if subdomain(name).is_ok() && name.split('.').all(|label| label.len() <= 63) {
        return Ok(());
    }
    let remedy = if subdomain(&name.to_ascii_lowercase()).is_ok() {
        "write it in lower case"
    } else if name.contains(':') {
        "write the name alone, without scheme or port"
    } else {
        "write a DNS name: lower-case letters, digits, '-' and '.'"
    };
    Err((format!("{} is not a host name", quoted(text)), remedy))
}

/// The name of a port (RFC 6335 section 5.1): up to 15 lower-case letters, digits and `-`, one a letter.
pub(crate) fn port(text: &str) -> Result<(), InvalidName> {
    let letter = text.bytes().any(|b| b.is_ascii_lowercase());
    if text.len() <= 15 && letter && is_label(text) && !text.contains("--") {
        return Ok(());
    }
    let remedy = "use at most 15 lower-case letters, digits and single '-', at least one of them a letter";
    Err((format!("{} is not the name of a port", quoted(text)), remedy))
}

/// The name of a header of a probe (`IsHTTPHeaderName`).
pub(crate) fn header(text: &str) -> Result<(), InvalidName> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(());
    }
    Err((format!("{} is not the name of a header", quoted(text)), "use letters, digits and '-'"))
}

/// A qualified name: the key of a label or an annotation, with or without a prefix.
pub(crate) fn qualified(text: &str) -> Result<(), InvalidName> {
    let remedy = "write up to 63 letters, digits, '-', '_' and '.', after at most one prefix, as in example.com/name";
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if prefix.is_none_or(|prefix| subdomain(prefix).is_ok()) && is_word(name) {
        return Ok(());
    }
    Err((format!("{} is not a valid key", quoted(text)), remedy))
}

/// Letters, digits, `-`, `_` and `.`, up to 63, a letter or digit at each end.
pub(crate) fn is_word(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    text.len() <= 63
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A text as a message quotes it, cut short where it is long.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}
