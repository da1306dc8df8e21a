//! The sessions of the process: who may open one, which there are, what has been counted, and the word to many at once that it is
//! time to go.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::admission::{Admission, Rejected};
use super::order::Order;
use super::pace::{Pace, Window};
use super::session::{About, Session, SessionGuard};
use super::totals::Totals;
use super::{End, Why};
use crate::model::ObjectRef;
use crate::pool::{Lease, Leave, Tenure, Word};
use crate::table::Target;

/// Time in which a route that is removed may come back (an object that is deleted and applied again) before any of its sessions
/// is closed.
const ROUTE_GRACE: Duration = Duration::from_secs(5);
/// Time in which its sessions are closed, unless it says otherwise.
const ROUTE_WINDOW: Duration = Duration::from_secs(15);
/// What is left of a pod's grace for the answers to the last Close.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// What an operator can set for all sessions.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Sessions open at once; `None`: as many as there are file descriptors for.
    pub sessions: Option<u32>,
    /// Closings a second that the gateway asks for.
    pub close_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: None, close_rate: 1_000 }
    }
}

/// All sessions. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    open: AtomicUsize,
    limits: Limits,
    /// When all have to have gone.
    drain: OnceLock<Instant>,
    pace: Mutex<Pace>,
    live: Mutex<Live>,
}

/// Under one lock, so that nothing is counted twice, or not at all, when a session ends.
#[derive(Debug, Default)]
struct Live {
    last_id: u64,
    sessions: BTreeMap<u64, Arc<Session>>,
    admission: Admission,
    /// By the object that made the route.
    totals: BTreeMap<String, Totals>,
    /// Objects that have routes.
    served: HashSet<Arc<ObjectRef>>,
}

