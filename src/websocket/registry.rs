//! The registry of the sessions of the process: it admits them, lists them, counts them, and schedules their closes.

mod guard;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::admission::{Admission, Rejected};
use super::close_order::{CloseCause, CloseOrder};
use super::close_pace::{ClosePace, CloseWindow};
use super::end::End;
use super::handshake_outcome::HandshakeOutcome;
use super::session::{Session, SessionInfo};
use super::totals::ObjectTotals;
use super::totals_key::TotalsKey;
use crate::model::ObjectRef;
use crate::pool::{Departure, Lease, PodNotice, Tenure};
use crate::table::Target;

pub use guard::{Permit, SessionGuard};

/// Time in which a removed route may come back, as when an object is deleted and applied again. Until then none of its sessions is
/// closed.
const ROUTE_GRACE_PERIOD: Duration = Duration::from_secs(5);
/// Time in which the sessions of a removed route are closed, where the route does not set a drain timeout.
const ROUTE_CLOSE_PERIOD: Duration = Duration::from_secs(15);
/// The part of a pod's grace period that is left for the peers' answers to the last Close.
const CLOSE_ANSWER_TIME: Duration = Duration::from_secs(2);

/// The limits that an operator can set for all sessions.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Sessions open at once; `None`: as many as there are file descriptors for.
    pub sessions: Option<u32>,
    /// The most sessions that the gateway closes in a second.
    pub close_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: None, close_rate: 1_000 }
    }
}

/// The registry of sessions. Cheap to clone; one a process.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<SessionsInner>);

#[derive(Debug)]
struct SessionsInner {
    /// Permits that are held.
    open: AtomicUsize,
    limits: Limits,
    /// When all sessions have to be closed; set once the gateway drains.
    drain_deadline: OnceLock<Instant>,
    pace: Mutex<ClosePace>,
    live: Mutex<Live>,
}

