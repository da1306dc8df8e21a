//! HTTP/1.1 connections to members, and those that wait for the next request. Each worker keeps its own. They are found by the
//! member, which every table shares, so they survive a new table.

mod body;
mod connection;
mod head;
mod pending_answer;
mod request_writer;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use crate::pool::dial::Ending;
use crate::pool::{Lease, Member};
use crate::proxy::limits::MAX_IDLE_CONNECTIONS_PER_MEMBER;

pub(super) use body::Http1Body;
pub(super) use connection::Http1Connection;
pub(super) use pending_answer::{ExchangeError, exchange};
pub(super) use request_writer::RequestFate;

/// Time for which an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// How a connection is checked before it is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdleCheck {
    /// By the last event that the runtime has seen: cheap, but a connection that has just been closed passes.
    LastEvent,
    /// By the kernel as well: for a request that can't be repeated.
    Kernel,
}

/// A connection that waits for a request.
struct IdleConnection {
    connection: Http1Connection,
    /// The tenure of the member's pod in which it was used.
    tenure: u32,
    /// When it is not used any more: sooner than the member has announced that it would close it.
    until: Instant,
}

/// The connections to one member that wait for a request.
struct IdleConnections {
    member: Weak<Member>,
    /// In the order in which they were given back.
    connections: Vec<IdleConnection>,
}

thread_local! {
    /// By the member's id.
    static IDLE: RefCell<BTreeMap<u64, IdleConnections>> = RefCell::default();
}

/// Takes the connection to the leased member that was used last. A connection from before the pod began to go away is never taken.
pub(super) fn take(lease: &Lease, check: IdleCheck) -> Option<Http1Connection> {
    IDLE.with_borrow_mut(|idle| {
        let connections = &mut idle.get_mut(&lease.member().id)?.connections;
        while let Some(IdleConnection { mut connection, tenure, until }) = connections.pop() {
            let quiet = connection.is_quiet() && (check == IdleCheck::LastEvent || connection.is_quiet_in_kernel());
            if quiet && tenure == lease.tenure_number() && Instant::now() < until {
                return Some(connection);
            }
        }
        None
    })
}

/// Keeps a connection for the next request, unless the pod that it leads to is going away.
pub(super) fn keep(lease: &Lease, mut connection: Http1Connection) {
    let (member, tenure) = (lease.member(), lease.tenure_number());
    IDLE.with_borrow_mut(|idle| {
        let IdleConnections { connections, .. } = idle
            .entry(member.id)
            .or_insert_with(|| IdleConnections { member: Arc::downgrade(member), connections: Vec::new() });
        if connections.len() == MAX_IDLE_CONNECTIONS_PER_MEMBER {
            connections.retain_mut(|idle| idle.connection.is_quiet());
        }
        if connections.len() >= MAX_IDLE_CONNECTIONS_PER_MEMBER {
            // However many there are at a time: none of their ports is kept.
            connection.stream.end_by(Ending::Reset);
        } else if member.keeps(tenure) {
            let until = Instant::now() + connection.idle_limit.unwrap_or(IDLE_TIMEOUT).min(IDLE_TIMEOUT);
            connections.push(IdleConnection { connection, tenure, until });
        }
    });
}

/// Closes connections that have not been used for long, and those to pods that are going away or have gone.
pub(in crate::proxy) fn sweep() {
    IDLE.with_borrow_mut(|idle| {
        idle.retain(|_, IdleConnections { member, connections }| {
            let Some(member) = member.upgrade() else { return false };
            let now = Instant::now();
            connections.retain_mut(|IdleConnection { connection, tenure, until }| {
                now < *until && member.keeps(*tenure) && connection.is_quiet()
            });
            !connections.is_empty()
        });
    });
}
