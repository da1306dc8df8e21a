//! The member of a stream: it is chosen and connected to, and another one where no connection can be made.

use std::net::IpAddr;
use std::os::fd::RawFd;

use super::refusal::StreamRefusal;
use crate::pool::dial::{DialError, Stream};
use crate::pool::{Lease, MemberQuery, Pool};

/// Members that are tried for one stream.
const MAX_MEMBERS_TRIED: usize = 3;

/// A member with a connection to it.
pub(super) struct ConnectedMember {
    pub(super) stream: Stream,
    pub(super) lease: Lease,
}

/// Connects to a member of the pool. Nothing of what the client has sent reaches a member before its connection is there, so every failure
/// leaves the others free to be tried. `end_of_descriptors`: the file descriptor from which on none is for a client.
///
/// # Errors
/// No member could be connected to.
pub(super) async fn connect(
    pool: &Pool,
    client: IpAddr,
    end_of_descriptors: RawFd,
) -> Result<ConnectedMember, StreamRefusal> {
    let client = pool.chooses_by_client().then_some(client);
    let mut tried = Vec::new();
    let mut failure = None;
    while tried.len() < MAX_MEMBERS_TRIED {
        let lease = match pool.choose(MemberQuery { tried: &tried, wanted: &[], client }).await {
            Ok(lease) => lease,
            Err(why) => return Err(failure.map_or(StreamRefusal::NoMember(why), StreamRefusal::Unreachable)),
        };
        let member = lease.member();
        match member.connector.dial_for_client(end_of_descriptors).await {
            Ok(stream) => return Ok(ConnectedMember { stream, lease }),
            Err(error) => {
                tracing::warn!(pool = %pool.id, %error, "can't connect to member");
                if !matches!(error, DialError::Shortage(..)) {
                    member.suspect();
                }
                tried.push(member.id);
                failure = Some(error);
            }
        }
    }
    Err(failure.map_or(StreamRefusal::NoPool, StreamRefusal::Unreachable))
}
