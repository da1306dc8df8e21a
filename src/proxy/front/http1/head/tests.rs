//! Heads that are taken, and heads that are refused, cut at every byte.

use proptest::prelude::*;

use super::*;

fn read(text: &[u8]) -> Result<Option<RequestHead>, HeadFault> {
    take(&mut BytesMut::from(text))
}

fn fault(text: impl AsRef<[u8]>) -> HeadFault {
    match read(text.as_ref()) {
        Err(fault) => fault,
        Ok(taken) => panic!("{:?}: {taken:?}", String::from_utf8_lossy(text.as_ref())),
    }
}

fn is_malformed(text: impl AsRef<[u8]>) -> bool {
    matches!(fault(text), HeadFault::Malformed(_))
}

#[test]
fn a_head_is_the_same_however_it_is_cut() {
    for text in [
        &b"POST /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTE: trailers\r\n\r\n"[..],
        b"POST /a?b HTTP/1.1\nHost: a\nContent-Length: 5\nTE: trailers\n\n",
        b"POST /caf\xe9?b=<c> HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTE: trailers\r\n\r\n",
    ] {
        for cut in 0..text.len() {
            let mut buffer = BytesMut::from(&text[..cut]);
            assert!(take(&mut buffer).expect("good so far").is_none(), "{cut}");
            assert_eq!(&buffer[..], &text[..cut]);
            buffer.extend_from_slice(&text[cut..]);
            buffer.extend_from_slice(b"hello");
            let head = take(&mut buffer).expect("good").expect("whole");
            assert_eq!(&buffer[..], b"hello");
            assert_eq!((head.request.method(), head.framing), (&Method::POST, BodyFraming::Length(5)));
            assert!(head.keep_alive && head.takes_trailers && !head.asks_upgrade && !head.expects_continue);
            assert_eq!(head.request.headers()["host"], "a");
        }
    }
}

#[test]
fn empty_lines_ahead_of_a_request_are_dropped_and_nothing_else() {
    for (bytes, left) in [
        (&b"\r\n\n\r\nGET"[..], &b"GET"[..]),
        (b"\r\n\r", b"\r"),
        (b"\rGET", b"\rGET"),
        (b" \r\n", b" \r\n"),
        (b"", b""),
    ] {
        let mut read = BytesMut::from(bytes);
        skip_empty_lines(&mut read);
        assert_eq!(&read[..], left);
    }
}

#[test]
fn a_target_goes_on_as_it_came() {
    for (target, uri, raw) in [
        (&b"/a?b"[..], "/a?b", None),
        (b"/a{b}|^\\?c={d}|`", "/a{b}|^\\?c={d}|`", None),
        ("/b\u{e9}?q=\u{2019}".as_bytes(), "/b\u{e9}?q=\u{2019}", None),
        (b"/q?app=\"web\"", "/q?app=%22web%22", Some(&b"/q?app=\"web\""[..])),
        (b"/q`?<b>", "/q%60?%3Cb%3E", Some(b"/q`?<b>")),
        (b"/\x93\xfa\x96{", "/%93%FA%96{", Some(b"/\x93\xfa\x96{")),
        (b"http://a/caf\xe9", "http://a/caf%E9", Some(b"/caf\xe9")),
        (b"http://a?caf\xe9/", "http://a/?caf%E9/", None),
    ] {
        let text = [b"GET ", target, b" HTTP/1.1\r\nHost: a\r\n\r\nnext"].concat();
        let mut buffer = BytesMut::from(&text[..]);
        let request = take(&mut buffer).expect("good").expect("whole").request;
        assert_eq!(request.uri().to_string(), uri);
        assert_eq!(request.extensions().get::<RawTarget>().map(|raw| &raw.0[..]), raw, "{uri}");
        assert_eq!(&buffer[..], b"next");
    }
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let post = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
    for lines in [
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 0x5",
        "Content-Length: 1 0",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content-Length : 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding : chunked",
        "X-A: b\r\n folded",
        " X-A: b",
        "X-A: b\rX-B: c",
        "X-A: b\0c",
        ": a",
        "just text",
    ] {
        assert!(is_malformed(post(lines)), "{lines:?}");
    }
    for line in [
        "GET /first\r\n\r\n",
        "GET  / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1 \r\n\r\n",
        "GET /a b HTTP/1.1\r\n\r\n",
        "GET /a  HTTP/1.1\r\n\r\n",
        "\rGET / HTTP/1.1\r\n\r\n",
        "GET /\r HTTP/1.1\r\n\r\n",
        "GET /\x7f HTTP/1.1\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n",
        "GET /a#b HTTP/1.1\r\n\r\n",
        "GET /<a>#b HTTP/1.1\r\n\r\n",
        "GET http://a/#b HTTP/1.1\r\n\r\n",
        "G@T / HTTP/1.1\r\n\r\n",
        "GET / http/1.1\r\n\r\n",
        "GET / HTTPS/1.1\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        assert!(is_malformed(line), "{line:?}");
    }
}

