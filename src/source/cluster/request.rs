//! Requests to the API server: each answered in time, or failed with a reason that people understand.
//!
//! No answer is ever quoted but for a server's own error message: it may hold a Secret.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, timeout};

use super::event::ServerStatus;

/// How much of an error's body is read.
const MAX_ERROR: usize = 64 * 1024;
/// The longest pause that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// An API server.
#[derive(Clone)]
pub(super) struct Server {
    client: Client,
    /// Longest silence that is waited through.
    patience: Duration,
}

/// Why a request brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server answered with an error.
    Refused {
        /// HTTP's status code.
        code: u16,
        /// What it said.
        message: String,
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// There is no connection, or it broke.
    Broken(String),
    /// Nothing came for so long.
    Silent(Duration),
    /// What came is not what API servers send.
    Nonsense(&'static str),
    /// The server has gone back to an earlier time.
    Rewound,
}

impl Failure {
    /// The status code of the server's answer, if there was one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Broken(_) | Self::Silent(_) | Self::Nonsense(_) | Self::Rewound => None,
        }
    }

    /// The failure that a server's Status object stands for.
    pub(super) fn of(status: ServerStatus, code: u16) -> Self {
        let seconds = status.details.and_then(|details| details.retry_after_seconds);
        Self::Refused {
            code: if status.code == 0 { code } else { status.code },
            message: status.message,
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, message, .. } if message.is_empty() => write!(f, "the API server answered {code}"),
            Self::Refused { code, message, .. } => write!(f, "the API server answered {code}: {message}"),
            Self::Broken(error) => f.write_str(error),
            Self::Silent(time) => write!(f, "nothing came from the API server for {time:?}"),
            Self::Rewound => f.write_str(
                "the API server is back at an earlier time, as after a restored backup; everything is listed anew",
            ),
            Self::Nonsense(what) => write!(f, "what came is no answer of an API server: {what}"),
        }
    }
}

impl Server {
    pub(super) fn new(client: Client, patience: Duration) -> Self {
        Self { client, patience }
    }

    pub(super) fn patience(&self) -> Duration {
        self.patience
    }

    /// The whole body of a successful answer.
    pub(super) async fn body(&self, request: Request<Vec<u8>>) -> Result<Bytes, Failure> {
        let mut body = self.send(request).await?.into_body();
        let mut whole = BytesMut::new();
        while let Some(part) = self.part(&mut body, self.patience).await? {
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    /// The lines of a successful answer, as they come.
    pub(super) async fn lines(&self, mut request: Request<Vec<u8>>) -> Result<Lines, Failure> {
        request.headers_mut().insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
        let body = self.send(request).await?.into_body();
        Ok(Lines { server: self.clone(), body, buffer: BytesMut::new(), searched: 0, until: None })
    }

    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, Failure> {
        let answer = timeout(self.patience, self.client.send(request.map(Body::from))).await;
        let response = answer.map_err(|_| Failure::Silent(self.patience))?.map_err(|error| broken(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    async fn refusal(&self, response: Response<Body>) -> Failure {
        let code = response.status().as_u16();
        let header = response.headers().get(header::RETRY_AFTER);
        let asked = header.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let (mut body, mut text) = (response.into_body(), BytesMut::new());
        while let Ok(Some(part)) = self.part(&mut body, Duration::from_secs(1)).await {
            text.extend_from_slice(&part);
            if text.len() > MAX_ERROR {
                break;
            }
        }
        let status: ServerStatus = serde_json::from_slice(&text).unwrap_or_else(|_| ServerStatus {
            // Not an API server's own words, and not for long texts: pages of proxies come here.
            message: String::from_utf8_lossy(&text[..text.len().min(200)]).trim().to_owned(),
            ..ServerStatus::default()
        });
        match Failure::of(status, code) {
            // What stands between may have changed the one but not the other.
            Failure::Refused { message, retry_after, .. } => Failure::Refused {
                code,
                message,
                retry_after: asked.or(retry_after).map(|pause| pause.min(MAX_RETRY_AFTER)),
            },
            other => other,
        }
    }

    async fn part(&self, body: &mut Body, limit: Duration) -> Result<Option<Bytes>, Failure> {
        loop {
            match timeout(limit, body.frame()).await {
                Err(_) => return Err(Failure::Silent(limit)),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(broken(&error)),
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// The lines of an answer that goes on.
pub(super) struct Lines {
    server: Server,
    body: Body,
    buffer: BytesMut,
    /// How much of the buffer has no end of line in it.
    searched: usize,
    until: Option<Instant>,
}

impl Lines {
    /// From now on the answer ends at `until`, whether or not the server says so.
    pub(super) fn end_at(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// The next line; none at the end. Nothing is lost where this is dropped before it is done.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            let limit = match self.until {
                None => self.server.patience,
                Some(until) => until.saturating_duration_since(Instant::now()),
            };
            match self.server.part(&mut self.body, limit).await {
                Ok(Some(part)) => self.buffer.extend_from_slice(&part),
                // The rest of a line that was cut is not a line.
                Ok(None) => return Ok(None),
                Err(Failure::Silent(_)) if self.until.is_some() => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// An error and what it came from, in one line.
fn broken(error: &(dyn std::error::Error + 'static)) -> Failure {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    Failure::Broken(text)
}
