//! The body of a client's HTTP/1.1 request: a mailbox between the task of the connection, which alone reads from the client, and
//! whoever reads the body.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use crate::proxy::http1::framing::{BodyFraming, Decoded};

/// One part of a body: data, or the trailers.
type Part = io::Result<Frame<Bytes>>;

/// The reader's end of a body.
pub(in crate::proxy) struct Http1Receiver(Arc<Mailbox>);

/// The connection's end of a body.
pub(in crate::proxy) struct Http1Feed {
    mailbox: Arc<Mailbox>,
    framing: BodyFraming,
    /// Whether nothing more of the body is to be read: it has been read whole, or has broken off.
    is_over: bool,
    /// Whether it has broken off: nobody knows where the next request begins.
    is_broken: bool,
    /// Whether anything of the body has come, or has been asked for.
    has_begun: bool,
}

/// What a turn of [`Http1Feed::poll`] has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::proxy) enum Feeding {
    /// A part was handed to a reader in the same task, which has to be polled again.
    HandedOn,
    /// The reader waits for more than has been read.
    Starved,
    /// Nobody waits for a part.
    Unwanted,
}

type Mailbox = Mutex<MailboxState>;

#[derive(Default)]
struct MailboxState {
    part: Option<Part>,
    /// Whether `part` is the last.
    is_last: bool,
    /// The reader, if it waits for a part.
    reader: Option<Waker>,
    /// The task of the connection.
    feeder: Option<Waker>,
    reader_has_left: bool,
}

fn lock(mailbox: &Mailbox) -> MutexGuard<'_, MailboxState> {
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Both ends of a body with this framing, of which the beginning may have been read.
pub(in crate::proxy) fn body(framing: BodyFraming, read: &mut BytesMut) -> (Http1Receiver, Http1Feed) {
    let mailbox = Arc::new(Mailbox::default());
    let mut feed = Http1Feed {
        mailbox: Arc::clone(&mailbox),
        framing,
        is_over: framing.is_over(),
        is_broken: false,
        has_begun: !read.is_empty(),
    };
    if let Some(part) = feed.take(read) {
        feed.hand_on(part);
    }
    (Http1Receiver(mailbox), feed)
}

impl Http1Receiver {
    /// The next part.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Part>> {
        let mut mailbox = lock(&self.0);
        if let Some(part) = mailbox.part.take() {
            return Poll::Ready(Some(part));
        }
        if mailbox.is_last {
            return Poll::Ready(None);
        }
        mailbox.reader = Some(cx.waker().clone());
        if let Some(feeder) = mailbox.feeder.as_ref().filter(|feeder| !feeder.will_wake(cx.waker())) {
            feeder.wake_by_ref();
        }
        Poll::Pending
    }

    /// Whether everything has been read.
    pub(super) fn is_end(&self) -> bool {
        let mailbox = lock(&self.0);
        mailbox.is_last && mailbox.part.is_none()
    }
}

impl Drop for Http1Receiver {
    fn drop(&mut self) {
        let mut mailbox = lock(&self.0);
        mailbox.reader_has_left = true;
        mailbox.part = None;
    }
}

impl Http1Feed {
    /// Whether all of the body has been read, or will not come.
    pub(in crate::proxy) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether all of the body has been read, so that what follows is the next request.
    pub(in crate::proxy) fn is_complete(&self) -> bool {
        self.is_over && !self.is_broken
    }

    /// Whether a client that waits for a 100 (Continue) is to get it now: the body is asked for, and nothing of it has come. Once.
    pub(in crate::proxy) fn is_awaited_first(&mut self) -> bool {
        !self.has_begun && {
            self.has_begun = lock(&self.mailbox).reader.is_some();
            self.has_begun
        }
    }

    /// Whether nobody will read the body any more.
    pub(in crate::proxy) fn is_abandoned(&self) -> bool {
        lock(&self.mailbox).reader_has_left
    }

    /// Hands on the next part of what has been read, if the reader waits for one. The task is woken when it does.
    pub(in crate::proxy) fn poll(&mut self, cx: &Context<'_>, read: &mut BytesMut) -> Feeding {
        {
            let mut mailbox = lock(&self.mailbox);
            if !mailbox.feeder.as_ref().is_some_and(|feeder| feeder.will_wake(cx.waker())) {
                mailbox.feeder = Some(cx.waker().clone());
            }
            if mailbox.reader.is_none() || mailbox.reader_has_left {
                return Feeding::Unwanted;
            }
        }
        self.has_begun |= !read.is_empty();
        let Some(part) = self.take(read) else { return Feeding::Starved };
        match self.hand_on(part) {
            Some(reader) if reader.will_wake(cx.waker()) => Feeding::HandedOn,
            reader => {
                reader.into_iter().for_each(Waker::wake);
                Feeding::Unwanted
            }
        }
    }

