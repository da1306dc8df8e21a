//! The bytes of a client's connection: what has been read of them, and what goes out ahead of an answer.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use socket2::SockRef;
use tokio::io::AsyncWrite as _;

use super::head::{self, RequestHead};
use super::refusal::NoHead;
use crate::proxy::client::ClientStream;
use crate::proxy::client::http1_body::{Feeding, Http1Feed};
use crate::proxy::client::last_bytes;
use crate::proxy::http1::fields;
use crate::proxy::http1::read_buffer::ReadBuffer;
use crate::proxy::limits::MAX_HEADER_BYTES;
use crate::proxy::timer::PooledTimer;

/// Time for which a client that has ended its side is kept while nothing can be sent to it. It may wait for its answer, or have gone:
/// nobody can tell before something is sent.
const HALF_CLOSED_TIMEOUT: Duration = Duration::from_secs(3);

/// A client's connection, between its bytes and its requests.
pub(super) struct Http1Client {
    stream: ClientStream,
    read: ReadBuffer,
    /// What is sent ahead of the answer: interim answers.
    ahead: BytesMut,
    /// Whether the client has ended its side.
    is_half_closed: bool,
    /// The time that is left for the answer to a client that has ended its side.
    half_closed: Option<PooledTimer>,
}

/// Whether something is to be sent to the client that has not come yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answering {
    /// The next part of its answer is waited for.
    Awaited,
    /// The client is waited for.
    Blocked,
}

impl Http1Client {
    pub(super) fn new(stream: ClientStream) -> Self {
        let (read, ahead) = (ReadBuffer::new(), BytesMut::new());
        Self { stream, read, ahead, is_half_closed: false, half_closed: None }
    }

