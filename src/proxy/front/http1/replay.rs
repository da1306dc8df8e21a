//! Requests as they are read from bytes, without a connection: for tests and the fuzzer, which compare them with what others read.

use bytes::BytesMut;
use http::{HeaderMap, Request};

use super::head::{self, HeadFault, RequestHead};
use crate::proxy::http1::framing::{Decoded, MalformedBody};
use crate::proxy::request::target::RawTarget;

/// A request that was read whole.
#[derive(Debug)]
pub struct ReadRequest {
    /// Its head. The URI has escapes in place of what a URI can't have.
    pub head: Request<()>,
    /// Whether the target was not a URI as it came.
    pub has_raw_target: bool,
    /// Its body, without its framing.
    pub body: Vec<u8>,
    /// Its trailers; empty where there are none.
    pub trailers: HeaderMap,
}

/// Why no further request was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// What follows is no whole request, but may become one.
    Incomplete,
    /// The client has said that nothing follows.
    Closed,
    /// What follows is refused.
    Refused {
        /// The status of the answer.
        status: u16,
        /// The fault, as the answer names it; empty where the status says all.
        fault: &'static str,
    },
}

/// Reads the requests in the bytes of a connection, which come in these pieces.
pub fn read_requests<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<ReadRequest>, ReadEnd) {
    let (mut pieces, mut read, mut requests) = (pieces.into_iter(), BytesMut::new(), Vec::new());
    loop {
        let mut next = |read: &mut BytesMut| pieces.next().map(|piece| read.extend_from_slice(piece)).is_some();
        let head = loop {
            head::skip_empty_lines(&mut read);
            match head::take(&mut read) {
                Ok(Some(head)) => break head,
                Ok(None) if next(&mut read) => {}
                Ok(None) => return (requests, ReadEnd::Incomplete),
                Err(fault) => return (requests, refused(fault)),
            }
        };
        let RequestHead { request: head, mut framing, keep_alive, .. } = head;
        let has_raw_target = head.extensions().get::<RawTarget>().is_some();
        let mut request = ReadRequest { head, has_raw_target, body: Vec::new(), trailers: HeaderMap::new() };
        loop {
            match framing.take(&mut read) {
                Ok(Decoded::Frame(frame)) => request.body.extend(frame.into_data().unwrap_or_default()),
                Ok(Decoded::End(trailers)) => {
                    request.trailers = trailers.unwrap_or_default();
                    break;
                }
                Ok(Decoded::More) if next(&mut read) => {}
                Ok(Decoded::More) => return (requests, ReadEnd::Incomplete),
                Err(MalformedBody(fault)) => return (requests, ReadEnd::Refused { status: 400, fault }),
            }
        }
        requests.push(request);
        if !keep_alive {
            return (requests, ReadEnd::Closed);
        }
    }
}

fn refused(fault: HeadFault) -> ReadEnd {
    let (status, fault) = match fault {
        HeadFault::Malformed(fault) => (400, fault),
        HeadFault::Version => (505, ""),
        HeadFault::TransferCoding => (501, ""),
        HeadFault::TooManyFields | HeadFault::TooLarge => (431, ""),
        HeadFault::TargetTooLarge => (414, ""),
    };
    ReadEnd::Refused { status, fault }
}
