//! One client connection: TLS if the listener's protocol is HTTPS, then HTTP/1.1 or HTTP/2, request by request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::opening::{self, Opening, ProxyHeaderError};
use super::{handshake, http1, http2};
use crate::model::Protocol;
use crate::proxy::client::ClientStream;
use crate::proxy::client::connections::ConnectionSlot;
use crate::proxy::client::proxy_header::ProxyHeader;
use crate::proxy::client::tls_acceptor::{self, AcceptedTls};
use crate::proxy::client::tls_connection::TLS_TIMEOUT;
use crate::proxy::request::context::{ConnectionContext, InterimAnswers};
use crate::proxy::request::headers::ClientHop;
use crate::proxy::request::metrics::RefusedFor;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::state::{BoundListener, WorkerState};
use crate::proxy::stream::{self, StreamConnection};

/// Time in which a load balancer has to send the header of the PROXY protocol.
const PROXY_HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// The version of HTTP that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HttpVersion {
    Http1,
    Http2,
}

/// Serves a connection until it ends.
pub(super) async fn serve(
    state: Arc<WorkerState>,
    listener: Arc<BoundListener>,
    stream: TcpStream,
    peer: SocketAddr,
    mut slot: ConnectionSlot,
    alive: mpsc::Sender<()>,
) {
    let Some(protocol) = state.table.load().listener(listener.port).map(|listener| listener.protocol) else { return };
    let tls = protocol == Protocol::Https;
    let opened = tokio::select! {
        biased;
        opened = open(&state, &listener, stream, peer, protocol) => opened,
        () = drained(&state) => return,
    };
    let Some(Opened { mut stream, opening, client }) = opened else { return };
    let (client, peer_port) = (client.ip().to_canonical(), client.port());
    if !state.settings.trusts(client)
        && let Err(refused) = slot.claim(client)
    {
        return state.clients.refused(refused, &state.metrics);
    }

    if let Protocol::Tcp | Protocol::Tls = protocol {
        let (shared, is_tls) = (Arc::clone(&state), protocol == Protocol::Tls);
        let connection = StreamConnection { state: shared, listener, tcp: stream, is_tls, client, slot, alive };
        // Boxed: no connection of HTTP is to have room for it.
        let serving = Box::pin(stream::serve(connection));
        return tokio::select! {
            biased;
            () = serving => {}
            () = drained(&state) => {}
        };
    }

    let mut context = ConnectionContext {
        hop: ClientHop::new(client, state.settings.trusts(client), tls, listener.port),
        state,
        listener,
        peer: client,
        peer_port,
        server_name: None,
        tls: None,
        client_certificate: None,
        is_untrusted: AtomicBool::default(),
        alive,
        requests: Arc::default(),
        interim: InterimAnswers::default(),
    };
    if !tls {
        let http2 = opening == Opening::Http2 && context.state.settings.clear_text_http2;
        let version = if http2 { HttpVersion::Http2 } else { HttpVersion::Http1 };
        return serve_http(Arc::new(context), ClientStream { tcp: stream, tls: None, _slot: slot }, version).await;
    }
    let accepting =
        tls_acceptor::accept(&context.state.table, context.listener.port, &context.listener.tls, &mut stream);
    let AcceptedTls { tls, server_name, policy } = match tokio::time::timeout(TLS_TIMEOUT, accepting).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return handshake::failed(&context, &error),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    (context.server_name, context.tls) = (server_name, tls.negotiated());
    context.client_certificate = tls.client_certificate(policy).map(Arc::new);
    let version = if tls.speaks_http2() { HttpVersion::Http2 } else { HttpVersion::Http1 };
    serve_http(Arc::new(context), ClientStream { tcp: stream, tls: Some(tls), _slot: slot }, version).await;
}

/// A connection that has shown what it is.
struct Opened {
    stream: TcpStream,
    opening: Opening,
    /// The client's address: the peer's, or the one that the peer names by the PROXY protocol.
    client: SocketAddr,
}

/// Takes the header of the PROXY protocol where a connection is to have one, and looks at the first bytes of HTTP. Those of a stream are
/// not waited for: its server may be the first to speak. `None`: the connection does not go on, and has been answered where that is
/// possible.
async fn open(
    state: &WorkerState,
    listener: &BoundListener,
    mut stream: TcpStream,
    peer: SocketAddr,
    protocol: Protocol,
) -> Option<Opened> {
    let mut client = peer;
    let refuse = async |stream: TcpStream, fault: String| {
        state.metrics.client_refused(RefusedFor::ProxyHeader);
        tracing::debug!(%peer, port = listener.port, fault, "connection refused");
        if protocol == Protocol::Http {
            opening::refuse(stream, Refusal::proxy_header(fault)).await;
        }
    };
    if state.settings.proxy_protocol.contains(&listener.port) {
        let proxy = peer.ip().to_canonical();
        if !state.settings.trusts(proxy) {
            let fault =
                format!("{proxy} is no --trusted-proxy, and only these are served at this port (--proxy-protocol)");
            refuse(stream, fault).await;
            return None;
        }
        match tokio::time::timeout(PROXY_HEADER_TIMEOUT, opening::take_proxy_header(&mut stream)).await {
            Ok(Ok(ProxyHeader::Client(named))) => client = named,
            Ok(Ok(ProxyHeader::Unknown)) => {}
            Ok(Err(ProxyHeaderError::Connection(error))) => {
                tracing::debug!(%peer, %error, "connection ended before its PROXY header");
                return None;
            }
            Ok(Err(fault)) => {
                refuse(stream, fault.to_string()).await;
                return None;
            }
            Err(_) => {
                refuse(stream, "the header of the PROXY protocol did not come in time".to_owned()).await;
                return None;
            }
        }
    }
    let limit = match protocol {
        Protocol::Http => state.settings.header_timeout,
        Protocol::Https => TLS_TIMEOUT,
        Protocol::Tcp | Protocol::Tls => return Some(Opened { stream, opening: Opening::Other, client }),
    };
    let Ok(opening) = tokio::time::timeout(limit, Opening::look(&stream)).await else {
        tracing::debug!(%peer, "nothing was asked in time");
        return None;
    };
    if opening == Opening::ProxyHeader {
        let fault =
            "a header of the PROXY protocol came where none is expected; --proxy-protocol names the ports with one";
        refuse(stream, fault.to_owned()).await;
        return None;
    }
    Some(Opened { stream, opening, client })
}

/// Waits until a connection on which nothing has been asked is to end.
async fn drained(state: &WorkerState) {
    state.drained().await;
    tokio::time::sleep(http1::DRAIN_QUIET_TIME).await;
}

/// Serves the requests of a connection.
async fn serve_http(context: Arc<ConnectionContext>, stream: ClientStream, version: HttpVersion) {
    match version {
        HttpVersion::Http1 => http1::serve(context, stream).await,
        HttpVersion::Http2 => {
            let peer = context.peer;
            // Boxed: no connection of HTTP/1.1 is to have room for it.
            if let Err(error) = Box::pin(http2::serve(context, stream)).await {
                tracing::debug!(%peer, %error, "client connection ended");
            }
        }
    }
}
