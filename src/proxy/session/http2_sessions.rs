//! The HTTP/2 connections to members on which sessions are opened (RFC 8441). Each worker has its own. The first session in each
//! tenure of a member's pod finds out whether the member takes extended CONNECTs; the answer holds for the tenure.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::http2_connection::{self, Http2Connection, NewConnection};
use crate::pool::dial::{DialError, Stream};
use crate::pool::{Lease, Member};

pub(in crate::proxy) use super::http2_connection::{ReservedStream, StreamSlot};

/// Time for which a connection without a session is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// How a session is transported to a member.
pub(in crate::proxy) enum SessionTransport {
    /// On a stream of a shared HTTP/2 connection.
    Http2(ReservedStream),
    /// On an HTTP/1.1 connection of its own: this one, if there is one already.
    Http1(Option<Stream>),
}

/// What is known of a member in one tenure of its pod.
struct KnownMember {
    member: Weak<Member>,
    tenure: u32,
    support: Arc<Mutex<Http2Support>>,
}

/// Whether a member takes sessions over HTTP/2.
#[derive(Default)]
enum Http2Support {
    /// No session has asked yet.
    #[default]
    Unknown,
    /// It does not: each session has an HTTP/1.1 connection.
    None,
    /// It does, on these connections.
    Connected(Vec<SharedConnection>),
}

/// A connection that sessions share.
struct SharedConnection {
    connection: Http2Connection,
    /// When a session took a slot last.
    used: Instant,
}

thread_local! {
    /// By the member's id.
    static MEMBERS: RefCell<HashMap<u64, KnownMember>> = RefCell::default();
}

/// The transport for a session to the leased member. While one session finds out what the member supports, or makes a
/// connection, the others do not wait: they have HTTP/1.1 connections.
///
/// # Errors
/// No connection can be made; nothing was sent.
pub(in crate::proxy) async fn transport(lease: &Lease) -> Result<SessionTransport, DialError> {
    let (member, tenure) = (lease.member(), lease.tenure_number());
    let support = MEMBERS.with_borrow_mut(|members| {
        let fresh = || KnownMember { member: Arc::downgrade(member), tenure, support: Arc::default() };
        let known = members.entry(member.id).or_insert_with(fresh);
        if known.tenure != tenure {
            *known = fresh();
        }
        Arc::clone(&known.support)
    });
    let Ok(mut support) = support.try_lock() else { return Ok(SessionTransport::Http1(None)) };

    // A connection with a free slot is used.
    match &mut *support {
        Http2Support::None => return Ok(SessionTransport::Http1(None)),
        Http2Support::Unknown => {}
        Http2Support::Connected(connections) => {
            connections.retain(|shared| shared.connection.is_usable());
            let free = connections.iter_mut().find_map(|shared| Some((shared.connection.reserve()?, &mut shared.used)));
            if let Some((stream, used)) = free {
                *used = Instant::now();
                return Ok(SessionTransport::Http2(stream));
            }
        }
    }

    // Else a new one is made.
    let connection = match http2_connection::connect(member).await? {
        NewConnection::Http2(connection) => connection,
        NewConnection::Http1(stream) => {
            *support = Http2Support::None;
            return Ok(SessionTransport::Http1(stream));
        }
    };
    let Some(stream) = connection.reserve() else { return Ok(SessionTransport::Http1(None)) };
    let shared = SharedConnection { connection, used: Instant::now() };
    match &mut *support {
        Http2Support::Connected(connections) => connections.push(shared),
        support => *support = Http2Support::Connected(vec![shared]),
    }
    Ok(SessionTransport::Http2(stream))
}

/// Closes connections that no session has used for long, and forgets members that have gone, or whose pod is going: their
/// connections end after their last session.
pub(in crate::proxy) fn sweep() {
    MEMBERS.with_borrow_mut(|members| {
        members.retain(|_, KnownMember { member, tenure, support }| {
            let kept = member.upgrade().is_some_and(|member| member.keeps(*tenure));
            if let (true, Ok(mut support)) = (kept, support.try_lock())
                && let Http2Support::Connected(connections) = &mut *support
            {
                connections.retain(|SharedConnection { connection, used }| {
                    let fresh = connection.is_in_use() || used.elapsed() < IDLE_TIMEOUT;
                    fresh && connection.is_usable()
                });
            }
            kept
        });
    });
}
