//! A member of pools: one address that serves requests, its health, and what is in progress there.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::address_state::AddressState;
use super::dial::Connector;
use crate::model::{Probe, Transport};

/// The identity of a member: endpoints of pools with equal keys share one member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberKey {
    /// Its address.
    pub address: SocketAddr,
    /// The DNS name that resolved to the address, if the endpoint has one.
    pub name: Option<String>,
    /// How connections to it are made.
    pub transport: Arc<Transport>,
    /// How its health is probed. `None`: it is not probed, and counts as up.
    pub probe: Option<Arc<Probe>>,
}

/// The health of a member by its probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// No probe has been answered yet.
    Unknown,
    /// It takes requests.
    Up,
    /// Too many probes in a row have failed.
    Down,
}

impl Health {
    /// Lower-case name, for metrics and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The result of one probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The member answered as it should, with this status; `None` where only a connection was asked for, and was made.
    Passed(Option<u16>),
    /// The member answered wrongly or not at all. Contains the error in words.
    Failed(String),
    /// No connection to the member could be made. Contains the error in words.
    Unreachable(String),
    /// The probe could not be sent, because this machine lacked something for it. That says nothing about the member.
    Inconclusive(String),
}

impl fmt::Display for ProbeOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed(Some(status)) => write!(f, "{status}"),
            Self::Passed(None) => f.write_str("connected"),
            Self::Failed(error) | Self::Unreachable(error) => f.write_str(error),
            Self::Inconclusive(error) => write!(f, "inconclusive: {error}"),
        }
    }
}

/// One address that serves requests, with one transport and one probe.
#[derive(Debug)]
pub struct Member {
    /// Its identity.
    pub key: MemberKey,
    /// Unique in this process; also the key of its idle connections.
    pub id: u64,
    /// Opens connections to it.
    pub connector: Connector,
    /// When it was made.
    pub(super) created: Instant,
    health: AtomicU8,
    /// Failed probes in a row.
    failures: AtomicU32,
    /// Whether the last probe could not connect.
    unreachable: AtomicBool,
    last_outcome: Mutex<Option<ProbeOutcome>>,
    /// How many endpoints of pools refer to it. Without any, it lives as long as requests and sessions hold it.
    references: AtomicU32,
    pub(super) address: Arc<MemberAddress>,
    /// Wakes the prober before its next turn: for a probe at once, or because the member is gone.
    pub(super) suspected: Arc<Notify>,
}

/// The state that all members at one address share: the pod there, and the requests and sessions in progress.
#[derive(Debug, Default)]
pub(super) struct MemberAddress {
    pub(super) state: AddressState,
    /// Requests in progress, by whichever member.
    pub(super) requests: AtomicUsize,
    /// WebSocket sessions that are open, by whichever member.
    pub(super) sessions: AtomicUsize,
    /// The newest member that pools refer to, or the last that they did.
    newest: Mutex<Weak<Member>>,
}

impl Member {
    /// A member with one reference.
    pub(super) fn new(
        key: MemberKey,
        id: u64,
        connector: Connector,
        address: Arc<MemberAddress>,
        health: Health,
    ) -> Self {
        Self {
            key,
            id,
            connector,
            created: Instant::now(),
            health: AtomicU8::new(health as u8),
            failures: AtomicU32::new(0),
            unreachable: AtomicBool::new(false),
            last_outcome: Mutex::new(None),
            references: AtomicU32::new(1),
            address,
            suspected: Arc::default(),
        }
    }

