//! Leave to open a session, and the session while it is open: two guards that keep the registry's books when they are dropped.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Sessions;
use crate::model::RouteId;
use crate::pool::PodNotice;
use crate::websocket::close_order::CloseCause;
use crate::websocket::close_pace::CloseWindow;
use crate::websocket::end::End;
use crate::websocket::session::Session;

/// Leave to open a session. It counts against the limits until it is dropped.
#[derive(Debug)]
pub struct Permit {
    sessions: Sessions,
    /// The route and the client that the session is counted for, once it is.
    counted: Option<(Arc<RouteId>, IpAddr)>,
}

/// A session that is open. It is in the registry's list until this is dropped.
#[derive(Debug)]
pub struct SessionGuard {
    session: Arc<Session>,
    sessions: Sessions,
    closed: bool,
    _permit: Permit,
}

impl Permit {
    /// A permit that counts in the process, and not yet for a route.
    pub(super) fn new(sessions: Sessions) -> Self {
        Self { sessions, counted: None }
    }

    /// Has the route's books kept as well.
    pub(super) fn count_for(&mut self, route: Arc<RouteId>, client: IpAddr) {
        self.counted = Some((route, client));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.sessions.0.open.fetch_sub(1, Ordering::Relaxed);
        if let Some((route, client)) = self.counted.take() {
            self.sessions.lock().admission.leave(&route, client);
        }
    }
}

impl SessionGuard {
    pub(super) fn new(sessions: Sessions, session: Arc<Session>, permit: Permit) -> Self {
        Self { session, sessions, closed: false, _permit: permit }
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Counts how the session has ended, and takes it off the list.
    pub fn end(mut self, end: &End) {
        self.closed = true;
        self.sessions.close(&self.session, end);
    }

    /// Ready when a close has been scheduled since the last time. [`Session::scheduled_close`] and [`Self::pod_departs`] may give
    /// other values from then on. The relay alone polls it, which is why it takes the guard by `&mut`.
    pub(in crate::websocket) fn poll_notified(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.session.poll_notified(cx)
    }

    /// Whether the backend's pod goes away, or was terminating already when the session was opened.
    pub(in crate::websocket) fn pod_departs(&self) -> bool {
        self.session.pod_notice() != PodNotice::Staying
    }

    /// Schedules the session's close as soon as the pace of the process allows.
    pub(in crate::websocket) fn schedule_close(&self, cause: CloseCause) {
        self.sessions.schedule_close(&[Arc::clone(&self.session)], CloseWindow::over(Duration::ZERO), &cause.into());
    }
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        if !self.closed {
            let end = End::failed(std::io::Error::other("its task ended before it"));
            self.sessions.close(&self.session, &end);
        }
    }
}
