//! Opening a connection to a member: TCP, then TLS where the transport asks for it.

mod stream;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, TlsStream};

use super::shortage::Shortage;
use super::trust::{self, TrustError};
use crate::model::Transport;

pub use stream::{Ending, Stream};

/// Time in which a connection, TLS included, has to be made.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Silence of a connection after which the kernel asks whether the peer is there.
const KEEPALIVE_IDLE_TIME: Duration = Duration::from_secs(60);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// Questions without an answer after which the connection has failed.
const KEEPALIVE_PROBES: u32 = 4;

/// Why a connection could not be made. Nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// TCP failed.
    #[error("can't connect to {0}: {1}")]
    Connect(SocketAddr, io::Error),
    /// TLS failed.
    #[error("TLS handshake with {0} failed: {1}{remedy}", remedy = trust::remedy(.1))]
    Tls(SocketAddr, io::Error),
    /// This machine lacks something for the connection, which says nothing about the other side.
    #[error("can't connect to {0}, since this machine is short of {name}: {2}", name = .1.name())]
    Shortage(SocketAddr, Shortage, io::Error),
    /// The connection was not made in time.
    #[error("no connection to {0} within {1:?}")]
    Timeout(SocketAddr, Duration),
}

impl DialError {
    /// A shortage of this machine is counted; other errors are what `otherwise` makes of them.
    fn of(address: SocketAddr, error: io::Error, otherwise: fn(SocketAddr, io::Error) -> Self) -> Self {
        match Shortage::of(&error) {
            Some(shortage) => {
                shortage.report(&error);
                Self::Shortage(address, shortage, error)
            }
            None => otherwise(address, error),
        }
    }
}

/// Opens connections to one address.
#[derive(Clone)]
pub struct Connector {
    address: SocketAddr,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("address", &self.address).field("tls", &self.tls.is_some()).finish()
    }
}

impl Connector {
    /// A connector to `address`. `name` is the DNS name that resolved to it, if the endpoint has one.
    ///
    /// # Errors
    /// The transport's server name or roots can't be used.
    pub fn new(address: SocketAddr, name: Option<&str>, transport: &Transport) -> Result<Self, TrustError> {
        let Transport::Https(tls) = transport else { return Ok(Self { address, tls: None }) };
        let server = match tls.server_name.as_deref().or(name) {
            Some(name) => ServerName::try_from(name.to_owned()).map_err(|_| TrustError::ServerName(name.to_owned()))?,
            None => ServerName::from(address.ip()),
        };
        Ok(Self { address, tls: Some((trust::verifying(tls)?, server)) })
    }

    /// A connector with TLS but without verification: for probes over TLS where the transport is clear text, as the kubelet has it.
    pub(super) fn unverified(address: SocketAddr) -> Self {
        Self { address, tls: Some((trust::unverified(), ServerName::from(address.ip()))) }
    }

    /// A connector with clear text.
    pub(super) fn clear(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// A connector with the same transport to another port of the address.
    pub(super) fn at_port(&self, port: u16) -> Self {
        Self { address: SocketAddr::new(self.address.ip(), port), tls: self.tls.clone() }
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// It can't be made within [`CONNECT_TIMEOUT`].
    pub async fn dial(&self) -> Result<Stream, DialError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await {
            Ok(result) => result,
            Err(_) => Err(DialError::Timeout(self.address, CONNECT_TIMEOUT)),
        }
    }

    /// Opens a connection for a client's request. It fails for want of file descriptors where it would have one from `end` on:
    /// these are for probes, and for all else that must go on whatever clients do.
    ///
    /// # Errors
    /// As [`Self::dial`].
    pub async fn dial_for_client(&self, end: RawFd) -> Result<Stream, DialError> {
        let mut stream = self.dial().await?;
        if stream.tcp().as_raw_fd() >= end {
            stream.end_by(Ending::Reset);
            return Err(DialError::of(self.address, Errno::MFILE.into(), DialError::Connect));
        }
        Ok(stream)
    }

    /// Opens a TLS connection that offers HTTP/2 in its handshake (ALPN). Gives whether the server has chosen it. `None`: the transport is
    /// clear text, where a server cannot choose.
    ///
    /// # Errors
    /// It can't be made within [`CONNECT_TIMEOUT`].
    pub async fn dial_offering_http2(&self) -> Option<Result<(Stream, bool), DialError>> {
        let (config, server) = self.tls.as_ref()?;
        let mut config = ClientConfig::clone(config);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let offering = Self { address: self.address, tls: Some((Arc::new(config), server.clone())) };
        let dialled = offering.dial().await.map(|stream| {
            let http2 = stream.agreed_on_http2();
            (stream, http2)
        });
        Some(dialled)
    }

    async fn open(&self) -> Result<Stream, DialError> {
        let connect = |error| DialError::of(self.address, error, DialError::Connect);
        let tcp = TcpStream::connect(self.address).await.map_err(connect)?;
        tcp.set_nodelay(true).map_err(connect)?;
        notice_death(&tcp).map_err(connect)?;
        let Some((config, server)) = &self.tls else { return Ok(Stream::clear_text(tcp)) };
        // Nobody waits for the end of a handshake that is abandoned.
        stream::reset_when_closed(&tcp, true);
        let tls = TlsConnector::from(Arc::clone(config)).connect(server.clone(), tcp).await;
        let tls = tls.map_err(|error| DialError::of(self.address, error, DialError::Tls))?;
        stream::reset_when_closed(tls.get_ref().0, false);
        Ok(Stream::tls(TlsStream::Client(tls)))
    }
}

/// Turns TCP keepalive on: the kernel finds out within two minutes when a peer has gone without ending the connection.
///
/// # Errors
/// The socket is no longer one.
pub fn notice_death(tcp: &impl AsFd) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE_TIME)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_member_that_has_gone_is_noticed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let stream = Connector::clear(listener.local_addr().expect("bound")).dial().await.expect("connects");
        let socket = SockRef::from(stream.tcp());
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_keepalive_time().expect("an option"), KEEPALIVE_IDLE_TIME);
        assert_eq!(socket.tcp_keepalive_interval().expect("an option"), KEEPALIVE_INTERVAL);
        assert_eq!(socket.tcp_keepalive_retries().expect("an option"), KEEPALIVE_PROBES);
    }

    #[tokio::test]
    async fn requests_leave_the_last_descriptors_to_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let connector = Connector::clear(listener.local_addr().expect("bound"));
        assert!(connector.dial_for_client(RawFd::MAX).await.is_ok());
        // No descriptor is below 0.
        let error = connector.dial_for_client(0).await.expect_err("for want of descriptors");
        assert!(matches!(error, DialError::Shortage(_, Shortage::Descriptors, _)), "{error}");
        assert!(connector.dial().await.is_ok(), "probes are not requests");
    }
}
