//! The body of an answer, on its way to the client: streamed with back-pressure, bounded in silence, counted.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame};
use hyper::body::Incoming;

use super::silence::{BodyError, SilenceLimit};
use super::upstream::{self, Http1Body};
use crate::pool::Lease;
use crate::proxy::request::headers;
use crate::proxy::request::record::{RequestRecord, Side};
use crate::proxy::session::http2_sessions::StreamSlot;

/// The body of an answer. The request's record ends with it, and notes whether the body did.
pub(in crate::proxy) struct ResponseBody {
    content: Content,
    pub(in crate::proxy) record: Option<Box<RequestRecord>>,
}

#[derive(Debug)]
enum Content {
    /// A text of the gateway's own.
    Own(Option<Bytes>),
    /// A member's answer.
    Member(Box<MemberBody>),
}

/// The body of a member's answer. Dropping it gives the connection back.
#[derive(Debug)]
struct MemberBody {
    source: AnswerSource,
    silence: SilenceLimit,
    lease: Lease,
}

/// What a member's answer comes on.
#[derive(Debug)]
pub(super) enum AnswerSource {
    /// An HTTP/1.1 connection, which is kept for the next request when the answer is through. `None` is left in the end.
    Http1(Option<Http1Body>),
    /// A stream of a shared HTTP/2 connection, and its slot there.
    Http2(Incoming, StreamSlot),
}

impl ResponseBody {
    /// A text of the gateway's own.
    pub(in crate::proxy) fn full(text: Bytes) -> Self {
        Self { content: Content::Own((!text.is_empty()).then_some(text)), record: None }
    }

    /// A member's answer, which may be silent for `silence`.
    pub(super) fn member(source: AnswerSource, silence: Duration, lease: Lease) -> Self {
        let body = MemberBody { source, silence: SilenceLimit::new(silence), lease };
        Self { content: Content::Member(Box::new(body)), record: None }
    }
}

impl MemberBody {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match ready!(self.poll_source(cx)) {
            Some(Err(error)) => Poll::Ready(Some(Err(error))),
            Some(Ok(mut frame)) => match frame.trailers_mut() {
                Some(trailers) => {
                    headers::prepare_trailers(trailers);
                    let ends = trailers.is_empty();
                    Poll::Ready((!ends).then_some(Ok(frame)))
                }
                None => Poll::Ready(Some(Ok(frame))),
            },
            None => Poll::Ready(None),
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.source {
            AnswerSource::Http1(Some(answer)) => answer.poll_frame(cx).map_err(BodyError::from),
            AnswerSource::Http1(None) => return Poll::Ready(None),
            AnswerSource::Http2(incoming, _) => Pin::new(incoming).poll_frame(cx).map_err(BodyError::from),
        };
        if frame.is_pending() {
            return self.silence.poll(cx).map(|silent| Some(Err(silent)));
        }
        self.silence.reset();
        frame
    }

    fn is_over(&self) -> bool {
        match &self.source {
            AnswerSource::Http1(answer) => answer.as_ref().is_none_or(Http1Body::is_over),
            AnswerSource::Http2(incoming, _) => incoming.is_end_stream(),
        }
    }
}

impl Drop for MemberBody {
    fn drop(&mut self) {
        if let AnswerSource::Http1(answer) = &mut self.source
            && let Some(connection) = answer.take().and_then(Http1Body::into_connection)
        {
            upstream::keep(&self.lease, connection);
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let (Content::Member(body), Some(record)) = (&self.content, &mut self.record)
            && !body.is_over()
        {
            // If it is the member that broke it off, that has been noted.
            record.broke_off(Side::Client);
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = match &mut self.content {
            Content::Own(text) => text.take().map(|text| Ok(Frame::data(text))),
            Content::Member(body) => ready!(body.poll_frame(cx)),
        };
        match (&frame, &mut self.record) {
            (Some(Ok(frame)), Some(record)) => record.sent += frame.data_ref().map_or(0, |data| data.len() as u64),
            (Some(Err(_)), Some(record)) => record.broke_off(Side::Backend),
            _ => {}
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(text) => text.is_none(),
            Content::Member(body) => body.is_over(),
        }
    }
}
