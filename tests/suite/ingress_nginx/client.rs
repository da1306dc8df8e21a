//! Sends the requests of rows, each on a connection of its own.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::recorder::Seen;
use super::row::{Request, Row};
use crate::gateway::Gateway;

/// Speaks to a gateway, whose certificate it knows.
pub(super) struct Client<'g> {
    gateway: &'g Gateway,
    root: CertificateDer<'static>,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// An answer, and what the backend saw if it is a backend's.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) seen: Option<Seen>,
}

impl Answer {
    /// The cookies that it sets, as a client sends them.
    pub(super) fn cookies(&self) -> impl Iterator<Item = String> {
        let set = self.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        set.filter_map(|value| value.split(';').next().map(str::to_owned))
    }

    /// The values of a header, with commas.
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

impl<'g> Client<'g> {
    pub(super) fn new(gateway: &'g Gateway, root: CertificateDer<'static>) -> Self {
        Self { gateway, root }
    }

    /// Sends a request, with these cookies if it asks for them.
    pub(super) async fn send(&self, row: &Row, request: &Request, protocol: Protocol, cookies: &[String]) -> Answer {
        let cookies = if request.cookies { cookies } else { &[] };
        let stream =
            TcpStream::connect(self.gateway.address(if request.https { 443 } else { 80 })).await.expect("connects");
        if !request.https {
            return exchange(stream, row, request, protocol, cookies).await;
        }
        let authority = request.authority(row);
        let name = authority.split(':').next().unwrap_or_default().to_owned();
        let stream = self.connector(protocol).connect(ServerName::try_from(name).expect("a name"), stream).await;
        exchange(
            stream.unwrap_or_else(|error| panic!("{}: TLS of {authority}: {error}", row.id)),
            row,
            request,
            protocol,
            cookies,
        )
        .await
    }

    fn connector(&self, protocol: Protocol) -> TlsConnector {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        let mut config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let offered: &[u8] = if protocol == Protocol::Http1 { b"http/1.1" } else { b"h2" };
        config.alpn_protocols = vec![offered.to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

async fn exchange<S>(stream: S, row: &Row, request: &Request, protocol: Protocol, cookies: &[String]) -> Answer
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (method, target) = request.send.split_once(' ').expect("method and target");
    let authority = request.authority(row);
    let mut built = http::Request::builder().method(method);
    for (name, value) in &request.headers {
        built = built.header(name, row.filled(value));
    }
    if !cookies.is_empty() {
        built = built.header("cookie", cookies.join("; "));
    }
    let body = Payload { left: vec![Bytes::from(vec![b'x'; request.body])], is_declared: !request.chunked };
    let stream = TokioIo::new(stream);
    let response = match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            let built = built.uri(target).header("host", authority).body(body);
            sender.send_request(built.expect("a request")).await
        }
        Protocol::Http2 => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            let scheme = if request.https { "https" } else { "http" };
            let built = built.version(Version::HTTP_2).uri(format!("{scheme}://{authority}{target}"));
            sender.send_request(built.body(body).expect("a request")).await
        }
    };
    let (parts, body) = response.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, seen: serde_json::from_slice(&body).ok() }
}

/// The body of a request, whose length is declared or not.
struct Payload {
    left: Vec<Bytes>,
    is_declared: bool,
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.left.pop().map(|part| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.iter().all(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        let bytes = self.left.iter().map(|part| part.len() as u64).sum();
        if self.is_declared { SizeHint::with_exact(bytes) } else { SizeHint::default() }
    }
}
