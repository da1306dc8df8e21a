//! Opening connections: from several addresses in turn, so that no range of ports runs out, and to loopback alone.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io::{self, Error, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use http::Uri;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::pki_types::ServerName;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::stream::Stream;
use crate::tls;

/// A connection that takes longer, TLS included, has failed.
const LIMIT: Duration = Duration::from_secs(10);

/// Opens the client's connections.
pub(crate) struct Dialer {
    sources: u8,
    turn: Cell<u8>,
    ca: Option<String>,
    /// Kept, with the tickets in it, for the commands that follow: tickets are no good to another.
    connectors: RefCell<HashMap<(SocketAddr, Options), TlsConnector>>,
}

/// Where a command's connections go.
pub(crate) struct Target {
    address: SocketAddr,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    pub(crate) host: String,
    pub(crate) path: String,
    /// One more header of each request.
    pub(crate) header: Option<String>,
    /// What has to be answered.
    pub(crate) status: u16,
}

/// What else a command says of its connections.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Options {
    pub(crate) ca: Option<String>,
    pub(crate) is_http2: bool,
    pub(crate) is_resumed: bool,
}

impl Target {
    pub(crate) fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

impl Dialer {
    /// With so many addresses of its own, from 127.0.0.2 on; whom TLS trusts where a command doesn't say.
    pub(crate) fn new(sources: u8, ca: Option<String>) -> Dialer {
        Dialer { sources: sources.min(250), turn: Cell::new(0), ca, connectors: RefCell::default() }
    }

    /// Finds out where `url` leads; `host` is what requests and TLS name instead of it.
    pub(crate) fn target(&self, url: &str, host: Option<&str>, options: &Options) -> Result<Target> {
        let uri: Uri = url.parse().with_context(|| format!("not a URL: {url}"))?;
        let authority = uri.authority().with_context(|| format!("no host in {url}"))?;
        let is_tls = matches!(uri.scheme_str(), Some("https" | "wss"));
        let ip = authority.host().parse().with_context(|| format!("not an address: {}", authority.host()))?;
        let address = SocketAddr::new(ip, authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 }));
        ensure!(address.ip().is_loopback(), "{address} is not of this machine");
        let host = host.map_or_else(|| authority.to_string(), str::to_owned);
        let tls = if is_tls {
            let name = host.split(':').next().unwrap_or_default().to_owned();
            Some((self.connector(address, options)?, ServerName::try_from(name)?))
        } else {
            None
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Target { address, tls, host, path, header: None, status: 200 })
    }

    fn connector(&self, address: SocketAddr, options: &Options) -> Result<TlsConnector> {
        let key = (address, options.clone());
        if let Some(connector) = self.connectors.borrow().get(&key) {
            return Ok(connector.clone());
        }
        let ca = options.ca.as_ref().or(self.ca.as_ref()).context("TLS needs a ca")?;
        let connector = tls::connector(ca, options.is_http2, options.is_resumed)?;
        self.connectors.borrow_mut().insert(key, connector.clone());
        Ok(connector)
    }

    /// Opens a connection.
    pub(crate) async fn connect(&self, target: &Target) -> io::Result<Stream> {
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            if self.sources > 0 {
                let turn = self.turn.get();
                self.turn.set((turn + 1) % self.sources);
                // The port is chosen with the other end, so that it may be in use towards another.
                setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
                socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + turn)), 0))?;
            }
            let stream = socket.connect(target.address).await?;
            stream.set_nodelay(true)?;
            Ok(match &target.tls {
                None => Stream::Plain(stream),
                Some((connector, name)) => Stream::Tls(Box::new(connector.connect(name.clone(), stream).await?)),
            })
        };
        tokio::time::timeout(LIMIT, connect).await.unwrap_or_else(|_| Err(Error::from(ErrorKind::TimedOut)))
    }
}