    /// Its health.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Unknown,
            1 => Health::Up,
            _ => Health::Down,
        }
    }

    /// Whether its probe is a guess that nobody wrote.
    pub fn has_guessed_probe(&self) -> bool {
        self.key.probe.as_ref().is_some_and(|probe| probe.is_guess)
    }

    /// Whether the last probe could not connect to it.
    pub fn is_unreachable(&self) -> bool {
        self.unreachable.load(Ordering::Relaxed)
    }

    /// Requests and sessions in progress at its address.
    pub fn load(&self) -> usize {
        self.address.requests.load(Ordering::Relaxed) + self.sessions()
    }

    /// WebSocket sessions open at its address.
    pub fn sessions(&self) -> usize {
        self.address.sessions.load(Ordering::Relaxed)
    }

    /// The member whose probe decides on the health of what is open here: itself, or the newest at its address where no pool refers
    /// to it any more.
    pub fn probed(self: &Arc<Self>) -> Arc<Self> {
        self.successor().unwrap_or_else(|| Arc::clone(self))
    }

    /// The member that is probed instead of this one.
    pub(super) fn successor(&self) -> Option<Arc<Self>> {
        if self.is_referenced() { None } else { self.address.newest().filter(|newest| newest.id != self.id) }
    }

    /// Whether a pool refers to it.
    pub(super) fn is_referenced(&self) -> bool {
        self.references.load(Ordering::Relaxed) > 0
    }

    /// Counts one more endpoint that refers to it.
    pub(super) fn add_reference(&self) {
        self.references.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one endpoint less that refers to it. Gives whether it was the last.
    pub(super) fn release_reference(&self) -> bool {
        self.references.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// The result of the last probe, if there is one.
    pub fn last_outcome(&self) -> Option<ProbeOutcome> {
        self.last_outcome.lock().ok().and_then(|last| last.clone())
    }

    /// Has it probed at once rather than at its next turn, because a request could not reach it.
    pub fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Whether a connection that was used for a request of `tenure` may be kept for another. It may not when the pod has begun to go
    /// away since, nor when the source does not report the address any more.
    pub fn keeps(&self, tenure: u32) -> bool {
        self.address.state.tenure_number() == tenure && self.address.state.is_reported()
    }

    /// Records the result of a probe. One success marks the member up; `unhealthy_threshold` failures in a row, or the first failure of
    /// a member that has never been up, mark it down. A probe that is inconclusive changes nothing. Gives the new health if it has
    /// changed.
    pub(super) fn record(&self, outcome: ProbeOutcome, unhealthy_threshold: u32) -> Option<Health> {
        let before = self.health();
        let after = match &outcome {
            ProbeOutcome::Passed(_) => {
                self.failures.store(0, Ordering::Relaxed);
                Health::Up
            }
            ProbeOutcome::Failed(_) | ProbeOutcome::Unreachable(_) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                match before {
                    Health::Up if failures < unhealthy_threshold => Health::Up,
                    _ => Health::Down,
                }
            }
            ProbeOutcome::Inconclusive(_) => before,
        };
        if !matches!(outcome, ProbeOutcome::Inconclusive(_)) {
            self.unreachable.store(matches!(outcome, ProbeOutcome::Unreachable(_)), Ordering::Relaxed);
        }
        if let Ok(mut last) = self.last_outcome.lock() {
            *last = Some(outcome);
        }
        self.health.store(after as u8, Ordering::Relaxed);
        (before != after).then_some(after)
    }

    #[cfg(test)]
    pub(super) fn for_test(n: usize, health: Health) -> Arc<Self> {
        Self::for_test_with(n, health, Probe::arm_default(false))
    }

    #[cfg(test)]
    pub(super) fn for_test_with(n: usize, health: Health, probe: Probe) -> Arc<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1000 + n as u16));
        let key = MemberKey { address, name: None, transport: Arc::new(Transport::Http), probe: Some(Arc::new(probe)) };
        let connector = Connector::new(address, None, &Transport::Http).expect("clear text");
        Arc::new(Self::new(key, n as u64, connector, Arc::default(), health))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.suspected.notify_one();
    }
}

impl MemberAddress {
    /// The newest member that pools refer to, or the last that they did.
    pub(super) fn newest(&self) -> Option<Arc<Member>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    pub(super) fn set_newest(&self, member: &Arc<Member>) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(member);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(member: &Member) -> Option<Health> {
        member.record(ProbeOutcome::Unreachable("refused".to_owned()), 3)
    }

    fn passed(member: &Member) -> Option<Health> {
        member.record(ProbeOutcome::Passed(Some(200)), 3)
    }

    #[test]
    fn a_member_up_goes_down_after_its_threshold_and_one_success_heals() {
        let member = Member::for_test(0, Health::Up);
        assert_eq!(failed(&member), None);
        assert_eq!(failed(&member), None);
        assert_eq!(failed(&member), Some(Health::Down));
        assert_eq!(failed(&member), None);
        assert_eq!(passed(&member), Some(Health::Up));
        assert_eq!(failed(&member), None, "failures are counted anew");
    }

    #[test]
    fn the_first_answer_decides_for_a_new_member() {
        assert_eq!(failed(&Member::for_test(0, Health::Unknown)), Some(Health::Down));
        assert_eq!(passed(&Member::for_test(0, Health::Unknown)), Some(Health::Up));
    }

    #[test]
    fn a_probe_that_could_not_be_sent_says_nothing() {
        for health in [Health::Unknown, Health::Up, Health::Down] {
            let member = Member::for_test(0, health);
            for _ in 0..5 {
                assert_eq!(member.record(ProbeOutcome::Inconclusive("no descriptor".to_owned()), 3), None);
            }
            assert_eq!((member.health(), member.is_unreachable()), (health, false));
        }
    }
}
