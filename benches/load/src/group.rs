//! A group of WebSocket sessions, and what commands do with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Error, ErrorKind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::timeout_at;

use crate::attempts::Attempts;
use crate::dial::{Dialer, Target};
use crate::http1;
use crate::run::Run;
use crate::schedule::Schedule;
use crate::session::{End, Session};
use crate::stream::Stream;
use crate::tally::Failures;

/// The key of RFC 6455 section 1.3, and its answer: so no hash is computed for each.
const KEY: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Sessions that were opened under one name.
#[derive(Default)]
pub(crate) struct Group {
    sessions: RefCell<Vec<(Rc<Session>, JoinHandle<()>)>>,
}

impl Group {
    /// Opens more sessions. Latency is that of the handshake.
    pub(crate) async fn open(self: Rc<Group>, dialer: Rc<Dialer>, target: Rc<Target>, attempts: Attempts) -> Value {
        let mut answer = attempts
            .make(move || {
                let (group, dialer, target) = (self.clone(), dialer.clone(), target.clone());
                async move {
                    let start = Instant::now();
                    let (stream, early) = handshake(&dialer, &target).await?;
                    let session = Rc::<Session>::default();
                    let task = spawn_local(session.clone().live(stream, early));
                    group.sessions.borrow_mut().push((session, task));
                    Ok(start.elapsed())
                }
            })
            .await;
        answer["opened"] = answer["latency"]["count"].clone();
        answer
    }

    /// Each of the first `sessions` sends so many messages, so many of them at once, and reads the echoes.
    pub(crate) async fn echo(
        &self,
        size: usize,
        rounds: u64,
        in_flight: u64,
        sessions: Option<usize>,
        until: Instant,
    ) -> Value {
        let run = Run::new(size);
        for (session, _) in self.sessions.borrow().iter().take(sessions.unwrap_or(usize::MAX)) {
            session.echo(&run, rounds, in_flight.max(1));
        }
        run.end(until).await
    }

    /// Sends messages over all sessions in turn, each when it is due.
    pub(crate) async fn paced(&self, size: usize, rate: f64, length: Duration) -> io::Result<Value> {
        let sessions: Vec<_> = self.sessions.borrow().iter().map(|(session, _)| session.clone()).collect();
        let (run, schedule) = (Run::new(size), Schedule::new(Some(rate), length)?);
        for session in sessions.iter().cycle() {
            let Some(due) = schedule.next().await else { break };
            session.send(&run, due);
        }
        Ok(run.end(Instant::now() + Duration::from_secs(5)).await)
    }

    /// How many are open, and how those ended that nobody here asked to.
    pub(crate) fn state(&self) -> Value {
        let (mut open, mut codes) = (0, BTreeMap::<String, u64>::new());
        for (session, _) in self.sessions.borrow().iter() {
            match session.end() {
                None => open += 1,
                Some(_) if session.is_closing() => {}
                Some(end) => *codes.entry(name(&end)).or_default() += 1,
            }
        }
        json!({"open": open, "cut": codes.values().sum::<u64>(), "codes": codes})
    }

    /// Closes all that are open, in good order, and forgets them.
    pub(crate) async fn close(&self, until: Instant) -> Value {
        let (start, mut closed, mut failures) = (Instant::now(), 0, Failures::default());
        let sessions = self.sessions.take();
        for (session, _) in &sessions {
            session.close();
        }
        for (session, task) in sessions {
            let is_over = timeout_at(until.into(), task).await.is_ok();
            match session.end() {
                _ if !session.is_closing() => {}
                Some(End::Close(_)) if is_over => closed += 1,
                Some(end) => failures.note(&Error::other(name(&end))),
                None => failures.note(&ErrorKind::TimedOut.into()),
            }
        }
        let mut answer = json!({"closed": closed, "seconds": start.elapsed().as_secs_f64()});
        failures.put(&mut answer);
        answer
    }
}

/// A Close by its code (1005: none), anything else by what it is.
fn name(end: &End) -> String {
    match end {
        End::Close(code) => code.unwrap_or(1005).to_string(),
        End::Eof => String::from("eof"),
        End::Failed(kind) => kind.to_string(),
    }
}

/// Opens a session; with it comes what the other side has sent already.
async fn handshake(dialer: &Dialer, target: &Target) -> io::Result<(Stream, Vec<u8>)> {
    let mut stream = dialer.connect(target).await?;
    stream.send(&http1::request(target, KEY)).await?;
    let mut read = Vec::new();
    loop {
        if stream.receive(|bytes| read.extend_from_slice(bytes)).await.map(|()| read.is_empty())? {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; 48];
        let mut head = httparse::Response::new(&mut headers);
        match head.parse(&read) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(length)) => {
                let mut headers = head.headers.iter();
                let accept = headers.find(|header| header.name.eq_ignore_ascii_case("sec-websocket-accept"));
                match (head.code, accept.map(|header| header.value)) {
                    (Some(101), Some(ACCEPT)) => return Ok((stream, read.split_off(length))),
                    (Some(101), _) => return Err(ErrorKind::InvalidData.into()),
                    (status, _) => return Err(Error::other(format!("status {}", status.unwrap_or_default()))),
                }
            }
            Err(_) => return Err(ErrorKind::InvalidData.into()),
        }
    }
}
