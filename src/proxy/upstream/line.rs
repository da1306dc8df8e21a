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

use super::framing::{Framing, Taken};
use super::head::{self, Head};
use super::reading::Reading;
use super::sending::Sending;
use crate::pool::dial::Stream;
use crate::proxy::body::RequestBody;

/// A connection that waits for a request.
#[derive(Debug)]
pub(in crate::proxy) struct Line {
    stream: Stream,
    read: Reading,
    /// A buffer, empty.
    write: BytesMut,
}

impl Line {
    pub(in crate::proxy) fn new(stream: Stream) -> Self {
        Self { stream, read: Reading::new(), write: BytesMut::new() }
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
    ) -> Result<(Response<()>, Answer), Failed> {
        let Self { mut stream, mut read, write } = self;
        let mut sending =
            Sending::new(request, body, write).map_err(|error| Failed { error, begun: false, spoilt: true })?;
        let mut asking = Asking { sent: None, seen: 0 };
        let asked = poll_fn(|cx| asking.poll(cx, &mut stream, &mut read, &mut sending, request)).await;
        let Head { response, framing, keep } =
            asked.map_err(|error| Failed { error, begun: sending.begun, spoilt: sending.spoilt })?;
        let (source, keep) = match asking.sent {
            Some(sent) => (Source::Whole(Self { stream, read, write: sending.into_buffer() }), keep && sent.is_ok()),
            // What the member has answered without is not asked of the client.
            None if sending.is_held() => (Source::Whole(Self { stream, read, write: BytesMut::new() }), false),
            None => (Source::divided(stream, read, sending), false),
        };
        Ok((response, Answer { source, keep, framing, ended: framing.is_over() }))
    }
}

/// Why a request has not been answered.
#[derive(Debug)]
pub(in crate::proxy) struct Failed {
    pub(in crate::proxy) error: io::Error,
    /// Whether any of it had been sent.
    pub(in crate::proxy) begun: bool,
    /// Whether it is the client's body that broke off.
    pub(in crate::proxy) spoilt: bool,
}

/// A request that is being sent, until the head of its answer is there.
struct Asking {
    /// How sending it has ended.
    sent: Option<io::Result<()>>,
    /// How much has been read of a head that is not whole.
    seen: usize,
}

impl Asking {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut Stream,
        read: &mut Reading,
        sending: &mut Sending,
        request: &request::Parts,
    ) -> Poll<io::Result<Head>> {
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
pub(in crate::proxy) struct Answer {
    source: Source,
    /// Whether the connection may be used again.
    keep: bool,
    framing: Framing,
    ended: bool,
}

#[derive(Debug)]
enum Source {
    /// The request has been sent, or won't be.
    Whole(Line),
    /// The request is still being sent, by a task of its own.
    Half { half: ReadHalf<Stream>, read: Reading, rest: Rest },
}

/// The task that sends the rest of a request, as long as anybody waits for the answer. It gives how the client's body broke off, if
/// it did.
#[derive(Debug)]
struct Rest(Option<JoinHandle<Option<io::Error>>>);

impl Rest {
    /// Ready once the client's body has broken off.
    fn poll_broken(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(task) = &mut self.0 else { return Poll::Pending };
        let broken = ready!(Pin::new(task).poll(cx)).ok().flatten();
        self.0 = None;
        broken.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Source {
    fn divided(stream: Stream, read: Reading, mut sending: Sending) -> Self {
        let (half, mut rest) = split(stream);
        let rest = tokio::spawn(async move {
            // A member that has answered may take no more of the request.
            poll_fn(|cx| sending.poll(cx, &mut rest)).await.err().filter(|_| sending.spoilt)
        });
        Self::Half { half, read, rest: Rest(Some(rest)) }
    }
}

impl Answer {
    /// The next part of the body.
    pub(in crate::proxy) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Self { source, framing, ended, .. } = self;
        if let Source::Half { rest, .. } = source
            && let Poll::Ready(error) = rest.poll_broken(cx)
        {
            return Poll::Ready(Some(Err(error)));
        }
        while !*ended {
            let read = match source {
                Source::Whole(line) => &mut line.read.bytes,
                Source::Half { read, .. } => &mut read.bytes,
            };
            match framing.take(read) {
                Ok(Taken::Frame(frame)) => {
                    *ended = framing.is_over();
                    return Poll::Ready(Some(Ok(frame)));
                }
                Ok(Taken::End(trailers)) => {
                    *ended = true;
                    return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
                }
                Ok(Taken::More) => {}
                Err(malformed) => return Poll::Ready(Some(Err(malformed.into()))),
            }
            let filled = match source {
                Source::Whole(Line { stream, read, .. }) => ready!(read.fill(cx, stream)),
                Source::Half { half, read, .. } => ready!(read.fill(cx, half)),
            };
            match filled {
                Ok(0) if *framing == Framing::UntilEnd => *ended = true,
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
            Framing::Length(left) => Some(left),
            Framing::Chunked(_) | Framing::UntilEnd => None,
        }
    }

    /// The connection, if it can be used again.
    pub(in crate::proxy) fn into_line(self) -> Option<Line> {
        match self.source {
            Source::Whole(line) if self.ended && self.keep && line.read.bytes.is_empty() => {
                Some(Line { read: line.read.next(), ..line })
            }
            _ => None,
        }
    }

    /// The connection, which speaks another protocol now, and what has come of that. `None`: not all of the request had been
    /// sent.
    pub(in crate::proxy) fn into_switched(self) -> Option<(Stream, Bytes)> {
        match self.source {
            // Of a buffer that is empty nothing is to be kept.
            Source::Whole(Line { stream, read, .. }) if read.bytes.is_empty() => Some((stream, Bytes::new())),
            Source::Whole(Line { stream, read, .. }) => Some((stream, read.bytes.freeze())),
            Source::Half { .. } => None,
        }
    }
}
