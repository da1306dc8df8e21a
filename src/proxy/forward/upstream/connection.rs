//! A connection to a member on which HTTP/1.1 is spoken, one request after the other.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode, request};
use http_body::Frame;
use socket2::SockRef;
use tokio::io::{AsyncRead as _, ReadBuf, ReadHalf, split};
use tokio::task::JoinHandle;
use tokio::task::coop::unconstrained;

use super::framing::{BodyFraming, Decoded};
use super::head::{self, AnswerHead};
use super::read_buffer::ReadBuffer;
use super::request_writer::RequestWriter;
use crate::pool::dial::Stream;
use crate::proxy::forward::body::RequestBody;

/// A connection that waits for a request.
#[derive(Debug)]
pub(in crate::proxy) struct Http1Connection {
    stream: Stream,
    read: ReadBuffer,
    /// A buffer, empty.
    write: BytesMut,
}

impl Http1Connection {
    pub(in crate::proxy) fn new(stream: Stream) -> Self {
        Self { stream, read: ReadBuffer::new(), write: BytesMut::new() }
    }

    /// Whether the member has neither closed it, as far as this thread has been told, nor said what it was not asked.
    pub(super) fn is_quiet(&mut self) -> bool {
        let mut byte = [0];
        let mut byte = ReadBuf::new(&mut byte);
        // However much this task has done already.
        let reading = unconstrained(poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut byte)));
        pin!(reading).poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// The same, by what the kernel says now.
    pub(super) fn is_quiet_now(&self) -> bool {
        let peeked = SockRef::from(self.stream.tcp()).peek(&mut [std::mem::MaybeUninit::uninit()]);
        peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Asks, and waits for the answer's head. What is said before that (1xx) is taken note of, and goes no further.
    ///
    /// # Errors
    /// The connection or the request's body broke off, or what came is no answer.
    pub(in crate::proxy) async fn ask(
        self,
        request: &request::Parts,
        body: RequestBody,
    ) -> Result<(Response<()>, Http1Body), ExchangeError> {
        let Self { mut stream, mut read, write } = self;
        let mut sending = RequestWriter::new(request, body, write).map_err(|error| ExchangeError {
            error,
            begun: false,
            spoilt: true,
        })?;
        let mut asking = PendingAnswer { sent: None, seen: 0 };
        let asked = poll_fn(|cx| asking.poll(cx, &mut stream, &mut read, &mut sending, request)).await;
        let AnswerHead { response, framing, keep } =
            asked.map_err(|error| ExchangeError { error, begun: sending.begun, spoilt: sending.spoilt })?;
        let (source, keep) = match asking.sent {
            Some(sent) => (ReadSide::Whole(Self { stream, read, write: sending.into_buffer() }), keep && sent.is_ok()),
            // What the member has answered without is not asked of the client.
            None if sending.is_held() => (ReadSide::Whole(Self { stream, read, write: BytesMut::new() }), false),
            None => (ReadSide::divided(stream, read, sending), false),
        };
        Ok((response, Http1Body { source, keep, framing, ended: framing.is_over() }))
    }
}

/// Why a request has not been answered.
#[derive(Debug)]
pub(in crate::proxy) struct ExchangeError {
    pub(in crate::proxy) error: io::Error,
    /// Whether any of it had been sent.
    pub(in crate::proxy) begun: bool,
    /// Whether it is the client's body that broke off.
    pub(in crate::proxy) spoilt: bool,
}

/// A request that is being sent, until the head of its answer is there.
struct PendingAnswer {
    /// How sending it has ended.
    sent: Option<io::Result<()>>,
    /// How much has been read of a head that is not whole.
    seen: usize,
}