#[test]
fn what_is_not_spoken_has_a_status_of_its_own() {
    for version in ["HTTP/2.0", "HTTP/1.9", "HTTP/0.9", "HTTP/3.0"] {
        assert_eq!(fault(format!("GET / {version}\r\n\r\n")), HeadFault::Version, "{version}");
    }
    for cut in 1.."GET / HTTP/2.0\r".len() {
        let mut read = BytesMut::from(&b"GET / HTTP/2.0\r"[..cut]);
        assert!(take(&mut read).expect("good so far").is_none(), "{cut}");
    }
    for coding in ["gzip, chunked", "gzip", "xchunked", "identity"] {
        let text = format!("POST / HTTP/1.1\r\nTransfer-Encoding: {coding}\r\n\r\n");
        assert_eq!(fault(text), HeadFault::TransferCoding, "{coding}");
    }
}

#[test]
fn a_head_has_no_more_than_its_limits() {
    let start = "GET / HTTP/1.1\r\nX-Long: ";
    let long = |length: usize| format!("{start}{}\r\n\r\n", "x".repeat(length - start.len() - 4));
    assert!(read(long(MAX_HEADER_BYTES).as_bytes()).expect("short enough").is_some());
    assert_eq!(fault(long(MAX_HEADER_BYTES + 1)), HeadFault::TooLarge);
    assert_eq!(fault(format!("{start}{}", "x".repeat(MAX_HEADER_BYTES))), HeadFault::TooLarge);
    assert_eq!(fault(format!("GET /{}", "x".repeat(MAX_HEADER_BYTES))), HeadFault::TargetTooLarge);
    let many = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "X-A: 1\r\n".repeat(count));
    assert!(read(many(MAX_HEADER_FIELDS).as_bytes()).expect("few enough").is_some());
    assert_eq!(fault(many(MAX_HEADER_FIELDS + 1)), HeadFault::TooManyFields);
}

#[test]
fn a_connection_goes_on_as_its_client_says() {
    for (version, lines, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: x, Close\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
    ] {
        let head = read(format!("GET / HTTP/{version}\r\n{lines}\r\n").as_bytes()).expect("good").expect("whole");
        assert_eq!(head.keep_alive, keep_alive, "{version} {lines}");
    }
    let lines = "Expect: 100-Continue\r\nUpgrade: x\r\nTE: trailers\r\n";
    for (version, knows) in [("1.1", true), ("1.0", false)] {
        let head = read(format!("GET / HTTP/{version}\r\n{lines}\r\n").as_bytes()).expect("good").expect("whole");
        assert_eq!([head.expects_continue, head.asks_upgrade, head.takes_trailers], [knows; 3], "{version}");
    }
}

#[test]
fn the_first_line_of_a_malformed_head_is_recorded_as_far_as_it_can_be_read() {
    let line = |text: &str| {
        let RequestLine { method, uri } = first_line(text.as_bytes());
        (method.map(|method| method.to_string()), uri.map(|uri| uri.path().to_owned()))
    };
    assert_eq!(line("GET /a?b HTTP/1.1\r\nA B: c\r\n\r\n"), (Some("GET".to_owned()), Some("/a".to_owned())));
    // Not of what follows, where the fields are at fault.
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nContent-Length: 3",
        "Content-Length: x",
    ] {
        let mut read =
            BytesMut::from(format!("POST /a HTTP/1.1\r\n{fields}\r\n\r\nGET /b HTTP/1.1\r\n\r\n").as_bytes());
        assert!(take(&mut read).is_err());
        assert_eq!(
            line(str::from_utf8(&read).expect("text")),
            (Some("POST".to_owned()), Some("/a".to_owned())),
            "{fields}"
        );
    }
    assert_eq!(line("GET /a"), (Some("GET".to_owned()), Some("/a".to_owned())));
    assert_eq!(line("\x16\x03\x01 / x"), (None, None));
    assert_eq!(line(""), (None, None));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        start in prop::sample::select(&["", "GET ", "GET /", "GET / HTTP/1.1\r\n", "GET /\u{e9} HTTP/1.1\r\nA:"][..]),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let text = [start.as_bytes(), &bytes, b"\r\n\r\n"].concat();
        let _ = read(&text);
        first_line(&text);
    }
}
