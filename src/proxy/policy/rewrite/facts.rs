//! The values of variables: what is known of a request, its connection and its answer.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode, Version};
use rustls::ProtocolVersion;

use crate::model::rewrite::{ServerVariable, Variable};
use crate::proxy::client::client_certificate::ClientCertificate;
use crate::proxy::client::tls_config;
use crate::proxy::client::tls_connection::NegotiatedTls;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers::{self, ClientFacts, ClientHop};
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::target::RequestTarget;

/// What is known of a request and, once there is one, of its answer. Conditions look here, whatever rules have done before: at the
/// request that the client sent, and at the answer that the backend gave.
#[derive(Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) connection: ConnectionFacts<'a>,
    pub(super) request: RequestFacts<'a>,
    pub(super) target: &'a RequestTarget,
    /// The answer's status and headers.
    pub(super) answer: Option<(StatusCode, &'a HeaderMap)>,
}

/// What is known of the client's connection.
#[derive(Clone, Copy)]
pub(super) struct ConnectionFacts<'a> {
    pub(super) hop: &'a ClientHop,
    pub(super) tls: Option<NegotiatedTls>,
    pub(super) peer_port: u16,
    /// The frontend port.
    pub(super) port: u16,
}

/// What is known of a request, besides its target.
#[derive(Clone, Copy)]
pub(super) struct RequestFacts<'a> {
    /// The client's certificate, verified as the route's host asks for it.
    pub(super) certificate: Option<&'a Arc<ClientCertificate>>,
    pub(super) client: &'a ClientFacts,
    pub(super) method: &'a Method,
    pub(super) version: Version,
    /// Bytes of its header.
    pub(super) header_bytes: usize,
    pub(super) headers: &'a HeaderMap,
}

/// What has to be known of a request once it has been answered, when it is gone itself.
pub(super) struct KeptFacts {
    certificate: Option<Arc<ClientCertificate>>,
    client: ClientFacts,
    method: Method,
    version: Version,
    header_bytes: usize,
    /// Those headers that somebody looks at.
    headers: HeaderMap,
}

impl<'a> ConnectionFacts<'a> {
    pub(super) fn new(context: &'a ConnectionContext) -> Self {
        let ConnectionContext { hop, tls, peer_port, listener, .. } = context;
        Self { hop, tls: *tls, peer_port: *peer_port, port: listener.port }
    }
}

impl<'a> RequestFacts<'a> {
    pub(super) fn new(record: &'a RequestRecord, headers: &'a HeaderMap) -> Self {
        let RequestRecord { client, client_certificate, method, version, header_bytes, .. } = record;
        let certificate = client_certificate.as_ref();
        Self { certificate, client, method, version: *version, header_bytes: *header_bytes, headers }
    }

    /// The facts, with those of the headers that have these names.
    pub(super) fn keep(self, names: &[HeaderName]) -> KeptFacts {
        let Self { certificate, client, method, version, header_bytes, headers } = self;
        let mut kept = HeaderMap::new();
        for name in names.iter().chain([&header::CONTENT_LENGTH]) {
            headers.get_all(name).iter().for_each(|value| {
                kept.append(name, value.clone());
            });
        }
        let (certificate, client, method) = (certificate.cloned(), client.clone(), method.clone());
        KeptFacts { certificate, client, method, version, header_bytes, headers: kept }
    }
}

impl KeptFacts {
    pub(super) fn request(&self) -> RequestFacts<'_> {
        let Self { certificate, client, method, version, header_bytes, headers } = self;
        let certificate = certificate.as_ref();
        RequestFacts { certificate, client, method, version: *version, header_bytes: *header_bytes, headers }
    }
}