impl PendingAnswer {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        read: &mut ReadBuffer,
        sending: &mut RequestWriter,
        request: &request::Parts,
    ) -> Poll<io::Result<AnswerHead>> {
        loop {
            if self.sent.is_none()
                && let Poll::Ready(sent) = sending.poll(cx, stream)
            {
                match sent {
                    Err(error) if sending.spoilt => return Poll::Ready(Err(error)),
                    // A member may answer before it has taken all, and take no more.
                    sent => self.sent = Some(sent),
                }
            }
            let head = if head::may_be_whole(&read.bytes, self.seen) {
                head::take(&mut read.bytes, &request.method)?
            } else {
                None
            };
            self.seen = if head.is_some() { 0 } else { read.bytes.len() };
            match head {
                Some(head) if head.response.status() == StatusCode::CONTINUE => sending.go_on(),
                Some(head) if head.response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                    return Poll::Ready(Ok(head));
                }
                Some(head) if head.response.status().is_informational() => {}
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

/// An answer, of which the body is still to come.
#[derive(Debug)]
pub(in crate::proxy) struct Http1Body {
    source: ReadSide,
    /// Whether the connection may be used again.
    keep: bool,
    framing: BodyFraming,
    ended: bool,
}

#[derive(Debug)]
enum ReadSide {
    /// The request has been sent, or won't be.
    Whole(Http1Connection),
    /// The request is still being sent, by a task of its own.
    Half { half: ReadHalf<Stream>, read: ReadBuffer, rest: RequestRemainder },
}

/// The task that sends the rest of a request, as long as anybody waits for the answer. It gives how the client's body broke off, if
/// it did.
#[derive(Debug)]
struct RequestRemainder(Option<JoinHandle<Option<io::Error>>>);

impl RequestRemainder {
    /// Ready once the client's body has broken off.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(task) = &mut self.0 else { return Poll::Pending };
        let broken = ready!(Pin::new(task).poll(cx)).ok().flatten();
        self.0 = None;
        broken.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for RequestRemainder {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl ReadSide {
    fn divided(stream: Stream, read: ReadBuffer, mut sending: RequestWriter) -> Self {
        let (half, mut rest) = split(stream);
        let rest = tokio::spawn(async move {
            // A member that has answered may take no more of the request.
            poll_fn(|cx| sending.poll(cx, &mut rest)).await.err().filter(|_| sending.spoilt)
        });
        Self::Half { half, read, rest: RequestRemainder(Some(rest)) }
    }
}

impl Http1Body {
    /// The next part of the body.
    pub(in crate::proxy) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { source, framing, ended, .. } = self;
        if let ReadSide::Half { rest, .. } = source
            && let Poll::Ready(error) = rest.poll_broken(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        while !*ended {
            let read = match source {
                ReadSide::Whole(line) => &mut line.read.bytes,
                ReadSide::Half { read, .. } => &mut read.bytes,
            };
            match framing.take(read) {
                Ok(Decoded::Frame(frame)) => {
                    *ended = framing.is_over();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Ok(Decoded::End(trailers)) => {
                    *ended = true;
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Ok(Decoded::More) => {}
                Err(malformed) => return Poll::Ready(Some(Err(malformed.into()))),
            }
            let filled = match source {
                ReadSide::Whole(Http1Connection { stream, read, .. }) => ready!(read.fill(cx, stream)),
                ReadSide::Half { half, read, .. } => ready!(read.fill(cx, half)),
            };
            match filled {
                Ok(0) if *framing == BodyFraming::UntilEnd => *ended = true,
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        Poll::Ready(None)
    }

    /// Whether all of the body has been taken.
    pub(in crate::proxy) fn is_over(&self) -> bool {
        self.ended
    }

    /// Bytes of the body that are still to come, where that is known.
    pub(in crate::proxy) fn left(&self) -> Option<u64> {
        match self.framing {
            _ if self.ended => Some(0),
            BodyFraming::Length(left) => Some(left),
            BodyFraming::Chunked(_) | BodyFraming::UntilEnd => None,
        }
    }

    /// The connection, if it can be used again.
    pub(in crate::proxy) fn into_line(self) -> Option<Http1Connection> {
        match self.source {
            ReadSide::Whole(line) if self.ended && self.keep && line.read.bytes.is_empty() => {
                Some(Http1Connection { read: line.read.next(), ..line })
            }
            _ => None,
        }
    }

    /// The connection, which speaks another protocol now, and what has come of that. `None`: not all of the request had been
    /// sent.
    pub(in crate::proxy) fn into_switched(self) -> Option<(Stream, Bytes)> {
        match self.source {
            // Of a buffer that is empty nothing is to be kept.
            ReadSide::Whole(Http1Connection { stream, read, .. }) if read.bytes.is_empty() => {
                Some((stream, Bytes::new()))
            }
            ReadSide::Whole(Http1Connection { stream, read, .. }) => Some((stream, read.bytes.freeze())),
            ReadSide::Half { .. } => None,
        }
    }
}
