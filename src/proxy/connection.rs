//! One client connection: TLS if the listener speaks it, then HTTP/1.1 or HTTP/2, request by request.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::access::Record;
use super::body::ResponseBody;
use super::refusal::Refusal;
use super::request::{self, Asked, normalise_host};
use super::{Front, Shared, forward};
use crate::model::{Action, Protocol, Redirect};
use crate::pool::dial::Stream;
use crate::table::Target;

/// Time for a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Header bytes taken of one request (RFC 6585: more is answered 431).
const HEADER_BYTES: usize = 64 * 1024;
/// The same for HTTP/2, after decompression.
const HEADER_LIST_BYTES: u32 = 16 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 100;
/// How long a connection is kept for one more request while draining.
const DRAIN_GRACE: Duration = Duration::from_secs(1);
/// HTTP/2 pings to peers that may have gone, and the time they have to answer.
const PING: Duration = Duration::from_secs(30);

/// What the requests of a connection have in common.
pub(super) struct Context {
    pub(super) shared: Arc<Shared>,
    pub(super) front: Arc<Front>,
    pub(super) peer: IpAddr,
    pub(super) tls: bool,
    /// Server name that the client asked for in its TLS handshake.
    server_name: Option<String>,
    /// Held by all that has to end before the process may.
    pub(super) alive: mpsc::Sender<()>,
    requests: Arc<Requests>,
}

/// The requests of a connection, counted.
#[derive(Debug, Default)]
struct Requests {
    begun: AtomicUsize,
    /// Those whose answer has not gone out whole.
    active: AtomicUsize,
}

/// A request, counted until its answer has gone out whole, or its client has.
#[derive(Debug)]
pub(super) struct Active(Arc<Requests>);

