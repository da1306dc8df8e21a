//! Connections of clients: clear text or TLS.

pub(super) mod body;
pub(super) mod client_certificate;
pub(super) mod client_hello;
pub(super) mod client_verifier;
pub(super) mod connections;
pub(super) mod http1_body;
pub(super) mod http1_upgrade;
pub(super) mod http2_receiver;
pub(super) mod http2_tunnel;
pub(super) mod last_bytes;
pub(super) mod proxy_header;
pub(super) mod resets;
pub(super) mod tls_acceptor;
pub(super) mod tls_config;
pub(super) mod tls_connection;
pub(super) mod unanswered_bytes;

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use self::connections::ConnectionSlot;
use self::tls_connection::TlsConnection;

/// A client's connection.
pub(super) struct ClientStream {
    pub(super) tcp: TcpStream,
    /// TLS, between the bytes of the TCP connection and those of HTTP.
    pub(super) tls: Option<Box<TlsConnection>>,
    /// Counts it among the clients' connections.
    pub(super) _slot: ConnectionSlot,
}

impl ClientStream {
    /// Waits until something of what TLS carries has been received, or the connection has ended. Clear text is not waited for.
    pub(super) async fn received(&mut self) {
        if let Some(tls) = &mut self.tls {
            poll_fn(|cx| tls.poll_received(&mut self.tcp, cx)).await;
        }
    }

    /// Has the connection end by a reset when it is dropped.
    pub(super) fn reset_when_dropped(&self) {
        last_bytes::reset_when_dropped(&self.tcp);
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, tls, .. } = self.get_mut();
        match tls {
            None => Pin::new(tcp).poll_read(cx, buf),
            Some(tls) => tls.poll_read(tcp, cx, buf),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Self { tcp, tls, .. } = self.get_mut();
        match tls {
            None => Pin::new(tcp).poll_write(cx, buf),
            Some(tls) => tls.poll_write(tcp, cx, &[IoSlice::new(buf)]),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Self { tcp, tls, .. } = self.get_mut();
        match tls {
            None => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Some(tls) => tls.poll_write(tcp, cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, tls, .. } = self.get_mut();
        match tls {
            None => Poll::Ready(Ok(())),
            Some(tls) => tls.poll_flush(tcp, cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { tcp, tls, .. } = self.get_mut();
        match tls {
            None => Pin::new(tcp).poll_shutdown(cx),
            Some(tls) => tls.poll_shutdown(tcp, cx),
        }
    }
}
