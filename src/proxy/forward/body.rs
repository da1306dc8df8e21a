//! Bodies on their way: streamed with back-pressure, bounded in silence, counted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};

use super::upstream::{self, Http1Body};
use crate::pool::Lease;
use crate::proxy::request::headers;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::session::http2_sessions::StreamSlot;
use crate::proxy::timer::PooledTimer;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(in crate::proxy) enum BodyError {
    /// The client's connection failed, or one of HTTP/2.
    #[error(transparent)]
    Stream(#[from] hyper::Error),
    /// The connection to the member failed.
    #[error(transparent)]
    Member(#[from] io::Error),
    /// Nothing came for too long.
    #[error("nothing came for {0:?}")]
    Silence(Duration),
}

/// How far a request's body has come; shared with the one who waits for the answer.
#[derive(Debug)]
pub(in crate::proxy) struct Progress {
    state: AtomicU8,
    last: Mutex<Instant>,
}

/// A part has been handed on, or the last; the member may take the next when it can.
const HANDED_ON: u8 = 0;
/// The client owes the next part.
const OWED: u8 = 1;
/// The client broke it off.
const FAILED: u8 = 2;
/// The client was silent for too long.
const STALLED: u8 = 3;

impl Progress {
    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }

    fn moved(&self, state: u8) {
        self.set(state);
        if let Ok(mut last) = self.last.lock() {
            *last = Instant::now();
        }
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Relaxed) == state
    }

    /// When the body moved last.
    pub(in crate::proxy) fn last(&self) -> Instant {
        self.last.lock().map_or_else(|poisoned| *poisoned.into_inner(), |last| *last)
    }

    /// Whether it is the client that does not go on now.
    pub(in crate::proxy) fn owed(&self) -> bool {
        self.is(OWED)
    }

    /// Whether it did not go on for too long.
    pub(in crate::proxy) fn stalled(&self) -> bool {
        self.is(STALLED)
    }

    /// Whether the client broke it off.
    pub(in crate::proxy) fn failed(&self) -> bool {
        self.is(FAILED)
    }
}

/// A client's body, on its way to a member.
pub(in crate::proxy) struct RequestBody {
    inner: Option<(Incoming, Arc<Progress>)>,
    /// How long the backend's 100 (Continue) is still waited for, before the body is asked of the client.
    gate: Option<Pin<Box<Sleep>>>,
    silence: Silence,
}

impl RequestBody {
    /// No body.
    pub(in crate::proxy) fn empty() -> Self {
        Self { inner: None, gate: None, silence: Silence::new(Duration::ZERO) }
    }

    /// A client's body, which may be silent for `silence` at most, and the view of its progress.
    pub(in crate::proxy) fn new(incoming: Incoming, silence: Duration) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress { state: AtomicU8::new(HANDED_ON), last: Mutex::new(Instant::now()) });
        let inner = Some((incoming, Arc::clone(&progress)));
        (Self { inner, gate: None, silence: Silence::new(silence) }, progress)
    }

    /// Holds the body back until it is told to go on, or `patience` is over (RFC 9110 section 10.1.1).
    pub(in crate::proxy) fn hold(&mut self, patience: Duration) {
        self.gate = Some(Box::pin(sleep(patience)));
    }

    /// Does not hold the body back any longer.
    pub(in crate::proxy) fn go_on(&mut self) {
        self.gate = None;
    }

    /// Whether it is held back.
    pub(in crate::proxy) fn is_held(&self) -> bool {
        self.gate.is_some()
    }
}

/// A limit on how long a body may be silent. The timer exists only while it is.
#[derive(Debug)]
struct Silence {
    limit: Duration,
    timer: Option<PooledTimer>,
}

impl Silence {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Something came.
    fn broken(&mut self) {
        self.timer = None;
    }

    /// Nothing came yet: ready when that has lasted too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let limit = self.limit;
        let timer = self.timer.get_or_insert_with(|| PooledTimer::of(limit));
        Pin::new(timer).poll(cx).map(|()| BodyError::Silence(limit))
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = &mut *self;
        if let Some(gate) = &mut body.gate {
            ready!(gate.as_mut().poll(cx));
            body.gate = None;
        }
        let Some((incoming, progress)) = &mut body.inner else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
            progress.set(OWED);
            let silent = ready!(body.silence.poll(cx));
            progress.set(STALLED);
            return Poll::Ready(Some(Err(silent)));
        };
        body.silence.broken();
        match frame {
            None => {
                progress.moved(HANDED_ON);
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                progress.moved(FAILED);
                Poll::Ready(Some(Err(error.into())))
            }
            Some(Ok(mut frame)) => {
                progress.moved(HANDED_ON);
                if let Some(trailers) = frame.trailers_mut() {
                    headers::trailers(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |(incoming, _)| incoming.size_hint())
    }
}

/// An answer's body, on its way to the client. Its end is the end of the request's record.
pub(in crate::proxy) struct ResponseBody {
    content: Content,
    pub(in crate::proxy) record: Option<Box<RequestRecord>>,
}

#[derive(Debug)]
enum Content {
    Own(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
}

#[derive(Debug)]
struct UpstreamBody {
    source: AnswerSource,
    silence: Silence,
    lease: Lease,
}

/// What an answer comes on.
#[derive(Debug)]
pub(in crate::proxy) enum AnswerSource {
    /// A connection of its own, which is kept for the next when the answer is through. `None` is left in the end.
    Own(Option<Http1Body>),
    /// A stream of a connection that is shared, and its place there.
    Shared(Incoming, StreamSlot),
}

impl ResponseBody {
    /// A text of the gateway's own.
    pub(in crate::proxy) fn full(text: Bytes) -> Self {
        Self { content: Content::Own((!text.is_empty()).then_some(text)), record: None }
    }

    /// A member's answer, which may be silent for `silence` at most.
    pub(in crate::proxy) fn upstream(source: AnswerSource, silence: Duration, lease: Lease) -> Self {
        let body = UpstreamBody { source, silence: Silence::new(silence), lease };
        Self { content: Content::Upstream(Box::new(body)), record: None }
    }
}

impl UpstreamBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.source {
            AnswerSource::Own(Some(answer)) => answer.poll_frame(cx).map_err(BodyError::from),
            AnswerSource::Own(None) => return Poll::Ready(None),
            AnswerSource::Shared(incoming, _) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::from),
        };
        if frame.is_pending() {
            return self.silence.poll(cx).map(|silent| Some(Err(silent)));
        }
        self.silence.broken();
        frame
    }

    fn is_over(&self) -> bool {
        match &self.source {
            AnswerSource::Own(answer) => answer.as_ref().is_none_or(Http1Body::is_over),
            AnswerSource::Shared(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            AnswerSource::Own(answer) => {
                answer.as_ref().and_then(Http1Body::left).map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            AnswerSource::Shared(incoming, _) => incoming.size_hint(),
        }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if let AnswerSource::Own(answer) = &mut self.source
            && let Some(line) = answer.take().and_then(Http1Body::into_line)
        {
            upstream::give_back(&self.lease, line);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.content {
            Content::Own(text) => text.take().map(|text| Ok(Frame::data(text))),
            Content::Upstream(body) => ready!(body.poll_frame(cx)),
        };
        if let (Some(Ok(frame)), Some(record)) = (&frame, &mut self.record) {
            record.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(text) => text.is_none(),
            Content::Upstream(body) => body.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Content::Upstream(body) => body.size_hint(),
        }
    }
}
