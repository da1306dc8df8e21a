use proptest::prelude::*;

use super::*;

fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    [V2_SIGNATURE, &[0x20 | command, family], &length, body].concat()
}

fn address_block(source: SocketAddr, destination: SocketAddr) -> (u8, Vec<u8>) {
    let octets = |address: SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let ports = [source.port().to_be_bytes(), destination.port().to_be_bytes()].concat();
    let family = if source.is_ipv4() { 0x11 } else { 0x21 };
    (family, [octets(source), octets(destination), ports].concat())
}

fn v1(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let family = if source.is_ipv4() { "TCP4" } else { "TCP6" };
    let (from, to) = (source.ip(), destination.ip());
    format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
}

#[test]
fn what_names_nobody_is_a_header_all_the_same() {
    let unknown =
        |bytes: &[u8]| assert_eq!(parse(bytes), Parsed::Header(ProxyHeader::Unknown, bytes.len()), "{bytes:?}");
    unknown(b"PROXY UNKNOWN\r\n");
    unknown(b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n");
    unknown(&v2(0, 0, &[]));
    unknown(&v2(0, 0x11, &[1; 12]));
    unknown(&v2(1, 0, b"extensions"));
    unknown(&v2(1, 0x31, &[1; 216]));
}

#[test]
fn a_request_is_no_header() {
    for text in
        ["GET / HTTP/1.1\r\n", "PROXY / HTTP/1.1\r\n", "PROXYING", "PRI * HTTP/2.0\r\n", "\r\n\r\nGET", "\x16\x03\x01"]
    {
        assert_eq!(parse(text.as_bytes()), Parsed::Absent, "{text:?}");
    }
}

#[test]
fn a_malformed_header_is_reported() {
    let long = format!("PROXY TCP6 {}\r\n", "f".repeat(100));
    let cases = [
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n",
        "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        &long,
    ];
    for text in cases {
        assert!(matches!(parse(text.as_bytes()), Parsed::Malformed(_)), "{text:?}");
    }
    let body = [1; 12];
    let mut version = v2(1, 0x11, &body);
    version[V2_SIGNATURE.len()] = 0x11;
    let too_long = v2(1, 0x11, &vec![0; MAX_PROXY_HEADER_BYTES]);
    for bytes in [version, v2(2, 0x11, &body), v2(1, 0x11, &body[1..]), v2(1, 0x21, &body), too_long] {
        assert!(matches!(parse(&bytes), Parsed::Malformed(_)), "{bytes:?}");
    }
}

fn addresses() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    prop_oneof![
        any::<([u8; 4], u16, [u8; 4], u16)>().prop_map(|(a, p, b, q)| ((a, p).into(), (b, q).into())),
        any::<([u16; 8], u16, [u16; 8], u16)>().prop_map(|(a, p, b, q)| ((a, p).into(), (b, q).into())),
    ]
}

proptest! {
    #[test]
    fn the_client_is_read_however_the_bytes_arrive(
        (source, destination) in addresses(),
        extensions in prop::collection::vec(any::<u8>(), 0..64),
        request in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let (family, mut block) = address_block(source, destination);
        block.extend(extensions);
        for header in [v1(source, destination), v2(1, family, &block)] {
            for length in 0..header.len() {
                prop_assert_eq!(parse(&header[..length]), Parsed::Incomplete, "{} of {:?}", length, &header);
            }
            let whole = [&header[..], &request].concat();
            prop_assert_eq!(parse(&whole), Parsed::Header(ProxyHeader::Client(source), header.len()));
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(start in 0..3_usize, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let start = [&b""[..], V1_START, V2_SIGNATURE][start];
        let bytes = [start, &bytes].concat();
        if let Parsed::Header(_, length) = parse(&bytes) {
            prop_assert!(length <= bytes.len());
        }
    }
}
