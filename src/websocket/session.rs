//! One live session: its description, its counters, and the closes that are scheduled for it.
//!
//! Knows nothing of other sessions: `registry` opens, closes and counts them.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::Version;
use tokio::time::Instant;

use super::close_order::{CloseCause, CloseOrder, ScheduledClose};
use super::counters::Counters;
use super::handshake_texts::HandshakeTexts;
use super::totals_key::TotalsKey;
use crate::model::{self, Action, MatchInput, ObjectRef};
use crate::pool::{Lease, PodNotice, Pool, Tenure};
use crate::table::{SessionOrigin, SessionRoutes, Target};

/// What is spoken in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionProtocol {
    /// WebSocket, of which the gateway follows the frames.
    WebSocket,
    /// Another protocol, of which the gateway knows nothing but the name.
    Other,
    /// A stream that HTTP has no part in.
    Stream,
}

/// The description of a session: who opened it, by which route, and how.
#[derive(Debug)]
pub struct SessionInfo {
    /// The route that it was opened by.
    pub target: Arc<Target>,
    /// The pool that its member was chosen from, whatever pools the route leads to by now.
    pub pool: Arc<Pool>,
    /// The port of the listener.
    pub port: u16,
    /// The client's address.
    pub client: IpAddr,
    /// The HTTP version of the handshake; a stream has none.
    pub version: Option<Version>,
    /// What is spoken in it.
    pub protocol: SessionProtocol,
    /// When the token ends that has admitted it. `None`: no token has, or the session may outlive it. It is in a box, since most
    /// sessions have none.
    pub token_end: Option<Box<Instant>>,
    /// Texts of the handshake; of a stream the host alone.
    pub handshake: HandshakeTexts,
}

/// A live session.
#[derive(Debug)]
pub struct Session {
    /// Unique in this process, from 1.
    pub id: u64,
    /// Its description.
    pub info: SessionInfo,
    /// When it was opened.
    pub opened: Instant,
    /// From the client to the backend.
    pub up: Counters,
    /// From the backend to the client.
    pub down: Counters,
    /// Milliseconds from its opening to its last byte.
    last_byte: AtomicU64,
    lease: Lease,
    tenure: Arc<Tenure>,
    /// The closes that are scheduled for it: at most one a cause, the earliest first.
    #[allow(clippy::box_collection, reason = "most sessions have none: a pointer is smaller than a Vec")]
    scheduled: Mutex<Option<Box<Vec<ScheduledClose>>>>,
    /// Whether the departure of its pod has been acted on.
    pod_notice_taken: AtomicBool,
    /// Whether a close has been scheduled since the relay last looked.
    notified: AtomicBool,
    waker: AtomicWaker,
}

