//! The authority of a request: host and port, in the one way in which everybody reads them (RFC 3986 section 3.2, RFC 9110
//! section 4.2).

use std::net::Ipv6Addr;

use crate::proxy::limits::MAX_HOST_BYTES;

/// Host and port of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) struct Authority<'a> {
    /// The host as it was written: a name, an IPv4 address, or an IPv6 address in brackets.
    pub(in crate::proxy) host: &'a str,
    /// The port, where one is given.
    pub(in crate::proxy) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host [":" port]`. A user name is not part of it (RFC 9110 section 4.2.4), and neither are escapes: `%61` in a host
    /// would be read as it is by one and as `a` by another.
    ///
    /// # Errors
    /// The text is no authority: a sentence for people.
    pub(in crate::proxy) fn parse(text: &'a str) -> Result<Self, &'static str> {
        let end = if text.starts_with('[') {
            text.find(']').map_or(0, |at| at + 1)
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (host, rest) = text.split_at(end);
        if !is_host(host) {
            return Err("the host is not a name or an address");
        }
        if host.len() > MAX_HOST_BYTES {
            return Err("the host is longer than a name can be");
        }
        let port = match rest.strip_prefix(':') {
            Some("") => None,
            Some(digits) => Some(port(digits).ok_or("the port is not a number from 0 to 65535")?),
            None if rest.is_empty() => None,
            None => return Err("something stands behind the host that is not a port"),
        };
        Ok(Self { host, port })
    }
}

/// Whether a text is a host: an IPv6 address in brackets, or a name of the characters that need no escape. A comma would make
/// two hosts of one.
fn is_host(text: &str) -> bool {
    if let Some(address) = text.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(&byte);
    !text.is_empty() && text != "." && text.bytes().all(plain)
}

/// A port: one to five digits.
fn port(digits: &str) -> Option<u16> {
    let plain = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_read_as_the_rfc_has_them() {
        for (text, host, port) in [
            ("shop.example", "shop.example", None),
            ("Shop.Example.:080", "Shop.Example.", Some(80)),
            ("a_b.example:65535", "a_b.example", Some(65535)),
            ("192.0.2.1:0", "192.0.2.1", Some(0)),
            ("shop.example:", "shop.example", None),
            ("[2001:db8::1]", "[2001:db8::1]", None),
            ("[::ffff:192.0.2.1]:443", "[::ffff:192.0.2.1]", Some(443)),
        ] {
            assert_eq!(Authority::parse(text), Ok(Authority { host, port }), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_authority() {
        for text in [
            "",
            ".",
            ":80",
            "shop.example:evil.example",
            "shop.example:-1",
            "shop.example:+1",
            "shop.example:65536",
            "shop.example:000080",
            "shop.example:80:80",
            "user@shop.example",
            "shop.example/x",
            "shop.example,evil.example",
            "shop%2eexample",
            "shop example",
            "b\u{fc}cher.example",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]]",
            "[::g]",
            "[fe80::1%25eth0]",
            "[v1.x]",
            "[]",
        ] {
            assert!(Authority::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_has_no_more_than_its_limit() {
        assert!(Authority::parse(&"a".repeat(MAX_HOST_BYTES)).is_ok());
        assert!(Authority::parse(&"a".repeat(MAX_HOST_BYTES + 1)).is_err());
    }
}
