//! The body of a client's request, on its way to a member: streamed with back-pressure, bounded in silence.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

use super::silence::{BodyError, SilenceLimit};
use crate::proxy::client::body::ClientBody;
use crate::proxy::request::headers;

/// The progress of a request's body, shared with the task that waits for the answer.
#[derive(Debug)]
pub(super) struct BodyProgress {
    /// A [`BodyState`].
    state: AtomicU8,
    last: Mutex<Instant>,
}

/// Who has to act next for a request's body to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum BodyState {
    /// The member: a part has been handed on, or the last.
    HandedOn,
    /// The client, which owes the next part.
    Owed,
    /// Nobody: the client broke the body off.
    Failed,
    /// Nobody: the client was silent for too long.
    Stalled,
    /// Nobody: the body is larger than it may be.
    TooLarge,
}

/// The body of a client's request, on its way to a member.
pub(in crate::proxy) struct RequestBody {
    inner: Option<(ClientBody, Arc<BodyProgress>)>,
    /// The time that is left for the member's 100 (Continue), before the body is read all the same.
    gate: Option<Pin<Box<Sleep>>>,
    silence: SilenceLimit,
    /// The bytes that may still come.
    left: u64,
}

impl BodyProgress {
    fn set(&self, state: BodyState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }

    fn moved(&self, state: BodyState) {
        self.set(state);
        if let Ok(mut last) = self.last.lock() {
            *last = Instant::now();
        }
    }

    fn is(&self, state: BodyState) -> bool {
        self.state.load(Ordering::Relaxed) == state as u8
    }

    /// When the body moved last.
    pub(super) fn last(&self) -> Instant {
        self.last.lock().map_or_else(|poisoned| *poisoned.into_inner(), |last| *last)
    }

    /// Whether the client owes the next part.
    pub(super) fn is_owed(&self) -> bool {
        self.is(BodyState::Owed)
    }

    /// Whether the client was silent for too long.
    pub(super) fn has_stalled(&self) -> bool {
        self.is(BodyState::Stalled)
    }

    /// Whether the body is larger than it may be.
    pub(super) fn is_too_large(&self) -> bool {
        self.is(BodyState::TooLarge)
    }

    /// Whether the client broke the body off.
    pub(super) fn has_failed(&self) -> bool {
        self.is(BodyState::Failed)
    }
}

impl RequestBody {
    /// No body.
    pub(in crate::proxy) fn empty() -> Self {
        Self { inner: None, gate: None, silence: SilenceLimit::new(Duration::ZERO), left: 0 }
    }

    /// A client's body, which may be silent for `silence` and have `max_bytes`, and the view of its progress.
    pub(super) fn new(incoming: ClientBody, silence: Duration, max_bytes: Option<u64>) -> (Self, Arc<BodyProgress>) {
        let state = AtomicU8::new(BodyState::HandedOn as u8);
        let progress = Arc::new(BodyProgress { state, last: Mutex::new(Instant::now()) });
        let inner = Some((incoming, Arc::clone(&progress)));
        (Self { inner, gate: None, silence: SilenceLimit::new(silence), left: max_bytes.unwrap_or(u64::MAX) }, progress)
    }

    /// Holds the body back until it is released, or for `timeout` (RFC 9110 section 10.1.1).
    pub(super) fn hold(&mut self, timeout: Duration) {
        self.gate = Some(Box::pin(sleep(timeout)));
    }

    /// Releases a body that is held back.
    pub(super) fn release(&mut self) {
        self.gate = None;
    }

    /// Whether the body is held back.
    pub(super) fn is_held(&self) -> bool {
        self.gate.is_some()
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
            progress.set(BodyState::Owed);
            let silent = ready!(body.silence.poll(cx));
            progress.set(BodyState::Stalled);
            return Poll::Ready(Some(Err(silent)));
        };
        body.silence.reset();
        match frame {
            None => {
                progress.moved(BodyState::HandedOn);
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                progress.moved(BodyState::Failed);
                Poll::Ready(Some(Err(error.into())))
            }
            Some(Ok(mut frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = body.left.checked_sub(bytes) else {
                    progress.moved(BodyState::TooLarge);
                    return Poll::Ready(Some(Err(BodyError::TooLarge)));
                };
                body.left = left;
                progress.moved(BodyState::HandedOn);
                if let Some(trailers) = frame.trailers_mut() {
                    headers::prepare_trailers(trailers);
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(|(incoming, _)| incoming.is_end_stream())
    }
}
