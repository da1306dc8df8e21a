//! Sessions over HTTP/2 to members that offer it (RFC 8441): those of a worker share connections. What a member offers is
//! found out by the first session in each tenure of its pod, and remembered.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use h2::Reason;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version, request};
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::upgrade;
use crate::pool::dial::{DialError, Stream};
use crate::pool::{Lease, Member};
use crate::proxy::forward::body::RequestBody;
use crate::websocket;

/// How long a member may take to announce that it takes extended CONNECTs.
const SETTINGS_WAIT: Duration = Duration::from_secs(1);
/// Time between two looks whether it has; hyper does not say when it does.
const LOOK: Duration = Duration::from_millis(5);
/// The limit of streams that is believed until the member has told its own: by another, its SETTINGS are known to have come.
const STREAMS_BEFORE_SETTINGS: usize = 1;
/// Sessions on one connection, at most.
const SESSIONS: usize = 100;
/// Bytes that a member may send on one stream before they are taken from it.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection: those that nobody takes anything of hold up no other.
const CONNECTION_WINDOW: u32 = SESSIONS as u32 * STREAM_WINDOW;
/// Pings to members that may have gone, and the time they have to answer.
const PING: Duration = Duration::from_secs(30);
/// How long a connection without a session is kept.
const IDLE: Duration = Duration::from_secs(55);

/// What a member offers in one tenure of its pod.
struct KnownMember {
    member: Weak<Member>,
    tenure: u32,
    offer: Arc<Mutex<Http2Support>>,
}

#[derive(Default)]
enum Http2Support {
    #[default]
    Unknown,
    /// A connection of HTTP/1.1 for each session.
    Own,
    Shared(Vec<Http2Connection>),
}

/// A connection that sessions share.
#[derive(Clone)]
pub(in crate::proxy) struct Http2Connection {
    requests: SendRequest<RequestBody>,
    places: StreamSlot,
    limit: usize,
    used: Instant,
}

/// Held by each session of a connection. True once the connection takes no more of them.
pub(in crate::proxy) type StreamSlot = Arc<AtomicBool>;

/// How a session can be had.
pub(in crate::proxy) enum SessionTransport {
    /// On a connection that is shared, where a place is taken.
    Shared(Http2Connection),
    /// On one of its own; this, if there is one already.
    Own(Option<Stream>),
}

thread_local! {
    static KNOWN: RefCell<HashMap<u64, KnownMember>> = RefCell::default();
}

/// The way to a session at the leased member. While one finds out what it offers, or makes a connection, others do not wait
/// for that.
///
/// # Errors
/// No connection can be made; nothing was sent.
pub(in crate::proxy) async fn way(lease: &Lease) -> Result<SessionTransport, DialError> {
    let (member, tenure) = (lease.member(), lease.tenure_number());
    let offer = KNOWN.with_borrow_mut(|known| {
        let fresh = || KnownMember { member: Arc::downgrade(member), tenure, offer: Arc::default() };
        let known = known.entry(member.id).or_insert_with(fresh);
        if known.tenure != tenure {
            *known = fresh();
        }
        Arc::clone(&known.offer)
    });
    let Ok(mut offer) = offer.try_lock() else { return Ok(SessionTransport::Own(None)) };
    if let Http2Support::Shared(connections) = &mut *offer {
        connections.retain(Http2Connection::is_usable);
        if let Some(connection) = connections.iter_mut().find(|connection| connection.open() < connection.limit) {
            connection.used = Instant::now();
            return Ok(SessionTransport::Shared(connection.clone()));
        }
    }
    if matches!(*offer, Http2Support::Own) {
        return Ok(SessionTransport::Own(None));
    }
    let way = ask(member).await?;
    match (&way, &mut *offer) {
        (SessionTransport::Shared(connection), Http2Support::Shared(connections)) => {
            connections.push(connection.clone())
        }
        (SessionTransport::Shared(connection), offer) => *offer = Http2Support::Shared(vec![connection.clone()]),
        (SessionTransport::Own(_), offer) => *offer = Http2Support::Own,
    }
    Ok(way)
}

