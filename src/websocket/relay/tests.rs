use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::tunnel::POD_NOTICE_TIMEOUT;
use super::*;
use crate::model::{IdleCounts, Ping, SessionLimits, WebSocket};
use crate::pool::Tenure;
use crate::websocket::control_frame::close_frame;
use crate::websocket::end::PeerSide;
use crate::websocket::registry::Sessions;
use crate::websocket::registry::tests::{open, open_with};
use crate::websocket::session::{Session, SessionProtocol};

/// A relay between two in-memory pipes: the client's end, the backend's end, and the relay's result.
fn start(
    sessions: &Sessions,
    tenure: &Arc<Tenure>,
    websocket: WebSocket,
    buffer: usize,
) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<(End, Arc<Session>)>) {
    start_in(open(sessions, tenure, websocket), buffer)
}

/// The same for a session of another protocol than WebSocket.
fn start_other(
    sessions: &Sessions,
    tenure: &Arc<Tenure>,
    websocket: WebSocket,
) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<(End, Arc<Session>)>) {
    start_in(open_with(sessions, tenure, websocket, SessionProtocol::Other, "SPDY/3.1"), 64)
}

fn start_in(
    mut guard: SessionGuard,
    buffer: usize,
) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<(End, Arc<Session>)>) {
    let (client, inner_client) = duplex(buffer);
    let (backend, inner_backend) = duplex(buffer);
    let task = tokio::spawn(async move {
        let end = relay(inner_client, inner_backend, (Bytes::new(), Bytes::new()), &mut guard).await;
        (end, Arc::clone(guard.session()))
    });
    (client, backend, task)
}

#[tokio::test]
async fn bytes_go_both_ways_and_half_close_is_passed_on() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), WebSocket::default(), 64);
    let (mut seen, mut echoed) = (vec![0; 5], Vec::new());
    client.write_all(b"hello").await.expect("writes");
    backend.read_exact(&mut seen).await.expect("reads");
    client.shutdown().await.expect("half-closes");
    assert_eq!(backend.read(&mut [0; 8]).await.expect("reads"), 0, "the end has arrived");
    backend.write_all(b"still here").await.expect("the other half is open");
    drop(backend);
    client.read_to_end(&mut echoed).await.expect("reads");
    assert_eq!((seen.as_slice(), echoed.as_slice()), (&b"hello"[..], &b"still here"[..]));
    let (end, session) = task.await.expect("ends");
    assert!(matches!(end.cause, EndCause::Closed(PeerSide::Client)), "{end:?}");
    assert_eq!((session.up.values().bytes, session.down.values().bytes), (5, 10));
}

#[tokio::test]
async fn a_slow_reader_holds_the_writer_back() {
    let (mut client, mut backend, _task) = start(&Sessions::default(), &Arc::default(), WebSocket::default(), 1024);
    let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&sent);
    tokio::spawn(async move {
        while client.write_all(&[7; 512]).await.is_ok() {
            counter.fetch_add(512, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let mut read = 0;
    for _ in 0..100 {
        backend.read_exact(&mut [0; 512]).await.expect("reads");
        read += 512;
        let ahead =
            sent.load(std::sync::atomic::Ordering::Relaxed) - read.min(sent.load(std::sync::atomic::Ordering::Relaxed));
        assert!(ahead <= 4 * 1024, "{ahead} bytes are on their way");
    }
}

#[tokio::test]
async fn what_is_on_its_way_arrives_though_the_other_direction_fails() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), WebSocket::default(), 64);
    let sender = tokio::spawn(async move {
        backend.write_all(&vec![5; 4096]).await.expect("writes");
        // Gone: what the client writes from now on can't be delivered.
    });
    let mut seen = Vec::new();
    let mut part = [0; 100];
    while seen.len() < 4096 {
        let count = client.read(&mut part).await.expect("reads");
        assert!(count > 0, "cut after {}", seen.len());
        seen.extend_from_slice(&part[..count]);
        // Refused once the backend has gone; that is not the client's failure.
        let _ = client.write(&[1]).await;
    }
    sender.await.expect("sent");
    drop(client);
    assert_eq!(task.await.expect("ends").1.down.values().bytes, 4096);
}

