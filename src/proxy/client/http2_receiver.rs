//! What a client sends on a stream of HTTP/2: read by whoever forwards the request, and counted while nobody has answered it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;

use super::resets::ResetBudget;
use super::unanswered_bytes::{Progress, UnansweredBytes};

/// The receiving half of a client's stream. Its clones are one: the reader, and the watch over what comes before an answer.
#[derive(Clone)]
pub(in crate::proxy) struct Http2Receiver(Arc<Mutex<Received>>);

struct Received {
    stream: RecvStream,
    /// Frames that came before the reader wanted them. Flow control is told of them only when the reader takes them.
    early: VecDeque<Bytes>,
    progress: Progress,
    bytes: Arc<UnansweredBytes>,
    resets: Arc<ResetBudget>,
}

impl Http2Receiver {
    /// Reads from `stream`.
    pub(in crate::proxy) fn new(stream: RecvStream, bytes: Arc<UnansweredBytes>, resets: Arc<ResetBudget>) -> Self {
        let (early, progress) = (VecDeque::new(), Progress::Untouched);
        Self(Arc::new(Mutex::new(Received { stream, early, progress, bytes, resets })))
    }

    /// Ready when what the client sends ahead is more than may be held. To be polled, by the task that reads too, as long as no
    /// backend has answered.
    pub(in crate::proxy) async fn overflow(&self) {
        poll_fn(|cx| self.lock().poll_overflow(cx)).await;
    }

    /// The next part. Its room is the client's again.
    pub(super) fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        self.lock().poll_data(cx)
    }

    /// The trailers, after the last part.
    pub(super) fn poll_trailers(&self, cx: &mut Context<'_>) -> Poll<Result<Option<HeaderMap>, h2::Error>> {
        self.lock().stream.poll_trailers(cx)
    }

    /// Whether everything has been read, trailers too.
    pub(super) fn is_end(&self) -> bool {
        let received = self.lock();
        received.early.is_empty() && received.stream.is_end_stream()
    }

    /// Notes that the client has reset the stream.
    pub(super) fn note_reset(&self) {
        self.lock().resets.note();
    }

    fn lock(&self) -> MutexGuard<'_, Received> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Received {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        self.progress = Progress::Begun;
        let data = match self.early.pop_front() {
            Some(data) => {
                self.bytes.release(data.len());
                data
            }
            None => match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => data,
                other => return Poll::Ready(other),
            },
        };
        // It fails only for more than has come.
        let _ = self.stream.flow_control().release_capacity(data.len());
        Poll::Ready(Some(Ok(data)))
    }

    fn poll_overflow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The end, or a reset, is for the reader.
        while let Poll::Ready(Some(Ok(data))) = self.stream.poll_data(cx) {
            let fits = self.bytes.add(data.len(), self.progress);
            self.early.push_back(data);
            if !fits {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        for data in &self.early {
            self.bytes.release(data.len());
        }
    }
}