impl Active {
    fn new(requests: &Arc<Requests>) -> Self {
        requests.begun.fetch_add(1, Ordering::Relaxed);
        requests.active.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(requests))
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Requests {
    /// Ends when nothing has been asked or answered for `time`.
    async fn quiet(&self, time: Duration) {
        let mut seen = self.begun.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(time).await;
            let begun = self.begun.load(Ordering::Relaxed);
            if begun == seen && self.active.load(Ordering::Relaxed) == 0 {
                return;
            }
            seen = begun;
        }
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve(
    shared: Arc<Shared>,
    front: Arc<Front>,
    stream: TcpStream,
    peer: SocketAddr,
    alive: mpsc::Sender<()>,
) {
    let Some(protocol) = shared.table.load().listener(front.port).map(|listener| listener.protocol) else { return };
    let mut context = Context {
        shared,
        front,
        peer: peer.ip().to_canonical(),
        tls: protocol == Protocol::Https,
        server_name: None,
        alive,
        requests: Arc::default(),
    };
    if protocol == Protocol::Http {
        let http2 = context.shared.settings.clear_text_http2 && begins_http2(&stream).await;
        return http(Arc::new(context), Stream::Tcp(stream), http2).await;
    }
    let acceptor = TlsAcceptor::from(Arc::clone(&context.front.tls));
    let stream = match tokio::time::timeout(TLS_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%peer, %error, "TLS handshake failed"),
        Err(_) => return tracing::debug!(%peer, "TLS handshake took too long"),
    };
    let (_, tls) = stream.get_ref();
    context.server_name = tls.server_name().map(normalise_host);
    let http2 = tls.alpn_protocol() == Some(b"h2");
    http(Arc::new(context), Stream::Tls(Box::new(TlsStream::Server(stream))), http2).await;
}

/// Whether a clear-text client begins with the HTTP/2 preface (RFC 9113 section 3.4). Nothing is taken from the stream.
async fn begins_http2(stream: &TcpStream) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut seen = [0; PREFACE.len()];
    let look = async {
        loop {
            let count = stream.peek(&mut seen).await.unwrap_or(0);
            if count == 0 || count == PREFACE.len() || !PREFACE.starts_with(&seen[..count]) {
                return seen == PREFACE;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(TLS_TIMEOUT, look).await.unwrap_or(false)
}

async fn http(context: Arc<Context>, stream: Stream, http2: bool) {
    let io = TokioIo::new(stream);
    let service_context = Arc::clone(&context);
    let service = service_fn(move |request| answer(Arc::clone(&service_context), request));
    let result = if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEADER_LIST_BYTES)
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING);
        let connection = Box::pin(builder.serve_connection(io, service));
        // HTTP/1.1 has hyper's header timeout for this.
        let idle = context.requests.quiet(context.shared.settings.header_timeout);
        drive(&context, connection, idle, Duration::ZERO).await
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(context.shared.settings.header_timeout)
            .preserve_header_case(true)
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
    context: &Context,
    mut connection: Pin<Box<C>>,
    idle: impl Future<Output = ()>,
    grace: Duration,
) -> hyper::Result<()> {
    let mut draining = context.shared.draining.clone();
    let over = async {
        tokio::select! {
            () = async { drop(draining.wait_for(|draining| *draining).await) } => {
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
    connection.await
}

/// A connection that can be asked to end after what it is at.
trait Graceful: Future<Output = hyper::Result<()>> {
    fn finish(self: Pin<&mut Self>);
}

impl<S> Graceful for http1::UpgradeableConnection<TokioIo<Stream>, S>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible>,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<S> Graceful for http2::Connection<TokioIo<Stream>, S, TokioExecutor>
where
    S: Service<Request<Incoming>, Response = Response<ResponseBody>, Error = Infallible>,
    S::Future: Send + 'static,
{
    fn finish(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Answers one request.
async fn answer(context: Arc<Context>, request: Request<Incoming>) -> Result<Response<ResponseBody>, Infallible> {
    let active = Active::new(&context.requests);
    let (parts, body) = request.into_parts();
    let (head, http1) = (parts.method == Method::HEAD, parts.version < Version::HTTP_2);
    let record = Box::new(Record::new(&context.shared, context.peer, &parts, active));
    let request = Request::from_parts(parts, body);
    let mut response = match decide(&context, request, record).await {
        Ok(response) => response,
        Err((refusal, mut record)) => {
            let mut response = refusal.into_response(head);
            record.answered(response.status(), response.headers());
            response.body_mut().record = Some(record);
            response
        }
    };
    if http1 && response.status() != StatusCode::SWITCHING_PROTOCOLS && *context.shared.draining.borrow() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response)
}

/// The decision: refuse, redirect or forward.
async fn decide(
    context: &Context,
    request: Request<Incoming>,
    mut record: Box<Record>,
) -> Result<Response<ResponseBody>, (Refusal, Box<Record>)> {
    let (parts, body) = request.into_parts();
    let found = request::read(&parts).and_then(|asked| find(context, &asked).map(|target| (asked, target)));
    let (asked, target) = match found {
        Ok(found) => found,
        Err(refusal) => return Err((refusal, record)),
    };
    record.asked(&asked.host);
    record.target = Some(Arc::clone(&target));
    match (&target.route.action, &target.pool) {
        (Action::Redirect(_), _) if asked.host.is_empty() => Err((Refusal::malformed("no Host is given"), record)),
        (Action::Redirect(redirect), _) => {
            let mut response = redirected(context, &asked, &parts.uri, redirect);
            record.answered(response.status(), response.headers());
            response.body_mut().record = Some(record);
            Ok(response)
        }
        (Action::Forward(backend), Some(pool)) => {
            forward::forward(context, Request::from_parts(parts, body), &asked, backend, pool, record).await
        }
        (Action::Forward(_), None) => {
            let message = "this route's backend is not configured";
            Err((Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "PoolNotFound", message), record))
        }
        (Action::Unavailable(unavailable), _) => {
            let message = "this route's backend is not configured rightly; its status says why";
            Err((Refusal::new(StatusCode::SERVICE_UNAVAILABLE, unavailable.reason, message), record))
        }
    }
}

/// The route for a request, from the newest table, which is let go of at once.
fn find(context: &Context, asked: &Asked) -> Result<Arc<Target>, Refusal> {
    let table = context.shared.table.load();
    let listener = table.listener(context.front.port).ok_or_else(Refusal::not_found)?;
    if let Some(name) = context.server_name.as_deref().filter(|name| *name != asked.host) {
        let shown = listener.certificates.find(Some(name)).map(|certificate| &certificate.id);
        let wanted = listener.certificates.find(Some(&asked.host)).map(|certificate| &certificate.id);
        if shown != wanted {
            return Err(Refusal::misdirected());
        }
    }
    listener.find(&asked.host, &asked.path).cloned().ok_or_else(Refusal::not_found)
}

fn redirected(context: &Context, asked: &Asked, uri: &http::Uri, redirect: &Redirect) -> Response<ResponseBody> {
    let given = asked.authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    // A client that came by the port where the listener is really bound is led to where the other is bound.
    let bound = context.shared.addresses.borrow().get(&redirect.port).map(SocketAddr::port);
    let direct = given == Some(context.front.bound.port()) && given != Some(context.front.port);
    let port = if direct { bound.unwrap_or(redirect.port) } else { redirect.port };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let location = match port {
        443 => format!("https://{}{path}", asked.host),
        port => format!("https://{}:{port}{path}", asked.host),
    };
    let mut response = Response::new(ResponseBody::full(bytes::Bytes::new()));
    *response.status_mut() = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::PERMANENT_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
