//! One client connection: TLS if the listener's protocol is HTTPS, then HTTP/1.1 or HTTP/2, request by request.

use std::net::SocketAddr;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::http2;
use crate::model::Protocol;
use crate::proxy::client::ClientStream;
use crate::proxy::client::body::ClientBody;
use crate::proxy::client::tls_connection::TlsConnection;
use crate::proxy::decision::answer;
use crate::proxy::limits::MAX_HEADER_BYTES;
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
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

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
        let mut version = HttpVersion::Http1;
        if context.state.settings.clear_text_http2 {
            let looking = tokio::time::timeout(context.state.settings.header_timeout, begins_http2(&stream));
            match looking.await {
                Ok(true) => version = HttpVersion::Http2,
                Ok(false) => {}
                Err(_) => return tracing::debug!(%peer, "nothing was asked in time"),
            }
        }
        return serve_http(Arc::new(context), ClientStream { tcp: stream, tls: None }, version).await;
    }
    let accepting = TlsConnection::accept(Arc::clone(&context.listener.tls), &mut stream);
    let (tls, server_name) = match tokio::time::timeout(TLS_TIMEOUT, accepting).await {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    context.server_name = server_name;
    let version = if tls.speaks_http2() { HttpVersion::Http2 } else { HttpVersion::Http1 };
    serve_http(Arc::new(context), ClientStream { tcp: stream, tls: Some(tls) }, version).await;
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
async fn serve_http(context: Arc<ConnectionContext>, stream: ClientStream, version: HttpVersion) {
    let peer = context.peer;
    match version {
        HttpVersion::Http1 => {
            if let Err(error) = serve_http1(context, stream).await {
                tracing::debug!(%peer, %error, "client connection ended");
            }
        }
        HttpVersion::Http2 => {
            if let Err(error) = http2::serve(context, stream).await {
                tracing::debug!(%peer, %error, "client connection ended");
            }
        }
    }
}

/// Serves a connection of HTTP/1.1 to its end, or until the gateway drains: then it ends after the request that is under way.
///
/// HTTP/1.1 has no way to tell a client that its next request will not be read. While the gateway drains, the client learns it
/// from its next answer; the gateway closes the connection only after [`DRAIN_QUIET_TIME`] without a request.
async fn serve_http1(context: Arc<ConnectionContext>, stream: ClientStream) -> hyper::Result<()> {
    let service_context = Arc::clone(&context);
    let service = service_fn(move |request: Request<Incoming>| {
        let answering = answer(Arc::clone(&service_context), request.map(ClientBody::Http1));
        async move { Ok::<_, Infallible>(answering.await) }
    });
    let mut builder = http1::Builder::new();
    builder
        .timer(HyperTimer)
        .header_read_timeout(context.state.settings.header_timeout)
        .title_case_headers(true)
        .max_buf_size(MAX_HEADER_BYTES);
    let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let drained = async {
        context.state.drained().await;
        context.requests.quiet(DRAIN_QUIET_TIME).await;
    };
    tokio::select! {
        biased;
        result = connection.as_mut() => return result,
        () = drained => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        biased;
        result = connection => result,
        // A peer that does not answer the end is not waited for.
        () = context.requests.quiet(CLOSE_TIMEOUT) => Ok(()),
    }
}