#[tokio::test]
async fn a_drain_closes_at_the_frame_boundary() {
    let sessions = Sessions::default();
    let (mut client, mut backend, task) = start(&sessions, &Arc::default(), WebSocket::default(), 64);
    // Half a frame is under way when the drain begins.
    backend.write_all(&[0x82, 6, 1, 2, 3]).await.expect("writes");
    let mut half = [0; 5];
    client.read_exact(&mut half).await.expect("reads");
    sessions.drain(Duration::ZERO);
    let mut up = vec![0; 8];
    backend.read_exact(&mut up).await.expect("the backend is told at once");
    assert_eq!(up[..2], [0x88, 0x80 | 12]);
    backend.write_all(&[4, 5, 6, 0x82, 1, 9]).await.expect("the frame ends, another begins");
    let mut down = [0; 17];
    client.read_exact(&mut down).await.expect("reads");
    assert_eq!(down[..7], [4, 5, 6, 0x88, 12, 0x03, 0xe9], "the rest of the frame, then Close 1001");
    client.write_all(&close_frame(1001, "", Some([1, 2, 3, 4]))).await.expect("answers");
    backend.write_all(&close_frame(1001, "", None)).await.expect("answers");
    let (end, _) = task.await.expect("ends");
    assert_eq!((end.name(), end.code), ("drain", Some(1001)));
    assert_eq!(sessions.count(), 0);
}

/// Two whole frames.
const FRAMES: &[u8] = &[0x82, 1, 7, 0x89, 0];