/// Opens a connection, and sees what the member makes of it.
async fn ask(member: &Member) -> Result<SessionTransport, DialError> {
    let address = member.key.address;
    let (stream, http2) = match member.connector.dial_offering_http2().await {
        None => return Ok(SessionTransport::Own(None)),
        Some(dialled) => dialled?,
    };
    if !http2 {
        return Ok(SessionTransport::Own(Some(stream)));
    }
    let (requests, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| DialError::Connect(address, std::io::Error::other(error)))?;
    let patience = Instant::now() + SETTINGS_WAIT;
    while !connection.is_extended_connect_protocol_enabled() {
        if connection.current_max_send_streams() != STREAMS_BEFORE_SETTINGS || Instant::now() >= patience {
            return Ok(SessionTransport::Own(None));
        }
        tokio::time::sleep(LOOK).await;
    }
    let limit = connection.current_max_send_streams().min(SESSIONS);
    if limit == 0 {
        return Ok(SessionTransport::Own(None));
    }
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, %error, "connection to member ended");
        }
    });
    Ok(SessionTransport::Shared(Http2Connection { requests, places: Arc::default(), limit, used: Instant::now() }))
}

/// Lets go of connections that no session uses, and of those to pods that are going away or have gone: they end after
/// their last session.
pub(in crate::proxy) fn sweep() {
    KNOWN.with_borrow_mut(|known| {
        known.retain(|_, KnownMember { member, tenure, offer }| {
            let kept = member.upgrade().is_some_and(|member| member.keeps(*tenure));
            if let (true, Ok(mut offer)) = (kept, offer.try_lock())
                && let Http2Support::Shared(connections) = &mut *offer
            {
                connections.retain(|connection| {
                    let used = connection.open() > 0 || connection.used.elapsed() < IDLE;
                    used && connection.is_usable()
                });
            }
            kept
        });
    });
}

impl Http2Connection {
    fn is_usable(&self) -> bool {
        !self.requests.is_closed() && !self.places.load(Ordering::Relaxed)
    }

    /// How many sessions are open on it.
    fn open(&self) -> usize {
        // The one that is remembered holds one too.
        Arc::strong_count(&self.places) - 1
    }

    /// Leaves nothing but the place.
    pub(in crate::proxy) fn into_place(self) -> StreamSlot {
        self.places
    }

    /// Asks for a session. A grant is told as HTTP/1.1 has it.
    ///
    /// # Errors
    /// The member has not answered.
    pub(in crate::proxy) async fn ask(
        &mut self,
        request: &request::Parts,
        host: &str,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut connect = Request::new(RequestBody::empty());
        *connect.method_mut() = Method::CONNECT;
        *connect.version_mut() = Version::HTTP_2;
        *connect.uri_mut() = Uri::builder().scheme("https").authority(host).path_and_query(path).build()?;
        connect.extensions_mut().insert(Protocol::from_static("websocket"));
        let headers = connect.headers_mut();
        headers.clone_from(&request.headers);
        for name in [header::HOST, header::CONNECTION, header::UPGRADE, header::TE, header::SEC_WEBSOCKET_KEY] {
            headers.remove(name);
        }
        let answer = self.requests.send_request(connect).await;
        if answer.as_ref().err().is_some_and(|error| self.requests.is_closed() || takes_no_more(error)) {
            self.places.store(true, Ordering::Relaxed);
        }
        let mut response = answer?;
        if response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let key = request.headers.get(header::SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
            let proof = websocket::accept(std::str::from_utf8(key)?.trim());
            upgrade::mark(response.headers_mut());
            response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&proof)?);
        }
        Ok(response)
    }
}

/// Whether an error is about the connection, and not about one session alone.
fn takes_no_more(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    error.is_some_and(|error| error.is_go_away() || error.is_io() || error.reason() == Some(Reason::REFUSED_STREAM))
}