impl Session {
    pub(super) fn new(id: u64, info: SessionInfo, lease: Lease, tenure: Arc<Tenure>) -> Self {
        Self {
            id,
            info,
            opened: Instant::now(),
            up: Counters::default(),
            down: Counters::default(),
            last_byte: AtomicU64::new(0),
            tenure,
            lease: lease.into_session(),
            scheduled: Mutex::default(),
            pod_notice_taken: AtomicBool::new(false),
            notified: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// The address of its backend.
    pub fn member(&self) -> SocketAddr {
        self.lease.member().key.address
    }

    /// The lease on its member.
    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The object that its route was made from.
    pub fn owner(&self) -> &Arc<ObjectRef> {
        self.info.target.owner()
    }

    /// Whether it may stay, as far as the routes of a table tell.
    pub fn is_covered_by(&self, routes: &SessionRoutes<'_>) -> bool {
        let SessionInfo { port, handshake, target, .. } = &self.info;
        let (host, head, member) = (handshake.host(), target.route.matches.met(), self.member());
        let input = MatchInput { path: handshake.path(), head: &head };
        routes.covers(&SessionOrigin { port: *port, host, input, route: Some(&target.id()), member })
    }

    /// The id of the pool that its member was chosen from.
    pub fn pool(&self) -> &str {
        &self.info.pool.id.0
    }

    /// The settings of sessions that its route had when it was opened.
    pub fn settings(&self) -> Option<&model::WebSocket> {
        self.info.target.route.action.sessions().map(|settings| &**settings)
    }

    /// Whether WebSocket is spoken in it, so that the gateway may send frames of its own.
    pub fn has_frames(&self) -> bool {
        self.info.protocol == SessionProtocol::WebSocket
    }

    /// The name of the protocol other than WebSocket that is spoken in it, as the backend wrote it; or that of the stream.
    pub fn other_protocol(&self) -> Option<&str> {
        match self.info.protocol {
            SessionProtocol::WebSocket => None,
            SessionProtocol::Other => Some(self.info.handshake.protocol()),
            SessionProtocol::Stream => Some(self.stream_protocol()),
        }
    }

    /// WebSocket's subprotocol; empty for none.
    pub fn subprotocol(&self) -> &str {
        if self.has_frames() { self.info.handshake.protocol() } else { "" }
    }

    /// The totals that it is counted in. Of the names of other protocols there are few.
    pub(super) fn totals_key(&self) -> TotalsKey<'_> {
        let allowed = match &self.info.target.route.action {
            Action::Forward(forward) => forward.upgrade_protocols.as_ref(),
            Action::Stream(_) | Action::Redirect(_) | Action::Unavailable(_) | Action::NotFound => None,
        };
        match (self.info.protocol, allowed) {
            (SessionProtocol::Stream, _) => TotalsKey::Stream(self.stream_protocol()),
            (SessionProtocol::Other, Some(allowed)) => {
                TotalsKey::Upgrade(allowed.label(self.info.handshake.protocol()))
            }
            (SessionProtocol::WebSocket | SessionProtocol::Other, _) => TotalsKey::WebSocket,
        }
    }

    /// The name of the protocol of a stream: `tcp`, `tls` or `tls-passthrough`.
    fn stream_protocol(&self) -> &'static str {
        match &self.info.target.route.action {
            Action::Stream(stream) => stream.protocol(),
            Action::Forward(_) | Action::Redirect(_) | Action::Unavailable(_) | Action::NotFound => "",
        }
    }

    /// Time since its last byte.
    pub fn silence(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.last_byte.load(Ordering::Relaxed)))
    }

    /// Notes that a byte has passed at `now`.
    pub(super) fn touch(&self, now: Instant) {
        self.last_byte.store((now - self.opened).as_millis() as u64, Ordering::Relaxed);
    }

    /// The earliest close that is scheduled, if one is.
    pub fn scheduled_close(&self) -> Option<ScheduledClose> {
        self.lock().as_ref()?.first().cloned()
    }

    /// Whether a close is scheduled for this cause.
    pub(super) fn has_scheduled_close(&self, cause: CloseCause) -> bool {
        self.lock().iter().flat_map(|scheduled| scheduled.iter()).any(|close| close.order.cause == cause)
    }

    /// Schedules a close, and wakes the relay. A later close for the same cause is ignored; an earlier one replaces it.
    pub(super) fn schedule_close(&self, moment: Instant, order: CloseOrder) {
        let mut list = self.lock();
        let scheduled = list.get_or_insert_default();
        if scheduled.iter().all(|close| close.order.cause != order.cause || moment < close.moment) {
            scheduled.retain(|close| close.order.cause != order.cause);
            let index = scheduled.partition_point(|close| close.moment <= moment);
            scheduled.insert(index, ScheduledClose { moment, order });
        }
        drop(list);
        self.notified.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Cancels the close that was scheduled for this cause.
    pub(super) fn cancel_close(&self, cause: CloseCause) {
        self.lock().iter_mut().for_each(|scheduled| scheduled.retain(|close| close.order.cause != cause));
    }

    /// Ready when a close has been scheduled since the last time. There is one waker: only the holder of the guard may poll.
    pub(super) fn poll_notified(&self, cx: &mut Context<'_>) -> Poll<()> {
        // Registered each time: a late wake-up may have taken the waker of the time before.
        self.waker.register(cx.waker());
        if self.notified.load(Ordering::Relaxed) && self.notified.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// The last report on its pod.
    pub(super) fn pod_notice(&self) -> PodNotice {
        self.tenure.pod_notice()
    }

    /// Marks the departure of its pod as acted on. True the first time only.
    pub(super) fn take_pod_notice(&self) -> bool {
        !self.pod_notice_taken.swap(true, Ordering::Relaxed)
    }

    #[allow(clippy::box_collection, reason = "as above")]
    fn lock(&self) -> MutexGuard<'_, Option<Box<Vec<ScheduledClose>>>> {
        self.scheduled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
