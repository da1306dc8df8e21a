//! The tunnel of a session: both directions at once, with back-pressure and half-close.
//!
//! Bytes are read into a buffer of the thread, borrowed only while they move; a session that is idle holds none.
//! Only what the other side is too slow to take is kept on the heap, and nothing more is read until it has gone.

mod direction;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use super::session::Drain;
use super::{SessionGuard, close_frame};
use direction::{Direction, poll_discard};

/// Bytes moved at once.
const BUFFER: usize = 64 * 1024;
/// Time that the peers have to answer the gateway's Close.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Longest silence of a session without an idle timeout, once one peer has ended its half.
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// How long a backend's end without a Close is kept from the client: the word that its pod is going away may come later than
/// the end itself.
const WORD_WAIT: Duration = Duration::from_secs(1);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
}

/// A stream that can be relayed.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// One of the two peers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Who opened the session.
    Client,
    /// Who granted it.
    Backend,
}

/// How a session ended.
#[derive(Debug)]
pub struct End {
    /// Why.
    pub cause: EndCause,
    /// Bytes from the client to the backend.
    pub bytes_up: u64,
    /// Bytes from the backend to the client.
    pub bytes_down: u64,
}

/// Why a session ended.
#[derive(Debug)]
pub enum EndCause {
    /// A peer closed it, by a Close frame or by ending its stream.
    Closed(Side),
    /// A stream failed.
    Failed(io::Error),
    /// No byte either way for the idle timeout.
    Idle,
    /// The gateway is going away.
    Drained,
    /// The backend's pod is going away.
    MemberDrained,
}

impl EndCause {
    /// Every name that [`EndCause::name`] gives.
    pub const NAMES: [&'static str; 6] = ["client", "backend", "error", "idle", "drain", "member_drain"];

    /// One word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Closed(Side::Client) => "client",
            Self::Closed(Side::Backend) => "backend",
            Self::Failed(_) => "error",
            Self::Idle => "idle",
            Self::Drained => "drain",
            Self::MemberDrained => "member_drain",
        }
    }

    /// What went wrong, if something did.
    pub fn detail(&self) -> String {
        match self {
            Self::Failed(error) => error.to_string(),
            _ => String::new(),
        }
    }
}

/// Relays until the session ends. `first_up` and `first_down` are bytes that came with the handshake: the tunnel's
/// first. After `idle` without a byte either way the session is closed; `None`: never.
pub async fn relay<C: Stream, B: Stream>(
    client: C,
    backend: B,
    (first_up, first_down): (Bytes, Bytes),
    idle: Option<Duration>,
    guard: &mut SessionGuard,
) -> End {
    let (up, mut down) = (Direction::new(&first_up), Direction::new(&first_down));
    down.hold = true;
    // They are parts of larger buffers, which are not to live as long as the session.
    drop((first_up, first_down));
    let mut tunnel = Tunnel { client, backend, up, down, last: Instant::now(), closed_by: None, failure: None };
    let cause = tunnel.run(idle, guard).await;
    match &cause {
        EndCause::Idle => tunnel.close(1001, "idle timeout").await,
        EndCause::Drained => tunnel.close(1001, "going away").await,
        EndCause::MemberDrained => tunnel.close(1001, "backend going away").await,
        EndCause::Closed(_) | EndCause::Failed(_) => tunnel.linger().await,
    }
    End { cause, bytes_up: tunnel.up.bytes, bytes_down: tunnel.down.bytes }
}

/// The two streams and what is between them.
struct Tunnel<C, B> {
    client: C,
    backend: B,
    up: Direction,
    down: Direction,
    last: Instant,
    closed_by: Option<Side>,
    failure: Option<io::Error>,
}

