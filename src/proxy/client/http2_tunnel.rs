//! The tunnel of a CONNECT over HTTP/2 (RFC 9113 section 8.5, RFC 8441): a stream of bytes, once the request has been accepted.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::SendStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::http2_receiver::Http2Receiver;

/// A tunnel that a client has asked for.
pub(in crate::proxy) struct TunnelRequest {
    receiver: Http2Receiver,
    /// The sending half, once the answer that opens the tunnel has been sent.
    sender: oneshot::Receiver<SendStream<Bytes>>,
}

/// An open tunnel.
pub(in crate::proxy) struct Http2Tunnel {
    receiver: Http2Receiver,
    sender: SendStream<Bytes>,
    /// The rest of a frame that has been read.
    read: Bytes,
    /// Whether the end has been sent.
    ended: bool,
    /// Whether a reset by the client has been noted.
    reset_noted: bool,
}

impl TunnelRequest {
    /// A request for a tunnel, and the place for its sending half.
    pub(in crate::proxy) fn new(receiver: Http2Receiver) -> (Self, oneshot::Sender<SendStream<Bytes>>) {
        let (place, sender) = oneshot::channel();
        (Self { receiver, sender }, place)
    }

    /// The receiving half.
    pub(super) fn receiver(&self) -> Http2Receiver {
        self.receiver.clone()
    }

    /// Waits until the answer that opens the tunnel has been sent.
    ///
    /// # Errors
    /// The client has left before.
    pub(in crate::proxy) async fn open(self) -> io::Result<Http2Tunnel> {
        let sender = self.sender.await.map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
        Ok(Http2Tunnel { receiver: self.receiver, sender, read: Bytes::new(), ended: false, reset_noted: false })
    }
}

impl Http2Tunnel {
    /// The error of a stream that was reset, which is noted.
    fn broken(&mut self, error: Option<h2::Error>) -> io::Error {
        let by_client = error.as_ref().is_none_or(|error| error.is_reset() && error.is_remote());
        if by_client && !std::mem::replace(&mut self.reset_noted, true) {
            self.receiver.note_reset();
        }
        match error {
            Some(error) => io::Error::new(io::ErrorKind::ConnectionReset, error),
            None => io::ErrorKind::ConnectionReset.into(),
        }
    }

    /// Waits until the client takes more, and gives how many of `wanted` bytes.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        self.sender.reserve_capacity(wanted);
        loop {
            // A stream reports no more than changes of its capacity.
            match self.sender.capacity() {
                0 => match ready!(self.sender.poll_capacity(cx)) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Poll::Ready(Err(self.broken(Some(error)))),
                    None => return Poll::Ready(Err(self.broken(None))),
                },
                room => return Poll::Ready(Ok(room.min(wanted))),
            }
        }
    }
}

impl AsyncRead for Http2Tunnel {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tunnel = self.get_mut();
        while tunnel.read.is_empty() {
            match ready!(tunnel.receiver.poll_data(cx)) {
                Some(Ok(data)) => tunnel.read = data,
                Some(Err(error)) => return Poll::Ready(Err(tunnel.broken(Some(error)))),
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = tunnel.read.len().min(buf.remaining());
        buf.put_slice(&tunnel.read[..count]);
        tunnel.read.advance(count);
        if tunnel.read.is_empty() {
            // The memory of the frame is not kept.
            tunnel.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Http2Tunnel {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let tunnel = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let count = ready!(tunnel.poll_room(cx, buf.len()))?;
        let sent = tunnel.sender.send_data(Bytes::copy_from_slice(&buf[..count]), false);
        Poll::Ready(sent.map(|()| count).map_err(|error| tunnel.broken(Some(error))))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let tunnel = self.get_mut();
        if !std::mem::replace(&mut tunnel.ended, true) {
            // What is not sent yet needs no capacity any more.
            tunnel.sender.reserve_capacity(0);
            return Poll::Ready(
                tunnel.sender.send_data(Bytes::new(), true).map_err(|error| tunnel.broken(Some(error))),
            );
        }
        Poll::Ready(Ok(()))
    }
}
