//! The tunnel of a session: both directions at once, with back-pressure and half-close.
//!
//! Bytes are read into a buffer of the thread, borrowed only while they move; a session that is idle holds none.
//! Only what the other side is too slow to take is kept on the heap, and nothing more is read until it has gone.

mod direction;
mod gate;
mod liveness;

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use super::order::{Order, Why};
use super::session::{Session, SessionGuard};
use crate::model::{IdleCounts, WebSocket};
use direction::{Direction, Moved, poll_discard};
use liveness::Liveness;

/// Bytes moved at once: a message of 64 KiB with its header, and the records that it comes in.
const BUFFER: usize = 68 * 1024;
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
    /// The status of the first Close frame, if there was one; 1005: it had none.
    pub code: Option<u16>,
}

/// Why a session ended.
#[derive(Debug)]
pub enum EndCause {
    /// A peer closed it, by a Close frame or by ending its stream.
    Closed(Side),
    /// A stream failed.
    Failed(io::Error),
    /// The gateway closed it.
    Ordered(Order),
}

impl End {
    /// A session that never came to be relayed, or whose relay was given up.
    pub fn failed(error: io::Error) -> Self {
        Self { cause: EndCause::Failed(error), code: None }
    }

    /// Why, in one word for logs and metrics.
    pub fn name(&self) -> &'static str {
        match &self.cause {
            EndCause::Ordered(order) => order.why.name(),
            _ => self.initiator(),
        }
    }

    /// Who ended it: `client`, `backend`, `gateway`, or nobody: `error`.
    pub fn initiator(&self) -> &'static str {
        match self.cause {
            EndCause::Closed(Side::Client) => "client",
            EndCause::Closed(Side::Backend) => "backend",
            EndCause::Failed(_) => "error",
            EndCause::Ordered(_) => "gateway",
        }
    }

    /// What went wrong, or what the gateway said.
    pub fn detail(&self) -> String {
        match &self.cause {
            EndCause::Closed(_) => String::new(),
            EndCause::Failed(error) => error.to_string(),
            EndCause::Ordered(order) => order.reason.to_string(),
        }
    }
}

/// Relays until the session ends. `first_up` and `first_down` are bytes that came with the handshake: the tunnel's
/// first. (No `async fn`: what it is given would be kept twice for as long as the session lasts.)
pub fn relay<'a, C: Stream, B: Stream>(
    client: C,
    backend: B,
    (first_up, first_down): (Bytes, Bytes),
    guard: &'a mut SessionGuard,
) -> impl Future<Output = End> + use<'a, C, B> {
    let session = Arc::clone(guard.session());
    // The bytes are parts of larger buffers, which are not to live as long as the session.
    let mut up = Direction::new(&first_up, true);
    let mut down = Direction::new(&first_down, false);
    up.gate = session.settings().and_then(|settings| gate::Gate::new(&settings.limits));
    down.hold = true;
    let now = Instant::now();
    let ping = session.settings().and_then(|settings| settings.ping);
    let liveness = ping.map(|ping| Box::new(Liveness::new(ping, now)));
    let mut tunnel = Tunnel {
        client,
        backend,
        up,
        down,
        session,
        last: now,
        liveness,
        down_first: false,
        closed_by: None,
        failure: None,
    };
    async move {
        let cause = tunnel.run(guard).await;
        let code = match &cause {
            EndCause::Ordered(order) => {
                tunnel.close(order.code, &order.reason).await;
                Some(order.code)
            }
            EndCause::Failed(_) => {
                tunnel.linger().await;
                None
            }
            EndCause::Closed(side) => {
                tunnel.linger().await;
                let counters = if *side == Side::Client { &tunnel.session.up } else { &tunnel.session.down };
                counters.seen().close
            }
        };
        End { cause, code }
    }
}

/// The two streams and what is between them.
struct Tunnel<C, B> {
    client: C,
    backend: B,
    up: Direction,
    down: Direction,
    session: Arc<Session>,
    /// When the silence began.
    last: Instant,
    /// Where the gateway asks silent peers.
    liveness: Option<Box<Liveness>>,
    /// Which direction goes first at the next turn: one that always has something is not to hold up the other.
    down_first: bool,
    closed_by: Option<Side>,
    failure: Option<io::Error>,
}

impl<C: Stream, B: Stream> Tunnel<C, B> {
    fn settings(&self) -> Option<&WebSocket> {
        self.session.settings()
    }

