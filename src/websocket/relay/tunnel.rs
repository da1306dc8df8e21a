//! The two streams of a session and what is between them: relaying, the timers that end a session, and the end itself.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::direction::{Activity, Direction};
use super::liveness::Liveness;
use super::message_limiter::MessageLimiter;
use super::stream::{RelayStream, poll_discard};
use crate::model::{IdleCounts, WebSocket};
use crate::websocket::close_order::CloseCause;
use crate::websocket::counters::Counters;
use crate::websocket::end::{EndCause, PeerSide};
use crate::websocket::registry::SessionGuard;
use crate::websocket::session::Session;

/// Bytes that are moved at once: a message of 64 KiB with its header, and the TLS records that it comes in.
const BUFFER_BYTES: usize = 68 * 1024;
/// Time that the peers have to answer the gateway's Close, and that a stream may take to end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The idle timeout once one peer of a WebSocket session has ended its half, where the route sets none or a longer one.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a backend's end without a Close is kept from the client. The departure of its pod may be reported later than the end
/// itself, and the client then gets a Close that says so.
pub(super) const POD_NOTICE_TIMEOUT: Duration = Duration::from_secs(1);

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
}

/// The two streams and what is between them.
pub(super) struct Tunnel<C, B> {
    client: C,
    backend: B,
    up: Direction,
    down: Direction,
    session: Arc<Session>,
    /// When the silence began that the idle timeout measures.
    silent_since: Instant,
    /// Where the route has the gateway send Pings.
    liveness: Option<Box<Liveness>>,
    /// Which direction goes first at the next turn. They alternate, so that a direction that is always busy does not hold up the other.
    down_first: bool,
    /// The peer that has begun to end the session.
    closed_by: Option<PeerSide>,
    failure: Option<io::Error>,
}

/// How far the end of a session has come, at one turn of the relay.
#[derive(Clone, Copy, PartialEq)]
struct EndState {
    /// Whether one of the directions has begun to end.
    ending: bool,
    /// Whether the backend has ended without a Close, and its end is still kept from the client.
    end_deferred: bool,
}

impl<C: RelayStream, B: RelayStream> Tunnel<C, B> {
    /// A tunnel for the session of `guard`. `first_up` and `first_down` came with the handshake.
    pub(super) fn new(client: C, backend: B, first_up: &[u8], first_down: &[u8], guard: &SessionGuard) -> Self {
        let session = Arc::clone(guard.session());
        let mut up = Direction::new(first_up, true);
        let mut down = Direction::new(first_down, false);
        let now = Instant::now();
        let mut ping = None;
        if session.has_frames() {
            up.limiter = session.settings().and_then(|settings| MessageLimiter::new(&settings.limits));
            down.defer_end();
            ping = session.settings().and_then(|settings| settings.ping);
        } else {
            up.without_frames();
            down.without_frames();
        }
        let liveness = ping.map(|ping| Box::new(Liveness::new(ping, now)));
        Self {
            client,
            backend,
            up,
            down,
            session,
            silent_since: now,
            liveness,
            down_first: false,
            closed_by: None,
            failure: None,
        }
    }

    /// The counters of what a peer has sent.
    pub(super) fn counters_from(&self, side: PeerSide) -> &Counters {
        match side {
            PeerSide::Client => &self.session.up,
            PeerSide::Backend => &self.session.down,
        }
    }

    /// When the token ends that has admitted the session.
    fn token_end(&self) -> Option<Instant> {
        self.session.info.token_end.as_deref().copied()
    }

    fn settings(&self) -> Option<&WebSocket> {
        self.session.settings()
    }