    /// Ready with `true` once the first bytes of a request have been read, and with `false` when the connection has ended. Empty lines
    /// ahead of a request are dropped (RFC 9112 section 2.2).
    pub(super) fn poll_first_bytes(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            head::skip_empty_lines(&mut self.read.bytes);
            if !matches!(self.unread(), b"" | b"\r") {
                return Poll::Ready(true);
            }
            if self.is_half_closed {
                return Poll::Ready(false);
            }
            self.read.free();
            match ready!(self.read.fill_shared(cx, &mut self.stream)) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return Poll::Ready(false),
            }
        }
    }

    /// Reads a head.
    ///
    /// # Errors
    /// None is taken: because of its fault, or because the connection has ended (`None`).
    pub(super) async fn head(&mut self, timeout: Duration) -> Result<RequestHead, Option<NoHead>> {
        let mut timer = PooledTimer::after(timeout);
        let mut seen = 0;
        poll_fn(|cx| {
            loop {
                if fields::may_be_complete(&self.read.bytes, seen, MAX_HEADER_BYTES - 1) {
                    match head::take(&mut self.read.bytes) {
                        Ok(Some(head)) => return Poll::Ready(Ok(head)),
                        Ok(None) => {}
                        Err(fault) => return Poll::Ready(Err(Some(NoHead::Fault(fault)))),
                    }
                }
                seen = self.read.bytes.len();
                if self.is_half_closed {
                    return Poll::Ready(Err(None));
                }
                match self.read.fill_shared(cx, &mut self.stream) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(None)),
                    Poll::Pending => return Pin::new(&mut timer).poll(cx).map(|()| Err(Some(NoHead::Slow(timeout)))),
                }
            }
        })
        .await
    }

    /// Whether something has been read that belongs to no request yet.
    pub(super) fn has_unread(&self) -> bool {
        !self.read.bytes.is_empty()
    }

    /// What has been read, and belongs to no request yet.
    pub(super) fn unread(&self) -> &[u8] {
        &self.read.bytes
    }

    /// The buffer of what has been read.
    pub(super) fn read_buffer(&mut self) -> &mut BytesMut {
        &mut self.read.bytes
    }

    /// The buffer of what is sent ahead of the answer.
    pub(super) fn ahead(&mut self) -> &mut BytesMut {
        &mut self.ahead
    }

    pub(super) fn stream(&mut self) -> &mut ClientStream {
        &mut self.stream
    }

    /// Does what is to be done while an answer is waited for, or sent: reads the body as it is wanted, sends what goes ahead of the answer,
    /// and notices when the client leaves. Ready once there is something new for a reader in the same task.
    ///
    /// # Errors
    /// The client has left.
    pub(super) fn poll_meanwhile(
        &mut self,
        cx: &mut Context<'_>,
        feed: Option<&mut Http1Feed>,
        expects_continue: bool,
        answering: Answering,
    ) -> Poll<io::Result<()>> {
        let fed = match feed.filter(|feed| !feed.is_over()) {
            Some(feed) => self.poll_body(cx, feed, expects_continue)?,
            None => self.poll_watch(cx, answering)?,
        };
        while !self.ahead.is_empty()
            && let Poll::Ready(sent) = Pin::new(&mut self.stream).poll_write(cx, &self.ahead)
        {
            match sent? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.ahead.advance(count),
            }
        }
        if self.ahead.is_empty() {
            let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
        }
        fed.map(Ok)
    }

    /// Reads as much of the body as is wanted. The end of the stream within it is told to its reader.
    fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        feed: &mut Http1Feed,
        expects_continue: bool,
    ) -> io::Result<Poll<()>> {
        loop {
            match feed.poll(cx, &mut self.read.bytes) {
                Feeding::HandedOn => return Ok(Poll::Ready(())),
                Feeding::Unwanted => return Ok(Poll::Pending),
                Feeding::Starved => {}
            }
            if expects_continue && feed.is_awaited_first() {
                self.ahead.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            match self.read.fill(cx, &mut self.stream) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(Ok(0)) => {
                    self.is_half_closed = true;
                    feed.break_off(io::ErrorKind::UnexpectedEof.into());
                    return Ok(Poll::Ready(()));
                }
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
    }

    /// Notices when a client leaves whose request has been read whole.
    fn poll_watch(&mut self, cx: &mut Context<'_>, answering: Answering) -> io::Result<Poll<()>> {
        if !self.is_half_closed && !self.has_unread() {
            match self.read.fill_shared(cx, &mut self.stream) {
                Poll::Ready(Ok(0)) => self.is_half_closed = true,
                // The next request. It is left until this one is answered, and nothing more is read.
                Poll::Ready(Ok(_)) | Poll::Pending => {}
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if !self.is_half_closed || answering == Answering::Blocked {
            self.half_closed = None;
            return Ok(Poll::Pending);
        }
        let timer = self.half_closed.get_or_insert_with(|| PooledTimer::after(HALF_CLOSED_TIMEOUT));
        match Pin::new(timer).poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(Poll::Pending),
        }
    }

    /// Starts the time anew that is left for a client that has ended its side: it has got a part of its answer.
    pub(super) fn note_progress(&mut self) {
        self.half_closed = None;
    }

    /// The connection for the next request.
    pub(super) fn next(mut self) -> Self {
        self.half_closed = None;
        self.read.free();
        if self.ahead.is_empty() {
            self.ahead = BytesMut::new();
        }
        self
    }

    /// The connection, and what has been read that belongs to no request.
    pub(super) fn into_parts(self) -> (ClientStream, Bytes) {
        let first = if self.read.bytes.is_empty() { Bytes::new() } else { self.read.bytes.freeze() };
        (self.stream, first)
    }

    /// Ends the sending half of the connection.
    pub(super) async fn shut_down(&mut self) {
        let _ = poll_fn(|cx| Pin::new(&mut self.stream).poll_shutdown(cx)).await;
    }

    /// Ends the sending half as a connection ends that breaks: TLS says nothing of an end.
    pub(super) fn break_off(&self) {
        // It fails only for a connection that has ended.
        let _ = SockRef::from(&self.stream.tcp).shutdown(Shutdown::Write);
    }

    /// Drops what the client still sends, so that it can read its last answer.
    pub(super) async fn linger(&mut self) {
        last_bytes::linger(&mut self.stream.tcp).await;
    }
}
