//! What conditions look at, and what values are made of: headers, cookies and server variables.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderName;
use serde::{Serialize, Serializer};

/// A value of a request or its answer, by the name that ARM gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Variable {
    /// `var_NAME`: what the gateway knows of the request, its connection, and the answer.
    Server(ServerVariable),
    /// `var_cookie_NAME`: a cookie of the request. Its name is compared with case.
    Cookie(Arc<str>),
    /// `http_req_NAME`: a header of the request, as the client sent it.
    RequestHeader(HeaderName),
    /// `http_resp_NAME`: a header of the answer, as the backend sent it.
    ResponseHeader(HeaderName),
}

/// When a value is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Before the request is forwarded.
    Request,
    /// Once there is an answer.
    Answer,
}

/// Why a text names no variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableError {
    /// The text has none of the three beginnings.
    #[error("{0:?} is no variable: these begin with var_, http_req_ or http_resp_")]
    Kind(String),
    /// There is no such server variable; perhaps another is meant.
    #[error("there is no server variable {name:?}{}", meant(.nearest))]
    Server {
        /// The text.
        name: String,
        /// The name that is most like it.
        nearest: Option<&'static str>,
    },
    /// Behind `http_req_` or `http_resp_` stands no name of a header.
    #[error("{0:?} is no name of a header")]
    Header(String),
    /// Behind `var_cookie_` stands no name of a cookie.
    #[error("{0:?} is no name of a cookie")]
    Cookie(String),
}

fn meant(name: &Option<&'static str>) -> String {
    name.map(|name| format!(", perhaps {name:?} is meant")).unwrap_or_default()
}

