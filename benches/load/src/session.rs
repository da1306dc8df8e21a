//! A WebSocket session of the client: it is always read, so that its end is noticed, and sends what a run asks of it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{Error, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::AsyncWrite;

use crate::frame::{Event, Reader, masked};
use crate::run::Run;
use crate::stream::Stream;

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    /// With a Close frame, and its code.
    Close(Option<u16>),
    /// With the stream, and no Close.
    Eof,
    Failed(ErrorKind),
}

/// A session, of which its task has the stream.
#[derive(Default)]
pub(crate) struct Session(RefCell<State>);

#[derive(Default)]
struct State {
    run: Option<Rc<Run>>,
    /// When each message was due whose echo has not come.
    outstanding: VecDeque<Instant>,
    /// Messages that follow when echoes come.
    following: u64,
    /// Bytes of frames that are to be written, and where in its frame the first of them is.
    unsent: usize,
    position: usize,
    /// Frames that go between those.
    control: Vec<u8>,
    reader: Reader,
    waker: Option<Waker>,
    end: Option<End>,
    is_closing: bool,
}

impl Session {
    /// Keeps the session until its end. `early` is what came with the handshake.
    pub(crate) async fn live(self: Rc<Session>, mut stream: Stream, early: Vec<u8>) {
        self.0.borrow_mut().take(&early);
        let end = poll_fn(|context| self.0.borrow_mut().poll(&mut stream, context)).await;
        self.0.borrow_mut().finish(end);
        stream.close().await;
    }

    /// Sends so many messages, of which so many are under way at once.
    pub(crate) fn echo(&self, run: &Rc<Run>, rounds: u64, in_flight: u64) {
        let mut state = self.0.borrow_mut();
        if state.enlist(run, rounds) {
            let now = Instant::now();
            let first = rounds.min(in_flight);
            state.following = rounds - first;
            (0..first).for_each(|_| state.push(now));
            state.wake();
        }
    }

    /// Sends one message more, whatever is under way; it was due then.
    pub(crate) fn send(&self, run: &Rc<Run>, due: Instant) {
        let mut state = self.0.borrow_mut();
        if state.enlist(run, 1) {
            state.push(due);
            state.wake();
        }
    }

    /// Asks the other side to close.
    pub(crate) fn close(&self) {
        let mut state = self.0.borrow_mut();
        if state.end.is_none() {
            state.is_closing = true;
            state.control.extend(masked(0x8, &1000_u16.to_be_bytes()));
            state.wake();
        }
    }

    /// How it ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.0.borrow().end.clone()
    }

    /// Whether it was asked to close while it was open.
    pub(crate) fn is_closing(&self) -> bool {
        self.0.borrow().is_closing
    }
}

impl State {
    /// Makes the run the one that is served, unless the session is over or busy with another.
    fn enlist(&mut self, run: &Rc<Run>, count: u64) -> bool {
        run.expect(count);
        if self.end.is_some() || self.is_closing {
            run.lose(count, &Error::other("not open"));
            return false;
        }
        if !self.run.as_ref().is_some_and(|current| Rc::ptr_eq(current, run)) {
            if !self.outstanding.is_empty() {
                run.lose(count, &Error::other("busy"));
                return false;
            }
            self.run = Some(run.clone());
        }
        true
    }

    fn push(&mut self, due: Instant) {
        if let Some(run) = &self.run {
            self.outstanding.push_back(due);
            self.unsent += run.frame;
        }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Writes and reads what can be; ready at the session's end.
    fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Err(error) = self.write(stream, context) {
                return Poll::Ready(self.end.take().unwrap_or(End::Failed(error.kind())));
            }
            if self.end.is_some() && self.control.is_empty() {
                return self.end.take().map_or(Poll::Pending, Poll::Ready);
            }
            match stream.poll_receive(context, |bytes| self.take(bytes)) {
                Poll::Ready(Ok(0)) => return Poll::Ready(self.end.take().unwrap_or(End::Eof)),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => return Poll::Ready(End::Eof),
                Poll::Ready(Err(error)) => return Poll::Ready(End::Failed(error.kind())),
                Poll::Pending => {
                    self.waker.get_or_insert_with(|| context.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }

    fn write(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Result<(), Error> {
        let mut is_written = false;
        loop {
            let run = self.run.as_deref();
            let frame = run.map_or(1, |run| run.frame);
            let is_between = self.position.is_multiple_of(frame);
            let bytes = match run {
                _ if is_between && !self.control.is_empty() => &self.control[..],
                Some(run) if self.unsent > 0 => {
                    let length = if self.control.is_empty() { self.unsent } else { frame - self.position % frame };
                    &run.frames[self.position..run.frames.len().min(self.position + length)]
                }
                _ => break,
            };
            let Poll::Ready(count) = Pin::new(&mut *stream).poll_write(context, bytes)? else { break };
            is_written = true;
            if is_between && !self.control.is_empty() {
                self.control.drain(..count);
            } else {
                self.unsent -= count;
                self.position =
                    if self.unsent == 0 { 0 } else { (self.position + count) % run.map_or(1, |run| run.frames.len()) };
            }
        }
        if is_written && matches!(stream, Stream::Tls(_)) {
            let _ = Pin::new(stream).poll_flush(context)?;
        }
        Ok(())
    }

    /// Takes what has been read, and tells how much that is.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let mut reader = std::mem::take(&mut self.reader);
        reader.read(bytes, |event| match event {
            Event::Message(size) => self.echoed(size),
            Event::Ping(payload) => self.control.extend(masked(0xa, &payload)),
            Event::Close(code) => {
                if !self.is_closing {
                    self.control
                        .extend(masked(0x8, &code.map(u16::to_be_bytes).unwrap_or_default()[..code.map_or(0, |_| 2)]));
                }
                self.end.get_or_insert(End::Close(code));
            }
            Event::Invalid => self.end = Some(End::Failed(ErrorKind::InvalidData)),
        });
        self.reader = reader;
        bytes.len()
    }

    fn echoed(&mut self, size: u64) {
        let (Some(run), Some(due)) = (&self.run, self.outstanding.pop_front()) else { return };
        let now = Instant::now();
        if size == run.size as u64 {
            run.succeed(now.saturating_duration_since(due));
        } else {
            run.lose(1, &Error::other("an echo of another size"));
        }
        if self.following > 0 {
            self.following -= 1;
            self.push(now);
        }
    }

    fn finish(&mut self, end: End) {
        let lost = self.outstanding.len() as u64 + self.following;
        if let Some(run) = self.run.take() {
            run.lose(lost, &Error::other(format!("session ended: {end:?}")));
        }
        self.end = Some(end);
    }
}
