//! Connections to members: HTTP/1.1, kept by each worker for the next request. They are found by the member, which
//! every table shares, so they survive swaps.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::body::RequestBody;
use crate::pool::dial::{DialError, Stream};
use crate::pool::{Lease, Member};

/// Sends requests on one connection. Dropped before it is given back, it ends the connection: whatever is still under way
/// there belongs to a request that is over.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) requests: SendRequest<RequestBody>,
    /// `None` once nobody may end the connection any more.
    connection: Option<AbortHandle>,
}

impl Sender {
    /// Leaves the connection to itself: it is being upgraded.
    pub(super) fn release(mut self) {
        self.connection = None;
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.abort();
        }
    }
}

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(55);
/// How many unused connections a worker keeps for one member.
const IDLE_PER_MEMBER: usize = 256;

/// The unused connections to one member.
struct Unused {
    member: Weak<Member>,
    /// With the tenure in which each was used, and since when it has not been.
    senders: Vec<(Sender, u32, Instant)>,
}

thread_local! {
    static UNUSED: RefCell<HashMap<u64, Unused>> = RefCell::default();
}

/// A connection to the leased member that waits for a request: the one used last. None that was made before the pod began to
/// go away.
pub(super) fn take(lease: &Lease) -> Option<Sender> {
    UNUSED.with_borrow_mut(|unused| {
        let senders = &mut unused.get_mut(&lease.member().id)?.senders;
        while let Some((sender, tenure, since)) = senders.pop() {
            if sender.requests.is_ready() && tenure == lease.tenure_number() && since.elapsed() < IDLE {
                return Some(sender);
            }
        }
        None
    })
}

/// Keeps a connection for the next request, unless the pod it leads to is going away.
pub(super) fn give_back(lease: &Lease, sender: Sender) {
    let (member, tenure) = (lease.member(), lease.tenure_number());
    UNUSED.with_borrow_mut(|unused| {
        let unused =
            unused.entry(member.id).or_insert_with(|| Unused { member: Arc::downgrade(member), senders: Vec::new() });
        if unused.senders.len() < IDLE_PER_MEMBER && !sender.requests.is_closed() && member.keeps(tenure) {
            unused.senders.push((sender, tenure, Instant::now()));
        }
    });
}

/// Lets go of connections that nobody has used for long, and of those to pods that are going away or have gone.
pub(super) fn sweep() {
    UNUSED.with_borrow_mut(|unused| {
        unused.retain(|_, Unused { member, senders }| {
            let Some(member) = member.upgrade() else { return false };
            senders.retain(|(sender, tenure, since)| {
                !sender.requests.is_closed() && since.elapsed() < IDLE && member.keeps(*tenure)
            });
            !senders.is_empty()
        });
    });
}

/// Speaks HTTP/1.1 on a connection: a new one, or that of a handshake.
///
/// # Errors
/// hyper does not take it, and has sent nothing.
pub(super) async fn speak(member: &Member, stream: Stream) -> Result<Sender, DialError> {
    let address = member.key.address;
    let (requests, connection) = Builder::new()
        .title_case_headers(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| DialError::Connect(address, std::io::Error::other(error)))?;
    let connection = tokio::spawn(Box::pin(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%address, %error, "connection to member ended");
        }
    }));
    Ok(Sender { requests, connection: Some(connection.abort_handle()) })
}
