//! A connection, in clear text or over TLS, and how it is read: into one buffer that all share.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 128 * 1024]);
}

/// A connection of the client.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether it is TLS, and was resumed.
    pub(crate) fn is_resumed(&self) -> bool {
        matches!(self, Stream::Tls(tls) if tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed))
    }

    /// Reads once, and hands what came to `take`; nothing, if the stream has ended.
    pub(crate) fn poll_receive<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(Pin::new(self).poll_read(context, &mut read))?;
            Poll::Ready(Ok(take(read.filled())))
        })
    }

    /// The same, when something has come.
    pub(crate) async fn receive<T>(&mut self, mut take: impl FnMut(&[u8]) -> T) -> io::Result<T> {
        poll_fn(|context| self.poll_receive(context, &mut take)).await
    }

    /// Writes all of it, to the kernel.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        match self {
            Stream::Plain(_) => Ok(()),
            Stream::Tls(tls) => tls.flush().await,
        }
    }

    /// Itself, unless the other side has ended it, or has sent what nobody asked for.
    pub(crate) fn if_open(mut self) -> Option<Stream> {
        self.poll_receive(&mut Context::from_waker(Waker::noop()), |_| ()).is_pending().then_some(self)
    }

    /// Ends it in good order: what the other side still sends is read, until it ends too, or two seconds have passed.
    pub(crate) async fn close(mut self) {
        if self.shutdown().await.is_ok() {
            let rest = async { while let Ok(1..) = self.receive(|bytes| bytes.len()).await {} };
            let _ = tokio::time::timeout(Duration::from_secs(2), rest).await;
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, read: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, read),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, read),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