/// A session whose backend sends `sent`, then ends without a Close. Gives what the client gets until its end, how soon the end comes,
/// and its cause. The client sends nothing but the answer to a Close. The departure of the pod is reported after `notice`, if at all.
async fn orphaned(notice: Option<Duration>, sent: &[u8]) -> (Vec<u8>, Duration, &'static str) {
    let (sessions, tenure) = (Sessions::default(), Arc::<Tenure>::default());
    // Its own moment is far away: others come before it.
    let others: Vec<_> = (0..10_000).map(|_| open(&sessions, &tenure, WebSocket::default())).collect();
    let (mut client, mut backend, task) = start(&sessions, &tenure, WebSocket::default(), 64);
    backend.write_all(sent).await.expect("writes");
    drop(backend);
    let began = Instant::now();
    let mut seen = vec![0; sent.len()];
    client.read_exact(&mut seen).await.expect("reads");
    assert_eq!(seen, sent);
    let reporter = tokio::spawn(async move {
        if let Some(notice) = notice {
            tokio::time::sleep(notice).await;
            tenure.depart(Duration::from_secs(3600));
            sessions.follow_departures();
        }
    });
    let mut more = Vec::new();
    while client.read_buf(&mut more).await.expect("not reset") > 0 {
        if more.starts_with(&[0x88]) {
            client.write_all(&close_frame(1001, "", Some([1, 2, 3, 4]))).await.expect("the answer is waited for");
        }
    }
    let took = began.elapsed();
    drop((client, others));
    reporter.abort();
    (more, took, task.await.expect("ends").0.name())
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_dies_without_a_close_when_its_pod_goes_has_the_gateway_say_it() {
    for notice in [Duration::ZERO, POD_NOTICE_TIMEOUT / 2] {
        let (seen, took, cause) = orphaned(Some(notice), FRAMES).await;
        assert_eq!((seen, cause), (close_frame(1001, "backend going away", None), "member_drain"));
        assert!(took >= notice && took < notice + Duration::from_millis(5), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_dies_is_passed_on_as_it_is_where_its_pod_stays_or_a_frame_is_not_whole() {
    let (seen, took, cause) = orphaned(None, FRAMES).await;
    assert_eq!((seen.as_slice(), took.as_millis(), cause), (&[][..], POD_NOTICE_TIMEOUT.as_millis(), "backend"));
    let close = close_frame(1000, "", None);
    for sent in [&FRAMES[..2], &close] {
        let (seen, took, cause) = orphaned(None, sent).await;
        assert_eq!((seen.as_slice(), took, cause), (&[][..], Duration::ZERO, "backend"));
    }
}

#[tokio::test]
async fn the_sessions_of_a_pod_that_goes_are_closed_and_no_others() {
    let (sessions, leaving, staying) = (Sessions::default(), Arc::<Tenure>::default(), Arc::default());
    let (mut client, mut backend, task) = start(&sessions, &leaving, WebSocket::default(), 64);
    let (mut other, mut echo, _task) = start(&sessions, &staying, WebSocket::default(), 64);
    tokio::task::yield_now().await;
    leaving.depart(Duration::ZERO);
    sessions.follow_departures();
    let (mut up, mut down) = ([0; 2], [0; 4]);
    backend.read_exact(&mut up).await.expect("the backend is told");
    client.read_exact(&mut down).await.expect("the client is told");
    assert_eq!((up, down), ([0x88, 0x80 | 20], [0x88, 20, 0x03, 0xe9]));
    client.write_all(&close_frame(1001, "", Some([1, 2, 3, 4]))).await.expect("answers");
    backend.write_all(&close_frame(1001, "", None)).await.expect("answers");
    let (end, _) = task.await.expect("ends");
    assert_eq!((end.name(), end.code, sessions.count()), ("member_drain", Some(1001), 1));
    other.write_all(b"hello").await.expect("open");
    echo.read_exact(&mut [0; 5]).await.expect("open");
}

fn idle(idle_counts: IdleCounts) -> WebSocket {
    WebSocket { idle_timeout: Some(Duration::from_secs(10)), idle_counts, ..WebSocket::default() }
}

#[tokio::test(start_paused = true)]
async fn silence_both_ways_ends_a_session_and_any_byte_prolongs_it() {
    let sessions = Sessions::default();
    let (mut client, mut backend, task) = start(&sessions, &Arc::default(), idle(IdleCounts::Any), 64);
    let begun = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(8)).await;
        backend.write_all(&[0x82, 0]).await.expect("writes");
        client.read_exact(&mut [0; 2]).await.expect("reads");
    }
    let mut close = Vec::new();
    client.read_to_end(&mut close).await.expect("reads");
    assert_eq!(close[..4], close_frame(1001, "idle timeout", None)[..4]);
    assert_eq!(task.await.expect("ends").0.name(), "idle");
    assert!(begun.elapsed() >= Duration::from_secs(34), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn where_messages_count_pings_prolong_nothing() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), idle(IdleCounts::Messages), 64);
    let begun = Instant::now();
    for frame in [[0x81, 0], [0x89, 0], [0x8a, 0]] {
        tokio::time::sleep(Duration::from_secs(4)).await;
        backend.write_all(&frame).await.expect("writes");
        client.read_exact(&mut [0; 2]).await.expect("reads");
    }
    client.read_to_end(&mut Vec::new()).await.expect("reads");
    assert_eq!(task.await.expect("ends").0.name(), "idle");
    assert!((14..19).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

fn pinging(idle: Option<u64>) -> WebSocket {
    let ping = Ping { interval: Duration::from_secs(10), timeout: Duration::from_secs(3) };
    WebSocket { ping: Some(ping), idle_timeout: idle.map(Duration::from_secs), ..WebSocket::default() }
}

#[tokio::test(start_paused = true)]
async fn silent_peers_are_asked_and_those_who_do_not_answer_are_given_up() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), pinging(None), 64);
    let begun = Instant::now();
    let (mut down, mut up) = ([0; 2], [0; 6]);
    for round in 1..3 {
        client.read_exact(&mut down).await.expect("asked");
        backend.read_exact(&mut up).await.expect("asked");
        assert_eq!((down, up[..2].to_vec()), ([0x89, 0], vec![0x89, 0x80]));
        assert_eq!(begun.elapsed().as_secs(), 10 * round);
        backend.write_all(&[0x8a, 0]).await.expect("answers");
        client.read_exact(&mut down).await.expect("passed on");
        if round == 1 {
            client.write_all(&[0x8a, 0x80, 1, 2, 3, 4]).await.expect("answers");
            backend.read_exact(&mut up).await.expect("passed on");
        }
    }
    let mut close = [0; 2];
    backend.read_exact(&mut close).await.expect("told");
    assert_eq!((close[0], begun.elapsed().as_secs()), (0x88, 23));
    drop((client, backend));
    assert_eq!(task.await.expect("ends").0.name(), "client_gone");
}

