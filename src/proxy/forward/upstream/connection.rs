//! An HTTP/1.1 connection to a member that waits for a request.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::BytesMut;
use socket2::SockRef;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::task::coop::unconstrained;

use crate::pool::dial::Stream;
use crate::proxy::http1::read_buffer::ReadBuffer;

/// An HTTP/1.1 connection to a member that waits for a request.
#[derive(Debug)]
pub(in crate::proxy::forward) struct Http1Connection {
    pub(super) stream: Stream,
    pub(super) read: ReadBuffer,
    /// An empty buffer for the next request.
    pub(super) write: BytesMut,
    /// Time for which it may wait for a request, by what the member has said of it.
    pub(super) idle_limit: Option<Duration>,
}

impl Http1Connection {
    /// A connection that has just been made.
    pub(in crate::proxy::forward) fn new(stream: Stream) -> Self {
        Self { stream, read: ReadBuffer::new(), write: BytesMut::new(), idle_limit: None }
    }

    /// Whether the member has neither closed the connection nor sent anything unasked, by what the runtime has seen.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        // However much this task has done already.
        let reading = unconstrained(poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut byte)));
        pin!(reading).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Whether the member has neither closed the connection nor sent anything unasked, by what the kernel says now.
    pub(super) fn is_quiet_in_kernel(&self) -> bool {
        let peeked = SockRef::from(self.stream.tcp()).peek(&mut [std::mem::MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}
