//! A member in use: requests and sessions are counted at the member's address while they hold a lease.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::member::Member;
use super::tenure::Tenure;

/// A member in use by one request or session. It is counted at the member's address until this is dropped.
#[derive(Debug)]
pub struct Lease {
    member: Arc<Member>,
    /// The number of the tenure in which the member was chosen.
    tenure: u32,
    /// Whether it is counted as a session, or as a request.
    session: bool,
}

impl Lease {
    /// Counts a request.
    pub(super) fn new(member: Arc<Member>) -> Self {
        member.address.requests.fetch_add(1, Ordering::Relaxed);
        Self { tenure: member.address.state.tenure_number(), member, session: false }
    }

    /// A lease on a member of its own.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self::new(Member::for_test(0, super::Health::Up))
    }

    /// Counts a session instead of a request: the request has become a WebSocket session.
    pub fn into_session(mut self) -> Self {
        if !self.session {
            self.session = true;
            self.member.address.sessions.fetch_add(1, Ordering::Relaxed);
            self.member.address.requests.fetch_sub(1, Ordering::Relaxed);
        }
        self
    }

    /// The tenure in which the member was chosen. It may have ended meanwhile.
    pub fn tenure(&self) -> Arc<Tenure> {
        self.member.address.state.tenure(self.tenure)
    }

    /// The number of that tenure, for [`Member::keeps`].
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
        let address = &self.member.address;
        let counter = if self.session { &address.sessions } else { &address.requests };
        counter.fetch_sub(1, Ordering::Relaxed);
    }
}
