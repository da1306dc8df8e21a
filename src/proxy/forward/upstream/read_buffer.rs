//! What is read of a connection, in a buffer that is as big as what comes.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Bytes that are read at once, at first: most answers have room in so many.
const LEAST: usize = 2 * 1024;
/// And at most.
const MOST: usize = 64 * 1024;
/// A bigger buffer is not kept while nothing is asked.
const KEPT: usize = 8 * 1024;

/// What has been read and not been taken yet.
#[derive(Debug)]
pub(super) struct ReadBuffer {
    pub(super) bytes: BytesMut,
    /// Bytes that are read at once: twice as many once they have come, half as many once nothing near it has.
    room: usize,
    /// The most that came at once of this answer.
    most: usize,
    /// The most that the buffer has had room for.
    size: usize,
}

impl ReadBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: BytesMut::new(), room: LEAST, most: 0, size: 0 }
    }

    /// Reads more. Gives the number of bytes.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) fn fill<R: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, from: &mut R) -> Poll<io::Result<usize>> {
        self.bytes.reserve(self.room);
        self.size = self.size.max(self.bytes.capacity());
        let spare = self.bytes.capacity() - self.bytes.len();
        let count = ready!(pin!(from.read_buf(&mut self.bytes)).poll(cx))?;
        self.most = self.most.max(count);
        if count == spare {
            self.room = (self.room * 2).min(MOST);
        }
        Poll::Ready(Ok(count))
    }

    /// For the next answer on the same connection.
    pub(super) fn next(mut self) -> Self {
        if self.most < self.room / 4 {
            self.room = (self.room / 2).max(LEAST);
        }
        if self.size > KEPT {
            (self.bytes, self.size) = (BytesMut::new(), 0);
        }
        self.most = 0;
        self
    }
}
