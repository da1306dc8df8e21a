//! The header `Forwarded` (RFC 7239), as far as it says who the client is.

use http::header::{self, HeaderMap};

/// What one proxy has noted about the hop to it. A parameter that is not there is empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Element<'a> {
    /// `for`: the node that asked the proxy.
    pub(super) node: &'a str,
    /// `proto`: the scheme by which it asked.
    pub(super) proto: &'a str,
    /// `host`: the host that it asked for.
    pub(super) host: &'a str,
}

/// The elements, the client's first.
pub(super) fn elements(headers: &HeaderMap) -> Vec<Element<'_>> {
    let lines = headers.get_all(header::FORWARDED).iter();
    // A line that is no text notes one hop that can't be read.
    lines.flat_map(|line| unquoted_split(line.to_str().unwrap_or_default(), ',')).map(element).collect()
}

fn element(text: &str) -> Element<'_> {
    let mut element = Element::default();
    for (name, value) in unquoted_split(text, ';').filter_map(|pair| pair.split_once('=')) {
        let value = value.trim();
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        match name.trim() {
            name if name.eq_ignore_ascii_case("for") => element.node = value,
            name if name.eq_ignore_ascii_case("proto") => element.proto = value,
            name if name.eq_ignore_ascii_case("host") => element.host = value,
            _ => {}
        }
    }
    element
}

/// Splits a text at a separator, but not within quotes.
fn unquoted_split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |letter: char| {
        let is_quote = letter == '"' && !escaped;
        escaped = quoted && letter == '\\' && !escaped;
        quoted ^= is_quote;
        letter == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::headers;
    use super::*;

    #[test]
    fn each_proxy_has_noted_its_hop() {
        let map = headers(&[
            ("forwarded", "For=\"[2001:db8::7]:4711\"; proto=https;host=\"a.example:8443\";by=_x, for=\"_a,b;\\\",c\""),
            ("forwarded", "for=192.0.2.43"),
        ]);
        let expected = [
            Element { node: "[2001:db8::7]:4711", proto: "https", host: "a.example:8443" },
            Element { node: "_a,b;\\\",c", ..Element::default() },
            Element { node: "192.0.2.43", ..Element::default() },
        ];
        assert_eq!(elements(&map), expected);
    }
}