#[tokio::test(start_paused = true)]
async fn answers_to_the_gateways_own_pings_do_not_make_a_session_busy() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), pinging(Some(35)), 64);
    let begun = Instant::now();
    let answers = tokio::spawn(async move {
        let mut up = [0; 6];
        while backend.read_exact(&mut up).await.is_ok() && matches!(up[0], 0x89 | 0x8a) {
            if up[0] == 0x89 && backend.write_all(&[0x8a, 0]).await.is_err() {
                return;
            }
        }
    });
    let mut down = [0; 2];
    while client.read_exact(&mut down).await.is_ok() && down[0] != 0x88 {
        if down[0] == 0x89 {
            client.write_all(&[0x8a, 0x80, 1, 2, 3, 4]).await.expect("answers");
        }
    }
    assert_eq!(begun.elapsed().as_secs(), 35);
    drop(client);
    assert_eq!(task.await.expect("ends").0.name(), "idle");
    answers.abort();
}

#[tokio::test(start_paused = true)]
async fn a_ping_waits_for_its_frame_boundary_and_a_peer_that_takes_what_it_is_sent_is_alive() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), pinging(None), 16);
    // A frame of 100 bytes begins, and the client takes a byte of it every second: no answer can come before its end.
    let writer = tokio::spawn(async move {
        backend.write_all(&[0x82, 100]).await.expect("writes");
        backend.write_all(&[7; 100]).await.expect("writes");
        backend.write_all(&[0x81, 0]).await.expect("writes");
        backend
    });
    // Neither is the backend gone, which nobody listens to meanwhile.
    let mut seen = Vec::new();
    while seen.len() < 102 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        seen.push(client.read_u8().await.expect("open"));
    }
    assert!(seen[2..].iter().all(|byte| *byte == 7), "nothing within the frame");
    let mut next = [0; 2];
    client.read_exact(&mut next).await.expect("open");
    assert!(next == [0x89, 0] || next == [0x81, 0], "{next:x?}");
    drop((client, writer.await));
    task.await.expect("ends");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_can_not_be_asked_yet_is_not_given_up() {
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), pinging(None), 64);
    let begun = Instant::now();
    // A frame that takes 44 s: within it there is no place for a Ping.
    let sender = tokio::spawn(async move {
        backend.write_all(&[0x82, 22]).await.expect("begins");
        for _ in 0..22 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            backend.write_all(&[7]).await.expect("goes on");
        }
        backend
    });
    let mut seen = [0; 26];
    client.read_exact(&mut seen).await.expect("the frame, a Ping, and the Close after its time");
    assert_eq!(seen[22..], [7, 7, 0x89, 0]);
    let asked = begun.elapsed().as_secs();
    let mut close = [0; 2];
    client.read_exact(&mut close).await.expect("told");
    assert_eq!((asked, close[0], begun.elapsed().as_secs()), (44, 0x88, 47));
    drop((client, sender.await));
    assert_eq!(task.await.expect("ends").0.name(), "client_gone");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_within_a_frame_is_gone() {
    let (client, mut backend, task) = start(&Sessions::default(), &Arc::default(), pinging(None), 64);
    let begun = Instant::now();
    let sender = tokio::spawn(async move {
        backend.write_all(&[0x82, 126, 1, 0]).await.expect("begins");
        // More than there is room for on the way: it ends when the session does.
        let _ = backend.write_all(&[7; 256]).await;
        let _ = backend.read_to_end(&mut Vec::new()).await;
    });
    assert_eq!(task.await.expect("ends").0.name(), "client_gone");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    drop((client, sender));
}

