//! The body of a member's answer on an HTTP/1.1 connection, and the connection behind it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tokio::io::{ReadHalf, split};
use tokio::task::JoinHandle;

use super::connection::Http1Connection;
use super::request_writer::{RequestFate, RequestWriter};
use crate::pool::dial::{Ending, Stream};
use crate::proxy::http1::framing::{BodyFraming, Decoded};
use crate::proxy::http1::read_buffer::ReadBuffer;

/// The body of an answer, which is read as the client takes it.
#[derive(Debug)]
pub(in crate::proxy::forward) struct Http1Body {
    source: ReadSide,
    framing: BodyFraming,
    /// Whether the connection may be used again.
    keep: bool,
    /// Whether all of the request had been sent when the answer came.
    request_sent: bool,
    /// Whether all of the body has been read. The framing alone does not tell: the end of the connection may be the end.
    ended: bool,
}

/// The side of a connection that an answer is read from.
#[derive(Debug)]
pub(super) enum ReadSide {
    /// The whole connection: the request has been sent, or will not be.
    Whole(Http1Connection),
    /// Half of it: the request is still being sent, by a task of its own.
    Half { half: ReadHalf<Stream>, read: ReadBuffer, rest: RequestRemainder },
}

/// The task that sends the remainder of a request, for as long as the answer is read. It ends with the error of the client's body,
/// if that broke off.
#[derive(Debug)]
pub(super) struct RequestRemainder(Option<JoinHandle<Option<io::Error>>>);

impl RequestRemainder {
    /// Ready once the client's body has broken off.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(task) = &mut self.0 else { return Poll::Pending };
        let broken = ready!(Pin::new(task).poll(cx)).ok().flatten();
        self.0 = None;
        broken.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for RequestRemainder {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl ReadSide {
    /// Lets a task send the remainder of the request.
    pub(super) fn split(stream: Stream, read: ReadBuffer, mut writer: RequestWriter) -> Self {
        let (half, mut write_half) = split(stream);
        let task = tokio::spawn(async move {
            // A member that has answered may take no more of the request.
            let sent = poll_fn(|cx| writer.poll(cx, &mut write_half)).await;
            sent.err().filter(|_| writer.fate() == RequestFate::BodyFailed)
        });
        Self::Half { half, read, rest: RequestRemainder(Some(task)) }
    }
}

impl Http1Body {
    /// The body of an answer whose head has been read. `keep`: whether the connection may be used again. `request_sent`: whether all of
    /// the request has been sent.
    pub(super) fn new(source: ReadSide, framing: BodyFraming, keep: bool, request_sent: bool) -> Self {
        Self { source, framing, keep, request_sent, ended: framing.is_over() }
    }

    /// The next part of the body.
    pub(in crate::proxy::forward) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { source, framing, ended, .. } = self;
        if let ReadSide::Half { rest, .. } = source
            && let Poll::Ready(error) = rest.poll_broken(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        while !*ended {
            let read = match source {
                ReadSide::Whole(connection) => &mut connection.read.bytes,
                ReadSide::Half { read, .. } => &mut read.bytes,
            };
            match framing.take(read) {
                Ok(Decoded::Frame(frame)) => {
                    *ended = framing.is_over();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Ok(Decoded::End(trailers)) => {
                    *ended = true;
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Ok(Decoded::More) => {}
                Err(malformed) => return Poll::Ready(Some(Err(malformed.into()))),
            }
            let filled = match source {
                ReadSide::Whole(Http1Connection { stream, read, .. }) => ready!(read.fill(cx, stream)),
                ReadSide::Half { half, read, .. } => ready!(read.fill(cx, half)),
            };
            match filled {
                Ok(0) if *framing == BodyFraming::UntilEnd => *ended = true,
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(None)
    }

    /// Whether all of the body has been read.
    pub(in crate::proxy::forward) fn is_over(&self) -> bool {
        self.ended
    }

    /// The connection, if it can be used again.
    pub(in crate::proxy::forward) fn into_connection(self) -> Option<Http1Connection> {
        match self.source {
            ReadSide::Whole(mut connection) if self.ended && self.keep && connection.read.bytes.is_empty() => {
                connection.stream.end_by(Ending::Orderly);
                Some(Http1Connection { read: connection.read.next(), ..connection })
            }
            _ => None,
        }
    }

    /// The connection, on which another protocol begins, and the bytes that have come of that. `None`: not all of the request
    /// had been sent.
    pub(in crate::proxy::forward) fn into_upgraded(self) -> Option<(Stream, Bytes)> {
        if !self.request_sent {
            return None;
        }
        let ReadSide::Whole(Http1Connection { mut stream, read, .. }) = self.source else { return None };
        stream.end_by(Ending::Orderly);
        // The memory of an empty buffer is not kept.
        let first = if read.bytes.is_empty() { Bytes::new() } else { read.bytes.freeze() };
        Some((stream, first))
    }
}