    /// Tells the reader that nothing more comes.
    pub(in crate::proxy) fn break_off(&mut self, error: io::Error) {
        (self.is_over, self.is_broken) = (true, true);
        self.hand_on(Some(Err(error))).into_iter().for_each(Waker::wake);
    }

    /// Takes the remainder of a body that nobody reads out of what has been read, and drops it.
    pub(in crate::proxy) fn discard(&mut self, read: &mut BytesMut) {
        while !self.is_over && self.take(read).is_some() {}
    }

    /// The next part of what has been read: `Some(None)` for the end, `None` where more has to be read first.
    fn take(&mut self, read: &mut BytesMut) -> Option<Option<Part>> {
        let part = match self.framing.take(read) {
            Ok(Decoded::More) => return None,
            Ok(Decoded::Frame(frame)) => {
                self.is_over = self.framing.is_over();
                return Some(Some(Ok(frame)));
            }
            Ok(Decoded::End(trailers)) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(malformed) => {
                self.is_broken = true;
                Some(Err(malformed.into()))
            }
        };
        self.is_over = true;
        Some(part)
    }

    /// Puts a part into the mailbox. Gives the reader, if it waits.
    fn hand_on(&self, part: Option<Part>) -> Option<Waker> {
        let mut mailbox = lock(&self.mailbox);
        mailbox.is_last = self.is_over;
        if !mailbox.reader_has_left {
            mailbox.part = part;
        }
        mailbox.reader.take()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    thread_local! {
        /// The task of both ends.
        static TASK: Waker = Waker::from(Arc::new(Task));
    }

    fn next(receiver: &Http1Receiver) -> Poll<Option<Vec<u8>>> {
        let part = TASK.with(|task| receiver.poll_frame(&mut Context::from_waker(task)));
        part.map(|part| part.map(|part| part.expect("no error").into_data().expect("data").to_vec()))
    }

    fn feed(feed: &mut Http1Feed, read: &mut BytesMut) -> Feeding {
        TASK.with(|task| feed.poll(&Context::from_waker(task), read))
    }

    #[test]
    fn a_body_is_read_no_faster_than_it_is_wanted() {
        let mut read = BytesMut::from("hel");
        let (receiver, mut body) = body(BodyFraming::Length(5), &mut read);
        read.extend_from_slice(b"lonext");
        assert_eq!(feed(&mut body, &mut read), Feeding::Unwanted);
        assert_eq!(next(&receiver), Poll::Ready(Some(b"hel".to_vec())));
        assert_eq!(feed(&mut body, &mut read), Feeding::Unwanted);
        assert_eq!(next(&receiver), Poll::Pending);
        assert_eq!(feed(&mut body, &mut read), Feeding::HandedOn);
        assert!(body.is_over() && !receiver.is_end());
        assert_eq!(next(&receiver), Poll::Ready(Some(b"lo".to_vec())));
        assert!(receiver.is_end());
        assert_eq!(next(&receiver), Poll::Ready(None));
        assert_eq!(&read[..], b"next");
    }

    #[test]
    fn a_body_that_nobody_reads_is_passed_over() {
        let mut read = BytesMut::new();
        let (receiver, mut body) = body(BodyFraming::CHUNKED, &mut read);
        drop(receiver);
        assert!(body.is_abandoned());
        read.extend_from_slice(b"2\r\nok\r\n");
        body.discard(&mut read);
        assert!(!body.is_over());
        read.extend_from_slice(b"0\r\n\r\nnext");
        body.discard(&mut read);
        assert!(body.is_complete());
        assert_eq!(&read[..], b"next");
    }

    #[test]
    fn behind_a_body_that_breaks_off_no_request_begins() {
        let mut read = BytesMut::from("2\r\nok\r\nzz\r\nGET");
        let (receiver, mut feed) = body(BodyFraming::CHUNKED, &mut read);
        drop(receiver);
        feed.discard(&mut read);
        assert!(feed.is_over() && !feed.is_complete());
        let (_receiver, mut feed) = body(BodyFraming::Length(5), &mut BytesMut::new());
        feed.break_off(io::ErrorKind::UnexpectedEof.into());
        assert!(feed.is_over() && !feed.is_complete());
    }

    #[test]
    fn who_waits_for_a_100_gets_it_when_the_body_is_wanted() {
        let mut read = BytesMut::new();
        let (receiver, mut body) = body(BodyFraming::Length(5), &mut read);
        assert!(!body.is_awaited_first());
        assert_eq!(next(&receiver), Poll::Pending);
        assert!(body.is_awaited_first() && !body.is_awaited_first());
    }

    #[test]
    fn a_body_that_breaks_off_is_no_whole_one() {
        let mut read = BytesMut::from("zz");
        let (receiver, body) = body(BodyFraming::CHUNKED, &mut read);
        assert!(body.is_over());
        let part = receiver.poll_frame(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(part, Poll::Ready(Some(Err(_)))));
    }
}
