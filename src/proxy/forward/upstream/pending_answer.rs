//! One exchange on an HTTP/1.1 connection: the request is sent, and the head of its answer read.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use http::{Response, StatusCode, request};

use super::body::{Http1Body, ReadSide};
use super::connection::Http1Connection;
use super::head::{self, AnswerHead, MalformedAnswer};
use super::request_writer::{RequestFate, RequestWriter};
use crate::pool::dial::{Ending, Stream};
use crate::proxy::forward::request_body::RequestBody;
use crate::proxy::http1::read_buffer::ReadBuffer;
use crate::proxy::limits::MAX_INTERIM_ANSWERS;
use crate::proxy::request::context::InterimAnswers;
use crate::proxy::request::headers;

/// Why a request has not been answered, and what has become of it.
#[derive(Debug)]
pub(in crate::proxy::forward) struct ExchangeError {
    pub(in crate::proxy::forward) error: io::Error,
    pub(in crate::proxy::forward) fate: RequestFate,
}

impl ExchangeError {
    /// The fault of what the member has answered, if it has answered.
    pub(in crate::proxy::forward) fn malformed_answer(&self) -> Option<MalformedAnswer> {
        self.error.get_ref()?.downcast_ref().copied()
    }
}

/// An exchange until the head of the answer is there: the request is being sent, and the answer read.
struct PendingAnswer {
    /// How sending has ended, once it has.
    sent: Option<io::Result<()>>,
    /// Bytes that have been read of a head that is not complete.
    seen: usize,
    /// Interim answers that have come.
    interim_answers: usize,
}

/// Sends a request, and waits for the head of its answer. Interim answers (1xx) go to `interim`, but for those that are about the request's
/// body alone (100).
///
/// # Errors
/// The connection or the request's body broke off, or what came is no answer.
pub(in crate::proxy::forward) async fn exchange(
    connection: Http1Connection,
    request: &request::Parts,
    body: RequestBody,
    interim: Option<&InterimAnswers>,
) -> Result<(Response<()>, Http1Body), ExchangeError> {
    let Http1Connection { mut stream, mut read, write, idle_limit: _ } = connection;
    // Until the end of the answer has been read.
    stream.end_by(Ending::Reset);
    let mut writer = RequestWriter::new(request, body, write)
        .map_err(|error| ExchangeError { error, fate: RequestFate::BodyFailed })?;
    let mut pending = PendingAnswer { sent: None, seen: 0, interim_answers: 0 };
    let head = poll_fn(|cx| pending.poll(cx, &mut stream, &mut read, &mut writer, request, interim)).await;
    let AnswerHead { response, framing, keep, idle_limit } =
        head.map_err(|error| ExchangeError { error, fate: writer.fate() })?;
    let all_sent = matches!(pending.sent, Some(Ok(())));
    let (source, keep) = match pending.sent {
        Some(sent) => {
            let write = writer.into_buffer();
            (ReadSide::Whole(Http1Connection { stream, read, write, idle_limit }), keep && sent.is_ok())
        }
        // The member has answered without the body: it is not asked of the client.
        None if writer.is_held() => {
            (ReadSide::Whole(Http1Connection { stream, read, write: BytesMut::new(), idle_limit }), false)
        }
        None => (ReadSide::split(stream, read, writer), false),
    };
    Ok((response, Http1Body::new(source, framing, keep, all_sent)))
}

impl PendingAnswer {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        read: &mut ReadBuffer,
        writer: &mut RequestWriter,
        request: &request::Parts,
        interim: Option<&InterimAnswers>,
    ) -> Poll<io::Result<AnswerHead>> {
        loop {
            if self.sent.is_none()
                && let Poll::Ready(sent) = writer.poll(cx, stream)
            {
                match sent {
                    Err(error) if writer.fate() == RequestFate::BodyFailed => return Poll::Ready(Err(error)),
                    // A member may answer before it has taken all of the request, and take no more.
                    sent => self.sent = Some(sent),
                }
            }
            let head = if head::may_be_complete(&read.bytes, self.seen) {
                head::take(&mut read.bytes, &request.method)?
            } else {
                None
            };
            self.seen = if head.is_some() { 0 } else { read.bytes.len() };
            self.interim_answers +=
                usize::from(head.as_ref().is_some_and(|head| head.response.status().is_informational()));
            if self.interim_answers > MAX_INTERIM_ANSWERS {
                return Poll::Ready(Err(MalformedAnswer::TOO_MANY_INTERIM.into()));
            }
            match head {
                Some(head) if head.response.status() == StatusCode::CONTINUE => writer.release_body(),
                Some(head) if head.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Ok(head));
                }
                Some(mut head) if head.response.status().is_informational() => {
                    let status = head.response.status();
                    let fits = headers::prepare_response(head.response.headers_mut(), status, false).is_ok();
                    if let Some(interim) = interim.filter(|_| fits) {
                        interim.push(head.response);
                    }
                }
                Some(head) => return Poll::Ready(Ok(head)),
                None if ready!(read.fill(cx, stream))? > 0 => {}
                None => {
                    let failed = self.sent.take().and_then(Result::err);
                    return Poll::Ready(Err(failed.unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into())));
                }
            }
        }
    }
}
