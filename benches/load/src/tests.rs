//! What figures must not hide, against servers that misbehave.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::attempts::Attempts;
use crate::connect;
use crate::dial::{Dialer, Options};
use crate::group::Group;
use crate::requests::{Ask, Running};
use crate::serve;

fn run<T>(test: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build_local(Default::default()).expect("a runtime").block_on(test)
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound").to_string();
    (listener, address)
}

fn attempts(count: usize, concurrency: usize) -> Attempts {
    Attempts { count, concurrency, until: Instant::now() + Duration::from_secs(20) }
}

/// Answers in a millisecond, but once in 300.
struct Stalling(u64);

impl Ask for Stalling {
    async fn ask(&mut self) -> io::Result<u64> {
        self.0 += 1;
        sleep(Duration::from_millis(if self.0 == 20 { 300 } else { 1 })).await;
        Ok(0)
    }
}

#[test]
fn an_open_loop_shows_a_stall_that_a_closed_loop_hides() {
    let p90 = |rate| {
        let length = Duration::from_secs(1);
        let answer = run(async { Running::start(vec![Stalling(0)], rate, length).expect("starts").end().await });
        assert!(
            answer["latency"]["max"].as_f64() >= Some(300_000.0) && answer["gap"].as_f64() >= Some(0.3),
            "{answer}"
        );
        (answer["latency"]["p90"].as_f64().expect("a figure"), answer["requests"].clone())
    };
    let (closed, _) = p90(None);
    let (open, requests) = p90(Some(100.0));
    assert!(closed < 100_000.0 && open > 100_000.0, "{closed} µs, {open} µs");
    assert_eq!(requests, 100, "all that were due were asked");
}

#[test]
fn what_was_due_and_never_asked_has_failed() {
    let length = Duration::from_millis(100);
    let answer = run(async {
        let running = Running::start(vec![Stalling(19)], Some(1000.0), length).expect("starts");
        running.end_within(Duration::ZERO).await
    });
    assert_eq!(answer["failed"], 100, "{answer}");
}

/// Grants a session, reads one byte of it, and does what is wrong with it.
async fn cut(mut stream: TcpStream, nth: usize) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_buf(&mut head).await.expect("reads");
    }
    let grant = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    stream.write_all(grant).await.expect("writes");
    stream.read_u8().await.expect("reads");
    match nth {
        0 => stream.write_all(&[0x88, 2, 3, 233]).await.expect("writes"),
        1 => return,
        _ => {}
    }
    while let Ok(1..) = stream.read(&mut [0; 64]).await {}
}

#[test]
fn sessions_that_are_cut_are_counted_as_cut_and_their_messages_as_failed() {
    run(async {
        let (listener, address) = listen().await;
        spawn_local(async move {
            for nth in 0..3 {
                spawn_local(cut(listener.accept().await.expect("accepts").0, nth));
            }
        });
        let (dialer, group) = (Rc::new(Dialer::new(2, None)), Rc::<Group>::default());
        let target = dialer.target(&format!("ws://{address}/ws"), None, &Options::default()).expect("a target");
        let opened = group.clone().open(dialer, Rc::new(target), attempts(3, 1)).await;
        assert_eq!((&opened["opened"], &opened["failed"]), (&json!(3), &json!(0)));
        assert_eq!(group.state(), json!({"open": 3, "cut": 0, "codes": {}}));

        let echoes = group.echo(5, 2, 1, None, Instant::now() + Duration::from_millis(500)).await;
        assert_eq!((&echoes["messages"], &echoes["failed"]), (&json!(0), &json!(6)), "{echoes}");
        let codes = group.state()["codes"].as_object().cloned().expect("codes");
        assert_eq!((group.state()["open"].clone(), group.state()["cut"].clone()), (json!(1), json!(2)));
        assert!(codes["1001"] == 1 && codes.len() == 2, "{codes:?}");

        let closed = group.close(Instant::now() + Duration::from_millis(500)).await;
        assert_eq!((&closed["closed"], &closed["failed"]), (&json!(0), &json!(1)), "no Close came back");
    });
}

#[test]
fn messages_come_back_and_sessions_close_in_good_order() {
    run(async {
        let (listener, address) = listen().await;
        spawn_local(serve::accept(listener, String::from("one")));
        let (dialer, group) = (Rc::new(Dialer::new(2, None)), Rc::<Group>::default());
        let target = |path: &str| {
            dialer.target(&format!("http://{address}{path}"), None, &Options::default()).expect("a target")
        };
        group.clone().open(dialer.clone(), Rc::new(target("/ws")), attempts(20, 4)).await;
        for (size, in_flight) in [(0, 1), (125, 3), (70_000, 20)] {
            let answer = group.echo(size, 30, in_flight, Some(10), Instant::now() + Duration::from_secs(20)).await;
            assert_eq!((&answer["messages"], &answer["failed"]), (&json!(600), &json!(0)), "{answer}");
        }
        let paced = group.paced(125, 500.0, Duration::from_millis(200)).await.expect("paced");
        assert_eq!((&paced["latency"]["count"], &paced["failed"]), (&json!(100), &json!(0)));
        assert_eq!(group.close(Instant::now() + Duration::from_secs(5)).await["closed"], 20);
        let wait = |backend| {
            let (dialer, target) = (&dialer, target("/"));
            async move {
                connect::until(dialer, &target, (200, Some(backend)), Instant::now(), Duration::from_millis(50)).await
            }
        };
        assert!(wait("one").await.is_ok() && wait("another").await.is_err());
    });
}

#[test]
fn what_is_told_as_resumed_is_resumed() {
    run(async {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed([String::from("bench.example")]).expect("made");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a configuration")));
        let (listener, address) = listen().await;
        spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let mut stream = acceptor.accept(stream).await.expect("a handshake");
                while let Ok(1..) = stream.read(&mut [0; 64]).await {}
                let _ = stream.shutdown().await;
            }
        });
        let directory = tempfile::tempdir().expect("a directory");
        let ca = directory.path().join("ca.pem");
        std::fs::write(&ca, cert.pem()).expect("writes");
        let dialer = Rc::new(Dialer::new(2, ca.to_str().map(str::to_owned)));
        let counts = async |is_resumed| {
            let options = Options { is_resumed, ..Options::default() };
            let target =
                dialer.target(&format!("https://{address}/"), Some("bench.example"), &options).expect("a target");
            let answer = connect::connect(dialer.clone(), Rc::new(target), attempts(10, 1), false).await;
            [answer["count"].clone(), answer["failed"].clone(), answer["resumed"].clone()]
                .map(|count: Value| count.as_u64())
        };
        assert_eq!(counts(false).await, [10, 0, 0].map(Some));
        assert_eq!(counts(true).await, [10, 0, 9].map(Some), "the first has no ticket yet");
        assert_eq!(counts(true).await, [10, 0, 10].map(Some), "tickets are kept");
    });
}
