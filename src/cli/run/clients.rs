//! Options of `steadygate run` about clients: where they are served, and whom of them is believed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::proxy::{Bindings, ProxySettings};

/// Where and how clients are served.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ClientOptions {
    /// Serve a frontend port (what Ingresses call 80 and 443) at another address (repeatable)
    #[arg(long, value_name = "PORT=ADDR:PORT", value_parser = binding)]
    listen: Vec<(u16, SocketAddr)>,

    /// The address of the other frontend ports [default: all of the machine]
    #[arg(long, value_name = "ADDR")]
    address: Option<IpAddr>,

    /// Peers that are believed about who the client is: X-Forwarded-*, X-Real-IP, Forwarded (repeatable)
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<IpNet>,

    /// A frontend port whose connections begin with a header of the PROXY protocol, version 1 or 2, from --trusted-proxy (repeatable)
    #[arg(long, value_name = "PORT", requires = "trusted_proxy", value_parser = clap::value_parser!(u16).range(1..))]
    proxy_protocol: Vec<u16>,

    /// Take HTTP/2 with prior knowledge on clear-text listeners
    #[arg(long)]
    h2c: bool,

    /// No `Server: steadygate` in answers that have no Server
    #[arg(long)]
    no_server_header: bool,

    /// Time for a request's header, and for which idle client connections are kept
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    header_timeout: u64,
}

impl ClientOptions {
    /// Where listeners are bound.
    pub(super) fn bindings(&self) -> Bindings {
        Bindings { address: self.address, ports: self.listen.iter().copied().collect() }
    }

    /// What holds for all listeners, but for limits.
    pub(super) fn settings(&self, access_log: bool) -> ProxySettings {
        ProxySettings {
            trusted_proxies: self.trusted_proxy.clone(),
            clear_text_http2: self.h2c,
            server_header: !self.no_server_header,
            access_log,
            header_timeout: Duration::from_secs(self.header_timeout),
            proxy_protocol: self.proxy_protocol.iter().copied().collect(),
            ..ProxySettings::default()
        }
    }
}

/// Reads `PORT=ADDR:PORT`.
pub(in crate::cli) fn binding(text: &str) -> Result<(u16, SocketAddr), String> {
    let (port, address) = text.split_once('=').ok_or("write it as PORT=ADDR:PORT, such as 80=127.0.0.1:8080")?;
    let port = port.parse().map_err(|_| format!("{port:?} is not a port"))?;
    let address = address.parse().map_err(|_| format!("{address:?} is not an address and port"))?;
    Ok((port, address))
}