macro_rules! server_variables {
    ($($(#[doc = $doc:literal])+ $name:literal: $variant:ident,)+) => {
        /// A server variable (ARM, "Rewrite HTTP headers and URL with Application Gateway", server variables).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ServerVariable { $($(#[doc = $doc])+ $variant,)+ }

        impl ServerVariable {
            /// Every server variable, in alphabetical order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The name, without `var_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it stands for, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc,)+).trim_ascii(),)+ }
            }
        }
    };
}

server_variables! {
    /// The `X-Forwarded-For` that the gateway sends: what a trusted proxy noted, and the address of the peer. It has no ports.
    "add_x_forwarded_for_proxy": AddXForwardedForProxy,
    /// Always empty: the list of ciphers that a client offers is not kept.
    "ciphers_supported": CiphersSupported,
    /// The cipher suite of the client's TLS connection, as IANA names it. Empty without TLS.
    "ciphers_used": CiphersUsed,
    /// The client's certificate in PEM, percent-encoded so that it can stand in a header. Empty without one.
    "client_certificate": ClientCertificate,
    /// The end of the client certificate's validity: `Nov 30 16:29:14 2026 GMT`. Empty without one.
    "client_certificate_end_date": ClientCertificateEndDate,
    /// The SHA-1 fingerprint of the client's certificate, in hexadecimal digits. Empty without one.
    "client_certificate_fingerprint": ClientCertificateFingerprint,
    /// The issuer of the client's certificate (RFC 4514). Empty without one.
    "client_certificate_issuer": ClientCertificateIssuer,
    /// The serial number of the client's certificate, in hexadecimal digits. Empty without one.
    "client_certificate_serial": ClientCertificateSerial,
    /// The begin of the client certificate's validity, written as its end is. Empty without one.
    "client_certificate_start_date": ClientCertificateStartDate,
    /// The subject of the client's certificate (RFC 4514). Empty without one.
    "client_certificate_subject": ClientCertificateSubject,
    /// `SUCCESS` if the client has shown a certificate that was verified, else `NONE`. With a bad one there is no connection.
    "client_certificate_verification": ClientCertificateVerification,
    /// The client's address: by the word of a trusted proxy, else that of the connection.
    "client_ip": ClientIp,
    /// The port that the connection came from.
    "client_port": ClientPort,
    /// Always empty: round-trip times are not measured.
    "client_tcp_rtt": ClientTcpRtt,
    /// The user name of `Authorization: Basic`. It has not been checked.
    "client_user": ClientUser,
    /// The host that was asked for, in lower case, without its port.
    "host": Host,
    /// The method: `GET` also for a WebSocket handshake over HTTP/2.
    "http_method": HttpMethod,
    /// The status of the answer.
    "http_status": HttpStatus,
    /// `HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`: what the client speaks.
    "http_version": HttpVersion,
    /// The query without its `?`, as the client sent it.
    "query_string": QueryString,
    /// Bytes of the request: those of its header, and its `Content-Length`.
    "received_bytes": ReceivedBytes,
    /// As `query_string`.
    "request_query": RequestQuery,
    /// `https` if the client came by TLS, by the word of a trusted proxy or by the connection, else `http`.
    "request_scheme": RequestScheme,
    /// Path and query as the client sent them.
    "request_uri": RequestUri,
    /// Bytes sent to the client: always 0, since headers are rewritten before anything is sent.
    "sent_bytes": SentBytes,
    /// The frontend port at which the request came.
    "server_port": ServerPort,
    /// `TLSv1.2` or `TLSv1.3`. Empty without TLS.
    "ssl_connection_protocol": SslConnectionProtocol,
    /// `On` if the connection has TLS, else empty.
    "ssl_enabled": SslEnabled,
    /// The path in its normal form, in which routes are matched: without `.`, `..`, `//` and needless escapes.
    "uri_path": UriPath,
}

impl Variable {
    /// When its value is known.
    pub fn stage(&self) -> Stage {
        match self {
            Self::ResponseHeader(_) | Self::Server(ServerVariable::HttpStatus | ServerVariable::SentBytes) => {
                Stage::Answer
            }
            Self::Server(_) | Self::Cookie(_) | Self::RequestHeader(_) => Stage::Request,
        }
    }

    /// The header of the request that its value is read from, if it is read from one.
    pub fn request_header(&self) -> Option<HeaderName> {
        match self {
            Self::RequestHeader(name) => Some(name.clone()),
            Self::Cookie(_) => Some(http::header::COOKIE),
            Self::Server(ServerVariable::ClientUser) => Some(http::header::AUTHORIZATION),
            Self::Server(ServerVariable::AddXForwardedForProxy) => Some(HeaderName::from_static("x-forwarded-for")),
            Self::Server(_) | Self::ResponseHeader(_) => None,
        }
    }
}

impl FromStr for Variable {
    type Err = VariableError;

    fn from_str(text: &str) -> Result<Self, VariableError> {
        let header =
            |name: &str| HeaderName::from_bytes(name.as_bytes()).map_err(|_| VariableError::Header(name.to_owned()));
        if let Some(name) = text.strip_prefix("http_req_") {
            return header(name).map(Self::RequestHeader);
        }
        if let Some(name) = text.strip_prefix("http_resp_") {
            return header(name).map(Self::ResponseHeader);
        }
        let Some(name) = text.strip_prefix("var_") else { return Err(VariableError::Kind(text.to_owned())) };
        if let Some(cookie) = name.strip_prefix("cookie_") {
            // A cookie's name is a token, as a header's is (RFC 6265 section 4.1.1).
            let is_token = HeaderName::from_bytes(cookie.as_bytes()).is_ok();
            return if is_token {
                Ok(Self::Cookie(cookie.into()))
            } else {
                Err(VariableError::Cookie(cookie.to_owned()))
            };
        }
        let known = ServerVariable::ALL.iter().find(|known| known.name().eq_ignore_ascii_case(name));
        let unknown = || VariableError::Server { name: name.to_owned(), nearest: nearest(name) };
        known.copied().map(Self::Server).ok_or_else(unknown)
    }
}

/// The server variable with the name that is most like a text, if one is.
fn nearest(text: &str) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let likeness = |name: &str| strsim::jaro_winkler(&text, name);
    let names = ServerVariable::ALL.iter().map(|known| known.name());
    names.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|name| likeness(name) > 0.8)
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(variable) => write!(f, "var_{}", variable.name()),
            Self::Cookie(name) => write!(f, "var_cookie_{name}"),
            Self::RequestHeader(name) => write!(f, "http_req_{name}"),
            Self::ResponseHeader(name) => write!(f, "http_resp_{name}"),
        }
    }
}

impl Serialize for Variable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_as_it_is_displayed() {
        for variable in ServerVariable::ALL {
            let text = format!("var_{}", variable.name());
            assert_eq!(text.parse(), Ok(Variable::Server(*variable)), "{text}");
        }
        for (text, displayed) in [
            ("http_req_User-Agent", "http_req_user-agent"),
            ("http_resp_Location", "http_resp_location"),
            ("var_cookie_Session_1", "var_cookie_Session_1"),
            ("var_URI_path", "var_uri_path"),
        ] {
            assert_eq!(text.parse::<Variable>().map(|variable| variable.to_string()), Ok(displayed.to_owned()));
        }
    }

    #[test]
    fn what_is_no_variable_says_why() {
        for (text, expected) in [
            ("uri_path", "\"uri_path\" is no variable: these begin with var_, http_req_ or http_resp_"),
            ("var_uri_pat", "there is no server variable \"uri_pat\", perhaps \"uri_path\" is meant"),
            ("var_zzz", "there is no server variable \"zzz\""),
            ("http_req_", "\"\" is no name of a header"),
            ("http_resp_a b", "\"a b\" is no name of a header"),
            ("var_cookie_a=b", "\"a=b\" is no name of a cookie"),
        ] {
            assert_eq!(text.parse::<Variable>().expect_err(text).to_string(), expected);
        }
    }
}
