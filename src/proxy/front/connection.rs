//! One client connection: TLS if the listener's protocol is HTTPS, then HTTP/1.1 or HTTP/2, request by request.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::model::Protocol;
use crate::proxy::client::ClientStream;
use crate::proxy::client::tls_connection::TlsConnection;
use crate::proxy::decision::answer;
use crate::proxy::forward::response_body::ResponseBody;
use crate::proxy::limits::{
    CLIENT_CONNECTION_WINDOW_BYTES, MAX_CLIENT_STREAMS, MAX_HTTP1_HEADER_BYTES, MAX_HTTP2_HEADER_LIST_BYTES,
    STREAM_WINDOW_BYTES,
};
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers::ClientHop;
use crate::proxy::request::state::{BoundListener, WorkerState};
use crate::proxy::timer::HyperTimer;

/// Time limit of a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Time between two looks at what a clear-text client has sent, until it shows which HTTP it speaks.
const PREFACE_CHECK_INTERVAL: Duration = Duration::from_millis(5);
/// Time for which an HTTP/1.1 connection is kept for one more request while the gateway drains.
const DRAIN_QUIET_TIME: Duration = Duration::from_secs(1);
/// Time that a peer has to agree to the end of a connection on which nothing is under way.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time between two HTTP/2 pings to a client, and the time that it has to answer one.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// A connection that can be asked to end after the requests that are under way.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

/// Serves a connection until it ends.
pub(super) async fn serve(
    state: Arc<WorkerState>,
    listener: Arc<BoundListener>,
    mut stream: TcpStream,
    peer: SocketAddr,
    alive: mpsc::Sender<()>,
) {
    let Some(protocol) = state.table.load().listener(listener.port).map(|listener| listener.protocol) else { return };
    let (address, tls) = (peer.ip().to_canonical(), protocol == Protocol::Https);
    let mut context = ConnectionContext {
        hop: ClientHop::new(address, state.settings.trusts(address), tls, listener.port),
        state,
        listener,
        peer: address,
        server_name: None,
        alive,
        requests: Arc::default(),
    };
    if protocol == Protocol::Http {
        let mut http2 = false;
        if context.state.settings.clear_text_http2 {
            let looking = tokio::time::timeout(context.state.settings.header_timeout, begins_http2(&stream));
            match looking.await {
                Ok(begins) => http2 = begins,
                Err(_) => return tracing::debug!(%peer, "nothing was asked in time"),
            }
        }
        return http(Arc::new(context), ClientStream { tcp: stream, tls: None }, http2).await;
    }
    let accepting = TlsConnection::accept(Arc::clone(&context.listener.tls), &mut stream);
    let (tls, server_name) = match tokio::time::timeout(TLS_TIMEOUT, accepting).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    context.server_name = server_name;
    let http2 = tls.speaks_http2();
    http(Arc::new(context), ClientStream { tcp: stream, tls: Some(tls) }, http2).await;
}

/// Whether a clear-text client begins with the HTTP/2 preface (RFC 9113 section 3.4). Nothing is taken from the stream.
async fn begins_http2(stream: &TcpStream) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut seen = [0; PREFACE.len()];
    loop {
        let count = stream.peek(&mut seen).await.unwrap_or(0);
        if count == 0 || count == PREFACE.len() || !PREFACE.starts_with(&seen[..count]) {
            return seen == PREFACE;
        }
        tokio::time::sleep(PREFACE_CHECK_INTERVAL).await;
    }
}

/// Serves the requests of a connection.
async fn http(context: Arc<ConnectionContext>, stream: ClientStream, http2: bool) {
    let io = TokioIo::new(stream);
    let service_context = Arc::clone(&context);
    let service = service_fn(move |request| answer(Arc::clone(&service_context), request));
    let result = if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_CLIENT_STREAMS)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CLIENT_CONNECTION_WINDOW_BYTES)
            .enable_connect_protocol()
            .max_header_list_size(MAX_HTTP2_HEADER_LIST_BYTES)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_INTERVAL);
        let connection = Box::pin(builder.serve_connection(io, service));
        // HTTP/1.1 has hyper's header timeout for this.
        let idle = context.requests.quiet(context.state.settings.header_timeout);
        drive(&context, connection, idle, Duration::ZERO).await
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(HyperTimer)
            .header_read_timeout(context.state.settings.header_timeout)
            .title_case_headers(true)
            .max_buf_size(MAX_HTTP1_HEADER_BYTES);
        let connection = Box::pin(builder.serve_connection(io, service).with_upgrades());
        drive(&context, connection, std::future::pending(), DRAIN_QUIET_TIME).await
    };
    if let Err(error) = result {
        tracing::debug!(peer = %context.peer, %error, "client connection ended");
    }
}

/// Runs a connection to its end, or until it is idle or the gateway drains: then it ends after the requests that are under way.
///
/// HTTP/1.1 has no way to tell a client that its next request will not be read. While the gateway drains, the client learns it
/// from its next answer; the gateway closes the connection only after `quiet_time` without a request.
async fn drive<C: Graceful>(
    context: &ConnectionContext,
    mut connection: Pin<Box<C>>,
    idle: impl Future<Output = ()>,
    quiet_time: Duration,
) -> hyper::Result<()> {
    let over = async {
        tokio::select! {
            () = context.state.drained() => {
                if !quiet_time.is_zero() {
                    context.requests.quiet(quiet_time).await;
                }
            }
            () = idle => {}
        }
    };
    tokio::select! {
        biased;
        result = connection.as_mut() => return result,
        () = over => {}
    }
    connection.as_mut().finish();
    tokio::select! {
        biased;
        result = connection => result,
        // A peer that does not answer the end is not waited for.
        () = context.requests.quiet(CLOSE_TIMEOUT) => Ok(()),
    }
}

impl<S> Graceful for http1::UpgradeableConnection<TokioIo<ClientStream>, S>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Graceful for http2::Connection<TokioIo<ClientStream>, S, TokioExecutor>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible>,
    S::Future: Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
