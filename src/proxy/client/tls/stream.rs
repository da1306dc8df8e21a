//! TLS of one accepted connection: records come and go through buffers of the thread, and an idle connection holds none.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use rustls::ServerConfig;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{AppDataRecord, ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::ASKED;

/// Payload of the largest record (RFC 8446 section 5.1).
const RECORD: usize = 16 * 1024;
/// Payload that is sealed at once: what the socket has no room for then fits as soon as it says that it has some.
const PAYLOAD: usize = 3 * RECORD;
/// More than any message of a handshake, and than what is sealed at once.
const BUFFER: usize = 9 * RECORD;

thread_local! {
    static CIPHERTEXT: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into_boxed_slice());
    static PAYLOADS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What is between the bytes of a TCP connection and those that it carries.
pub(in crate::proxy) struct TlsConnection {
    session: UnbufferedServerConnection,
    /// The beginning of a record, or of a message of a handshake.
    incoming: Box<[u8]>,
    /// What has come, and had no room where it was to go.
    payload: BytesMut,
    /// Records that the connection could not take yet.
    outgoing: BytesMut,
    peer_closed: bool,
    closed: bool,
    failed: bool,
}

impl TlsConnection {
    /// Answers a client's handshake. With the server name that it asked for, normalised.
    ///
    /// # Errors
    /// It fails; the client has been told why.
    pub(in crate::proxy) async fn accept(
        config: Arc<ServerConfig>,
        tcp: &mut TcpStream,
    ) -> io::Result<(Box<Self>, Option<String>)> {
        let mut server_name = None;
        let mut tls = Box::new(Self {
            session: UnbufferedServerConnection::new(config).map_err(io::Error::other)?,
            incoming: Box::default(),
            payload: BytesMut::new(),
            outgoing: BytesMut::new(),
            peer_closed: false,
            closed: false,
            failed: false,
        });
        poll_fn(|cx| {
            while tls.session.is_handshaking() {
                // Of another connection, whose handshake has failed.
                drop(ASKED.take());
                // What did not fit at once; the client may wait for it before it says more.
                if let Poll::Ready(Err(error)) = tls.poll_flush(tcp, cx) {
                    return Poll::Ready(Err(error));
                }
                ready!(tls.poll_receive(tcp, cx, &mut ReadBuf::new(&mut [])))?;
                server_name = ASKED.take().or(server_name.take());
            }
            tls.poll_flush(tcp, cx)
        })
        .await?;
        Ok((tls, server_name))
    }

    /// Whether HTTP/2 was agreed on.
    pub(in crate::proxy) fn speaks_http2(&self) -> bool {
        self.session.alpn_protocol() == Some(b"h2")
    }

    /// As [`AsyncRead::poll_read`]. An end without a close_notify is an error of kind `UnexpectedEof`.
    pub(in crate::proxy) fn poll_read(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if !self.payload.is_empty() {
            let count = self.payload.len().min(buf.remaining());
            buf.put_slice(&self.payload[..count]);
            advance(&mut self.payload, count);
        }
        while buf.filled().len() == before && buf.remaining() > 0 && !self.peer_closed {
            ready!(self.poll_receive(tcp, cx, buf))?;
        }
        Poll::Ready(Ok(()))
    }

