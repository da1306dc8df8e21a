//! The header of the PROXY protocol, versions 1 and 2, by which a load balancer names the client of a connection that it passes on
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! Reads what a peer has sent. Whether the peer is believed is decided by the caller.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::proxy::limits::MAX_PROXY_HEADER_BYTES;

/// How a header of version 1 begins.
const V1_START: &[u8] = b"PROXY ";
/// The longest header of version 1, its end of line included (section 2.1).
const MAX_V1_BYTES: usize = 107;
/// How a header of version 2 begins.
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The part of a header of version 2 that says how long the rest is.
const V2_FIXED_BYTES: usize = V2_SIGNATURE.len() + 4;

/// How any header begins that is none of HTTP or TLS.
pub(in crate::proxy) const STARTS: [&[u8]; 3] = [b"PROXY TCP", b"PROXY UNKNOWN", V2_SIGNATURE];

/// Whom a header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum ProxyHeader {
    /// The client's address and port.
    Client(SocketAddr),
    /// Nobody: the peer speaks for itself, as in its health checks, or does not know.
    Unknown,
}

/// What the first bytes of a connection are.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Parsed {
    /// A whole header, of as many bytes.
    Header(ProxyHeader, usize),
    /// The beginning of a header.
    Incomplete,
    /// No header.
    Absent,
    /// A header that can't be read; the text says what is wrong.
    Malformed(&'static str),
}

/// Reads the first bytes of a connection.
pub(in crate::proxy) fn parse(bytes: &[u8]) -> Parsed {
    if is_prefix(bytes, V1_START) {
        parse_v1(bytes)
    } else if is_prefix(bytes, V2_SIGNATURE) {
        parse_v2(bytes)
    } else {
        Parsed::Absent
    }
}

/// Whether one begins with the other.
fn is_prefix(bytes: &[u8], start: &[u8]) -> bool {
    let common = bytes.len().min(start.len());
    bytes[..common] == start[..common]
}

fn parse_v1(bytes: &[u8]) -> Parsed {
    let Some(end) = bytes.iter().take(MAX_V1_BYTES).position(|byte| *byte == b'\n') else {
        // Any HTTP method may begin so.
        return match bytes.get(V1_START.len()..) {
            Some([first, ..]) if !matches!(first, b'T' | b'U') => Parsed::Absent,
            _ if bytes.len() >= MAX_V1_BYTES => Parsed::Malformed("its line has no end"),
            _ => Parsed::Incomplete,
        };
    };
    let Some(line) = bytes[..end].strip_suffix(b"\r") else {
        return Parsed::Malformed("its line does not end in CRLF");
    };
    let Ok(line) = std::str::from_utf8(line) else { return Parsed::Malformed("its line is not ASCII") };
    let mut words = line.split(' ').skip(1);
    let header = match words.next() {
        Some("UNKNOWN") => Some(ProxyHeader::Unknown),
        Some("TCP4") => v1_client::<Ipv4Addr>(words).map(ProxyHeader::Client),
        Some("TCP6") => v1_client::<Ipv6Addr>(words).map(ProxyHeader::Client),
        // A request with a method of that name.
        _ => return Parsed::Absent,
    };
    match header {
        Some(header) => Parsed::Header(header, end + 1),
        None => Parsed::Malformed("its addresses can't be read"),
    }
}

/// The client of a line: source address, destination address, source port, destination port.
fn v1_client<'a, A: std::str::FromStr + Into<IpAddr>>(mut words: impl Iterator<Item = &'a str>) -> Option<SocketAddr> {
    let mut address = || words.next()?.parse::<A>().ok();
    let (source, _) = (address()?, address()?);
    let mut port = || {
        let digits = words.next()?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?
    };
    let (source_port, _) = (port()?, port()?);
    words.next().is_none().then(|| SocketAddr::new(source.into(), source_port))
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let Some((fixed, rest)) = bytes.split_at_checked(V2_FIXED_BYTES) else { return Parsed::Incomplete };
    let [.., version_and_command, family, high, low] = *fixed else { return Parsed::Incomplete };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_and_command >> 4 != 2 {
        return Parsed::Malformed("its version is not 2");
    }
    if V2_FIXED_BYTES + length > MAX_PROXY_HEADER_BYTES {
        return Parsed::Malformed("it is too long");
    }
    let Some(body) = rest.get(..length) else { return Parsed::Incomplete };
    let header = match (version_and_command & 15, family >> 4) {
        // What follows the addresses are extensions, and a command that is local has no addresses that mean anything.
        (0, _) => ProxyHeader::Unknown,
        (1, 1) => match v2_client::<4>(body) {
            Some(client) => ProxyHeader::Client(client),
            None => return Parsed::Malformed("its addresses are cut off"),
        },
        (1, 2) => match v2_client::<16>(body) {
            Some(client) => ProxyHeader::Client(client),
            None => return Parsed::Malformed("its addresses are cut off"),
        },
        // Unspecified, or the address of a UNIX socket.
        (1, _) => ProxyHeader::Unknown,
        _ => return Parsed::Malformed("its command is neither LOCAL nor PROXY"),
    };
    Parsed::Header(header, V2_FIXED_BYTES + length)
}

/// The client of an address block: source address, destination address, source port, destination port.
fn v2_client<const N: usize>(body: &[u8]) -> Option<SocketAddr>
where
    [u8; N]: Into<IpAddr>,
{
    let (source, rest) = body.split_first_chunk::<N>()?;
    let (_, ports) = rest.split_first_chunk::<N>()?;
    let ([high, low, ..], _) = ports.split_first_chunk::<4>()?;
    Some(SocketAddr::new((*source).into(), u16::from_be_bytes([*high, *low])))
}

#[cfg(test)]
mod tests;
