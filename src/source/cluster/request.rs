//! Requests to the API server. Each is answered in time, or fails with a reason that people understand.
//!
//! An answer may hold a Secret, so that none is ever quoted, but for the message of a `Status` object.

use std::fmt;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response, header};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, timeout};

use super::event::ServerStatus;

/// How much of an error's body is read, in bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;
/// The longest pause that a server may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);

/// An API server, and how long it may be silent.
#[derive(Clone)]
pub(super) struct ApiServer {
    client: Client,
    /// After a longer silence a request has failed.
    max_silence: Duration,
}

/// Why a request has no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestFailure {
    /// The server answered with an error.
    Refused {
        /// HTTP's status code.
        code: u16,
        /// The server's own words.
        message: String,
        /// How long the server asks not to be sent a request.
        retry_after: Option<Duration>,
    },
    /// There is no connection, or it broke.
    Broken(String),
    /// No byte came for this time.
    Silent(Duration),
    /// The answer is not one of an API server.
    Nonsense(&'static str),
    /// The server's data has gone back to an earlier time, as after a backup was restored.
    Rewound,
}

impl RequestFailure {
    /// The status code of the server's answer, if there was one.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Broken(_) | Self::Silent(_) | Self::Nonsense(_) | Self::Rewound => None,
        }
    }

    /// How long the server asks not to be sent a request.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            Self::Broken(_) | Self::Silent(_) | Self::Nonsense(_) | Self::Rewound => None,
        }
    }

    /// The failure that a server's `Status` object stands for; `code` where the object has none.
    pub(super) fn of(status: ServerStatus, code: u16) -> Self {
        let seconds = status.details.and_then(|details| details.retry_after_seconds);
        Self::Refused {
            code: if status.code == 0 { code } else { status.code },
            message: status.message,
            retry_after: seconds.map(Duration::from_secs),
        }
    }
}

impl fmt::Display for RequestFailure {
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

impl ApiServer {
    pub(super) fn new(client: Client, max_silence: Duration) -> Self {
        Self { client, max_silence }
    }

    /// After a longer silence a request has failed.
    pub(super) fn max_silence(&self) -> Duration {
        self.max_silence
    }

    /// The complete body of a successful answer.
    pub(super) async fn body(&self, request: Request<Vec<u8>>) -> Result<Bytes, RequestFailure> {
        let mut body = self.send(request).await?.into_body();
        let mut whole = BytesMut::new();
        while let Some(part) = self.part(&mut body, self.max_silence).await? {
            whole.extend_from_slice(&part);
        }
        Ok(whole.freeze())
    }

    /// The lines of a successful answer, as they come.
    pub(super) async fn lines(&self, mut request: Request<Vec<u8>>) -> Result<LineStream, RequestFailure> {
        request.headers_mut().insert(header::ACCEPT_ENCODING, header::HeaderValue::from_static("identity"));
        let body = self.send(request).await?.into_body();
        Ok(LineStream { server: self.clone(), body, buffer: BytesMut::new(), searched: 0, until: None })
    }

    /// Sends a request, and waits for the head of a successful answer.
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Body>, RequestFailure> {
        let answer = timeout(self.max_silence, self.client.send(request.map(Body::from))).await;
        let response = answer.map_err(|_| RequestFailure::Silent(self.max_silence))?.map_err(|error| broken(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(self.refusal(response).await)
    }

    /// The failure that an answer other than a success stands for.
    async fn refusal(&self, response: Response<Body>) -> RequestFailure {
        let code = response.status().as_u16();
        let header = response.headers().get(header::RETRY_AFTER);
        let asked = header.and_then(|value| value.to_str().ok()?.parse().ok()).map(Duration::from_secs);
        let (mut body, mut text) = (response.into_body(), BytesMut::new());
        while let Ok(Some(part)) = self.part(&mut body, Duration::from_secs(1)).await {
            text.extend_from_slice(&part);
            if text.len() > MAX_ERROR_BYTES {
                break;
            }
        }
        let status: ServerStatus = serde_json::from_slice(&text).unwrap_or_else(|_| ServerStatus {
            // Not an API server's own words, and not for long texts: pages of proxies come here.
            message: String::from_utf8_lossy(&text[..text.len().min(200)]).trim().to_owned(),
            ..ServerStatus::default()
        });
        match RequestFailure::of(status, code) {
            // A proxy between the server and us may have changed the status line but not the body.
            RequestFailure::Refused { message, retry_after, .. } => RequestFailure::Refused {
                code,
                message,
                retry_after: asked.or(retry_after).map(|pause| pause.min(MAX_RETRY_AFTER)),
            },
            other => other,
        }
    }

    /// The next part of a body; none at its end.
    async fn part(&self, body: &mut Body, limit: Duration) -> Result<Option<Bytes>, RequestFailure> {
        loop {
            match timeout(limit, body.frame()).await {
                Err(_) => return Err(RequestFailure::Silent(limit)),
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

/// The lines of an answer that has no end yet.
pub(super) struct LineStream {
    server: ApiServer,
    body: Body,
    buffer: BytesMut,
    /// How many bytes of the buffer are known to hold no end of line.
    searched: usize,
    until: Option<Instant>,
}

impl LineStream {
    /// Ends the answer at `until`, whether or not the server ends it.
    pub(super) fn end_at(&mut self, until: Instant) {
        self.until = Some(until);
    }

    /// The next line; none at the end. It may be dropped before it is done: no byte is lost.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, RequestFailure> {
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + end).freeze();
                self.buffer.advance(1);
                self.searched = 0;
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            let limit = match self.until {
                None => self.server.max_silence,
                Some(until) => until.saturating_duration_since(Instant::now()),
            };
            match self.server.part(&mut self.body, limit).await {
                Ok(Some(part)) => self.buffer.extend_from_slice(&part),
                // The rest of a line that was cut is not a line.
                Ok(None) => return Ok(None),
                Err(RequestFailure::Silent(_)) if self.until.is_some() => return Ok(None),
                Err(failure) => return Err(failure),
            }
        }
    }
}

/// An error and its causes, in one line.
fn broken(error: &(dyn std::error::Error + 'static)) -> RequestFailure {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    RequestFailure::Broken(text)
}