    /// Relays until a peer ends the session or the gateway has to.
    pub(super) async fn run(&mut self, guard: &mut SessionGuard) -> EndCause {
        let mut release = None;
        let mut too_old =
            self.settings().and_then(|settings| settings.max_age).map(|age| self.session.opened + jitter(age));
        loop {
            // The backend has ended without a Close, and its pod goes away: the gateway sends the Close.
            let state = self.end_state();
            if state.end_deferred && guard.pod_departs() {
                return EndCause::Ordered(CloseCause::MemberDrain.into());
            }
            if state.end_deferred {
                release.get_or_insert_with(|| Instant::now() + POD_NOTICE_TIMEOUT);
            }

            // The next moment at which there is something to do.
            let scheduled = self.session.scheduled_close().map(|close| close.moment);
            let (silent_since, idle) = (self.silent_since, self.idle_deadline(state.ending));
            let liveness = self.liveness.as_ref().filter(|_| !state.ending).map(|liveness| liveness.due());
            let release_due = release.filter(|_| state.end_deferred);
            let deadline =
                [idle, release_due, scheduled, too_old, self.token_end(), liveness].into_iter().flatten().min();
            let timer = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = poll_fn(|cx| guard.poll_notified(cx)) => {}
                // Before the relay, which may take all that one turn of the worker has to give. Bytes that moved meanwhile have
                // not touched the timer; it is set again only when it fires.
                () = timer => {
                    let now = Instant::now();
                    let due = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
                    if let Some(side) = self.closing_side() && (due(scheduled) || due(idle) || due(self.token_end())) {
                        // That peer has sent the reason already; the rest only takes too long.
                        return EndCause::Closed(side);
                    }
                    if due(self.token_end()) {
                        return EndCause::Ordered(CloseCause::TokenExpired.into());
                    }
                    if due(scheduled) && let Some(close) = self.session.scheduled_close() {
                        return EndCause::Ordered(close.order);
                    }
                    if state.end_deferred && due(release) {
                        self.down.release_end();
                    }
                    if due(idle) && self.silent_since == silent_since {
                        return EndCause::Ordered(CloseCause::Idle.into());
                    }
                    if due(too_old) {
                        too_old = None;
                        guard.schedule_close(CloseCause::MaxAge);
                    }
                    if let Some(liveness) = self.liveness.as_mut().filter(|_| !state.ending)
                        && let Err(cause) = liveness.check(now, &mut self.up, &mut self.down)
                    {
                        return EndCause::Ordered(cause.into());
                    }
                },
                ended = poll_fn(|cx| self.poll_relay(state, cx)) => {
                    if let Some(cause) = self.up.violation() {
                        return EndCause::Ordered(cause.into());
                    }
                    if ended {
                        return match (self.failure.take(), self.closed_by) {
                            (Some(error), None) => EndCause::Failed(error),
                            (_, side) => EndCause::Closed(side.unwrap_or(PeerSide::Client)),
                        };
                    }
                }
            }
        }
    }

    /// When the silence will have lasted too long.
    fn idle_deadline(&self, ending: bool) -> Option<Instant> {
        let idle = self.settings().and_then(|settings| settings.idle_timeout);
        // A WebSocket peer that has ended waits for little. One of another protocol may wait for an answer that takes its time.
        let limit = if ending && self.session.has_frames() {
            Some(idle.map_or(HALF_CLOSED_TIMEOUT, |idle| idle.min(HALF_CLOSED_TIMEOUT)))
        } else {
            idle
        };
        limit.map(|limit| self.silent_since + limit)
    }

    /// The peer that has begun to close the session by a Close frame, if one has.
    fn closing_side(&self) -> Option<PeerSide> {
        let closing = |side: &PeerSide| match side {
            PeerSide::Client => self.up.frames.close_seen(),
            PeerSide::Backend => self.down.frames.close_seen(),
        };
        self.closed_by.filter(closing)
    }

    fn end_state(&self) -> EndState {
        EndState {
            ending: self.closed_by.is_some() || self.failure.is_some(),
            end_deferred: self.down.end_deferred() && !self.up.reader_done(),
        }
    }

    /// Ready with true when both directions have ended; with false when the state of the end is not `known` any more, or the
    /// gateway has to close the session.
    fn poll_relay(&mut self, known: EndState, cx: &mut Context<'_>) -> Poll<bool> {
        let down_first = self.down_first;
        self.down_first = !down_first;
        let (up, down) = SCRATCH.with_borrow_mut(|scratch| {
            let mut down = Poll::Pending;
            if down_first {
                down = self.down.poll_relay(&mut self.backend, &mut self.client, &self.session.down, scratch, cx);
            }
            let up = self.up.poll_relay(&mut self.client, &mut self.backend, &self.session.up, scratch, cx);
            // A client that has ended itself waits for nothing but the backend's end.
            let released = self.up.reader_done() && self.down.release_end();
            if !down_first || released {
                down = self.down.poll_relay(&mut self.backend, &mut self.client, &self.session.down, scratch, cx);
            }
            (up, down)
        });
        self.note_activity();
        // Nothing reaches a client that has reset its stream.
        let reset = self.up.reader_reset() || self.down.passes_reset();
        self.failure = self.failure.take().or(self.up.failure.take()).or(self.down.failure.take());
        if self.closed_by.is_none() && self.failure.is_none() {
            let sides = [(&self.up, PeerSide::Client), (&self.down, PeerSide::Backend)];
            self.closed_by = sides.into_iter().find(|(direction, _)| direction.is_ending()).map(|(_, side)| side);
        }
        if reset || up.is_ready() && down.is_ready() {
            Poll::Ready(true)
        } else if self.end_state() != known || self.up.violation().is_some() {
            Poll::Ready(false)
        } else {
            Poll::Pending
        }
    }

    /// Notes what has moved, for liveness and the idle timeout.
    fn note_activity(&mut self) {
        let (up, down) = (self.up.take_activity(), self.down.take_activity());
        let nothing = |activity: Activity| !(activity.read || activity.write_resumed || activity.ping_sent);
        if nothing(up) && nothing(down) {
            return;
        }
        let now = Instant::now();
        let only_answers = self.liveness.as_mut().is_some_and(|liveness| liveness.note_activity(now, up, down));
        if !(up.read || down.read) {
            return;
        }
        self.session.touch(now);
        let counts = self.settings().map(|settings| settings.idle_counts).unwrap_or_default();
        let data = self.up.frames.take_data_seen() | self.down.frames.take_data_seen();
        if data || counts == IdleCounts::Any && !only_answers {
            self.silent_since = now;
        }
    }

    /// Ends both streams, and reads what their peers may still be sending, for [`CLOSE_TIMEOUT`] at most. A stream that is dropped
    /// with unread bytes is reset, and its peer would lose what was sent to it last.
    ///
    /// A client that has reset its stream has abandoned the session. So does the gateway then at the backend: an end in good order
    /// would keep a port of the gateway for another minute (TIME_WAIT). Where there are no frames, the reset of the backend is passed on
    /// to the client: an end in good order would say that this was all.
    pub(super) async fn linger(&mut self) {
        if self.down.passes_reset() {
            return self.client.reset_when_dropped();
        }
        if self.up.reader_reset() {
            return self.backend.reset_when_dropped();
        }
        let drained = poll_fn(|cx| {
            SCRATCH.with_borrow_mut(|scratch| {
                let client = poll_discard(&mut self.client, scratch, cx);
                let backend = poll_discard(&mut self.backend, scratch, cx);
                if client.is_ready() && backend.is_ready() { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        // A peer that has not ended by then is left.
        let _ = timeout(CLOSE_TIMEOUT, drained).await;
    }

    /// Ends a session that has no frames: both peers get what has been read for them, and the end of their streams.
    pub(super) async fn finish(&mut self) {
        let finished = poll_fn(|cx| {
            let up = self.up.poll_finish(&mut self.backend, cx);
            let down = self.down.poll_finish(&mut self.client, cx);
            if up.is_ready() && down.is_ready() { Poll::Ready(()) } else { Poll::Pending }
        });
        // A peer that takes too long loses the rest: the session is over either way.
        let _ = timeout(CLOSE_TIMEOUT, finished).await;
        self.linger().await;
    }

    /// Sends both peers a Close at the next frame boundary, waits for theirs, and ends the streams. A peer that has gone
    /// already is left out.
    pub(super) async fn close(&mut self, code: u16, reason: &str) {
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
        let _ = timeout(CLOSE_TIMEOUT, closed).await;
        let shutdown = poll_fn(|cx| {
            let client = Pin::new(&mut self.client).poll_shutdown(cx).is_ready();
            let backend = Pin::new(&mut self.backend).poll_shutdown(cx).is_ready();
            if client && backend { Poll::Ready(()) } else { Poll::Pending }
        });
        let _ = timeout(CLOSE_TIMEOUT, shutdown).await;
    }
}

/// An age give or take a tenth, so that sessions that were opened together do not reach it together.
fn jitter(age: Duration) -> Duration {
    age.mul_f64(0.9 + fastrand::f64() / 5.0)
}
