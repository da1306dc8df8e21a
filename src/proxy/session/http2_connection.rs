//! An HTTP/2 connection to a member, which the sessions of a worker share (RFC 8441), and its limit of sessions.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version, request};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::Instant;

use crate::pool::Member;
use crate::pool::dial::{DialError, Stream};
use crate::proxy::limits::{MAX_SESSIONS_PER_CONNECTION, MEMBER_CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES};
use crate::proxy::request::headers::{WEBSOCKET, add_upgrade};
use crate::websocket;

/// Time that a member has to announce that it takes extended CONNECTs.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(1);
/// Time between two checks whether it has: hyper does not report when it does.
const SETTINGS_CHECK_INTERVAL: Duration = Duration::from_millis(5);
/// Limit of streams that is assumed before the member's SETTINGS have arrived. Another limit shows that they have.
const STREAMS_BEFORE_SETTINGS: usize = 1;
/// Time between two pings to a member, and the time that it has to answer one.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// An HTTP/2 connection to a member that takes extended CONNECTs.
pub(super) struct Http2Connection {
    requests: SendRequest<Empty<Bytes>>,
    slots: Arc<Slots>,
    /// The most sessions that the member, or the gateway, allows on it.
    limit: usize,
}

/// The sessions of a connection.
#[derive(Debug, Default)]
struct Slots {
    /// Slots that are taken.
    open: AtomicUsize,
    /// Whether the connection takes no more sessions.
    closed: AtomicBool,
}

/// A session's place on a shared connection. It is free again when this is dropped.
#[derive(Debug)]
pub(in crate::proxy) struct StreamSlot(Arc<Slots>);

/// A slot in which no session has been asked for yet.
pub(in crate::proxy) struct ReservedStream {
    requests: SendRequest<Empty<Bytes>>,
    slot: StreamSlot,
}

/// A new connection to a member, by what the member supports.
pub(super) enum NewConnection {
    /// It takes extended CONNECTs.
    Http2(Http2Connection),
    /// It does not. This is the connection, if it can be used for HTTP/1.1.
    Http1(Option<Stream>),
}

/// Opens a connection, and finds out whether the member takes extended CONNECTs.
///
/// # Errors
/// No connection can be made.
pub(super) async fn connect(member: &Member) -> Result<NewConnection, DialError> {
    let address = member.key.address;
    let (stream, http2) = match member.connector.dial_offering_http2().await {
        None => return Ok(NewConnection::Http1(None)),
        Some(dialled) => dialled?,
    };
    if !http2 {
        return Ok(NewConnection::Http1(Some(stream)));
    }
    let (requests, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(MEMBER_CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_INTERVAL)
        .keep_alive_while_idle(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| DialError::Connect(address, std::io::Error::other(error)))?;

    // The member's SETTINGS say whether it takes them.
    let deadline = Instant::now() + SETTINGS_TIMEOUT;
    while !connection.is_extended_connect_protocol_enabled() {
        if connection.current_max_send_streams() != STREAMS_BEFORE_SETTINGS || Instant::now() >= deadline {
            return Ok(NewConnection::Http1(None));
        }
        tokio::time::sleep(SETTINGS_CHECK_INTERVAL).await;
    }
    let limit = connection.current_max_send_streams().min(MAX_SESSIONS_PER_CONNECTION);
    if limit == 0 {
        return Ok(NewConnection::Http1(None));
    }
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, %error, "connection to member ended");
        }
    });
    Ok(NewConnection::Http2(Http2Connection { requests, slots: Arc::default(), limit }))
}

impl Http2Connection {
    /// Whether the connection takes more sessions, once one has ended.
    pub(super) fn is_usable(&self) -> bool {
        !self.requests.is_closed() && !self.slots.closed.load(Ordering::Relaxed)
    }

    /// Whether a session has a slot.
    pub(super) fn is_in_use(&self) -> bool {
        self.slots.open.load(Ordering::Relaxed) > 0
    }

    /// Takes a slot, if one is free.
    pub(super) fn reserve(&self) -> Option<ReservedStream> {
        let slot = StreamSlot::take(&self.slots, self.limit)?;
        Some(ReservedStream { requests: self.requests.clone(), slot })
    }
}

impl StreamSlot {
    /// Takes a slot, if fewer than `limit` are taken. Slots are taken by one thread alone.
    fn take(slots: &Arc<Slots>, limit: usize) -> Option<Self> {
        if slots.open.load(Ordering::Relaxed) >= limit {
            return None;
        }
        slots.open.fetch_add(1, Ordering::Relaxed);
        Some(Self(Arc::clone(slots)))
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ReservedStream {
    /// Leaves the slot alone.
    pub(in crate::proxy) fn into_slot(self) -> StreamSlot {
        self.slot
    }

    /// Asks for a session. An acceptance is turned into the 101 of HTTP/1.1.
    ///
    /// # Errors
    /// The member has not answered.
    pub(in crate::proxy) async fn send_handshake(
        &mut self,
        request: &request::Parts,
        host: &str,
    ) -> Result<Response<Incoming>, Box<dyn Error + Send + Sync>> {
        // The handshake of HTTP/1.1 becomes an extended CONNECT.
        let path = request.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut connect = Request::new(Empty::new());
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
        if answer.as_ref().err().is_some_and(|error| self.requests.is_closed() || is_about_connection(error)) {
            self.slot.0.closed.store(true, Ordering::Relaxed);
        }

        // The 200 becomes a 101, with the proof that the client's key asks for.
        let mut response = answer?;
        if response.status() == StatusCode::OK {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let key = request.headers.get(header::SEC_WEBSOCKET_KEY).map_or(&b""[..], HeaderValue::as_bytes);
            let proof = websocket::accept(std::str::from_utf8(key)?.trim());
            add_upgrade(response.headers_mut(), WEBSOCKET);
            response.headers_mut().insert(header::SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&proof)?);
        }
        Ok(response)
    }
}

/// Whether an error is about the connection, and not about one of its streams alone.
fn is_about_connection(error: &hyper::Error) -> bool {
    let error = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
    error.is_some_and(|error| error.is_go_away() || error.is_io() || error.reason() == Some(Reason::REFUSED_STREAM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_free_again_when_it_is_dropped() {
        let slots = Arc::default();
        let (first, second) = (StreamSlot::take(&slots, 2), StreamSlot::take(&slots, 2));
        assert!(first.is_some() && second.is_some() && StreamSlot::take(&slots, 2).is_none());
        // Another owner of the slots counts for none.
        let other = Arc::clone(&slots);
        drop(first);
        assert!(StreamSlot::take(&slots, 2).is_some());
        drop(second);
        assert_eq!(other.open.load(Ordering::Relaxed), 0);
    }
}
