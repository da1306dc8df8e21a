//! Requests on connections that are kept: as fast as they go, or each when it is due.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::schedule::Schedule;
use crate::tally::Tally;

/// A request of an open loop that is not answered in time has failed; and so has one that is not when all is over.
const LIMIT: Duration = Duration::from_secs(10);

/// What can ask again and again; the length of each answer's body is told.
pub(crate) trait Ask: 'static {
    fn ask(&mut self) -> impl Future<Output = io::Result<u64>>;
}

/// Clients that ask while the schedule lasts.
pub(crate) struct Requests {
    schedule: Schedule,
    tally: RefCell<Tally>,
}

/// Requests that are under way.
pub(crate) struct Running {
    requests: Rc<Requests>,
    tasks: JoinSet<()>,
}

impl Running {
    /// Each client asks, one request at a time, when one is due and it is free.
    pub(crate) fn start(clients: Vec<impl Ask>, rate: Option<f64>, length: Duration) -> io::Result<Running> {
        let schedule = Schedule::new(rate, length)?;
        let tally = RefCell::new(Tally::new(Instant::now()));
        let requests = Rc::new(Requests { schedule, tally });
        let mut tasks = JoinSet::new();
        for client in clients {
            tasks.spawn_local(requests.clone().ask(client));
        }
        Ok(Running { requests, tasks })
    }

    /// Waits until all is over. What was due and has not been answered some time later has failed.
    pub(crate) async fn end(self) -> Value {
        self.end_within(LIMIT).await
    }

    /// The same, some time being `late`.
    pub(crate) async fn end_within(mut self, late: Duration) -> Value {
        let left = self.requests.schedule.left() + late;
        let _ = timeout(left, async { while self.tasks.join_next().await.is_some() {} }).await;
        let mut tally = self.requests.tally.borrow_mut();
        tally.abandon(self.tasks.len() as u64 + self.requests.schedule.untaken());
        tally.total(Instant::now())
    }

    /// No more requests.
    pub(crate) async fn stop(self) -> Value {
        self.requests.schedule.stop();
        self.end().await
    }

    /// How it went since this was asked last.
    pub(crate) fn recent(&self) -> Value {
        self.requests.tally.borrow_mut().recent()
    }
}

impl Requests {
    async fn ask(self: Rc<Requests>, mut client: impl Ask) {
        while let Some(due) = self.schedule.next().await {
            let answer = if self.schedule.is_open_loop() {
                timeout(LIMIT, client.ask()).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
            } else {
                client.ask().await
            };
            match answer {
                Ok(bytes) => self.tally.borrow_mut().succeed(due, Instant::now(), bytes),
                Err(error) => {
                    self.tally.borrow_mut().fail(&error);
                    if !self.schedule.is_open_loop() {
                        sleep(Duration::from_millis(1)).await;
                    }
                }
            }
        }
    }
}
