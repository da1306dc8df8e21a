//! Reads commands, carries out one after the other, and answers each.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::attempts::Attempts;
use crate::command::{Command, Tls, Version};
use crate::connect;
use crate::dial::{Dialer, Options, Target};
use crate::group::Group;
use crate::requests::Running;
use crate::{http1, http2};

/// Nothing goes on for longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// Until standard input ends.
pub(crate) async fn run(dialer: Dialer) -> Result<()> {
    let mut drive = Drive { dialer: Rc::new(dialer), groups: HashMap::new(), traffic: None };
    let mut lines = lines();
    while let Some((read, line)) = lines.recv().await {
        let answer = match serde_json::from_str(&line) {
            Ok(command) => drive.carry_out(command, read).await,
            Err(error) => Err(error.into()),
        };
        let answer = match answer {
            Ok(mut answer) => {
                answer["ok"] = true.into();
                answer
            }
            Err(error) => json!({"ok": false, "error": format!("{error:#}")}),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

/// The lines of standard input, and when each was read.
fn lines() -> mpsc::Receiver<(Instant, String)> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines().map_while(Result::ok);
        lines.filter(|line| !line.trim().is_empty()).try_for_each(|line| sender.blocking_send((Instant::now(), line)))
    });
    receiver
}

struct Drive {
    dialer: Rc<Dialer>,
    groups: HashMap<String, Rc<Group>>,
    traffic: Option<Running>,
}

impl Drive {
    async fn carry_out(&mut self, command: Command, read: Instant) -> Result<Value> {
        let until = |timeout| anyhow::Ok(read + span(timeout)?);
        match command {
            Command::Http { url, host, connections, streams, version, seconds, rate, header, status, ca } => {
                let options = Options { ca, is_http2: version == Version::Http2, ..Options::default() };
                let mut target = self.dialer.target(&url, host.as_deref(), &options)?;
                (target.header, target.status) = (header, status);
                let target = Rc::new(target);
                let running = match version {
                    Version::Http1 => Running::start(self.clients(&target, connections).await, rate, span(seconds)?)?,
                    Version::Http2 => {
                        let mut clients = Vec::new();
                        for _ in 0..connections {
                            clients.extend(http2::clients(self.dialer.clone(), target.clone(), streams).await?);
                        }
                        Running::start(clients, rate, span(seconds)?)?
                    }
                };
                Ok(running.end().await)
            }
            Command::Traffic { url, host, connections, rate, ca } => {
                ensure!(self.traffic.is_none(), "there is traffic already");
                let options = Options { ca, ..Options::default() };
                let target = self.target(&url, host, None, options)?;
                let clients = self.clients(&target, connections).await;
                self.traffic = Some(Running::start(clients, Some(rate), LONGEST)?);
                Ok(json!({}))
            }
            Command::TrafficSoFar => Ok(self.traffic.as_ref().context("no traffic")?.recent()),
            Command::TrafficEnd => Ok(self.traffic.take().context("no traffic")?.stop().await),
            Command::Connect { url, host, count, concurrency, tls, request, ca, timeout } => {
                let options = Options { ca, is_resumed: tls == Tls::Resumed, ..Options::default() };
                let target = self.target(&url, host, None, options)?;
                ensure!(target.is_tls() == (tls != Tls::None), "the URL's scheme and tls don't fit");
                let attempts = Attempts { count, concurrency, until: until(timeout)? };
                Ok(connect::connect(self.dialer.clone(), target, attempts, request).await)
            }
            Command::Until { url, host, path, status, backend, ca, timeout } => {
                let options = Options { ca, ..Options::default() };
                let target = self.target(&url, host, path, options)?;
                connect::until(&self.dialer, &target, (status, backend.as_deref()), read, span(timeout)?).await
            }
            Command::Open { name, url, host, path, count, concurrency, ca, timeout } => {
                let options = Options { ca, ..Options::default() };
                let target = self.target(&url, host, path, options)?;
                let group = self.groups.entry(name).or_default().clone();
                let attempts = Attempts { count, concurrency, until: until(timeout)? };
                Ok(group.open(self.dialer.clone(), target, attempts).await)
            }
            Command::Echo { name, size, rounds, in_flight, sessions, timeout } => {
                Ok(self.group(&name)?.echo(size, rounds, in_flight, sessions, until(timeout)?).await)
            }
            Command::Paced { name, size, rate, seconds } => {
                Ok(self.group(&name)?.paced(size, rate, span(seconds)?).await?)
            }
            Command::Bulk { name, size, bytes, sessions, timeout } => {
                let rounds = bytes.div_ceil((size.max(1) * sessions.max(1)) as u64);
                Ok(self.group(&name)?.echo(size, rounds, 16, Some(sessions), until(timeout)?).await)
            }
            Command::State { name } => Ok(self.group(&name)?.state()),
            Command::Close { name, timeout } => {
                let group = self.group(&name)?;
                Ok(group.close(until(timeout)?).await)
            }
        }
    }

    fn target(&self, url: &str, host: Option<String>, path: Option<String>, options: Options) -> Result<Rc<Target>> {
        let mut target = self.dialer.target(url, host.as_deref(), &options)?;
        target.path = path.unwrap_or(target.path);
        Ok(Rc::new(target))
    }

    /// Clients whose connections are open already, as long as that succeeds.
    async fn clients(&self, target: &Rc<Target>, count: usize) -> Vec<http1::Client> {
        let (mut clients, mut is_up) = (Vec::new(), true);
        for _ in 0..count {
            let mut client = http1::Client::new(self.dialer.clone(), target.clone());
            is_up = is_up && client.open().await.is_ok();
            clients.push(client);
        }
        clients
    }

    fn group(&self, name: &str) -> Result<&Group> {
        self.groups.get(name).map(Rc::as_ref).with_context(|| format!("no group {name}"))
    }
}

/// So many seconds, within reason.
fn span(seconds: f64) -> Result<Duration> {
    Ok(Duration::try_from_secs_f64(seconds)?.min(LONGEST))
}