    /// As [`AsyncWrite::poll_write_vectored`]. What is taken has been sent as far as the connection had room for it; the rest goes
    /// before anything else is taken.
    pub(in crate::proxy) fn poll_write(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(tcp, cx))?;
        let mut filled = bufs.iter().filter(|buf| !buf.is_empty());
        match (filled.next(), filled.next()) {
            (None, _) => Poll::Ready(Ok(0)),
            (Some(one), None) => Poll::Ready(self.send(tcp, cx, one)),
            // One record for what belongs together, as headers and body.
            _ => PAYLOADS.with_borrow_mut(|payloads| {
                payloads.clear();
                for buf in bufs {
                    let room = PAYLOAD - payloads.len();
                    payloads.extend_from_slice(&buf[..buf.len().min(room)]);
                }
                Poll::Ready(self.send(tcp, cx, payloads))
            }),
        }
    }

    /// As [`AsyncWrite::poll_flush`].
    pub(in crate::proxy) fn poll_flush(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let count = ready!(Pin::new(&mut *tcp).poll_write(cx, &self.outgoing))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            advance(&mut self.outgoing, count);
        }
        Poll::Ready(Ok(()))
    }

    /// As [`AsyncWrite::poll_shutdown`], after a close_notify.
    pub(in crate::proxy) fn poll_shutdown(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.closed && !self.failed {
            self.closed = true;
            loop {
                match self.session.process_tls_records(&mut self.incoming).state {
                    // What rustls has left to say by itself.
                    Ok(ConnectionState::EncodeTlsData(record)) => encode(record, &mut self.outgoing)?,
                    Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                    Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                        let mut record = [0; 256];
                        let length = traffic.queue_close_notify(&mut record).unwrap_or_default();
                        self.outgoing.extend_from_slice(&record[..length]);
                        break;
                    }
                    _ => break,
                }
            }
        }
        ready!(self.poll_flush(tcp, cx))?;
        match ready!(Pin::new(tcp).poll_shutdown(cx)) {
            // Nothing is left to end.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }

    /// Seals the beginning of `payload`, and gives how much of it. Nothing is waiting to be sent.
    fn send(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>, payload: &[u8]) -> io::Result<usize> {
        let payload = &payload[..payload.len().min(PAYLOAD)];
        if self.failed || self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        CIPHERTEXT.with_borrow_mut(|ciphertext| {
            let state = self.session.process_tls_records(&mut self.incoming).state;
            let Ok(ConnectionState::WriteTraffic(mut traffic)) = state else {
                return Err(io::ErrorKind::BrokenPipe.into());
            };
            let length = traffic.encrypt(payload, ciphertext).map_err(io::Error::other)?;
            let mut records = &ciphertext[..length];
            while !records.is_empty() {
                match Pin::new(&mut *tcp).poll_write(cx, records)? {
                    Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(count) => records = &records[count..],
                    Poll::Pending => {
                        self.outgoing.extend_from_slice(records);
                        break;
                    }
                }
            }
            Ok(payload.len())
        })
    }

    /// Reads once, and hands out what that completes; what `buf` has no room for is kept, of one record at most beyond what it
    /// has room for.
    fn poll_receive(
        &mut self,
        tcp: &mut TcpStream,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.failed {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        CIPHERTEXT.with_borrow_mut(|ciphertext| {
            let begun = self.incoming.len();
            let end = ciphertext.len().min(begun + buf.remaining().max(RECORD));
            let mut room = ReadBuf::new(&mut ciphertext[begun..end]);
            if room.remaining() == 0 {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "message too long")));
            }
            ready!(Pin::new(&mut *tcp).poll_read(cx, &mut room))?;
            let count = room.filled().len();
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            ciphertext[..begun].copy_from_slice(&self.incoming);
            let bytes = &mut ciphertext[..begun + count];
            let opened = self.open(bytes, buf);
            // What is to be answered, an alert too, goes at once if it can; that it can't is told to who writes, not to who reads.
            let _ = self.poll_flush(tcp, cx);
            self.incoming = bytes[opened.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?..].into();
            Poll::Ready(Ok(()))
        })
    }

    /// Opens the records in `bytes`, and gives how many bytes are done with.
    fn open(&mut self, bytes: &mut [u8], buf: &mut ReadBuf<'_>) -> Result<usize, rustls::Error> {
        let mut done = 0;
        let mut failure = None;
        loop {
            // After a failure rustls must not see a byte any more; it is asked for its alert alone.
            if let Some(failure) = failure.take_if(|_| !self.session.wants_write()) {
                return Err(failure);
            }
            let UnbufferedStatus { discard, state, .. } = self.session.process_tls_records(&mut bytes[done..]);
            done += discard;
            match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let AppDataRecord { discard, payload, .. } = record?;
                        let (now, later) = payload.split_at(payload.len().min(buf.remaining()));
                        buf.put_slice(now);
                        self.payload.extend_from_slice(later);
                        done += discard;
                    }
                }
                Ok(ConnectionState::EncodeTlsData(record)) => {
                    encode(record, &mut self.outgoing).map_err(|error| rustls::Error::General(error.to_string()))?
                }
                Ok(ConnectionState::TransmitTlsData(sent)) => sent.done(),
                Ok(ConnectionState::PeerClosed) => self.peer_closed = true,
                Err(error) => {
                    self.failed = true;
                    failure = Some(error);
                }
                _ => return Ok(done),
            }
        }
    }
}

fn encode(mut record: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut BytesMut) -> io::Result<()> {
    // First how long it is, then the record.
    if let Err(EncodeError::InsufficientSize(needed)) = record.encode(&mut []) {
        let begin = outgoing.len();
        outgoing.resize(begin + needed.required_size, 0);
        record.encode(&mut outgoing[begin..]).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Lets go of the beginning, and of the memory with the last of it.
fn advance(bytes: &mut BytesMut, count: usize) {
    bytes.advance(count);
    if bytes.is_empty() {
        *bytes = BytesMut::new();
    }
}

#[cfg(test)]
#[path = "stream/tests.rs"]
mod tests;
