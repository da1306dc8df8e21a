//! One fetch of a key set: the address is resolved and judged, and one request is sent.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::model::{AddressPolicy, KeySet, KeySetError, KeyUrl, Transport, UpstreamTls};
use crate::pool::dial::{Connector, Stream};
use crate::pool::look_up;

/// Time for a whole fetch: name, connection, answer.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest key set, in bytes. Entra's has some 30,000.
pub(super) const MAX_KEY_SET_BYTES: usize = 512 * 1024;

/// A key set that was fetched.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    /// How long the issuer lets it be kept. `None`: it does not say.
    pub(super) lifetime: Option<Duration>,
}

/// Why a key set could not be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("name {0} can't be resolved: {1}")]
    Name(String, String),
    #[error("{0} has no address that may be asked: {1}")]
    Forbidden(String, String),
    #[error("{0}")]
    Connection(String),
    #[error("no answer: {0}")]
    Answer(hyper::Error),
    #[error("the answer is {0}, expected 200")]
    Status(StatusCode),
    #[error("the answer breaks off: {0}")]
    Body(String),
    #[error("the answer is larger than {MAX_KEY_SET_BYTES} bytes")]
    TooLarge,
    #[error("the answer has no keys: {0}")]
    Keys(#[from] KeySetError),
    #[error("no whole answer within {FETCH_TIMEOUT:?}")]
    Timeout,
}

/// Fetches a key set from an address that `policy` permits. Redirects are not followed: they could lead anywhere.
pub(super) async fn fetch(url: &KeyUrl, policy: &AddressPolicy) -> Result<Fetched, FetchError> {
    let fetched = async {
        let stream = connect(url, policy).await?;
        let (headers, body) = exchange(stream, url).await?;
        Ok(Fetched { keys: KeySet::parse(&body)?, lifetime: lifetime(&headers) })
    };
    timeout(FETCH_TIMEOUT, fetched).await.unwrap_or(Err(FetchError::Timeout))
}

/// Connects to the first of the URL's addresses that can be reached.
async fn connect(url: &KeyUrl, policy: &AddressPolicy) -> Result<Stream, FetchError> {
    let (name, ips) = match url.ip() {
        Some(ip) => (None, vec![ip]),
        None => {
            let failed = |error: String| FetchError::Name(url.host().to_owned(), error);
            let (ips, _) = look_up(url.host()).await.map_err(|error| failed(error.to_string()))?;
            (Some(url.host()), ips)
        }
    };
    let transport = match url.is_https() {
        true => Transport::Https(UpstreamTls { server_name: None, trusted_roots: None }),
        false => Transport::Http,
    };
    let mut last = FetchError::Name(url.host().to_owned(), "it has no address".to_owned());
    for address in ips.into_iter().map(|ip: IpAddr| SocketAddr::new(ip, url.port())) {
        if let Some(kind) = policy.forbids(address) {
            last = FetchError::Forbidden(url.host().to_owned(), format!("{} is {kind}", address.ip()));
            continue;
        }
        let connector = Connector::new(address, name, &transport);
        let connector = connector.map_err(|error| FetchError::Connection(error.to_string()))?;
        match connector.dial().await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = FetchError::Connection(error.to_string()),
        }
    }
    Err(last)
}

/// Sends the request. Gives headers and body of an answer 200.
async fn exchange(stream: Stream, url: &KeyUrl) -> Result<(HeaderMap, Bytes), FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(FetchError::Answer)?;
    let request = Request::get(url.path_and_query())
        .header(header::HOST, url.authority())
        .header(header::USER_AGENT, concat!("steadygate-jwks/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "application/json, application/jwk-set+json")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| FetchError::Connection(error.to_string()))?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(FetchError::Answer)?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status()));
        }
        let (parts, body) = response.into_parts();
        match Limited::new(body, MAX_KEY_SET_BYTES).collect().await {
            Ok(body) => Ok((parts.headers, body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => Err(FetchError::TooLarge),
            Err(error) => Err(FetchError::Body(error.to_string())),
        }
    };
    tokio::pin!(answer);
    // The connection is driven here, so that it ends with the fetch.
    tokio::select! {
        outcome = &mut answer => outcome,
        _ = connection => answer.await,
    }
}

/// How long an answer may be kept (RFC 9111 section 5.2.2.1).
fn lifetime(headers: &HeaderMap) -> Option<Duration> {
    let texts = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = texts.flat_map(|text| text.split(',')).map(str::trim);
    let seconds = directives.find_map(|directive| {
        let (name, value) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuer_says_how_long_its_keys_may_be_kept() {
        for (text, seconds) in [
            ("max-age=86400, private", Some(86_400)),
            ("public, Max-Age=\"60\"", Some(60)),
            ("no-store", None),
            ("max-age=soon", None),
            ("s-maxage=5", None),
        ] {
            let headers = HeaderMap::from_iter([(header::CACHE_CONTROL, text.parse().expect("a value"))]);
            assert_eq!(lifetime(&headers), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
