//! From a connection of a `Tcp` or `Tls` listener to a session that is relayed. Of what is relayed nothing is read; of a client's TLS the
//! ClientHello is, for its server name decides on the route.

mod member;
mod refusal;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use self::member::ConnectedMember;
use self::refusal::StreamRefusal;
use super::client::ClientStream;
use super::client::client_hello::ClientHello;
use super::client::connections::ConnectionSlot;
use super::client::tls_config;
use super::client::tls_connection::{TLS_TIMEOUT, TlsConnection};
use super::request::state::{BoundListener, WorkerState};
use super::session::peer::PeerStream;
use super::session::record;
use crate::model::{Action, HostPattern, MatchInput, Stream, TlsMode};
use crate::pool::Pool;
use crate::table::{ServedTls, Target};
use crate::websocket::{self, HandshakeTexts, Permit, SessionInfo, SessionProtocol};

/// A client's connection of which nothing has been read.
pub(super) struct StreamConnection {
    pub(super) state: Arc<WorkerState>,
    pub(super) listener: Arc<BoundListener>,
    pub(super) tcp: TcpStream,
    /// Whether the client is to speak TLS.
    pub(super) is_tls: bool,
    /// The client's address.
    pub(super) client: IpAddr,
    /// Counts it among the clients' connections.
    pub(super) slot: ConnectionSlot,
    /// Held until the session has ended, since the process may not end before.
    pub(super) alive: mpsc::Sender<()>,
}

/// The route of a connection, with the host by which it was found.
struct StreamRoute {
    target: Arc<Target>,
    host: String,
    /// What the client's TLS must be like, where the gateway answers it.
    tls: Option<Arc<ServedTls>>,
}

/// What a session needs besides the client's connection.
struct Opening {
    /// The client's TLS, where the gateway has answered it.
    tls: Option<Box<TlsConnection>>,
    member: ConnectedMember,
    pool: Arc<Pool>,
    permit: Permit,
}

/// Opens the session of a connection, which is relayed in a task of its own. A client whose connection is not served learns so by an alert
/// of TLS or by a reset.
pub(super) async fn serve(mut connection: StreamConnection) {
    let (route, hello) = match find(&connection).await {
        Ok(found) => found,
        Err(refused) => return refusal::refuse(connection, None, refused).await,
    };
    match open(&mut connection, hello, &route).await {
        Ok(opening) => relay(connection, route, opening),
        Err(refused) => refusal::refuse(connection, Some(&route), refused).await,
    }
}

/// The route of a connection, and the ClientHello that it was found by. The newest table is not held any longer than the look-up.
async fn find(connection: &StreamConnection) -> Result<(StreamRoute, Option<ClientHello>), StreamRefusal> {
    let StreamConnection { state, listener, tcp, is_tls, .. } = connection;
    let port = listener.port;
    let mut hello = None;
    let host = if *is_tls {
        let looked = timeout(TLS_TIMEOUT, ClientHello::look(tcp)).await.map_err(|_| StreamRefusal::SilentClient)?;
        hello.insert(looked?).server_name.clone().unwrap_or_default()
    } else {
        HostPattern::of_port(port).to_string()
    };
    let table = state.table.load();
    let found = table.listener(port).and_then(|listener| {
        let target = listener.find(&host, MatchInput::from_path(""))?;
        Some((Arc::clone(target), listener.tls_policy_of(target).cloned()))
    });
    match found {
        Some((target, tls)) => Ok((StreamRoute { target, host, tls }, hello)),
        None => Err(StreamRefusal::UnknownServerName(host)),
    }
}

/// Admits the session, and connects to a member.
async fn open(
    connection: &mut StreamConnection,
    hello: Option<ClientHello>,
    route: &StreamRoute,
) -> Result<Opening, StreamRefusal> {
    let (stream, pool) = backend(&route.target)?;
    let permit = connection.state.sessions.admit(&route.target, connection.client)?;
    // Who is no client of TLS gets no member to know it.
    let tls = match stream.tls {
        Some(TlsMode::Terminate) => Some(terminate(connection, route.tls.as_deref(), hello.unwrap_or_default()).await?),
        Some(TlsMode::Passthrough) | None => None,
    };
    let end_of_descriptors = connection.state.settings.connections.end_of_descriptors;
    let member = member::connect(&pool, connection.client, end_of_descriptors).await?;
    Ok(Opening { tls, member, pool, permit })
}

/// What a route does with its connections, and the pool of this one.
fn backend(target: &Target) -> Result<(&Stream, Arc<Pool>), StreamRefusal> {
    let stream = match &target.route.action {
        Action::Stream(stream) => stream,
        Action::Unavailable(unavailable) => return Err(StreamRefusal::Unavailable(unavailable.reason)),
        // The port has just been given to streams, or taken from them.
        Action::Forward(_) | Action::Redirect(_) | Action::NotFound => return Err(StreamRefusal::NoRule),
    };
    let chosen = target.choose_pool().ok().and_then(|chosen| target.pool(chosen));
    Ok((stream, Arc::clone(chosen.ok_or(StreamRefusal::NoPool)?)))
}

/// Answers the client's TLS handshake, as the host's certificate says.
async fn terminate(
    connection: &mut StreamConnection,
    policy: Option<&ServedTls>,
    hello: ClientHello,
) -> Result<Box<TlsConnection>, StreamRefusal> {
    let default = &connection.listener.tls;
    let config = match policy {
        None => Arc::clone(default),
        Some(policy) => {
            let config = tls_config::of_policy(default, policy).map(|config| Arc::clone(&config.server));
            config.ok_or_else(|| StreamRefusal::TlsFailed(io::ErrorKind::Unsupported.into()))?
        }
    };
    let config = tls_config::for_stream(&config, hello.only_protocol);
    match timeout(TLS_TIMEOUT, TlsConnection::accept(config, &mut connection.tcp)).await {
        Ok(Ok((tls, _))) => Ok(tls),
        Ok(Err(error)) => Err(StreamRefusal::TlsFailed(error)),
        Err(elapsed) => Err(StreamRefusal::TlsFailed(elapsed.into())),
    }
}

/// Enters the session in the list, from which it can be closed, and relays it until it ends.
fn relay(connection: StreamConnection, route: StreamRoute, opening: Opening) {
    let StreamConnection { state, listener, tcp, is_tls: _, client, slot, alive } = connection;
    let StreamRoute { target, host, tls: _ } = route;
    let Opening { tls, member: ConnectedMember { stream: member, lease }, pool, permit } = opening;
    let info = SessionInfo {
        target,
        pool,
        port: listener.port,
        client,
        version: None,
        protocol: SessionProtocol::Stream,
        token_end: None,
        handshake: HandshakeTexts::new(&host, "", "", "", ""),
    };
    let mut guard = state.sessions.open(permit, info, lease);
    // The route may have been removed while the member was connected to.
    if !guard.session().is_covered_by(&state.table.load().session_routes()) {
        state.sessions.route_removed(guard.session());
    }
    let log = state.settings.access_log;
    let client = PeerStream::client(ClientStream { tcp, tls, _slot: slot });
    let task = async move {
        if log {
            record::opened(guard.session());
        }
        let end = websocket::relay(client, PeerStream::member(member), (Bytes::new(), Bytes::new()), &mut guard).await;
        if log {
            record::closed(guard.session(), &end);
        }
        guard.end(&end);
        drop(alive);
    };
    tokio::spawn(Box::pin(task));
}
