//! One side of a session: a connection of its own, or a stream of HTTP/2.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::pool::dial::Stream;
use crate::proxy::client::ClientStream;

/// Bytes that the kernel takes beyond what the other end has room for. Once half of them have gone it takes more: that a peer
/// reads, however slowly, is seen by that. Without a bound there can be megabytes.
const UNSENT: u32 = 128 * 1024;

/// One side of a session.
pub(in crate::proxy) enum PeerStream {
    /// A client's connection.
    Client(ClientStream),
    /// A connection to a member.
    Member(Stream),
    /// A stream of HTTP/2.
    Shared(Box<Http2Stream>),
}

impl PeerStream {
    /// With the bytes that came with the handshake.
    pub(in crate::proxy) fn new(upgraded: Upgraded) -> (Self, Bytes) {
        match upgraded.downcast::<TokioIo<ClientStream>>() {
            Ok(parts) => {
                let client = parts.io.into_inner();
                bound_unsent(&client.tcp);
                // A session may be slow; its own limit is the idle timeout. The socket is open: this can't fail.
                let _ = SockRef::from(&client.tcp).set_tcp_user_timeout(None);
                (Self::Client(client), parts.read_buf)
            }
            Err(upgraded) => {
                let stream = Http2Stream { stream: TokioIo::new(upgraded), ended: false };
                (Self::Shared(Box::new(stream)), Bytes::new())
            }
        }
    }

    /// A connection to a member.
    pub(in crate::proxy) fn member(stream: Stream) -> Self {
        bound_unsent(stream.tcp());
        Self::Member(stream)
    }
}

fn bound_unsent(tcp: &TcpStream) {
    // The socket is open: this can't fail.
    let _ = SockRef::from(tcp).set_tcp_notsent_lowat(UNSENT);
}

/// A stream of HTTP/2.
pub(in crate::proxy) struct Http2Stream {
    stream: TokioIo<Upgraded>,
    /// Whether its end has been seen, and the half that sends has had time to find out why.
    ended: bool,
}

impl Http2Stream {
    /// hyper gives the same end to a stream that its peer has ended and to one that it has cancelled. Of the latter the
    /// half that sends knows: its task is woken together with this one, so it has run when this one comes again.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let reset = |error| io::Error::new(io::ErrorKind::ConnectionReset, error);
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf)).map_err(reset)?;
        if buf.filled().len() > before {
            return Poll::Ready(Ok(()));
        }
        if !self.ended {
            self.ended = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(reset(error))),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Member(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Shared(stream) => stream.poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Member(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Shared(stream) => Pin::new(&mut stream.stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_flush(cx),
            Self::Member(stream) => Pin::new(stream).poll_flush(cx),
            Self::Shared(stream) => Pin::new(&mut stream.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Member(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Shared(stream) => Pin::new(&mut stream.stream).poll_shutdown(cx),
        }
    }
}
