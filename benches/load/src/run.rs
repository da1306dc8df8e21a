//! A run of messages over sessions, and what is counted of it.

use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::timeout_at;

use crate::frame::masked;
use crate::tally::{Failures, Latency};

/// Messages of one size that sessions send, and their echoes.
pub(crate) struct Run {
    pub(crate) size: usize,
    /// The frame, so often one after the other that many can be sent at once.
    pub(crate) frames: Vec<u8>,
    /// Its length.
    pub(crate) frame: usize,
    start: Instant,
    latency: RefCell<Latency>,
    failures: RefCell<Failures>,
    left: Cell<u64>,
    done: Notify,
}

impl Run {
    pub(crate) fn new(size: usize) -> Rc<Run> {
        let frame = masked(0x2, &vec![b'x'; size]);
        Rc::new(Run {
            size,
            frames: frame.repeat((16 * 1024 / frame.len()).clamp(1, 64)),
            frame: frame.len(),
            start: Instant::now(),
            latency: RefCell::default(),
            failures: RefCell::default(),
            left: Cell::new(0),
            done: Notify::new(),
        })
    }

    /// So many messages more belong to it.
    pub(crate) fn expect(&self, count: u64) {
        self.left.set(self.left.get() + count);
    }

    /// An echo has come.
    pub(crate) fn succeed(&self, latency: Duration) {
        self.latency.borrow_mut().note(latency);
        self.settle(1);
    }

    /// Messages that were sent, or would have been, and get no echo.
    pub(crate) fn lose(&self, count: u64, error: &Error) {
        self.failures.borrow_mut().add(count, error);
        self.settle(count);
    }

    fn settle(&self, count: u64) {
        self.left.set(self.left.get().saturating_sub(count));
        if self.left.get() == 0 {
            self.done.notify_one();
        }
    }

    /// Waits until each message has been echoed or lost; those that then are neither have failed.
    pub(crate) async fn end(&self, until: Instant) -> Value {
        while self.left.get() > 0 {
            if timeout_at(until.into(), self.done.notified()).await.is_err() {
                self.lose(self.left.get(), &ErrorKind::TimedOut.into());
            }
        }
        let latency = self.latency.borrow().json();
        let messages = latency["count"].as_u64().unwrap_or_default() * 2;
        let mut answer = json!({
            "messages": messages, "bytes": messages * self.size as u64,
            "seconds": self.start.elapsed().as_secs_f64(), "latency": latency,
        });
        self.failures.borrow().put(&mut answer);
        answer
    }
}