#[tokio::test(start_paused = true)]
async fn an_old_session_is_closed_for_the_client_to_choose_anew() {
    let websocket = WebSocket { max_age: Some(Duration::from_secs(100)), ..WebSocket::default() };
    let (mut client, backend, task) = start(&Sessions::default(), &Arc::default(), websocket, 64);
    let begun = Instant::now();
    let mut close = [0; 4];
    client.read_exact(&mut close).await.expect("told");
    assert_eq!(close[2..], 1012u16.to_be_bytes());
    assert!((89..111).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    drop((client, backend));
    assert_eq!(task.await.expect("ends").0.name(), "max_age");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_big_never_reaches_the_backend_and_both_are_told() {
    let limits = SessionLimits { message_size: Some(5), ..SessionLimits::default() };
    let websocket = WebSocket { limits, ..WebSocket::default() };
    let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), websocket, 256);
    let whole = [0x81, 0x83, 1, 2, 3, 4, 9, 9, 9];
    let first = [0x01, 0x83, 1, 2, 3, 4, 9, 9, 9];
    client.write_all(&whole).await.expect("writes");
    client.write_all(&first).await.expect("writes");
    client.write_all(&[0x80]).await.expect("half a header");
    client.write_all(&[0x83, 1, 2, 3, 4, 9, 9, 9]).await.expect("writes");
    client.write_all(&close_frame(1009, "", Some([1, 2, 3, 4]))).await.expect("answers");
    let mut seen = vec![0; 18 + 6];
    backend.read_exact(&mut seen).await.expect("reads");
    assert_eq!((&seen[..9], &seen[9..18], &seen[18..20]), (&whole[..], &first[..], &[0x88, 0x80 | 17][..]));
    let mut close = [0; 4];
    client.read_exact(&mut close).await.expect("told");
    assert_eq!(close[2..], 1009u16.to_be_bytes());
    backend.write_all(&close_frame(1009, "", None)).await.expect("answers");
    let (end, _) = task.await.expect("ends");
    assert_eq!((end.name(), end.code), ("message_size", Some(1009)));
}

/// Bytes that would be frames: a Close, a Ping, and the beginning of a long message.
const FRAME_LIKE: &[u8] = &[0x88, 0, 0x89, 0, 0x82, 126, 1];

#[tokio::test(start_paused = true)]
async fn another_protocol_is_passed_on_byte_by_byte_and_nothing_is_inserted() {
    let limits = SessionLimits { message_size: Some(1), message_rate: Some(1), ..SessionLimits::default() };
    let websocket = WebSocket { limits, idle_counts: IdleCounts::Messages, ..pinging(Some(50)) };
    let (mut client, mut backend, task) = start_other(&Sessions::default(), &Arc::default(), websocket);
    let mut seen = [0; FRAME_LIKE.len()];
    for _ in 0..4 {
        // Longer than the interval of pings, shorter than the idle timeout.
        tokio::time::sleep(Duration::from_secs(40)).await;
        client.write_all(FRAME_LIKE).await.expect("open");
        backend.read_exact(&mut seen).await.expect("open");
        assert_eq!(seen, FRAME_LIKE);
        backend.write_all(FRAME_LIKE).await.expect("open");
        client.read_exact(&mut seen).await.expect("open");
        assert_eq!(seen, FRAME_LIKE);
    }
    let began = Instant::now();
    assert_eq!(client.read(&mut seen).await.expect("no error"), 0, "the end, and nothing else");
    assert_eq!(backend.read(&mut seen).await.expect("no error"), 0);
    assert_eq!(began.elapsed().as_secs(), 50);
    drop((client, backend));
    let (end, session) = task.await.expect("ends");
    assert_eq!((end.name(), end.initiator(), end.code), ("idle", "gateway", None));
    let (up, down) = (session.up.values(), session.down.values());
    assert_eq!((up.bytes, up.messages(), up.pings, up.close), (28, 0, 0, None));
    assert_eq!((down.bytes, down.messages()), (28, 0));
}

