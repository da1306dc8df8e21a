//! One place that serves requests: its health and what is in progress there.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::dial::Connector;
use super::presence::Presence;
use super::tenure::Tenure;
use crate::model::{Probe, Transport};

/// What makes two members the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MemberKey {
    /// Where it is.
    pub address: SocketAddr,
    /// The DNS name that led there, if one did.
    pub name: Option<String>,
    /// How it is spoken to.
    pub transport: Arc<Transport>,
    /// How it is asked whether it is well.
    pub probe: Arc<Probe>,
}

/// What the probes say of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Health {
    /// Not answered yet: takes no request.
    Unknown,
    /// Takes requests.
    Up,
    /// Failed too often in a row.
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

/// The result of one probe: the status, or what went wrong, in words.
pub type Outcome = Result<u16, String>;

/// One place that serves requests.
#[derive(Debug)]
pub struct Member {
    /// What it is.
    pub key: MemberKey,
    /// Unique in this process; also the key of its idle connections.
    pub id: u64,
    /// Opens connections to it.
    pub connector: Connector,
    health: AtomicU8,
    failures: AtomicU32,
    last: Mutex<Option<Outcome>>,
    /// How many endpoints of pools name it; where none does, it is held by what was opened earlier.
    named: AtomicU32,
    /// The pod there, and what is in progress there.
    presence: Arc<Presence>,
    /// Asks the prober not to wait for its next turn, and tells it that this is gone.
    pub(super) suspected: Arc<Notify>,
}

impl Member {
    pub(super) fn new(key: MemberKey, id: u64, connector: Connector, presence: Arc<Presence>, health: Health) -> Self {
        Self {
            key,
            id,
            connector,
            health: AtomicU8::new(health as u8),
            failures: AtomicU32::new(0),
            last: Mutex::new(None),
            named: AtomicU32::new(1),
            presence,
            suspected: Arc::default(),
        }
    }

    /// What the probes say.
    pub fn health(&self) -> Health {
        match self.health.load(Ordering::Relaxed) {
            0 => Health::Unknown,
            1 => Health::Up,
            _ => Health::Down,
        }
    }

    /// Requests and sessions in progress at its address.
    pub fn load(&self) -> usize {
        self.presence.requests.load(Ordering::Relaxed) + self.sessions()
    }

    /// WebSocket sessions open at its address.
    pub fn sessions(&self) -> usize {
        self.presence.sessions.load(Ordering::Relaxed)
    }

    /// The member whose probe says now whether what is open here is well: itself, or where no pool names it any more, the
    /// newest at its address.
    pub fn probed(self: &Arc<Self>) -> Arc<Self> {
        self.successor().unwrap_or_else(|| Arc::clone(self))
    }

    /// The member that is probed in its place.
    pub(super) fn successor(&self) -> Option<Arc<Self>> {
        if self.is_named() { None } else { self.presence.newest().filter(|newest| newest.id != self.id) }
    }

    /// Whether a pool names it.
    pub(super) fn is_named(&self) -> bool {
        self.named.load(Ordering::Relaxed) > 0
    }

    /// One more endpoint of a pool names it than the one that it was made for.
    pub(super) fn name(&self) {
        self.named.fetch_add(1, Ordering::Relaxed);
    }

    /// One endpoint less names it; gives whether it was the last.
    pub(super) fn unname(&self) -> bool {
        self.named.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// The newest result of a probe, if there is one.
    pub fn last_outcome(&self) -> Option<Outcome> {
        self.last.lock().ok().and_then(|last| last.clone())
    }

    /// A request could not reach it: probe it now rather than at its next turn.
    pub fn suspect(&self) {
        self.suspected.notify_one();
    }

    /// Whether a connection that was used for a request of `tenure` may be kept for another: not when the pod has begun
    /// to go away since, nor when nobody names the address any more.
    pub fn keeps(&self, tenure: u32) -> bool {
        self.presence.number() == tenure && self.presence.is_named()
    }

    /// Takes the result of a probe in. One success heals; `unhealthy_threshold` failures in a row, or
    /// the first failure of a member never seen up, mark it down. Gives the new health if it changed.
    pub(super) fn record(&self, outcome: Outcome) -> Option<Health> {
        let before = self.health();
        let after = match &outcome {
            Ok(_) => {
                self.failures.store(0, Ordering::Relaxed);
                Health::Up
            }
            Err(_) => {
                let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                match before {
                    Health::Up if failures < self.key.probe.unhealthy_threshold => Health::Up,
                    _ => Health::Down,
                }
            }
        };
        if let Ok(mut last) = self.last.lock() {
            *last = Some(outcome);
        }
        self.health.store(after as u8, Ordering::Relaxed);
        (before != after).then_some(after)
    }

    #[cfg(test)]
    pub(super) fn for_test(n: usize, health: Health) -> Arc<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], 1000 + n as u16));
        let (transport, probe) = (Arc::new(Transport::Http), Arc::new(Probe::arm_default(false)));
        let key = MemberKey { address, name: None, transport, probe };
        let connector = Connector::new(address, None, &Transport::Http).expect("clear text");
        Arc::new(Self::new(key, n as u64, connector, Arc::default(), health))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.suspected.notify_one();
    }
}

/// A member in use by one request or session, counted while this lives.
#[derive(Debug)]
pub struct Lease {
    member: Arc<Member>,
    tenure: u32,
    session: bool,
}

impl Lease {
    /// Counts a request.
    pub(super) fn new(member: Arc<Member>) -> Self {
        member.presence.requests.fetch_add(1, Ordering::Relaxed);
        Self { tenure: member.presence.number(), member, session: false }
    }

    /// Of a member of its own.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self::new(Member::for_test(0, Health::Up))
    }

    /// The request has become a WebSocket session.
    pub fn into_session(mut self) -> Self {
        if !self.session {
            self.session = true;
            self.member.presence.sessions.fetch_add(1, Ordering::Relaxed);
            self.member.presence.requests.fetch_sub(1, Ordering::Relaxed);
        }
        self
    }

    /// The tenure of the pod that was chosen, over though it may be by now.
    pub fn tenure(&self) -> Arc<Tenure> {
        self.member.presence.tenure(self.tenure)
    }

    /// Its number, for [`Member::keeps`].
    pub fn tenure_number(&self) -> u32 {
        self.tenure
    }

    /// The member.
    pub fn member(&self) -> &Arc<Member> {
        &self.member
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let presence = &self.member.presence;
        let counter = if self.session { &presence.sessions } else { &presence.requests };
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Outcome {
        Err("refused".to_owned())
    }

    #[test]
    fn a_member_up_goes_down_after_its_threshold_and_one_success_heals() {
        let member = Member::for_test(0, Health::Up);
        assert_eq!(member.record(failed()), None);
        assert_eq!(member.record(failed()), None);
        assert_eq!(member.record(failed()), Some(Health::Down));
        assert_eq!(member.record(failed()), None);
        assert_eq!(member.record(Ok(200)), Some(Health::Up));
        assert_eq!(member.record(failed()), None, "failures are counted anew");
    }

    #[test]
    fn the_first_answer_decides_for_a_new_member() {
        assert_eq!(Member::for_test(0, Health::Unknown).record(failed()), Some(Health::Down));
        assert_eq!(Member::for_test(0, Health::Unknown).record(Ok(204)), Some(Health::Up));
    }
}
