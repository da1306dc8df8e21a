//! One live session: what it is about, what has been counted of it, and the word to it that it is time to go.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::task::AtomicWaker;
use http::Version;
use tokio::time::Instant;

use super::counters::Counters;
use super::order::Asked;
use super::registry::{Permit, Sessions};
use super::{End, Order, Why, Window};
use crate::model::{self, Action};
use crate::pool::{Lease, Tenure, Word};
use crate::table::Target;

/// What a session is about.
#[derive(Debug)]
pub struct About {
    /// The route that it was opened by.
    pub target: Arc<Target>,
    /// Frontend port.
    pub port: u16,
    /// Who opened it.
    pub client: IpAddr,
    /// What its handshake was in.
    pub version: Version,
    /// What the handshake said.
    pub said: Said,
}

/// Texts of a handshake, in one allocation: there are as many as there are sessions.
#[derive(Debug)]
pub struct Said {
    text: Box<str>,
    ends: [u16; 4],
}

/// What a text of a handshake is cut to.
const LONGEST: usize = 1024;

impl Said {
    /// Keeps them, the longest cut short.
    pub fn new(host: &str, path: &str, user_agent: &str, subprotocol: &str, request_id: &str) -> Self {
        let mut text = String::new();
        let ends = [host, path, user_agent, subprotocol].map(|part| {
            text.push_str(&part[..part.floor_char_boundary(LONGEST)]);
            text.len() as u16
        });
        text.push_str(&request_id[..request_id.floor_char_boundary(LONGEST)]);
        Self { text: text.into_boxed_str(), ends }
    }

    fn part(&self, number: usize) -> &str {
        let begin = if number == 0 { 0 } else { self.ends[number - 1] };
        let end = self.ends.get(number).map_or(self.text.len(), |end| usize::from(*end));
        &self.text[usize::from(begin)..end]
    }

    /// Host, lower case and without port.
    pub fn host(&self) -> &str {
        self.part(0)
    }

    /// Path, normalised.
    pub fn path(&self) -> &str {
        self.part(1)
    }

    /// `User-Agent`; empty for none.
    pub fn user_agent(&self) -> &str {
        self.part(2)
    }

    /// The subprotocol that the backend chose; empty for none.
    pub fn subprotocol(&self) -> &str {
        self.part(3)
    }

    /// `X-Request-Id`.
    pub fn request_id(&self) -> &str {
        self.part(4)
    }
}

/// A live session.
#[derive(Debug)]
pub struct Session {
    /// Unique in this process, from 1.
    pub id: u64,
    /// What it is about.
    pub about: About,
    /// When it was opened.
    pub opened: Instant,
    /// From the client to the backend.
    pub up: Counters,
    /// From the backend to the client.
    pub down: Counters,
    /// Milliseconds from its opening to its last byte.
    last: AtomicU64,
    lease: Lease,
    tenure: Arc<Tenure>,
    /// What it is asked, by each reason once, the earliest first.
    #[allow(clippy::box_collection, reason = "few are asked anything")]
    asked: Mutex<Option<Box<Vec<Asked>>>>,
    /// Whether the pod's word has been acted on.
    pod_heard: AtomicBool,
    told: AtomicBool,
    waker: AtomicWaker,
}

impl Session {
    pub(super) fn new(id: u64, about: About, lease: Lease, tenure: Arc<Tenure>) -> Self {
        Self {
            id,
            about,
            opened: Instant::now(),
            up: Counters::default(),
            down: Counters::default(),
            last: AtomicU64::new(0),
            tenure,
            lease: lease.into_session(),
            asked: Mutex::default(),
            pod_heard: AtomicBool::new(false),
            told: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        }
    }

    /// Where its backend is.
    pub fn member(&self) -> SocketAddr {
        self.lease.member().key.address
    }

    /// The member in use.
    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The object that made its route: `Ingress default/site`.
    pub fn route(&self) -> &str {
        self.about.target.name()
    }

    /// The pool that its member was chosen from.
    pub fn pool(&self) -> &str {
        self.about.target.pool.as_ref().map_or("", |pool| &pool.id.0)
    }

    /// What its route asked of sessions when it was opened.
    pub fn settings(&self) -> Option<&model::WebSocket> {
        match &self.about.target.route.action {
            Action::Forward(backend) => Some(&*backend.websocket),
            Action::Redirect(_) | Action::Unavailable(_) | Action::NotFound => None,
        }
    }

    /// Time since its last byte.
    pub fn silence(&self) -> Duration {
        self.opened.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    /// A byte has moved.
    pub(super) fn touch(&self, now: Instant) {
        self.last.store((now - self.opened).as_millis() as u64, Ordering::Relaxed);
    }

    /// What it has been asked to do, if it has; of several the earliest.
    pub fn asked(&self) -> Option<Asked> {
        self.lock().as_ref()?.first().cloned()
    }

    /// Whether it has been asked for that reason.
    pub(super) fn is_asked(&self, why: Why) -> bool {
        self.lock().iter().flat_map(|asked| asked.iter()).any(|asked| asked.order.why == why)
    }

    /// What is said of the pod there.
    pub(super) fn word(&self) -> Word {
        self.tenure.word()
    }

    /// Whether this is the first time that the word of the pod is acted on.
    pub(super) fn hear_pod(&self) -> bool {
        !self.pod_heard.swap(true, Ordering::Relaxed)
    }

    /// Asks it to close at `moment`; the earliest who asks is right.
    pub(super) fn ask(&self, moment: Instant, order: Order) {
        let mut list = self.lock();
        let asked = list.get_or_insert_default();
        if asked.iter().all(|known| known.order.why != order.why || moment < known.moment) {
            asked.retain(|known| known.order.why != order.why);
            let place = asked.partition_point(|known| known.moment <= moment);
            asked.insert(place, Asked { moment, order });
        }
        drop(list);
        self.told.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Takes back what it was asked for that reason.
    pub(super) fn withdraw(&self, why: Why) {
        self.lock().iter_mut().for_each(|asked| asked.retain(|asked| asked.order.why != why));
    }

    #[allow(clippy::box_collection, reason = "as above")]
    fn lock(&self) -> MutexGuard<'_, Option<Box<Vec<Asked>>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that is open: in the list while this lives.
#[derive(Debug)]
pub struct SessionGuard {
    pub(super) session: Arc<Session>,
    sessions: Sessions,
    closed: bool,
    _permit: Permit,
}

impl SessionGuard {
    pub(super) fn new(sessions: Sessions, session: Arc<Session>, permit: Permit) -> Self {
        Self { session, sessions, closed: false, _permit: permit }
    }

    /// The session.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The session has ended.
    pub fn end(mut self, end: &End) {
        self.closed = true;
        self.sessions.close(&self.session, end);
    }

    /// Whether the backend's pod is said to be going away.
    pub(super) fn expires(&self) -> bool {
        self.session.word() != Word::Stay
    }

    /// Asks itself, at the process's pace.
    pub(super) fn ask(&self, why: Why) {
        self.sessions.ask(&[Arc::clone(&self.session)], Window::over(Duration::ZERO), &why.into());
    }

    /// Ready when the session has been asked something: [`Session::asked`] and [`Self::expires`] may be others.
    pub(super) fn poll_told(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Each time: whoever asked may have taken the waker of the time before, late.
        self.session.waker.register(cx.waker());
        if self.session.told.load(Ordering::Relaxed) && self.session.told.swap(false, Ordering::Acquire) {
            return Poll::Ready(());
        }
        Poll::Pending
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
