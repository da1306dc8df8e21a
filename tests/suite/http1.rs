//! HTTP/1.1 with clients: how requests are read, refused and answered, at a real listener; and how they are read beside hyper.

mod side_by_side;

use std::net::Ipv4Addr;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use steadygate::proxy::ProxySettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::gateway::{Gateway, PATIENCE, eventually, get, ingress, service};

const HOST: &str = "site.example";

/// A backend whose connections the test itself answers.
struct Backend {
    listener: TcpListener,
}

impl Backend {
    async fn start() -> Self {
        Self { listener: TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds") }
    }

    async fn gateway(&self, settings: ProxySettings) -> Gateway {
        let files = [
            ("service.yaml", service("one", &[(self.listener.local_addr().expect("bound"), true)])),
            ("site.yaml", ingress("site", HOST, &[], &[("/", "one")])),
        ];
        Gateway::start_with(settings, &files.each_ref().map(|(name, text)| (*name, text.as_str()))).await
    }

    /// The next connection with a request, and the request's head. Probes are answered.
    async fn next(&self) -> (TcpStream, Vec<u8>) {
        let next = async {
            loop {
                let (mut stream, _) = self.listener.accept().await.expect("accepts");
                let head = head(&mut stream).await;
                if !String::from_utf8_lossy(&head).contains("steadygate-probe") {
                    return (stream, head);
                }
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    .await
                    .expect("sent");
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a request in time")
    }
}

/// A head, read byte by byte.
async fn head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let reading = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a head"));
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("a head in time");
    head
}

async fn head_text(stream: &mut TcpStream) -> String {
    String::from_utf8(head(stream).await).expect("text")
}

async fn to_end(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end in time").expect("no reset");
    String::from_utf8(rest).expect("text")
}

async fn connect(gateway: &Gateway, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    stream.set_nodelay(true).expect("set");
    stream.write_all(bytes).await.expect("sends");
    stream
}

fn request(method: &str, lines: &str) -> Vec<u8> {
    format!("{method} /x HTTP/1.1\r\nHost: {HOST}\r\n{lines}\r\n").into_bytes()
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_ends_his_side_behind_a_whole_request_is_answered() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let mut client = connect(&gateway, &[request("GET", ""), request("GET", "")].concat()).await;
    client.shutdown().await.expect("half closed");
    for _ in 0..2 {
        let (mut member, _) = backend.next().await;
        // So that the end of the stream has come before the answer.
        tokio::time::sleep(Duration::from_millis(200)).await;
        member.write_all(OK).await.expect("answers");
    }
    let told = to_end(&mut client).await;
    assert_eq!(told.matches("HTTP/1.1 200 OK\r\n").count(), 2, "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_answer_can_be_read_by_who_still_uploads() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let mut client = connect(&gateway, &request("POST", "Content-Length: 50000000\r\n")).await;
    let (mut member, _) = backend.next().await;
    member.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nearly").await.expect("answers");
    drop(member);
    // It goes on sending long after the answer has come, and only then reads.
    for _ in 0..40 {
        client.write_all(&[b'x'; 16 * 1024]).await.expect("is not reset");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = to_end(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 413 ") && told.ends_with("early"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_100_gets_it_when_the_member_asks() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let mut client = connect(&gateway, &request("POST", "Content-Length: 5\r\nExpect: 100-continue\r\n")).await;
    let (mut member, _) = backend.next().await;
    let early = tokio::time::timeout(Duration::from_millis(300), client.read_u8()).await;
    assert!(early.is_err(), "nobody has asked for the body yet");
    member.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.expect("asks");
    assert_eq!(head_text(&mut client).await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.expect("sends");
    let mut body = [0; 5];
    member.read_exact(&mut body).await.expect("the body");
    member.write_all(OK).await.expect("answers");
    let answer = head_text(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && !answer.contains("close"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_answers_are_passed_on_to_who_knows_them() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    for (version, hints) in [("HTTP/1.1", 2), ("HTTP/1.0", 0)] {
        let mut client = connect(&gateway, format!("GET / {version}\r\nHost: {HOST}\r\n\r\n").as_bytes()).await;
        let (mut member, _) = backend.next().await;
        for _ in 0..2 {
            let hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\nConnection: x\r\nX: 1\r\n\r\n";
            member.write_all(hint).await.expect("sent");
        }
        for _ in 0..hints {
            let hint = head_text(&mut client).await;
            assert_eq!(hint, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
        }
        member.write_all(OK).await.expect("answers");
        assert!(head_text(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interim_answers_are_few_and_do_not_heap_up_before_who_does_not_read() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let hint = |length: usize| format!("HTTP/1.1 103 Early Hints\r\nLink: {}\r\n\r\n", "x".repeat(length));
    // More than the kernel holds for a client that does not read.
    const HINTS: usize = 99;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("set");
    let mut client = socket.connect(gateway.address(80)).await.expect("connects");
    client.write_all(&request("GET", "")).await.expect("sends");
    let (mut member, _) = backend.next().await;
    for _ in 0..HINTS {
        member.write_all(hint(60_000).as_bytes()).await.expect("sent");
    }
    // The connection is not kept, so that the next request comes on another, whichever worker takes it.
    member.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok").await.expect("answers");
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.shutdown().await.expect("half closed");
    let told = to_end(&mut client).await;
    let (hints, answer) = told.split_at(told.find("HTTP/1.1 200 OK\r\n").expect("the answer"));
    assert!(hints.matches("HTTP/1.1 103").count() < HINTS - 20, "{} bytes were held", hints.len());
    assert!(answer.ends_with("ok"), "{answer}");

    let mut client = connect(&gateway, &request("GET", "Connection: close\r\n")).await;
    let (mut member, _) = backend.next().await;
    member.write_all(hint(100).repeat(101).as_bytes()).await.expect("sent");
    let told = to_end(&mut client).await;
    assert!(told.contains("HTTP/1.1 502 ") && told.contains("X-Steadygate-Reason: BackendMalformed\r\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_where_the_end_of_the_connection_is_its_end_is_reset() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let mut client = connect(&gateway, format!("GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n").as_bytes()).await;
    let (mut member, _) = backend.next().await;
    member.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n").await.expect("answers");
    assert!(head_text(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    drop(member);
    let mut rest = Vec::new();
    let end = tokio::time::timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("an end in time");
    assert_eq!(end.expect_err("a reset").kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_malformed_before_anything_of_it_has_gone_out_is_a_502() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let mut client = connect(&gateway, &request("GET", "")).await;
    let (mut member, _) = backend.next().await;
    member.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").await.expect("answers");
    let told = to_end(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 502 ") && told.contains("X-Steadygate-Reason: BackendMalformed\r\n"), "{told}");

    // A head that has come says what has happened, and is handed on.
    let mut client = connect(&gateway, &request("GET", "")).await;
    let (mut member, _) = backend.next().await;
    member.write_all(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100\r\n\r\n").await.expect("answers");
    drop(member);
    let told = to_end(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 500 ") && told.ends_with("\r\n\r\n"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn targets_go_on_as_they_came() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    for target in [
        &b"/loki/api/v1/query?query={app=\"web\"}"[..],
        b"/?request-ids=[\"0689a263\"]&imp-ids=[\"a\"]",
        b"/search?q=<b>x</b>",
        b"/search?q=caf\xe9",
        b"/caf\xe9",
        b"/\x93\xfa\x96{",
        "/b\u{e9}?q=\u{2019}".as_bytes(),
        b"/{\"gcV\":\"2\"}",
        b"/a|b^c`d\\e?f|g^h`i\\j",
        b"/a<b>?c",
    ] {
        let head = [b"GET ", target, b" HTTP/1.1\r\nHost: ", HOST.as_bytes(), b"\r\n\r\n"].concat();
        let mut client = connect(&gateway, &head).await;
        let (mut member, got) = backend.next().await;
        let expected = [b"GET ", target, b" HTTP/1.1\r\n"].concat();
        assert!(got.starts_with(&expected), "{}", String::from_utf8_lossy(&got));
        member.write_all(OK).await.expect("answers");
        assert!(head_text(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_has_a_status_a_reason_and_a_count_and_can_be_read() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let long = "x".repeat(64 * 1024);
    for (bytes, status, reason) in [
        ("GET /x HTTP/1.1\r\nA B: c\r\n\r\n".to_owned(), 400, "MalformedRequest"),
        ("GET /a\tb HTTP/1.1\r\n\r\n".to_owned(), 400, "MalformedRequest"),
        ("GET /a#b HTTP/1.1\r\n\r\n".to_owned(), 400, "MalformedRequest"),
        ("GET /x HTTP/1.9\r\n\r\n".to_owned(), 505, "VersionNotSupported"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 505, "VersionNotSupported"),
        (
            format!("POST /x HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: gzip\r\n\r\n"),
            501,
            "TransferEncodingNotSupported",
        ),
        (format!("GET /x HTTP/1.1\r\nX: {long}"), 431, "HeaderTooLarge"),
        (format!("GET /{long}"), 414, "HeaderTooLarge"),
        (format!("GET /x HTTP/1.1\r\n{}\r\n", "x: x\r\n".repeat(101)), 431, "HeaderTooLarge"),
    ] {
        let mut client = connect(&gateway, bytes.as_bytes()).await;
        // It goes on sending before it reads.
        for _ in 0..5 {
            client.write_all(&[b'x'; 16 * 1024]).await.expect("is not reset");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let told = to_end(&mut client).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {status} ")), "{told}");
        assert!(told.contains(&format!("X-Steadygate-Reason: {reason}\r\n")), "{told}");
        assert!(told.contains("Connection: close\r\n") && told.contains("Server: steadygate\r\n"), "{told}");
    }
    eventually("each is counted", async || {
        let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
        let counted = |code, count| metrics.contains(&format!("code=\"{code}\"}} {count}\n"));
        counted(400, 3)
            && counted(505, 2)
            && counted(501, 1)
            && counted(431, 2)
            && counted(414, 1)
            && metrics.contains("steadygate_clients_refused_total{cause=\"header\"} 3")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_body_that_nobody_reads_the_next_request_is_found_or_the_connection_ends() {
    let backend = Backend::start().await;
    let gateway = backend.gateway(ProxySettings::default()).await;
    let post = |lines: &str| format!("POST / HTTP/1.1\r\nHost: other.example\r\n{lines}\r\n");
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (head, body, answers) in [
        (post(chunked), "5\r\nhello\r\n0\r\n\r\n", 2),
        (post("Content-Length: 5\r\n"), "hello", 2),
        (post(chunked), "zz\r\n", 1),
        (post(chunked), "5\r\nhello!\r\n0\r\n\r\n", 1),
        (post("Content-Length: 500\r\n"), "hello", 1),
    ] {
        let next = "GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n";
        let mut client = connect(&gateway, format!("{head}{body}{next}").as_bytes()).await;
        client.shutdown().await.expect("half closed");
        let told = to_end(&mut client).await;
        assert_eq!(told.matches("HTTP/1.1 404 Not Found\r\n").count(), answers, "{body}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_go_on_with_a_header_is_told() {
    let backend = Backend::start().await;
    let settings = ProxySettings { header_timeout: Duration::from_secs(1), ..Default::default() };
    let gateway = backend.gateway(settings).await;
    let mut client = connect(&gateway, b"GET /x HTTP/1.1\r\nHost: local").await;
    let told = to_end(&mut client).await;
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("X-Steadygate-Reason: RequestTimeout\r\n"), "{told}");
    // Who has begun no request is told nothing; empty lines are none.
    let mut idle = connect(&gateway, b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n\r\n\r\n").await;
    let told = to_end(&mut idle).await;
    assert!(told.starts_with("HTTP/1.1 404 ") && told.matches("HTTP/1.1").count() == 1, "{told}");
}

const METHODS: &[&str] = &["GET", "POST", "HEAD", "OPTIONS", "get", "X-Y", "G T", "CONNECT"];
const TARGETS: &[&[u8]] = &[
    b"/",
    b"/a?b=c",
    b"*",
    b"http://a/x",
    b"a:80",
    b"/caf\xe9",
    "/\u{e9}".as_bytes(),
    b"/<a>",
    b"/a#b",
    b"/a b",
    b"/\t",
    b"",
    b"/{x}|y",
    b"//a//b",
    b"?a",
]; // fmt: skip
const VERSIONS: &[&str] = &["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1", ""];
const FIELDS: &[&str] = &[
    "Host: a",
    "Content-Length: 5",
    "Content-Length: 0",
    "Content-Length: +5",
    "Content-Length: 5, 5",
    "Content-Length : 5",
    "content-length:\t5 ",
    "Content-Length:",
    "Transfer-Encoding: chunked",
    "transfer-encoding:CHUNKED",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, gzip",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: Transfer-Encoding",
    "Upgrade: x",
    "Expect: 100-continue",
    "TE: trailers",
    "X: a\tb",
    "X: a\0b",
    "X: a\rb",
    "X:",
    ": x",
    " folded",
    "\tfolded",
    "X",
    "X-\u{e9}: x",
    "X: \u{e9}",
    "X_Y: z",
]; // fmt: skip
const ENDS: &[&str] = &["\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\n\r\n"];
const BODIES: &[&[u8]] = &[
    b"",
    b"",
    b"hello",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"0\r\n\r\n",
    b"5\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b"05\r\nhello\r\n00\r\n\r\n",
    b"5;\na\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"0\r\nA B: c\r\n\r\n",
    b"\r\n",
    b"ffffffffffffffff1\r\n",
]; // fmt: skip

/// Bytes that are, or nearly are, the requests of a connection.
fn connection() -> impl Strategy<Value = Vec<u8>> {
    let fields = prop::collection::vec((select(FIELDS), select(ENDS)), 0..5);
    let line = (select(METHODS), select(TARGETS), select(VERSIONS));
    let request =
        (line, fields, end_of_line(), select(BODIES)).prop_map(|((method, target, version), fields, end, body)| {
            let mut bytes = [method.as_bytes(), b" ", target, b" ", version.as_bytes(), end.as_bytes()].concat();
            for (field, end) in fields {
                bytes.extend_from_slice(field.as_bytes());
                bytes.extend_from_slice(end.as_bytes());
            }
            bytes.extend_from_slice(end.as_bytes());
            bytes.extend_from_slice(body);
            bytes
        });
    prop::collection::vec(request, 1..4).prop_map(|requests| requests.concat())
}

fn end_of_line() -> impl Strategy<Value = &'static str> {
    select(&["\r\n", "\r\n", "\r\n", "\n"][..])
}

proptest! {
    // The same cases each time; `make fuzz` looks for others.
    #![proptest_config(ProptestConfig { cases: 4000, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Default::default() })]

    #[test]
    fn requests_are_read_as_hyper_reads_them_or_for_a_reason_not(
        mut bytes in connection(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).chain([0, bytes.len()]).collect();
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).filter(|piece| !piece.is_empty()).collect();
        let compared = side_by_side::compare(&pieces);
        prop_assert!(compared.is_ok(), "{:?}\n{:?}", compared, String::from_utf8_lossy(&bytes));
    }
}