impl<C: Stream, B: Stream> Tunnel<C, B> {
    /// Relays until a peer ends the session or the gateway has to.
    async fn run(&mut self, idle: Option<Duration>, guard: &mut SessionGuard) -> EndCause {
        let mut released = None;
        loop {
            let (ending, held) = (self.ending(), self.held());
            if held && guard.expires() {
                return EndCause::MemberDrained;
            }
            let last = self.last;
            let silent = idle.or(ending.then_some(HALF_CLOSED)).map(|idle| last + idle);
            let release = held.then(|| *released.get_or_insert_with(|| Instant::now() + WORD_WAIT));
            let asked = guard.moment();
            let deadline = [silent, release, asked.map(|(moment, _)| moment)].into_iter().flatten().min();
            let timer = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                ended = poll_fn(|cx| self.poll_relay((ending, held), cx)) => if ended {
                    return match (self.failure.take(), self.closed_by) {
                        (Some(error), None) => EndCause::Failed(error),
                        (_, side) => EndCause::Closed(side.unwrap_or(Side::Client)),
                    };
                },
                () = poll_fn(|cx| guard.poll_told(cx)) => {}
                // Bytes that moved meanwhile have not touched the timer; it is set again only when it fires.
                () = timer => match asked {
                    Some((moment, why)) if deadline == Some(moment) => return match why {
                        Drain::Gateway => EndCause::Drained,
                        Drain::Member => EndCause::MemberDrained,
                    },
                    _ if release.is_some() && deadline == release => self.down.hold = false,
                    _ if self.last == last => return EndCause::Idle,
                    _ => {}
                },
            }
        }
    }

    /// Whether one of the directions has begun to end.
    fn ending(&self) -> bool {
        self.closed_by.is_some() || self.failure.is_some()
    }

    /// Whether the backend has ended without a Close, and the client is still to be told.
    fn held(&self) -> bool {
        self.down.held() && !self.up.reader_done()
    }

    /// Ready with true when both directions have ended; with false when what is known of the end is not `seen` any more.
    fn poll_relay(&mut self, seen: (bool, bool), cx: &mut Context<'_>) -> Poll<bool> {
        let before = self.up.bytes + self.down.bytes;
        let (up, down) = SCRATCH.with_borrow_mut(|scratch| {
            let up = self.up.poll_relay(&mut self.client, &mut self.backend, scratch, cx);
            // A client that has ended itself waits for nothing but the backend's end.
            self.down.hold &= !self.up.reader_done();
            (up, self.down.poll_relay(&mut self.backend, &mut self.client, scratch, cx))
        });
        if self.up.bytes + self.down.bytes != before {
            self.last = Instant::now();
        }
        // Nothing reaches a client that has reset its stream.
        let reset = self.up.reader_reset();
        self.failure = self.failure.take().or(self.up.failure.take()).or(self.down.failure.take());
        if self.closed_by.is_none() && self.failure.is_none() {
            let sides = [(&self.up, Side::Client), (&self.down, Side::Backend)];
            self.closed_by = sides.into_iter().find(|(direction, _)| direction.ended()).map(|(_, side)| side);
        }
        if reset || up.is_ready() && down.is_ready() {
            Poll::Ready(true)
        } else if (self.ending(), self.held()) != seen {
            Poll::Ready(false)
        } else {
            Poll::Pending
        }
    }

    /// Ends both streams, and reads what their peers may still be sending, for a while: a stream dropped with bytes
    /// unread is reset, and its peer would lose what was sent to it last.
    async fn linger(&mut self) {
        let drained = poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let client = poll_discard(&mut self.client, scratch, cx);
                let backend = poll_discard(&mut self.backend, scratch, cx);
                if client.is_ready() && backend.is_ready() { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        // Whoever has not ended by then is left.
        let _ = timeout(CLOSE_WAIT, drained).await;
    }

    /// Sends both peers a Close at the next frame boundary, waits for theirs, and ends the streams. A peer that has gone
    /// already is left out.
    async fn close(&mut self, code: u16, reason: &str) {
        self.up.closing = Some(close_frame(code, reason, Some(fastrand::u32(..).to_be_bytes())));
        self.down.closing = Some(close_frame(code, reason, None));
        let closed = poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let up = self.up.poll_close(&mut self.client, &mut self.backend, scratch, cx);
                let down = self.down.poll_close(&mut self.backend, &mut self.client, scratch, cx);
                if up.is_ready() && down.is_ready() { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        // A peer that does not answer in time, or whose stream fails, is left: the session is over either way.
        let _ = timeout(CLOSE_WAIT, closed).await;
        let shutdown = poll_fn(|cx| {
            let client = Pin::new(&mut self.client).poll_shutdown(cx).is_ready();
            let backend = Pin::new(&mut self.backend).poll_shutdown(cx).is_ready();
            if client && backend { Poll::Ready(()) } else { Poll::Pending }
        });
        let _ = timeout(CLOSE_WAIT, shutdown).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;
    use crate::pool::Tenure;
    use crate::websocket::Sessions;

    /// A relay between two in-memory pipes: the client's end, the backend's end, and the relay's result.
    fn start(
        sessions: &Sessions,
        tenure: &Arc<Tenure>,
        idle: Option<Duration>,
        buffer: usize,
    ) -> (DuplexStream, DuplexStream, tokio::task::JoinHandle<End>) {
        let (client, inner_client) = duplex(buffer);
        let (backend, inner_backend) = duplex(buffer);
        let mut guard = sessions.open(Arc::clone(tenure));
        let task = tokio::spawn(async move {
            relay(inner_client, inner_backend, (Bytes::new(), Bytes::new()), idle, &mut guard).await
        });
        (client, backend, task)
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_half_close_is_passed_on() {
        let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), None, 64);
        let (mut seen, mut echoed) = (vec![0; 5], Vec::new());
        client.write_all(b"hello").await.expect("writes");
        backend.read_exact(&mut seen).await.expect("reads");
        client.shutdown().await.expect("half-closes");
        assert_eq!(backend.read(&mut [0; 8]).await.expect("reads"), 0, "the end has arrived");
        backend.write_all(b"still here").await.expect("the other half is open");
        drop(backend);
        client.read_to_end(&mut echoed).await.expect("reads");
        assert_eq!((seen.as_slice(), echoed.as_slice()), (&b"hello"[..], &b"still here"[..]));
        let end = task.await.expect("ends");
        assert!(matches!(end.cause, EndCause::Closed(Side::Client)), "{end:?}");
        assert_eq!((end.bytes_up, end.bytes_down), (5, 10));
    }

    #[tokio::test]
    async fn a_slow_reader_holds_the_writer_back() {
        let (mut client, mut backend, _task) = start(&Sessions::default(), &Arc::default(), None, 1024);
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
            let ahead = sent.load(std::sync::atomic::Ordering::Relaxed)
                - read.min(sent.load(std::sync::atomic::Ordering::Relaxed));
            assert!(ahead <= 4 * 1024, "{ahead} bytes are on their way");
        }
    }

    #[tokio::test]
    async fn what_is_on_its_way_arrives_though_the_other_direction_fails() {
        let (mut client, mut backend, task) = start(&Sessions::default(), &Arc::default(), None, 64);
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
        assert_eq!(task.await.expect("ends").bytes_down, 4096);
    }

    #[tokio::test]
    async fn a_drain_closes_at_the_frame_boundary() {
        let sessions = Sessions::default();
        let (mut client, mut backend, task) = start(&sessions, &Arc::default(), None, 64);
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
        assert!(matches!(task.await.expect("ends").cause, EndCause::Drained));
        assert_eq!(sessions.count(), 0);
    }

    /// Two whole frames.
    const FRAMES: &[u8] = &[0x82, 1, 7, 0x89, 0];

    /// A session whose backend sends `sent`, then ends without a Close; what the client gets until its end, and how soon
    /// that comes. It says nothing but an answer to a Close.
    async fn orphaned(tenure: &Arc<Tenure>, sent: &[u8]) -> (Vec<u8>, Duration, EndCause) {
        let (mut client, mut backend, task) = start(&Sessions::default(), tenure, None, 64);
        backend.write_all(sent).await.expect("writes");
        drop(backend);
        let began = Instant::now();
        let mut seen = vec![0; sent.len()];
        client.read_exact(&mut seen).await.expect("reads");
        assert_eq!(seen, sent);
        let mut more = Vec::new();
        while client.read_buf(&mut more).await.expect("not reset") > 0 {
            if more.starts_with(&[0x88]) {
                client.write_all(&close_frame(1001, "", Some([1, 2, 3, 4]))).await.expect("the answer is waited for");
            }
        }
        let took = began.elapsed();
        drop(client);
        (more, took, task.await.expect("ends").cause)
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_dies_without_a_close_when_its_pod_goes_has_the_gateway_say_it() {
        let tenure = Arc::<Tenure>::default();
        tenure.leave(Instant::now() + Duration::from_secs(3600));
        let (seen, took, cause) = orphaned(&tenure, FRAMES).await;
        assert_eq!(seen, close_frame(1001, "backend going away", None));
        assert!(matches!(cause, EndCause::MemberDrained), "{cause:?}");
        assert_eq!(took, Duration::ZERO);

        // The word comes a little later than the end.
        let tenure = Arc::<Tenure>::default();
        let later = Arc::clone(&tenure);
        tokio::spawn(async move {
            tokio::time::sleep(WORD_WAIT / 2).await;
            later.leave(Instant::now() + Duration::from_secs(3600));
        });
        let (seen, took, cause) = orphaned(&tenure, FRAMES).await;
        assert_eq!(seen, close_frame(1001, "backend going away", None));
        assert!(matches!(cause, EndCause::MemberDrained), "{cause:?}");
        assert_eq!(took.as_millis(), (WORD_WAIT / 2).as_millis());
    }

    #[tokio::test(start_paused = true)]
    async fn a_backend_that_dies_is_passed_on_as_it_is_where_its_pod_stays_or_a_frame_is_not_whole() {
        let (seen, took, cause) = orphaned(&Arc::default(), FRAMES).await;
        assert!(seen.is_empty() && matches!(cause, EndCause::Closed(Side::Backend)), "{seen:?} {cause:?}");
        assert_eq!(took.as_millis(), WORD_WAIT.as_millis());

        let leaving = Arc::<Tenure>::default();
        leaving.leave(Instant::now() + Duration::from_secs(3600));
        let close = close_frame(1000, "", None);
        for (tenure, sent, cause) in [(leaving, &FRAMES[..2], "member_drain"), (Arc::default(), &close, "backend")] {
            let (seen, took, end) = orphaned(&tenure, sent).await;
            assert_eq!((seen.as_slice(), took, end.name()), (&[][..], Duration::ZERO, cause));
        }
    }

    #[tokio::test]
    async fn the_sessions_of_a_pod_that_goes_are_closed_and_no_others() {
        let (sessions, leaving, staying) = (Sessions::default(), Arc::<Tenure>::default(), Arc::default());
        let (mut client, mut backend, task) = start(&sessions, &leaving, None, 64);
        let (mut other, mut echo, _task) = start(&sessions, &staying, None, 64);
        tokio::task::yield_now().await;
        leaving.leave(Instant::now());
        let (mut up, mut down) = ([0; 2], [0; 4]);
        backend.read_exact(&mut up).await.expect("the backend is told");
        client.read_exact(&mut down).await.expect("the client is told");
        assert_eq!((up, down), ([0x88, 0x80 | 20], [0x88, 20, 0x03, 0xe9]));
        client.write_all(&close_frame(1001, "", Some([1, 2, 3, 4]))).await.expect("answers");
        backend.write_all(&close_frame(1001, "", None)).await.expect("answers");
        let end = task.await.expect("ends");
        assert_eq!((end.cause.name(), sessions.count()), ("member_drain", 1));
        other.write_all(b"hello").await.expect("open");
        echo.read_exact(&mut [0; 5]).await.expect("open");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_both_ways_ends_a_session_and_any_byte_prolongs_it() {
        let sessions = Sessions::default();
        let (mut client, mut backend, task) = start(&sessions, &Arc::default(), Some(Duration::from_secs(10)), 64);
        let begun = Instant::now();
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(8)).await;
            backend.write_all(&[0x82, 0]).await.expect("writes");
            client.read_exact(&mut [0; 2]).await.expect("reads");
        }
        let mut close = Vec::new();
        client.read_to_end(&mut close).await.expect("reads");
        assert_eq!(close[..4], close_frame(1001, "idle timeout", None)[..4]);
        assert!(matches!(task.await.expect("ends").cause, EndCause::Idle));
        assert!(begun.elapsed() >= Duration::from_secs(34), "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn an_idle_session_is_small() {
        let (client, backend) = (duplex(1).0, duplex(1).0);
        let mut guard = Sessions::default().open(Arc::default());
        let tunnel = relay(client, backend, (Bytes::new(), Bytes::new()), None, &mut guard);
        let (tunnel, place) = (size_of_val(&tunnel), size_of::<Option<std::task::Waker>>());
        assert!(tunnel + size_of::<crate::websocket::SessionGuard>() + place <= 936);
    }
}
