//! TLS of one client connection. Records are read and written through buffers of the thread: an idle connection has no buffer.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{AppDataRecord, ConnectionState, EncodeError, EncodeTlsData, UnbufferedStatus};
use rustls::{CipherSuite, ProtocolVersion, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::client_certificate::ClientCertificate;
use crate::proxy::limits::MAX_TLS_PAYLOAD_BYTES;
use crate::table::ServedTls;

/// Time limit of a TLS handshake.
pub(in crate::proxy) const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// Payload of the largest record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;

/// Size of a worker's buffer for records: more than any message of a handshake that rustls takes, and than what is encrypted at once.
const BUFFER_BYTES: usize = 9 * RECORD_BYTES;

thread_local! {
    /// The normalised server name in the ClientHello that was read last. Of an unbuffered connection, rustls gives it only to the
    /// code that finds the certificate.
    static SERVER_NAME: Cell<Option<String>> = const { Cell::new(None) };
    static CIPHERTEXT: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_BYTES].into_boxed_slice());
    static PAYLOADS: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Notes the server name of a ClientHello, for the connection whose handshake is being read.
pub(super) fn note_server_name(name: Option<String>) {
    SERVER_NAME.set(name);
}

/// What client and gateway have agreed on in a TLS handshake.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct NegotiatedTls {
    pub(in crate::proxy) version: ProtocolVersion,
    pub(in crate::proxy) cipher_suite: CipherSuite,
}

/// The TLS of a client connection. The TCP connection is given to each call.
pub(in crate::proxy) struct TlsConnection {
    session: UnbufferedServerConnection,
    /// The beginning of a record, or of a message of the handshake.
    incoming: Box<[u8]>,
    /// Payload that has been decrypted, and that the caller had no room for.
    payload: BytesMut,
    /// Records that the TCP connection had no room for.
    outgoing: BytesMut,
    peer_closed: bool,
    closed: bool,
    failed: bool,
}

impl TlsConnection {
    /// Answers a client's handshake. Returns the normalised server name too.
    ///
    /// # Errors
    /// The handshake has failed, and the alert has been sent.
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
                // A name that is left is another connection's, whose handshake has failed.
                SERVER_NAME.set(None);
                // The client may wait for records that did not fit before.
                if let Poll::Ready(Err(error)) = tls.poll_flush(tcp, cx) {
                    return Poll::Ready(Err(error));
                }
                ready!(tls.poll_receive(tcp, cx, &mut ReadBuf::new(&mut [])))?;
                server_name = SERVER_NAME.take().or(server_name.take());
            }
            tls.poll_flush(tcp, cx)
        })
        .await?;
        Ok((tls, server_name))
    }

    /// What was agreed on. `None`: the handshake has not ended.
    pub(in crate::proxy) fn negotiated(&self) -> Option<NegotiatedTls> {
        let cipher_suite = self.session.negotiated_cipher_suite()?.suite();
        Some(NegotiatedTls { version: self.session.protocol_version()?, cipher_suite })
    }

    /// The certificate that the client has shown, if it was asked for one, by `policy`.
    pub(in crate::proxy) fn client_certificate(&self, policy: Option<Arc<ServedTls>>) -> Option<ClientCertificate> {
        self.session.peer_certificates().and_then(|chain| ClientCertificate::new(chain, policy))
    }

    /// Whether HTTP/2 was agreed on.
    pub(in crate::proxy) fn speaks_http2(&self) -> bool {
        self.session.alpn_protocol() == Some(b"h2")
    }

    /// Ready once there is payload to read, or the connection has ended, which the next read reports.
    pub(in crate::proxy) fn poll_received(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        while self.payload.is_empty() && !self.peer_closed {
            if ready!(self.poll_receive(tcp, cx, &mut ReadBuf::new(&mut []))).is_err() {
                break;
            }
        }
        Poll::Ready(())
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

    /// As [`AsyncWrite::poll_write_vectored`]. What the TCP connection has no room for is sent before anything else is taken.
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
            // Buffers that are written together, as header and body are, share a record.
            _ => PAYLOADS.with_borrow_mut(|payloads| {
                payloads.clear();
                for buf in bufs {
                    let room = MAX_TLS_PAYLOAD_BYTES - payloads.len();
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
                    // Records that rustls itself has still to send.
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
            // The connection has ended already.
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Poll::Ready(Ok(())),
            result => Poll::Ready(result),
        }
    }

    /// Encrypts and sends the beginning of `payload`. Returns how many bytes it took. There must be no unsent record.
    fn send(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>, payload: &[u8]) -> io::Result<usize> {
        let payload = &payload[..payload.len().min(MAX_TLS_PAYLOAD_BYTES)];
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

    /// Reads from the TCP connection once, and decrypts the records that are complete. Payload that `buf` has no room for is kept: no
    /// more than a record.
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
            let end = ciphertext.len().min(begun + buf.remaining().max(RECORD_BYTES));
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
            // Answers, alerts too, are sent at once if possible. An error is reported to the next write, not to this read.
            let _ = self.poll_flush(tcp, cx);
            self.incoming = bytes[opened.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?..].into();
            Poll::Ready(Ok(()))
        })
    }

    /// Decrypts the records in `bytes`. Returns how many bytes have been used.
    fn open(&mut self, bytes: &mut [u8], buf: &mut ReadBuf<'_>) -> Result<usize, rustls::Error> {
        let mut done = 0;
        let mut failure = None;
        loop {
            // After a failure rustls gets no more bytes; only its alert is taken.
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

/// Appends a record of rustls' own.
fn encode(mut record: EncodeTlsData<'_, ServerConnectionData>, outgoing: &mut BytesMut) -> io::Result<()> {
    // The first call gives its length.
    if let Err(EncodeError::InsufficientSize(needed)) = record.encode(&mut []) {
        let begin = outgoing.len();
        outgoing.resize(begin + needed.required_size, 0);
        record.encode(&mut outgoing[begin..]).map_err(io::Error::other)?;
    }
    Ok(())
}

/// Removes the beginning; with the last byte, the memory too.
fn advance(bytes: &mut BytesMut, count: usize) {
    bytes.advance(count);
    if bytes.is_empty() {
        *bytes = BytesMut::new();
    }
}

#[cfg(test)]
mod tests;