impl<'a> Facts<'a> {
    /// The value of a variable. Empty: there is none.
    pub(super) fn value(&self, variable: &Variable) -> Cow<'a, [u8]> {
        match variable {
            Variable::RequestHeader(name) => all(self.request.headers, name),
            Variable::ResponseHeader(name) => self.answer.map(|(_, headers)| all(headers, name)).unwrap_or_default(),
            Variable::Cookie(name) => cookie(self.request.headers, name).unwrap_or_default().into(),
            Variable::Server(variable) => self.server_value(*variable),
        }
    }

    fn server_value(&self, variable: ServerVariable) -> Cow<'a, [u8]> {
        let Self { connection, request, target, answer } = *self;
        let ConnectionFacts { hop, tls, peer_port, port } = connection;
        let text = |text: &'static str| Cow::Borrowed(text.as_bytes());
        let number = |number: u64| Cow::Owned(number.to_string().into_bytes());
        let of_certificate = |text: fn(&ClientCertificate) -> String| {
            request.certificate.map(|certificate| Cow::Owned(text(certificate).into_bytes())).unwrap_or_default()
        };
        match variable {
            ServerVariable::AddXForwardedForProxy => {
                let chain = headers::forwarded_for(request.headers, hop, request.client);
                Cow::Owned(chain.as_bytes().to_vec())
            }
            ServerVariable::CiphersUsed => match tls {
                Some(tls) => Cow::Owned(tls_config::name_of(tls.cipher_suite).into_bytes()),
                None => Cow::default(),
            },
            ServerVariable::ClientIp => Cow::Owned(request.client.address.to_string().into_bytes()),
            ServerVariable::ClientPort => number(peer_port.into()),
            ServerVariable::ClientUser => Cow::Owned(basic_user(request.headers).unwrap_or_default()),
            ServerVariable::Host => Cow::Borrowed(target.host.as_bytes()),
            ServerVariable::HttpMethod if target.is_extended_connect => text("GET"),
            ServerVariable::HttpMethod => Cow::Borrowed(request.method.as_str().as_bytes()),
            ServerVariable::HttpStatus => match answer {
                // The session of an extended CONNECT has the status of any other session.
                Some((status, _)) if target.is_extended_connect && status.is_success() => text("101"),
                Some((status, _)) => number(status.as_u16().into()),
                None => Cow::default(),
            },
            ServerVariable::HttpVersion => text(match request.version {
                Version::HTTP_10 => "HTTP/1.0",
                Version::HTTP_2 => "HTTP/2.0",
                _ => "HTTP/1.1",
            }),
            ServerVariable::QueryString | ServerVariable::RequestQuery => {
                Cow::Borrowed(target.uri.query().unwrap_or_default().as_bytes())
            }
            ServerVariable::ReceivedBytes => {
                let body =
                    request.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
                number((request.header_bytes as u64).saturating_add(body.unwrap_or(0)))
            }
            ServerVariable::RequestScheme => text(if request.client.tls { "https" } else { "http" }),
            ServerVariable::RequestUri => {
                Cow::Borrowed(target.uri.path_and_query().map_or(&b"/"[..], |both| both.as_str().as_bytes()))
            }
            ServerVariable::SentBytes => text("0"),
            ServerVariable::ServerPort => number(port.into()),
            ServerVariable::SslConnectionProtocol => text(match tls.map(|tls| tls.version) {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
                _ => "",
            }),
            ServerVariable::SslEnabled => text(if tls.is_some() { "On" } else { "" }),
            ServerVariable::UriPath => Cow::Borrowed(target.path().as_bytes()),
            ServerVariable::ClientCertificateVerification => {
                text(if request.certificate.is_some() { "SUCCESS" } else { "NONE" })
            }
            ServerVariable::ClientCertificate => of_certificate(ClientCertificate::escaped_pem),
            ServerVariable::ClientCertificateEndDate => of_certificate(ClientCertificate::valid_to),
            ServerVariable::ClientCertificateFingerprint => of_certificate(ClientCertificate::fingerprint),
            ServerVariable::ClientCertificateIssuer => of_certificate(ClientCertificate::issuer),
            ServerVariable::ClientCertificateSerial => of_certificate(ClientCertificate::serial),
            ServerVariable::ClientCertificateStartDate => of_certificate(ClientCertificate::valid_from),
            ServerVariable::ClientCertificateSubject => of_certificate(ClientCertificate::subject),
            ServerVariable::CiphersSupported | ServerVariable::ClientTcpRtt => Cow::default(),
        }
    }
}

/// All values of a header, as one.
fn all<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Cow<'a, [u8]> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Cow::default(),
        (Some(only), None) => Cow::Borrowed(only.as_bytes()),
        (Some(_), Some(_)) => {
            let separator: &[u8] = if *name == header::COOKIE { b"; " } else { b", " };
            let parts: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
            Cow::Owned(parts.join(separator))
        }
    }
}

/// The value of the first cookie with a name (RFC 6265 section 4.2).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let cookies = headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    let mut pairs = cookies.filter_map(|cookie| {
        let equals = cookie.iter().position(|byte| *byte == b'=')?;
        Some((cookie[..equals].trim_ascii(), cookie[equals + 1..].trim_ascii()))
    });
    pairs.find(|(own, _)| *own == name.as_bytes()).map(|(_, value)| value)
}

/// The user name of `Authorization: Basic` (RFC 7617 section 2).
fn basic_user(headers: &HeaderMap) -> Option<Vec<u8>> {
    let (scheme, credentials) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let mut pair = STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    pair.truncate(colon);
    Some(pair)
}
