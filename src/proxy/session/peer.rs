//! One side of a session: a connection of its own, or a stream of an HTTP/2 connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::pool::dial::{Ending, Stream};
use crate::proxy::client::ClientStream;
use crate::proxy::client::body::ClientBody;
use crate::proxy::client::http1_upgrade::UpgradeRequest;
use crate::proxy::client::http2_tunnel::{Http2Tunnel, TunnelRequest};
use crate::proxy::limits::MAX_UNSENT_BYTES;
use crate::websocket::RelayStream;

/// One side of a session.
pub(in crate::proxy) enum PeerStream {
    /// A client's connection.
    Client(ClientStream),
    /// A stream of a client's HTTP/2 connection.
    ClientTunnel(Box<Http2Tunnel>),
    /// A connection to a member.
    Member(Stream),
    /// A stream of an HTTP/2 connection to a member.
    MemberStream(Box<Http2Stream>),
}

/// The client's side of a session that is not open yet.
pub(super) enum ClientUpgrade {
    /// A request for an upgrade of HTTP/1.1.
    Http1(UpgradeRequest),
    /// An extended CONNECT of HTTP/2.
    Http2(TunnelRequest),
}

impl ClientUpgrade {
    /// What the request asks for, which can be opened once.
    pub(super) fn take(body: &mut ClientBody) -> Option<Self> {
        let tunnel = body.take_tunnel().map(Self::Http2);
        tunnel.or_else(|| body.take_upgrade().map(Self::Http1))
    }

    /// Waits until the answer has been sent. Gives the stream, and the bytes that came behind the handshake.
    pub(super) async fn open(self) -> io::Result<(PeerStream, Bytes)> {
        match self {
            Self::Http1(upgrade) => {
                let (stream, first) = upgrade.open().await?;
                Ok((PeerStream::client(stream), first))
            }
            Self::Http2(tunnel) => Ok((PeerStream::ClientTunnel(Box::new(tunnel.open().await?)), Bytes::new())),
        }
    }
}

impl PeerStream {
    /// A stream of an HTTP/2 connection to a member, which hyper has opened.
    pub(super) fn member_stream(upgraded: Upgraded) -> Self {
        Self::MemberStream(Box::new(Http2Stream { stream: TokioIo::new(upgraded), ended: false }))
    }

    /// A client's connection.
    pub(in crate::proxy) fn client(stream: ClientStream) -> Self {
        bound_unsent(&stream.tcp);
        let_be_slow(&stream.tcp);
        Self::Client(stream)
    }

    /// A connection to a member.
    pub(in crate::proxy) fn member(stream: Stream) -> Self {
        bound_unsent(stream.tcp());
        Self::Member(stream)
    }
}

/// Limits what the kernel takes beyond the window of the peer. When half of it has gone, the kernel takes more: that shows that
/// a peer reads, however slowly. Without a limit the kernel can hold megabytes.
fn bound_unsent(tcp: &TcpStream) {
    // This can't fail: the socket is open.
    let _ = SockRef::from(tcp).set_tcp_notsent_lowat(MAX_UNSENT_BYTES);
}

/// Takes back the time in which a client must have taken a part of an answer: a session may be slow, and its limit is the idle timeout.
/// That time would also take the place of the time after which keep-alive gives a silent client up.
fn let_be_slow(tcp: &TcpStream) {
    // This can't fail: the socket is open.
    let _ = SockRef::from(tcp).set_tcp_user_timeout(None);
}

/// A stream of an HTTP/2 connection.
pub(in crate::proxy) struct Http2Stream {
    stream: TokioIo<Upgraded>,
    /// Whether the end has been read, and the sending half has had time to find out why.
    ended: bool,
}

impl Http2Stream {
    /// Reads, and tells a stream that was reset from one that was ended: hyper reads the same end from both. The sending half
    /// knows of a reset. Its task is woken together with this one, so it has run when this one is polled again.
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
            Self::ClientTunnel(tunnel) => Pin::new(tunnel).poll_read(cx, buf),
            Self::MemberStream(stream) => stream.poll_read(cx, buf),
        }
    }
}

impl RelayStream for PeerStream {
    fn reset_when_dropped(&mut self) {
        match self {
            Self::Member(stream) => stream.end_by(Ending::Reset),
            Self::Client(stream) => stream.reset_when_dropped(),
            // A stream of HTTP/2 that has not ended is reset in any case, and has no port of its own.
            Self::ClientTunnel(_) | Self::MemberStream(_) => {}
        }
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Member(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::ClientTunnel(tunnel) => Pin::new(tunnel).poll_write(cx, buf),
            Self::MemberStream(stream) => Pin::new(&mut stream.stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_flush(cx),
            Self::Member(stream) => Pin::new(stream).poll_flush(cx),
            Self::ClientTunnel(tunnel) => Pin::new(tunnel).poll_flush(cx),
            Self::MemberStream(stream) => Pin::new(&mut stream.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Client(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Member(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::ClientTunnel(tunnel) => Pin::new(tunnel).poll_shutdown(cx),
            Self::MemberStream(stream) => Pin::new(&mut stream.stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_holds_no_more_than_the_limit() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let tcp = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        bound_unsent(&tcp);
        assert_eq!(SockRef::from(&tcp).tcp_notsent_lowat().expect("an option"), MAX_UNSENT_BYTES);
    }

    #[tokio::test]
    async fn the_time_for_an_answer_does_not_bound_a_session() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let tcp = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        SockRef::from(&tcp).set_tcp_user_timeout(Some(Duration::from_secs(60))).expect("an option");
        let_be_slow(&tcp);
        assert_eq!(SockRef::from(&tcp).tcp_user_timeout().expect("an option"), None);
    }
}