/// The state that changes when a session opens or ends. It is under one lock, so that an ending session is counted exactly once.
#[derive(Debug, Default)]
struct Live {
    last_id: u64,
    sessions: BTreeMap<u64, Arc<Session>>,
    admission: Admission,
    /// By the object that made the route.
    totals: BTreeMap<Arc<ObjectRef>, ObjectTotals>,
    /// Objects that have routes.
    served: HashSet<Arc<ObjectRef>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Sessions {
    /// A registry without sessions.
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(SessionsInner {
            open: AtomicUsize::new(0),
            limits,
            drain_deadline: OnceLock::new(),
            pace: Mutex::new(ClosePace::new(limits.close_rate)),
            live: Mutex::default(),
        }))
    }

    /// Asks leave for a session of `client` by this route.
    ///
    /// # Errors
    /// A limit is reached.
    pub fn admit(&self, target: &Target, client: IpAddr) -> Result<Permit, Rejected> {
        let open = self.0.open.fetch_add(1, Ordering::Relaxed);
        let mut permit = Permit::new(self.clone());
        if self.0.limits.sessions.is_some_and(|limit| open >= limit as usize) {
            return Err(Rejected::Gateway);
        }
        let route = target.id();
        let mut live = self.lock();
        let Live { admission, sessions, .. } = &mut *live;
        // The clients of the route's open sessions: needed once, where the route begins to limit sessions per client.
        let clients = || {
            let of_route = sessions.values().filter(|session| session.info.target.has_id(&route));
            of_route.map(|session| session.info.client).collect()
        };
        let entered = admission.enter(&route, client, target.limits(), clients);
        drop(live);
        permit.count_for(entered?, client);
        Ok(permit)
    }

    /// Counts the outcome of a handshake that opened no session, for the object that made the route.
    pub fn refused(&self, owner: &Arc<ObjectRef>, key: TotalsKey<'_>, outcome: HandshakeOutcome) {
        self.lock().totals(owner).of(key).refused(outcome);
    }

    /// Opens a session, which lasts as long as the guard.
    pub fn open(&self, permit: Permit, info: SessionInfo, lease: Lease) -> SessionGuard {
        let tenure = lease.tenure();
        self.open_in(permit, info, lease, tenure)
    }

    pub(super) fn open_in(&self, permit: Permit, info: SessionInfo, lease: Lease, tenure: Arc<Tenure>) -> SessionGuard {
        let mut live = self.lock();
        live.last_id += 1;
        let session = Arc::new(Session::new(live.last_id, info, lease, tenure));
        live.totals(session.owner()).of(session.totals_key()).opened();
        live.sessions.insert(session.id, Arc::clone(&session));
        drop(live);
        // A drain or a departure that began before the session was in the list has not reached it.
        if let Some(deadline) = self.0.drain_deadline.get() {
            self.schedule_close(
                &[Arc::clone(&session)],
                CloseWindow::until(*deadline),
                &CloseCause::GatewayDrain.into(),
            );
        }
        if let PodNotice::Departing(departure) = session.pod_notice()
            && session.take_pod_notice()
        {
            let window = departure_window(&session, departure);
            self.schedule_close(&[Arc::clone(&session)], window, &CloseCause::MemberDrain.into());
        }
        SessionGuard::new(self.clone(), session, permit)
    }

    /// Takes a session that has ended off the list, and counts it.
    fn close(&self, session: &Session, end: &End) {
        let mut live = self.lock();
        if live.sessions.remove(&session.id).is_none() {
            return;
        }
        let totals = live.totals(session.owner());
        totals.of(session.totals_key()).ended(session, end);
        if !totals.has_open() && !live.served.contains(session.owner()) {
            live.totals.remove(session.owner());
        }
    }

    /// The number of open sessions.
    pub fn count(&self) -> usize {
        self.lock().sessions.len()
    }

    /// The open sessions, from the oldest.
    pub fn list(&self) -> Vec<Arc<Session>> {
        self.lock().sessions.values().cloned().collect()
    }

    /// The totals of each object that makes routes, over ended and open sessions.
    pub fn totals(&self) -> BTreeMap<Arc<ObjectRef>, ObjectTotals> {
        let live = self.lock();
        let mut totals = live.totals.clone();
        for session in live.sessions.values() {
            if let Some(totals) = totals.get_mut(session.owner()) {
                totals.of(session.totals_key()).add(session);
            }
        }
        totals
    }

    /// Updates which objects have routes: `come` have them from now on, `gone` have none any more. Totals are kept for objects that
    /// have routes or open sessions, so that their number is bounded by what is served.
    pub fn set_served(&self, come: impl IntoIterator<Item = Arc<ObjectRef>>, gone: &BTreeSet<Arc<ObjectRef>>) {
        let mut live = self.lock();
        let Live { served, totals, .. } = &mut *live;
        served.extend(come);
        for gone in gone {
            served.remove(gone);
        }
        if !gone.is_empty() {
            totals.retain(|owner, totals| totals.has_open() || served.contains(owner));
        }
    }

    /// Closes every session within `limit` from now with status 1001, those that open later too.
    pub fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let _ = self.0.drain_deadline.set(deadline);
        self.schedule_close(&self.list(), CloseWindow::until(deadline), &CloseCause::GatewayDrain.into());
    }

    /// Schedules the close of sessions whose pod has begun to go away.
    pub(super) fn follow_departures(&self) {
        let mut departing: BTreeMap<CloseWindow, Vec<Arc<Session>>> = BTreeMap::new();
        for session in self.list() {
            if let PodNotice::Departing(departure) = session.pod_notice()
                && session.take_pod_notice()
            {
                departing.entry(departure_window(&session, departure)).or_default().push(session);
            }
        }
        for (window, sessions) in departing {
            self.schedule_close(&sessions, window, &CloseCause::MemberDrain.into());
        }
    }

    /// Schedules the close of the sessions for which `stays` is false, because no route leads to their backend any more. A session
    /// whose route has come back in time stays open. Gives how many closes were scheduled.
    pub fn routes_removed(&self, stays: impl Fn(&Session) -> bool) -> usize {
        let mut removed: BTreeMap<Duration, Vec<Arc<Session>>> = BTreeMap::new();
        for session in self.list() {
            let scheduled = session.has_scheduled_close(CloseCause::RouteRemoved);
            match (stays(&session), scheduled) {
                (false, false) => {
                    let over = session.settings().and_then(|settings| settings.drain).unwrap_or_default();
                    removed.entry(over).or_default().push(session);
                }
                (true, true) => session.cancel_close(CloseCause::RouteRemoved),
                (true, false) | (false, true) => {}
            }
        }
        let mut count = 0;
        for (over, sessions) in removed {
            count += sessions.len();
            self.schedule_close(&sessions, removal_window(over), &CloseCause::RouteRemoved.into());
        }
        count
    }

    /// Schedules the close of a session whose route was removed while it was opened.
    pub fn route_removed(&self, session: &Arc<Session>) {
        let window = removal_window(Duration::ZERO);
        self.schedule_close(std::slice::from_ref(session), window, &CloseCause::RouteRemoved.into());
    }

    /// Frees what admission keeps of routes without sessions.
    pub(super) fn sweep(&self) {
        self.lock().admission.sweep();
    }

    /// Schedules the close of sessions, each at a moment of its own within the window.
    pub fn schedule_close(&self, sessions: &[Arc<Session>], window: CloseWindow, order: &CloseOrder) {
        if sessions.is_empty() {
            return;
        }
        let mut pace = self.0.pace.lock().unwrap_or_else(PoisonError::into_inner);
        let moments = pace.moments(sessions.len(), window);
        drop(pace);
        for (session, moment) in sessions.iter().zip(moments) {
            session.schedule_close(moment, order.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Live> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    fn totals(&mut self, owner: &Arc<ObjectRef>) -> &mut ObjectTotals {
        self.totals.entry(Arc::clone(owner)).or_default()
    }
}

/// When sessions of a removed route are closed. `over` is the drain timeout of the route; zero: it sets none.
fn removal_window(over: Duration) -> CloseWindow {
    let latest = over.is_zero().then(|| Instant::now() + ROUTE_CLOSE_PERIOD);
    CloseWindow { after: ROUTE_GRACE_PERIOD, over, latest }
}

/// When a session is closed whose pod goes away. Without a drain timeout of its route: within half the pod's grace period. The other
/// half is for the peers' answers, and for sessions that open late. With one: over that time, but not longer than the grace period
/// without [`CLOSE_ANSWER_TIME`].
fn departure_window(session: &Session, departure: Departure) -> CloseWindow {
    match session.settings().and_then(|settings| settings.drain) {
        None => CloseWindow::until(departure.since + departure.grace / 2),
        Some(over) => {
            let room = departure.grace.saturating_sub(CLOSE_ANSWER_TIME).max(departure.grace / 2);
            CloseWindow { latest: Some(departure.since + room), ..CloseWindow::over(over) }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
