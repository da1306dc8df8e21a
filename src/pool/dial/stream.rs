//! A connection to a member: clear text or TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;

/// A connection to a member.
#[derive(Debug)]
pub struct Stream {
    transport: Transport,
    ending: Ending,
}

#[derive(Debug)]
enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How a connection ends when it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In good order. Who ends a TCP connection so keeps its port for another minute (TIME_WAIT).
    Orderly,
    /// By a reset, after which the port is free at once. For a connection on which nobody waits for anything any more: clients that
    /// begin requests and abandon them would otherwise use up the ports.
    Reset,
}

impl Stream {
    /// A connection in clear text.
    pub(super) fn clear_text(tcp: TcpStream) -> Self {
        Self { transport: Transport::Tcp(tcp), ending: Ending::Orderly }
    }

    /// A connection over TLS.
    pub(super) fn tls(tls: TlsStream<TcpStream>) -> Self {
        Self { transport: Transport::Tls(Box::new(tls)), ending: Ending::Orderly }
    }

    /// The TCP connection.
    pub fn tcp(&self) -> &TcpStream {
        match &self.transport {
            Transport::Tcp(stream) => stream,
            Transport::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Whether the TLS handshake agreed on HTTP/2.
    pub(super) fn agreed_on_http2(&self) -> bool {
        matches!(&self.transport, Transport::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2"))
    }

    /// Sets how the connection ends when it is dropped.
    pub fn end_by(&mut self, ending: Ending) {
        self.ending = ending;
    }
}

/// Makes a connection end by a reset when it is closed, or not any more.
pub(super) fn reset_when_closed(tcp: &TcpStream, reset: bool) {
    // This can't fail: the socket is open.
    let _ = SockRef::from(tcp).set_linger(reset.then_some(Duration::ZERO));
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.ending == Ending::Reset {
            reset_when_closed(self.tcp(), true);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.transport {
            Transport::Tcp(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().transport {
            Transport::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
