//! The front door: what a client may hold, send ahead and abandon before it is refused (`docs/limits.md`), at a real listener.

use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, SendStream};
use http::{Request, Response, StatusCode};
use steadygate::proxy::{ConnectionLimits, ProxySettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::gateway::{Backend, Gateway, PATIENCE, eventually, get, ingress, service};

const HOST: &str = "site.example";
/// Streams that are reset together: fewer than a connection may have at once.
const BATCH: usize = 90;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A backend whose connections the test itself answers.
struct Silent(TcpListener);

impl Silent {
    async fn start() -> Self {
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("binds"))
    }

    /// The next connection with a request, and the request's head. Connections of probes are answered.
    async fn next(&self) -> (TcpStream, String) {
        let next = async {
            loop {
                let (mut stream, _) = self.0.accept().await.expect("accepts");
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let byte = stream.read_u8().await.expect("a head");
                    head.push(byte);
                }
                let head = String::from_utf8(head).expect("text");
                if !head.to_ascii_lowercase().contains("user-agent: steadygate-probe") {
                    return (stream, head);
                }
                stream.write_all(ANSWER).await.expect("answers");
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a request in time")
    }
}

/// A gateway that sends everything to one backend, which it does not probe.
async fn gateway(settings: ProxySettings, backend: std::net::SocketAddr) -> Gateway {
    let files = [
        ("service.yaml", service("one", &[(backend, true)])),
        ("site.yaml", ingress("site", HOST, &[], &[("/", "one")])),
    ];
    let settings = ProxySettings { clear_text_http2: true, ..settings };
    Gateway::start_with(settings, &files.each_ref().map(|(name, text)| (*name, text.as_str()))).await
}

/// A connection of HTTP/2.
async fn connect(gateway: &Gateway) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    let (requests, connection) = h2::client::handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    requests
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<Response<h2::RecvStream>, h2::Error>> + Send>>;

/// Sends the head of a request. Fails once the connection takes no more.
async fn send(
    requests: &SendRequest<Bytes>,
    request: http::request::Builder,
    end: bool,
) -> Result<(Answer, SendStream<Bytes>), h2::Error> {
    let mut requests = requests.clone().ready().await?;
    let (answer, body) = requests.send_request(request.body(()).expect("a request"), end)?;
    Ok((Box::pin(answer), body))
}

fn to(path: &str) -> http::request::Builder {
    Request::get(format!("http://{HOST}{path}"))
}

async fn answered(answer: Answer) -> Result<Response<h2::RecvStream>, h2::Error> {
    tokio::time::timeout(PATIENCE, answer).await.expect("an answer in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_resets_streams_loses_its_connection_but_not_what_is_under_way() {
    let backend = Silent::start().await;
    let gateway = gateway(ProxySettings::default(), backend.0.local_addr().expect("bound")).await;
    let requests = connect(&gateway).await;
    let (kept, _) = send(&requests, to("/kept"), true).await.expect("sent");
    let (mut held, _) = backend.next().await;

    // More than the budget, all after they have reached the backend.
    let mut resets = 0;
    let refused = loop {
        assert!(resets < 50 * BATCH, "the client resets as many as it likes");
        let mut batch = Vec::new();
        let (first, stream) = match send(&requests, to("/abandoned"), true).await {
            Ok(sent) => sent,
            Err(error) => break error,
        };
        tokio::select! {
            (connection, _) = backend.next() => batch.push((stream, connection)),
            answer = answered(first) => break answer.expect_err("nobody answers"),
        }
        for _ in 1..BATCH {
            let (_, stream) = send(&requests, to("/abandoned"), true).await.expect("sent");
            batch.push((stream, backend.next().await.0));
        }
        for (stream, connection) in &mut batch {
            stream.send_reset(Reason::CANCEL);
            // Closed in good order, it would keep a port of the gateway for another minute.
            let end = tokio::time::timeout(PATIENCE, connection.read_u8()).await.expect("it ends");
            assert_eq!(end.expect_err("nothing more is sent").kind(), std::io::ErrorKind::ConnectionReset);
        }
        resets += BATCH;
    };
    assert!(resets >= 200, "{resets}");
    assert!(
        refused.reason().is_none_or(|reason| matches!(reason, Reason::REFUSED_STREAM | Reason::NO_ERROR)),
        "{refused}"
    );

    // The other request goes on, and so do other connections.
    held.write_all(ANSWER).await.expect("answers");
    assert_eq!(answered(kept).await.expect("an answer").status(), StatusCode::OK);
    // Not to be used again: the next request comes on a connection of its own, whichever worker serves it.
    drop(held);
    let (answer, _) = send(&connect(&gateway).await, to("/new"), true).await.expect("sent");
    backend.next().await.0.write_all(ANSWER).await.expect("answers");
    assert_eq!(answered(answer).await.expect("an answer").status(), StatusCode::OK);
    let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
    assert!(metrics.contains("steadygate_clients_refused_total{cause=\"resets\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_its_client_resets_is_reset_at_the_backend() {
    let backend = Silent::start().await;
    let gateway = gateway(ProxySettings::default(), backend.0.local_addr().expect("bound")).await;
    let mut requests = connect(&gateway).await.ready().await.expect("open");
    eventually("extended CONNECTs are allowed", async || requests.is_extended_connect_protocol_enabled()).await;
    let mut request = Request::connect(format!("http://{HOST}/chat")).header("sec-websocket-version", "13").body(());
    let extensions = request.as_mut().expect("a request").extensions_mut();
    extensions.insert(h2::ext::Protocol::from_static("websocket"));
    let (answer, mut stream) = requests.send_request(request.expect("a request"), false).expect("sent");
    let (mut connection, head) = backend.next().await;
    let key =
        head.lines().find_map(|line| line.to_ascii_lowercase().starts_with("sec-websocket-key: ").then(|| &line[19..]));
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.expect("a key").as_bytes());
    let granted = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    connection.write_all(granted.as_bytes()).await.expect("accepts");
    assert_eq!(answered(Box::pin(answer)).await.expect("an answer").status(), StatusCode::OK);
    stream.send_reset(Reason::CANCEL);
    // A reset is an error of the socket, though nothing has been written or read; an end in good order is none.
    eventually("the connection is reset", async || connection.take_error().is_ok_and(|error| error.is_some())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_send_ahead_of_answers_is_bounded_over_all() {
    let backend = Silent::start().await;
    let settings = ProxySettings { max_unanswered_bytes: 100_000, ..Default::default() };
    let gateway = gateway(settings, backend.0.local_addr().expect("bound")).await;
    let upload = || Request::post(format!("http://{HOST}/upload")).header("expect", "100-continue");

    // Two connections: the first holds what it may, the second would hold more.
    let first = connect(&gateway).await;
    let (first_answer, mut body) = send(&first, upload(), false).await.expect("sent");
    let (mut held, _) = backend.next().await;
    body.send_data(vec![b'x'; 60_000].into(), true).expect("sent");
    eventually("it is counted", async || {
        let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
        let held = metrics.lines().find_map(|line| line.strip_prefix("steadygate_unanswered_bytes "));
        held.is_some_and(|held| held.parse::<u64>().is_ok_and(|held| (60_000..100_000).contains(&held)))
    })
    .await;
    let (second_answer, mut body) = send(&connect(&gateway).await, upload(), false).await.expect("sent");
    body.send_data(vec![b'x'; 60_000].into(), true).expect("sent");
    let refused = answered(second_answer).await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()["x-steadygate-reason"], "GatewayBufferLimit");
    assert!(refused.headers().contains_key("retry-after"));

    // The first is served all the same, and nothing is left.
    held.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.expect("asks for the body");
    let mut taken = vec![0; 60_000];
    tokio::time::timeout(PATIENCE, held.read_exact(&mut taken)).await.expect("in time").expect("the body");
    held.write_all(ANSWER).await.expect("answers");
    assert_eq!(answered(first_answer).await.expect("an answer").status(), StatusCode::OK);
    eventually("nothing is held", async || {
        let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
        metrics.lines().any(|line| line == "steadygate_unanswered_bytes 0")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connect_with_a_length_fails_alone() {
    let backend = Silent::start().await;
    let gateway = gateway(ProxySettings::default(), backend.0.local_addr().expect("bound")).await;
    let requests = connect(&gateway).await;
    let (kept, _) = send(&requests, to("/kept"), true).await.expect("sent");
    let (mut held, _) = backend.next().await;
    let connect = Request::connect("site.example:80").header("content-length", "5");
    let (answer, _) = send(&requests, connect, false).await.expect("sent");
    assert_eq!(answered(answer).await.expect("an answer").status(), StatusCode::METHOD_NOT_ALLOWED);
    held.write_all(ANSWER).await.expect("answers");
    assert_eq!(answered(kept).await.expect("an answer").status(), StatusCode::OK);
}

/// Whether a request on this connection is answered by the backend `one`; `false` if it was closed.
async fn is_served(stream: &mut TcpStream) -> bool {
    let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    // A connection that has been reset may fail at once.
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"one /") {
        match tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("in time") {
            Ok(byte) => answer.push(byte),
            Err(_) => return false,
        }
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_beyond_a_limit_are_closed() {
    let limited = |limits| ProxySettings { connections: limits, ..Default::default() };
    let all = ConnectionLimits { max: 2, ..Default::default() };
    let per_address = ConnectionLimits { max_per_address: Some(2), ..Default::default() };
    for (cause, settings) in [("connections", limited(all)), ("connections_per_address", limited(per_address))] {
        let backend = Backend::start("one").await;
        let gateway = gateway(settings.clone(), backend.address).await;
        let connect = async || TcpStream::connect(gateway.address(80)).await.expect("connects");
        let mut open = [connect().await, connect().await];
        for stream in &mut open {
            assert!(is_served(stream).await, "{cause}");
        }
        assert!(!is_served(&mut connect().await).await, "{cause}");
        assert!(is_served(&mut open[0]).await, "{cause}: those that are open stay");
        let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
        assert!(metrics.contains(&format!("steadygate_clients_refused_total{{cause=\"{cause}\"}} 1")), "{metrics}");
        drop(open);
        eventually("there is room again", async || is_served(&mut connect().await).await).await;

        // Of trusted proxies an address may have as many as it likes.
        let trusted = ProxySettings { trusted_proxies: vec!["127.0.0.0/8".parse().expect("a net")], ..settings };
        let gateway = self::gateway(trusted, backend.address).await;
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(TcpStream::connect(gateway.address(80)).await.expect("connects"));
        }
        let mut served = 0;
        for stream in &mut open {
            served += usize::from(is_served(stream).await);
        }
        assert_eq!(served, if cause == "connections" { 2 } else { 3 });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_counts_as_a_connection_until_it_ends() {
    let backend = Backend::start("one").await;
    let limits = ConnectionLimits { max: 1, ..Default::default() };
    let gateway = gateway(ProxySettings { connections: limits, ..Default::default() }, backend.address).await;
    let mut session = gateway.session(HOST, "/").await;
    assert_eq!(crate::gateway::echo(&mut session, "hello").await, "hello");
    let connect = async || TcpStream::connect(gateway.address(80)).await.expect("connects");
    assert!(!is_served(&mut connect().await).await);
    assert_eq!(crate::gateway::echo(&mut session, "still").await, "still");
    drop(session);
    eventually("there is room again", async || is_served(&mut connect().await).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_balancer_names_the_client_by_the_proxy_protocol() {
    let backend = Silent::start().await;
    let settings = ProxySettings {
        trusted_proxies: vec!["127.0.0.0/8".parse().expect("a net")],
        proxy_protocol: [80].into(),
        ..Default::default()
    };
    let gateway = gateway(settings, backend.0.local_addr().expect("bound")).await;
    let version2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x24"[..],
        &"2001:db8::7".parse::<std::net::Ipv6Addr>().expect("an address").octets(),
        &[0; 16],
        &[0x30, 0x39, 0, 80],
    ]
    .concat();
    let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\x03\x04\0\0";
    for (header, client) in [
        (&b"PROXY TCP4 203.0.113.7 192.0.2.1 12345 80\r\n"[..], "203.0.113.7"),
        (&version2[..], "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (&local[..], "127.0.0.1"),
    ] {
        // In two parts, of which the second has the beginning of the request, too.
        let mut stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
        stream.set_nodelay(true).expect("set");
        stream.write_all(&header[..10]).await.expect("sends");
        tokio::time::sleep(Duration::from_millis(20)).await;
        let request = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
        stream.write_all(&[&header[10..], request.as_bytes()].concat()).await.expect("sends");
        let (mut connection, head) = backend.next().await;
        let head = head.to_ascii_lowercase();
        assert!(head.contains(&format!("x-forwarded-for: {client}\r\n")), "{head}");
        assert!(head.contains(&format!("x-real-ip: {client}\r\n")), "{head}");
        connection.write_all(ANSWER).await.expect("answers");
        let mut answer = [0; 12];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await.expect("in time").expect("an answer");
        assert!(answer.ends_with(b"200"));
    }
}

/// The whole answer to these bytes, until the connection ends.
async fn answer_to(gateway: &Gateway, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(gateway.address(80)).await.expect("connects");
    stream.write_all(bytes).await.expect("sends");
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("in time").expect("ends in order");
    String::from_utf8(answer).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_header_that_is_missing_malformed_or_not_expected_is_answered() {
    let backend = Backend::start("one").await;
    let trusted = |net: &str| vec![net.parse().expect("a net")];
    let header = format!("PROXY TCP4 203.0.113.7 192.0.2.1 12345 80\r\nGET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    let without = format!("GET / HTTP/1.1\r\nhost: {HOST}\r\n\r\n");
    let malformed = header.replace("203.0.113.7", "203.0.113.256");
    let expecting =
        |net| ProxySettings { trusted_proxies: trusted(net), proxy_protocol: [80].into(), ..Default::default() };
    for (settings, bytes, word) in [
        (expecting("127.0.0.0/8"), &without, "there is no header"),
        (expecting("127.0.0.0/8"), &malformed, "malformed"),
        (expecting("192.0.2.0/24"), &header, "--trusted-proxy"),
        (ProxySettings { trusted_proxies: trusted("127.0.0.0/8"), ..Default::default() }, &header, "--proxy-protocol"),
    ] {
        let gateway = gateway(settings, backend.address).await;
        let answer = answer_to(&gateway, bytes.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("X-Steadygate-Reason: ProxyHeader\r\n") && answer.contains(word), "{answer}");
        let metrics = get(gateway.app.admin, "localhost", "/metrics").await.body;
        assert!(metrics.contains("steadygate_clients_refused_total{cause=\"proxy_header\"} 1"), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_cannot_read_the_admin_port_of_this_machine() {
    let backend = Backend::start("one").await;
    let gateway = gateway(ProxySettings::default(), backend.address).await;
    for path in ["/debug/config", "/metrics", "/readyz", "/sessions", "/"] {
        let answer = get(gateway.app.admin, "page.example", path).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
        assert!(!answer.body.contains(HOST), "{path}");
    }
    for host in ["localhost", "127.0.0.1:9180", "[::1]"] {
        assert_eq!(get(gateway.app.admin, host, "/debug/config").await.status, StatusCode::OK, "{host}");
    }
    assert_eq!(get(gateway.app.admin, "page.example", "/livez").await.status, StatusCode::OK);
}
