//! A buffer for what is read from a connection, as large as the messages on it need.

use std::cell::RefCell;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};

use crate::proxy::limits::{MAX_KEPT_READ_BUFFER_BYTES, MAX_READ_BYTES};

/// Bytes of the first read: enough for most answers.
const MIN_READ_BYTES: usize = 2 * 1024;
/// Bytes of a read through the buffer of the thread.
const SHARED_READ_BYTES: usize = 16 * 1024;

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; SHARED_READ_BYTES].into_boxed_slice());
}

/// The bytes that have been read and not been taken yet.
#[derive(Debug)]
pub(in crate::proxy) struct ReadBuffer {
    pub(in crate::proxy) bytes: BytesMut,
    /// Bytes of the next read: twice as many after a read that filled it, half as many after a message that used little of it.
    read_size: usize,
    /// The largest read of this message.
    largest_read: usize,
    /// The largest capacity that the buffer has had.
    largest_capacity: usize,
}

impl ReadBuffer {
    pub(in crate::proxy) fn new() -> Self {
        Self { bytes: BytesMut::new(), read_size: MIN_READ_BYTES, largest_read: 0, largest_capacity: 0 }
    }

    /// Reads more. Returns the number of bytes.
    ///
    /// # Errors
    /// The connection broke.
    pub(in crate::proxy) fn fill<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
    ) -> Poll<io::Result<usize>> {
        self.bytes.reserve(self.read_size);
        self.largest_capacity = self.largest_capacity.max(self.bytes.capacity());
        let spare = self.bytes.capacity() - self.bytes.len();
        let count = ready!(pin!(from.read_buf(&mut self.bytes)).poll(cx))?;
        self.largest_read = self.largest_read.max(count);
        if count == spare {
            self.read_size = (self.read_size * 2).min(MAX_READ_BYTES);
        }
        Poll::Ready(Ok(count))
    }

    /// Reads what there is through a buffer of the thread: a connection that waits has none of its own. Returns the number of bytes.
    ///
    /// # Errors
    /// The connection broke.
    pub(in crate::proxy) fn fill_shared<R: AsyncRead + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut R,
    ) -> Poll<io::Result<usize>> {
        SHARED.with_borrow_mut(|shared| {
            let mut room = ReadBuf::new(shared);
            ready!(Pin::new(from).poll_read(cx, &mut room))?;
            self.bytes.extend_from_slice(room.filled());
            Poll::Ready(Ok(room.filled().len()))
        })
    }

    /// Frees the memory of an empty buffer.
    pub(in crate::proxy) fn free(&mut self) {
        if self.bytes.is_empty() {
            *self = Self::new();
        }
    }

    /// The buffer for the next message on the connection.
    pub(in crate::proxy) fn next(mut self) -> Self {
        if self.largest_read < self.read_size / 4 {
            self.read_size = (self.read_size / 2).max(MIN_READ_BYTES);
        }
        if self.largest_capacity > MAX_KEPT_READ_BUFFER_BYTES {
            (self.bytes, self.largest_capacity) = (BytesMut::new(), 0);
        }
        self.largest_read = 0;
        self
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn filled(buffer: &mut ReadBuffer, bytes: usize) {
        let (mut near, mut far) = tokio::io::duplex(1 << 20);
        far.write_all(&vec![0; bytes]).await.expect("room");
        while buffer.bytes.len() < bytes {
            std::future::poll_fn(|cx| buffer.fill(cx, &mut near)).await.expect("open");
        }
        buffer.bytes.clear();
    }

    #[tokio::test]
    async fn reads_grow_to_their_limit_and_a_large_buffer_is_not_kept() {
        let mut buffer = ReadBuffer::new();
        filled(&mut buffer, 100).await;
        buffer = buffer.next();
        assert!(buffer.bytes.capacity() > 0 && buffer.read_size == MIN_READ_BYTES);
        filled(&mut buffer, 300 * 1024).await;
        assert_eq!(buffer.read_size, MAX_READ_BYTES);
        assert!(buffer.largest_capacity > MAX_KEPT_READ_BUFFER_BYTES);
        assert_eq!(buffer.next().bytes.capacity(), 0);
    }
}
