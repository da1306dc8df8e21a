//! Sends the requests of rows, each on a connection of its own.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Version};
use http_body_util::{BodyExt, Full};
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

    pub(super) async fn send(&self, row: &Row, request: &Request, protocol: Protocol) -> Answer {
        let stream =
            TcpStream::connect(self.gateway.address(if request.https { 443 } else { 80 })).await.expect("connects");
        if !request.https {
            return exchange(stream, row, request, protocol).await;
        }
        let authority = request.authority(row);
        let name = authority.split(':').next().unwrap_or_default().to_owned();
        let stream = self.connector(protocol).connect(ServerName::try_from(name).expect("a name"), stream).await;
        exchange(
            stream.unwrap_or_else(|error| panic!("{}: TLS of {authority}: {error}", row.id)),
            row,
            request,
            protocol,
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

async fn exchange<S>(stream: S, row: &Row, request: &Request, protocol: Protocol) -> Answer
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (method, target) = request.send.split_once(' ').expect("method and target");
    let authority = request.authority(row);
    let mut built = http::Request::builder().method(method);
    for (name, value) in &request.headers {
        built = built.header(name, row.filled(value));
    }
    let stream = TokioIo::new(stream);
    let response = match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.expect("HTTP/1.1");
            tokio::spawn(connection);
            let built = built.uri(target).header("host", authority).body(Full::<Bytes>::default());
            sender.send_request(built.expect("a request")).await
        }
        Protocol::Http2 => {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.expect("HTTP/2");
            tokio::spawn(connection);
            let scheme = if request.https { "https" } else { "http" };
            let built = built.version(Version::HTTP_2).uri(format!("{scheme}://{authority}{target}"));
            sender.send_request(built.body(Full::<Bytes>::default()).expect("a request")).await
        }
    };
    let (parts, body) = response.expect("an answer").into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, seen: serde_json::from_slice(&body).ok() }
}
