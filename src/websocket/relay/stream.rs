//! The streams of a session: reading and ending them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream that can be relayed.
pub trait RelayStream: AsyncRead + AsyncWrite + Unpin + Send {
    /// Has the stream end by a reset when it is dropped, where its transport knows that. Nothing is sent or read any more.
    fn reset_when_dropped(&mut self) {}
}

impl RelayStream for tokio::io::DuplexStream {}

/// Shuts the stream down for writing, and reads to its end.
pub(super) fn poll_discard<S: RelayStream>(stream: &mut S, scratch: &mut [u8], cx: &mut Context<'_>) -> Poll<()> {
    // A stream that fails has ended both ways.
    let _ = ready!(Pin::new(&mut *stream).poll_shutdown(cx));
    loop {
        match ready!(poll_read(stream, scratch, cx)) {
            Ok(bytes) if !bytes.is_empty() => {}
            _ => return Poll::Ready(()),
        }
    }
}

/// Reads what is there; empty at the end of the stream. The stream of a TLS peer that leaves without a close_notify has ended too.
pub(super) fn poll_read<'a, R: RelayStream>(
    reader: &mut R,
    scratch: &'a mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<&'a [u8]>> {
    let mut buffer = ReadBuf::new(scratch);
    match ready!(Pin::new(reader).poll_read(cx, &mut buffer)) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Poll::Ready(Err(error)),
        _ => {}
    }
    let count = buffer.filled().len();
    Poll::Ready(Ok(&scratch[..count]))
}
