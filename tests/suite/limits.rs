//! The size limits of requests (`docs/limits.md`), at a real listener.

use http::{Request, StatusCode, Version};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use steadygate::proxy::ProxySettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::{Gateway, PATIENCE, ingress, service};

/// A host without a route: a request that is read gets the gateway's 404, and needs no backend.
const HOST: &str = "other.example";

async fn gateway() -> Gateway {
    let files = [
        ("service.yaml", service("one", &[(([127, 0, 0, 1], 1).into(), true)])),
        ("site.yaml", ingress("site", "a.example", &[], &[("/", "one")])),
    ];
    let settings = ProxySettings { clear_text_http2: true, ..ProxySettings::default() };
    Gateway::start_with(settings, &files.each_ref().map(|(name, text)| (*name, text.as_str()))).await
}

/// The status of the answer to these bytes.
async fn status_of(gateway: &Gateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
    read.expect("an answer in time").expect("an answer");
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_header_over_http1_has_64_kib_and_100_fields() {
    const LIMIT: usize = 64 * 1024;
    let gateway = gateway().await;
    let start = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nx-long: ");
    let complete = format!("{start}{}\r\n\r\n", "x".repeat(LIMIT - start.len() - 5));
    assert_eq!(complete.len(), LIMIT - 1);
    assert_eq!(status_of(&gateway, &complete).await, "404");
    // It is not complete, and need not become so.
    let too_long = format!("{start}{}", "x".repeat(LIMIT - start.len()));
    assert_eq!(status_of(&gateway, &too_long).await, "431");
    let fields = |count: usize| format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n{}\r\n", "x: x\r\n".repeat(count - 1));
    assert_eq!(status_of(&gateway, &fields(100)).await, "404");
    assert_eq!(status_of(&gateway, &fields(101)).await, "431");
}

/// As over HTTP/1.1; a header that is too large fails alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_header_over_http2_has_what_it_has_over_http1() {
    let gateway = gateway().await;
    let stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    let executor = TokioExecutor::new();
    let (mut requests, connection) =
        hyper::client::conn::http2::handshake(executor, TokioIo::new(stream)).await.expect("HTTP/2");
    tokio::spawn(connection);
    let long = |length| vec![("x-long", "x".repeat(length))];
    let many = |count| vec![("x", "x".to_owned()); count];
    let rest = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\nx-long: \r\n\r\n").len();
    for (headers, expected) in [
        (long(64 * 1024 - rest), StatusCode::NOT_FOUND),
        (long(64 * 1024 - rest + 1), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (long(100 * 1024), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (long(300 * 1024), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (many(99), StatusCode::NOT_FOUND),
        (many(100), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (many(5_000), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        (vec![("cookie", "a=b".to_owned()); 200], StatusCode::NOT_FOUND),
    ] {
        let mut request = Request::get(format!("http://{HOST}/")).version(Version::HTTP_2);
        let (count, length) = (headers.len(), headers[0].1.len());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Empty::<bytes::Bytes>::new()).expect("a request");
        let answer = tokio::time::timeout(PATIENCE, requests.send_request(request)).await.expect("in time");
        let answer = answer.expect("the connection goes on");
        assert_eq!(answer.status(), expected, "{count} of {length}");
        if expected == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE {
            assert_eq!(answer.headers()["x-steadygate-reason"], "HeaderTooLarge");
        }
    }
}

/// SETTINGS and WINDOW_UPDATE (RFC 9113 sections 6.5 and 6.9), as a client gets them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_is_told_the_limits_of_http2() {
    let gateway = gateway().await;
    let mut stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.expect("sends");
    let (mut settings, mut window) = (Vec::new(), None);
    while window.is_none() {
        let mut head = [0; 9];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await.expect("in time").expect("a frame");
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.expect("a payload");
        let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
        match head[3] {
            4 if head[4] == 0 => {
                settings = payload.chunks(6).map(|entry| (number(&entry[..2]), number(&entry[2..]))).collect();
            }
            8 => window = Some(number(&payload)),
            _ => {}
        }
    }
    for (name, id, value) in [("streams", 3, 100), ("window of a stream", 4, 256 * 1024), ("header", 6, 320 * 1024)] {
        assert!(settings.contains(&(id, value)), "{name}: {settings:?}");
    }
    assert_eq!(window, Some(100 * 256 * 1024 - 65_535));
}