    /// Relays until a peer ends the session or the gateway has to.
    async fn run(&mut self, guard: &mut SessionGuard) -> EndCause {
        let mut release = None;
        let mut too_old =
            self.settings().and_then(|settings| settings.max_age).map(|age| self.session.opened + jitter(age));
        loop {
            let (ending, held) = (self.ending(), self.held());
            if held && guard.expires() {
                return EndCause::Ordered(Why::Member.into());
            }
            if held {
                release.get_or_insert_with(|| Instant::now() + WORD_WAIT);
            }
            let asked = self.session.asked().map(|asked| asked.moment);
            let (last, silent) = (self.last, self.silence_ends(ending));
            let liveness = self.liveness.as_ref().filter(|_| !ending).map(|liveness| liveness.due());
            let deadline = [silent, release.filter(|_| held), asked, too_old, liveness].into_iter().flatten().min();
            let timer = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = poll_fn(|cx| guard.poll_told(cx)) => {}
                // Before the relay, which may take all that one turn of the worker has to give. Bytes that moved meanwhile have
                // not touched the timer; it is set again only when it fires.
                () = timer => {
                    let now = Instant::now();
                    let due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
                    if let Some(side) = self.closing_side() && (due(asked) || due(silent)) {
                        // One has said why it ends already; it only takes too long.
                        return EndCause::Closed(side);
                    }
                    if due(asked) && let Some(asked) = self.session.asked() {
                        return EndCause::Ordered(asked.order);
                    }
                    if held && due(release) {
                        self.down.hold = false;
                    }
                    if due(silent) && self.last == last {
                        return EndCause::Ordered(Why::Idle.into());
                    }
                    if due(too_old) {
                        too_old = None;
                        guard.ask(Why::MaxAge);
                    }
                    if let Some(liveness) = self.liveness.as_mut().filter(|_| !ending)
                        && let Err(why) = liveness.look(now, &mut self.up, &mut self.down)
                    {
                        return EndCause::Ordered(why.into());
                    }
                },
                ended = poll_fn(|cx| self.poll_relay((ending, held), cx)) => {
                    if let Some(why) = self.up.fault() {
                        return EndCause::Ordered(why.into());
                    }
                    if ended {
                        return match (self.failure.take(), self.closed_by) {
                            (Some(error), None) => EndCause::Failed(error),
                            (_, side) => EndCause::Closed(side.unwrap_or(Side::Client)),
                        };
                    }
                }
            }
        }
    }

    /// When the silence has lasted too long.
    fn silence_ends(&self, ending: bool) -> Option<Instant> {
        let idle = self.settings().and_then(|settings| settings.idle_timeout);
        let limit = match self.closing_side() {
            Some(_) => Some(idle.map_or(HALF_CLOSED, |idle| idle.min(HALF_CLOSED))),
            None => idle.or(ending.then_some(HALF_CLOSED)),
        };
        limit.map(|limit| self.last + limit)
    }

    /// Who has begun to close the session by a Close frame, if one has.
    fn closing_side(&self) -> Option<Side> {
        let closing = |side: &Side| match side {
            Side::Client => self.up.frames.close_seen(),
            Side::Backend => self.down.frames.close_seen(),
        };
        self.closed_by.filter(closing)
    }

    /// Whether one of the directions has begun to end.
    fn ending(&self) -> bool {
        self.closed_by.is_some() || self.failure.is_some()
    }

    /// Whether the backend has ended without a Close, and the client is still to be told.
    fn held(&self) -> bool {
        self.down.held() && !self.up.reader_done()
    }

    /// Ready with true when both directions have ended; with false when what is known of the end is not `seen` any more, or the
    /// gateway has to end it.
    fn poll_relay(&mut self, seen: (bool, bool), cx: &mut Context<'_>) -> Poll<bool> {
        let down_first = self.down_first;
        self.down_first = !down_first;
        let (up, down) = SCRATCH.with_borrow_mut(|scratch| {
            let mut down = Poll::Pending;
            if down_first {
                down = self.down.poll_relay(&mut self.backend, &mut self.client, &self.session.down, scratch, cx);
            }
            let up = self.up.poll_relay(&mut self.client, &mut self.backend, &self.session.up, scratch, cx);
            // A client that has ended itself waits for nothing but the backend's end.
            let released = self.down.hold && self.up.reader_done();
            self.down.hold &= !released;
            if !down_first || released {
                down = self.down.poll_relay(&mut self.backend, &mut self.client, &self.session.down, scratch, cx);
            }
            (up, down)
        });
        self.take_life();
        // Nothing reaches a client that has reset its stream.
        let reset = self.up.reader_reset();
        self.failure = self.failure.take().or(self.up.failure.take()).or(self.down.failure.take());
        if self.closed_by.is_none() && self.failure.is_none() {
            let sides = [(&self.up, Side::Client), (&self.down, Side::Backend)];
            self.closed_by = sides.into_iter().find(|(direction, _)| direction.ended()).map(|(_, side)| side);
        }
        if reset || up.is_ready() && down.is_ready() {
            Poll::Ready(true)
        } else if (self.ending(), self.held()) != seen || self.up.fault().is_some() {
            Poll::Ready(false)
        } else {
            Poll::Pending
        }
    }

    /// Notes that bytes have moved.
    fn take_life(&mut self) {
        let (up, down) = (self.up.take_moved(), self.down.take_moved());
        let nothing = |moved: Moved| !(moved.read || moved.wrote || moved.pinged);
        if nothing(up) && nothing(down) {
            return;
        }
        let now = Instant::now();
        let asked = self.liveness.as_mut().is_some_and(|liveness| liveness.hear(now, up, down));
        if !(up.read || down.read) {
            return;
        }
        self.session.touch(now);
        let counts = self.settings().map(|settings| settings.idle_counts).unwrap_or_default();
        let data = self.up.frames.take_data_seen() | self.down.frames.take_data_seen();
        if data || counts == IdleCounts::Any && !asked {
            self.last = now;
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
        self.up.close(code, reason);
        self.down.close(code, reason);
        let closed = poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let up = self.up.poll_close(&mut self.client, &mut self.backend, &self.session.up, scratch, cx);
                let down = self.down.poll_close(&mut self.backend, &mut self.client, &self.session.down, scratch, cx);
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

/// Give or take a tenth.
fn jitter(age: Duration) -> Duration {
    age.mul_f64(0.9 + fastrand::f64() / 5.0)
}

#[cfg(test)]
mod tests;