/// Leave to open a session, counted while this lives.
#[derive(Debug)]
pub struct Permit {
    sessions: Sessions,
    /// Where it is counted, once it is.
    counted: Option<(Arc<str>, std::net::IpAddr)>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.sessions.0.open.fetch_sub(1, Ordering::Relaxed);
        if let Some((route, client)) = self.counted.take() {
            self.sessions.lock().admission.leave(&route, client);
        }
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Sessions {
    /// None yet.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Inner {
            open: AtomicUsize::new(0),
            limits,
            drain: OnceLock::new(),
            pace: Mutex::new(Pace::new(limits.close_rate)),
            live: Mutex::default(),
        }))
    }

    /// Asks leave for a session of `client` by this route.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn admit(&self, target: &Target, client: std::net::IpAddr) -> Result<Permit, Rejected> {
        let open = self.0.open.fetch_add(1, Ordering::Relaxed);
        let mut permit = Permit { sessions: self.clone(), counted: None };
        if self.0.limits.sessions.is_some_and(|limit| open >= limit as usize) {
            return Err(Rejected::Gateway);
        }
        let mut live = self.lock();
        let Live { admission, sessions, .. } = &mut *live;
        // Those of the route, where they are to be told apart for the first time.
        let clients = || {
            let of_route = sessions.values().filter(|session| session.about.target.id == target.id);
            of_route.map(|session| session.about.client).collect()
        };
        let entered = admission.enter(&target.id, client, target.limits(), clients);
        drop(live);
        entered?;
        permit.counted = Some((Arc::clone(&target.id), client));
        Ok(permit)
    }

    /// What came of a handshake that opened no session, counted for the object that made the route.
    pub fn refused(&self, route: &str, outcome: &'static str) {
        self.lock().totals(route).refused(outcome);
    }

    /// Opens a session, which lasts as long as the guard.
    pub fn open(&self, permit: Permit, about: About, lease: Lease) -> SessionGuard {
        let tenure = lease.tenure();
        self.open_in(permit, about, lease, tenure)
    }

    pub(super) fn open_in(&self, permit: Permit, about: About, lease: Lease, tenure: Arc<Tenure>) -> SessionGuard {
        let mut live = self.lock();
        live.last_id += 1;
        let session = Arc::new(Session::new(live.last_id, about, lease, tenure));
        live.totals(session.route()).opened();
        live.sessions.insert(session.id, Arc::clone(&session));
        drop(live);
        // A word that came before it was in the list has not reached it.
        if let Some(latest) = self.0.drain.get() {
            self.ask(&[Arc::clone(&session)], Window::until(*latest), &Why::Gateway.into());
        }
        if let Word::Leave(leave) = session.word()
            && session.hear_pod()
        {
            self.ask(&[Arc::clone(&session)], window(&session, leave), &Why::Member.into());
        }
        SessionGuard::new(self.clone(), session, permit)
    }

    /// A session has ended.
    pub(super) fn close(&self, session: &Session, end: &End) {
        let mut live = self.lock();
        if live.sessions.remove(&session.id).is_none() {
            return;
        }
        let totals = live.totals(session.route());
        totals.ended(session, end);
        if totals.open == 0 && !live.served.contains(&session.about.target.route.owner) {
            live.totals.remove(session.route());
        }
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// Those that are open, from the oldest.
    pub fn list(&self) -> Vec<Arc<Session>> {
        self.lock().sessions.values().cloned().collect()
    }

    /// What has been counted by the object that made the route: of sessions that have ended, and of those that are open.
    pub fn totals(&self) -> BTreeMap<String, Totals> {
        let live = self.lock();
        let mut totals = live.totals.clone();
        for session in live.sessions.values() {
            if let Some(totals) = totals.get_mut(session.route()) {
                totals.add(session);
            }
        }
        totals
    }

    /// Takes in which objects have routes now that had none, and which have none any more. What was counted is kept for
    /// those that have, and for those that have sessions: it is bounded by what is served.
    pub fn set_served(&self, come: impl IntoIterator<Item = Arc<ObjectRef>>, gone: &BTreeSet<Arc<ObjectRef>>) {
        let mut live = self.lock();
        let Live { served, totals, .. } = &mut *live;
        served.extend(come);
        for gone in gone {
            served.remove(gone);
        }
        if !gone.is_empty() {
            let is_served = |route: &str| ObjectRef::read(route).is_some_and(|owner| served.contains(&owner));
            totals.retain(|route, totals| totals.open > 0 || is_served(route));
        }
    }

    /// Asks every session to close (1001), those that open later too, by `limit` from now.
    pub fn drain(&self, limit: Duration) {
        let latest = Instant::now() + limit;
        let _ = self.0.drain.set(latest);
        self.ask(&self.list(), Window::until(latest), &Why::Gateway.into());
    }

    /// Asks the sessions of pods that have begun to go away to close.
    pub(super) fn follow_pods(&self) {
        let mut leaving: BTreeMap<(Option<Instant>, Duration), Vec<Arc<Session>>> = BTreeMap::new();
        for session in self.list() {
            if let Word::Leave(leave) = session.word()
                && session.hear_pod()
            {
                let Window { over, latest, .. } = window(&session, leave);
                leaving.entry((latest, over)).or_default().push(session);
            }
        }
        for ((latest, over), sessions) in leaving {
            self.ask(&sessions, Window { latest, ..Window::over(over) }, &Why::Member.into());
        }
    }

    /// Asks the sessions that `stays` is false of to close, for nothing leads to their backend any more. Gives how many.
    pub fn routes_removed(&self, stays: impl Fn(&Session) -> bool) -> usize {
        let mut removed: BTreeMap<Duration, Vec<Arc<Session>>> = BTreeMap::new();
        for session in self.list() {
            let told = session.is_asked(Why::RouteRemoved);
            match (stays(&session), told) {
                (false, false) => {
                    let over = session.settings().and_then(|settings| settings.drain).unwrap_or_default();
                    removed.entry(over).or_default().push(session);
                }
                // It has come back in time.
                (true, true) => session.withdraw(Why::RouteRemoved),
                _ => {}
            }
        }
        let mut count = 0;
        for (over, sessions) in removed {
            count += sessions.len();
            self.ask(&sessions, removed_window(over), &Why::RouteRemoved.into());
        }
        count
    }

    /// Asks a session to close whose route was removed while it opened.
    pub fn route_removed(&self, session: &Arc<Session>) {
        self.ask(std::slice::from_ref(session), removed_window(Duration::ZERO), &Why::RouteRemoved.into());
    }

    /// Forgets what is known of routes without sessions.
    pub(super) fn sweep(&self) {
        self.lock().admission.sweep();
    }

    /// Asks sessions to close, each at its own moment.
    pub fn ask(&self, sessions: &[Arc<Session>], window: Window, order: &Order) {
        if sessions.is_empty() {
            return;
        }
        let mut pace = self.0.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let moments = pace.moments(sessions.len(), window);
        drop(pace);
        for (session, moment) in sessions.iter().zip(moments) {
            session.ask(moment, order.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn totals(&mut self, route: &str) -> &mut Totals {
        if !self.totals.contains_key(route) {
            self.totals.insert(route.to_owned(), Totals::default());
        }
        self.totals.get_mut(route).expect("it has just been put there")
    }
}

/// When sessions are closed whose route is removed; `over` is what the route says, if it does.
fn removed_window(over: Duration) -> Window {
    let latest = over.is_zero().then(|| Instant::now() + ROUTE_WINDOW);
    Window { after: ROUTE_GRACE, over, latest }
}

/// When a session on a pod that goes away is closed: within half the grace, so that the rest is for the answers and for those
/// who come late; or over the time that its route gives, if the grace is that long.
fn window(session: &Session, leave: Leave) -> Window {
    match session.settings().and_then(|settings| settings.drain) {
        None => Window::until(leave.since + leave.grace / 2),
        Some(over) => {
            let latest = leave.since + leave.grace.saturating_sub(ANSWER_TIME).max(leave.grace / 2);
            Window { latest: Some(latest), ..Window::over(over) }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
