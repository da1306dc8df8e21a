//! Connections to members: HTTP/1.1, kept by each worker for the next request. They are found by the member, which
//! every table shares, so they survive swaps.

mod connection;
mod framing;
mod head;
mod read_buffer;
mod request_writer;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::pool::{Lease, Member};

pub(in crate::proxy) use connection::{ExchangeError, Http1Body, Http1Connection};

/// What a member says is not HTTP/1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer has {0}")]
struct MalformedAnswer(&'static str);

impl From<MalformedAnswer> for io::Error {
    fn from(malformed: MalformedAnswer) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(55);
/// How many unused connections a worker keeps for one member.
const IDLE_PER_MEMBER: usize = 256;

/// The unused connections to one member.
struct IdleConnections {
    member: Weak<Member>,
    /// With the tenure in which each was used, and since when it has not been.
    lines: Vec<(Http1Connection, u32, Instant)>,
}

thread_local! {
    static UNUSED: RefCell<BTreeMap<u64, IdleConnections>> = RefCell::default();
}

/// A connection to the leased member that waits for a request: the one used last. None that was made before the pod began to
/// go away; and, for a request that can't be sent `again`, none that the member has closed by now.
pub(in crate::proxy) fn take(lease: &Lease, again: bool) -> Option<Http1Connection> {
    UNUSED.with_borrow_mut(|unused| {
        let lines = &mut unused.get_mut(&lease.member().id)?.lines;
        while let Some((mut line, tenure, since)) = lines.pop() {
            let quiet = line.is_quiet() && (again || line.is_quiet_now());
            if quiet && tenure == lease.tenure_number() && since.elapsed() < IDLE {
                return Some(line);
            }
        }
        None
    })
}

/// Keeps a connection for the next request, unless the pod it leads to is going away.
pub(in crate::proxy) fn give_back(lease: &Lease, line: Http1Connection) {
    let (member, tenure) = (lease.member(), lease.tenure_number());
    UNUSED.with_borrow_mut(|unused| {
        let unused = unused
            .entry(member.id)
            .or_insert_with(|| IdleConnections { member: Arc::downgrade(member), lines: Vec::new() });
        if unused.lines.len() == IDLE_PER_MEMBER {
            unused.lines.retain_mut(|(line, ..)| line.is_quiet());
        }
        if unused.lines.len() < IDLE_PER_MEMBER && member.keeps(tenure) {
            unused.lines.push((line, tenure, Instant::now()));
        }
    });
}

/// Lets go of connections that nobody has used for long, and of those to pods that are going away or have gone.
pub(in crate::proxy) fn sweep() {
    UNUSED.with_borrow_mut(|unused| {
        unused.retain(|_, IdleConnections { member, lines }| {
            let Some(member) = member.upgrade() else { return false };
            lines
                .retain_mut(|(line, tenure, since)| since.elapsed() < IDLE && member.keeps(*tenure) && line.is_quiet());
            !lines.is_empty()
        });
    });
}
