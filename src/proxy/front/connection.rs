//! One client connection: TLS if the listener speaks it, then HTTP/1.1 or HTTP/2, request by request.

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
use crate::proxy::client::tls::TlsConnection;
use crate::proxy::decision::answer;
use crate::proxy::forward::body::ResponseBody;
use crate::proxy::request::BoundListener;
use crate::proxy::request::WorkerState;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers::Hop;
use crate::proxy::timer::HyperTimer;

/// Time for a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Header bytes taken of one request (RFC 6585: more is answered 431).
const HEADER_BYTES: usize = 64 * 1024;
/// The same for HTTP/2, after decompression.
const HEADER_LIST_BYTES: u32 = 16 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 100;
/// Bytes that a client may send on one stream before they are taken from it.
const STREAM_WINDOW: u32 = 256 * 1024;
/// The same for all streams of a connection: those that nobody takes anything of hold up no other.
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// How long a connection is kept for one more request while draining.
const DRAIN_GRACE: Duration = Duration::from_secs(1);
/// How long a peer may take to agree to the end of a connection on which nothing is under way.
const END_WAIT: Duration = Duration::from_secs(5);
/// HTTP/2 pings to peers that may have gone, and the time they have to answer.
const PING: Duration = Duration::from_secs(30);

/// Serves a connection until it ends.
pub(in crate::proxy) async fn serve(
    shared: Arc<WorkerState>,
    front: Arc<BoundListener>,
    mut stream: TcpStream,
    peer: SocketAddr,
    alive: mpsc::Sender<()>,
) {
    let Some(protocol) = shared.table.load().listener(front.port).map(|listener| listener.protocol) else { return };
    let (address, tls) = (peer.ip().to_canonical(), protocol == Protocol::Https);
    let mut context = ConnectionContext {
        hop: Hop::new(address, shared.settings.trusts(address), tls, front.port),
        state: shared,
        listener: front,
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
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn http(context: Arc<ConnectionContext>, stream: ClientStream, http2: bool) {
    let io = TokioIo::new(stream);
    let service_context = Arc::clone(&context);
    let service = service_fn(move |request| answer(Arc::clone(&service_context), request));
    let result = if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .enable_connect_protocol()
            .max_header_list_size(HEADER_LIST_BYTES)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
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
            .max_buf_size(HEADER_BYTES);
        let connection = Box::pin(builder.serve_connection(io, service).with_upgrades());
        drive(&context, connection, std::future::pending(), DRAIN_GRACE).await
    };
    if let Err(error) = result {
        tracing::debug!(peer = %context.peer, %error, "client connection ended");
    }
}

/// Runs a connection to its end; when it is idle, or the gateway drains, after what it is at. While draining, HTTP/1.1 has
/// no way to tell a client that a request of its is not read any more: it is told so with its next answer, and the connection
/// is ended by us only when nothing has come for `grace`.
async fn drive<C: Graceful>(
    context: &ConnectionContext,
    mut connection: Pin<Box<C>>,
    idle: impl Future<Output = ()>,
    grace: Duration,
) -> hyper::Result<()> {
    let over = async {
        tokio::select! {
            () = context.state.drained() => {
                if !grace.is_zero() {
                    context.requests.quiet(grace).await;
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
        () = context.requests.quiet(END_WAIT) => Ok(()),
    }
}

/// A connection that can be asked to end after what it is at.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
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
