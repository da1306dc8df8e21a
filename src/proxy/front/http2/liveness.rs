//! Pings of an HTTP/2 connection (RFC 9113 section 6.7): they find out that a client has gone.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// Time between two pings to a client, and the time that it has to answer one.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// The pings of one connection.
pub(super) struct Liveness {
    pings: PingPong,
    timer: Pin<Box<Sleep>>,
    /// Whether the client owes an answer.
    waiting: bool,
}

impl Liveness {
    /// The first ping is sent after [`PING_INTERVAL`].
    pub(super) fn new(pings: PingPong) -> Self {
        Self { pings, timer: Box::pin(sleep(PING_INTERVAL)), waiting: false }
    }

    /// Ready, once, when the client has not answered in time. Sends the pings that are due.
    pub(super) fn poll_lost(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting && self.pings.poll_pong(cx).is_ready() {
                self.waiting = false;
                self.restart();
            }
            ready!(self.timer.as_mut().poll(cx));
            self.restart();
            if self.waiting {
                return Poll::Ready(());
            }
            // It fails only for a connection that has ended.
            self.waiting = self.pings.send_ping(Ping::opaque()).is_ok();
        }
    }

    fn restart(&mut self) {
        self.timer.as_mut().reset(Instant::now() + PING_INTERVAL);
    }
}