#[tokio::test(start_paused = true)]
async fn in_another_protocol_one_side_may_end_long_before_the_other() {
    let websocket = WebSocket { idle_timeout: Some(Duration::from_secs(3600)), ..WebSocket::default() };
    let (mut client, mut backend, task) = start_other(&Sessions::default(), &Arc::default(), websocket);
    let mut seen = Vec::new();
    client.write_all(b"input").await.expect("open");
    client.shutdown().await.expect("half-closes");
    backend.read_to_end(&mut seen).await.expect("the end arrives");
    tokio::time::sleep(Duration::from_secs(3000)).await;
    backend.write_all(b"output").await.expect("the other half is open");
    drop(backend);
    let began = Instant::now();
    client.read_to_end(&mut seen).await.expect("reads");
    assert_eq!((seen.as_slice(), began.elapsed()), (&b"inputoutput"[..], Duration::ZERO));
    assert_eq!(task.await.expect("ends").0.name(), "client");
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_closed_by_the_end_of_its_streams_after_what_has_been_read() {
    let (sessions, leaving) = (Sessions::default(), Arc::<Tenure>::default());
    let (mut client, mut backend, task) = start_other(&sessions, &leaving, WebSocket::default());
    // More than the client's pipe takes: the rest waits in the gateway.
    backend.write_all(&[7; 100]).await.expect("the gateway takes it");
    tokio::time::sleep(Duration::from_millis(1)).await;
    leaving.depart(Duration::ZERO);
    sessions.follow_departures();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut seen = Vec::new();
    client.read_to_end(&mut seen).await.expect("no reset");
    assert_eq!(seen, [7; 100]);
    assert_eq!(backend.read(&mut [0; 8]).await.expect("no reset"), 0);
    drop((client, backend));
    let (end, _) = task.await.expect("ends");
    assert_eq!((end.name(), end.code, sessions.count()), ("member_drain", None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_does_not_hold_up_the_close_of_another_protocol() {
    let sessions = Sessions::default();
    let (client, mut backend, task) = start_other(&sessions, &Arc::default(), WebSocket::default());
    backend.write_all(&[7; 100]).await.expect("the gateway takes it");
    tokio::time::sleep(Duration::from_millis(1)).await;
    let began = Instant::now();
    sessions.drain(Duration::ZERO);
    assert_eq!(task.await.expect("ends").0.name(), "drain");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop((client, backend));
}

#[tokio::test(start_paused = true)]
async fn a_websocket_peer_that_has_ended_waits_a_minute_at_most() {
    let websocket = WebSocket { idle_timeout: Some(Duration::from_secs(3600)), ..WebSocket::default() };
    let (mut client, backend, task) = start(&Sessions::default(), &Arc::default(), websocket, 64);
    let began = Instant::now();
    client.shutdown().await.expect("half-closes");
    assert_eq!(task.await.expect("ends").0.name(), "idle");
    assert!((60..65).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    drop((client, backend));
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let (client, backend) = (duplex(1).0, duplex(1).0);
    let mut guard = open(&Sessions::default(), &Arc::default(), WebSocket::default());
    let tunnel = size_of_val(&relay(client, backend, (Bytes::new(), Bytes::new()), &mut guard));
    let (guard, session) = (size_of::<SessionGuard>(), size_of::<Session>());
    assert!(tunnel + guard + session <= 1_040, "{tunnel} {guard} {session}");
}
