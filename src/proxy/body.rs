//! Bodies on their way: streamed with back-pressure, bounded in silence, counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep, sleep};

use super::access::Record;
use super::upstream::{self, Sender};
use crate::pool::Lease;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// The stream failed.
    #[error(transparent)]
    Stream(#[from] hyper::Error),
    /// Nothing came for too long.
    #[error("nothing came for {0:?}")]
    Silence(Duration),
}

/// How far a request's body has come; shared with the one who waits for the answer.
#[derive(Debug)]
pub(super) struct Progress {
    state: AtomicU8,
    last: Mutex<Instant>,
}

const WAITING: u8 = 0;
const DONE: u8 = 1;
const FAILED: u8 = 2;

impl Progress {
    fn moved(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
        if let Ok(mut last) = self.last.lock() {
            *last = Instant::now();
        }
    }

    /// When the body moved last.
    pub(super) fn last(&self) -> Instant {
        self.last.lock().map_or_else(|poisoned| *poisoned.into_inner(), |last| *last)
    }

    /// Whether the client still owes some of it.
    pub(super) fn waiting(&self) -> bool {
        self.state.load(Ordering::Relaxed) == WAITING
    }

    /// Whether the client broke it off.
    pub(super) fn failed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == FAILED
    }
}

/// What the body waits for before it is asked of the client: the backend's 100 (Continue).
struct Gate {
    opened: oneshot::Receiver<()>,
    patience: Pin<Box<Sleep>>,
}

/// A client's body, on its way to a member.
pub(super) struct RequestBody {
    inner: Option<(Incoming, Arc<Progress>)>,
    gate: Option<Gate>,
}

impl RequestBody {
    /// No body.
    pub(super) fn empty() -> Self {
        Self { inner: None, gate: None }
    }

    /// A client's body, and the view of its progress.
    pub(super) fn new(incoming: Incoming) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress { state: AtomicU8::new(WAITING), last: Mutex::new(Instant::now()) });
        (Self { inner: Some((incoming, Arc::clone(&progress))), gate: None }, progress)
    }

    /// Holds the body back until `opened` rings, or `patience` is over (RFC 9110 section 10.1.1).
    pub(super) fn hold(&mut self, opened: oneshot::Receiver<()>, patience: Duration) {
        self.gate = Some(Gate { opened, patience: Box::pin(sleep(patience)) });
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Some(gate) = &mut self.gate {
            if Pin::new(&mut gate.opened).poll(cx).is_pending() && gate.patience.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.gate = None;
        }
        let Some((incoming, progress)) = &mut self.inner else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(&mut *incoming).poll_frame(cx));
        progress.moved(match &frame {
            Some(Ok(_)) if incoming.is_end_stream() => DONE,
            Some(Ok(_)) => WAITING,
            Some(Err(_)) => FAILED,
            None => DONE,
        });
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), |(incoming, _)| incoming.size_hint())
    }
}

/// An answer's body, on its way to the client. Its end is the end of the request's record.
#[derive(Debug)]
pub(super) struct ResponseBody {
    content: Content,
    pub(super) record: Option<Box<Record>>,
}

#[derive(Debug)]
enum Content {
    Own(Option<Bytes>),
    Upstream(Box<UpstreamBody>),
}

#[derive(Debug)]
struct UpstreamBody {
    incoming: Incoming,
    ended: bool,
    silence: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Given back to the idle ones when the body has come whole.
    sender: Option<Sender>,
    lease: Lease,
}

impl ResponseBody {
    /// A text of the gateway's own.
    pub(super) fn full(text: Bytes) -> Self {
        Self { content: Content::Own((!text.is_empty()).then_some(text)), record: None }
    }

    /// A member's answer, which may be silent for `silence` at most.
    pub(super) fn upstream(incoming: Incoming, silence: Duration, sender: Sender, lease: Lease) -> Self {
        let body = UpstreamBody { incoming, ended: false, silence, timer: None, sender: Some(sender), lease };
        Self { content: Content::Upstream(Box::new(body)), record: None }
    }
}

impl UpstreamBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                self.timer = None;
                self.ended |= frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(BodyError::from)))
            }
            Poll::Pending => {
                let silence = self.silence;
                let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(silence)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Some(Err(BodyError::Silence(silence))))
            }
        }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if (self.ended || self.incoming.is_end_stream())
            && let Some(sender) = self.sender.take()
        {
            upstream::give_back(self.lease.member().id, sender);
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
            Content::Upstream(body) => body.ended || body.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
            Content::Upstream(body) => body.incoming.size_hint(),
        }
    }
}
