//! Health probes of members over HTTP or HTTPS.
//!
//! Each member has a task, which lives as long as something holds the member. The first probe is sent at once, the others at the
//! interval, give or take a tenth of it, so that members are not probed in step.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;

use super::dial::Connector;
use super::member::{Health, Member, ProbeOutcome};
use crate::model::{MAX_PROBE_BODY_CHARS, Transport};

/// How much of the body is searched for the text that must be in it: as many bytes as the longest text can have in UTF-8.
const MAX_BODY_BYTES: usize = MAX_PROBE_BODY_CHARS * char::MAX.len_utf8();
/// The shortest time between two probes, when requests that fail ask for one. Also the pause after the first failure of a member
/// that is not up: such a member is probed again after 1, 2, 4 … seconds, up to the interval.
const MIN_PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// Counters of answered probes. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct ProbeCounters(Arc<ProbeCounts>);

#[derive(Debug, Default)]
struct ProbeCounts {
    failed: AtomicU64,
    succeeded: AtomicU64,
}

impl ProbeCounters {
    fn count(&self, success: bool) {
        let counter = if success { &self.0.succeeded } else { &self.0.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How many probes have failed, and how many have succeeded.
    pub fn totals(&self) -> (u64, u64) {
        (self.0.failed.load(Ordering::Relaxed), self.0.succeeded.load(Ordering::Relaxed))
    }
}

/// Probes a member until nothing holds it. `changed` is notified when its health has changed.
pub(super) async fn run(member: Weak<Member>, changed: Arc<Notify>, counters: ProbeCounters) {
    let mut retry = MIN_PROBE_INTERVAL;
    while let Some(strong) = member.upgrade() {
        if strong.successor().is_some() {
            drop(strong);
            tokio::time::sleep(MIN_PROBE_INTERVAL).await;
            continue;
        }
        let (interval, suspected) = (strong.key.probe.interval, Arc::clone(&strong.suspected));
        // Boxed: its future is far larger than the rest of the task, which waits nearly all the time.
        Box::pin(probe(&strong, &changed, &counters)).await;
        let pause = if strong.health() == Health::Up {
            retry = MIN_PROBE_INTERVAL;
            interval
        } else {
            let pause = retry.min(interval);
            retry = pause * 2;
            pause
        };
        drop(strong);
        wait(&suspected, pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }
}

/// Probes a member once, and records the result.
async fn probe(member: &Member, changed: &Notify, counters: &ProbeCounters) {
    let timeout = member.key.probe.timeout;
    let outcome = match tokio::time::timeout(timeout, exchange(member)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no whole answer within {timeout:?}")),
    };
    counters.count(outcome.is_ok());
    let failure = outcome.as_ref().err().cloned();
    if let Some(health) = member.record(outcome) {
        let (address, health) = (member.key.address, health.name());
        match failure {
            None => tracing::info!(%address, health, "member health changed"),
            Some(failure) => tracing::warn!(%address, health, %failure, "member health changed"),
        }
        changed.notify_waiters();
    }
}

/// Waits for the next turn, for a request that could not reach the member, or for the member's end. It does not hold the member,
/// which is freed once nothing else does.
async fn wait(suspected: &Notify, pause: Duration) {
    let shortest = MIN_PROBE_INTERVAL.min(pause);
    tokio::time::sleep(shortest).await;
    let _in_time = tokio::time::timeout(pause - shortest, suspected.notified()).await;
}

/// One request to a member, and what its answer says of the member's health.
async fn exchange(member: &Member) -> ProbeOutcome {
    let probe = &member.key.probe;
    let address = SocketAddr::new(member.key.address.ip(), probe.port.unwrap_or(member.key.address.port()));
    let connector = match (probe.https, &*member.key.transport) {
        (true, Transport::Https(_)) | (false, Transport::Http) => member.connector.at_port(address.port()),
        (true, Transport::Http) => Connector::unverified(address),
        (false, Transport::Https(_)) => Connector::clear(address),
    };
    let stream = connector.dial().await.map_err(|error| error.to_string())?;
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let host = probe.host.clone().unwrap_or_else(|| match &member.key.name {
        Some(name) => format!("{name}:{}", address.port()),
        None => address.to_string(),
    });
    let request = Request::get(&probe.path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("steadygate-probe/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
        let status = response.status().as_u16();
        if !probe.accepts(status) {
            return Err(unexpected(member, status));
        }
        match &probe.body {
            Some(text) if !body_contains(response.into_body(), text).await => {
                Err(format!("the body of the answer does not contain {text:?}"))
            }
            _ => Ok(status),
        }
    };
    tokio::pin!(answer);
    // The connection is driven here, so that it ends with the probe.
    tokio::select! {
        outcome = &mut answer => outcome,
        _ = connection => answer.await,
    }
}

/// The error of an answer whose status the probe does not accept.
fn unexpected(member: &Member, status: u16) -> String {
    let wanted: Vec<String> = member.key.probe.statuses.iter().map(ToString::to_string).collect();
    let mut message = format!("GET {} answered {status}, expected {}", member.key.probe.path, wanted.join(","));
    if matches!(status, 400 | 426) {
        message.push_str(
            "; a WebSocket endpoint answers a plain GET so: name a path that answers plain HTTP, by the probe's path, \
             the pod's readinessProbe or the annotation health-probe-path",
        );
    }
    message
}

/// Whether the first [`MAX_BODY_BYTES`] of a body contain `text`.
async fn body_contains(mut body: hyper::body::Incoming, text: &str) -> bool {
    let mut seen = Vec::new();
    while seen.len() < MAX_BODY_BYTES {
        match body.frame().await {
            Some(Ok(frame)) => seen.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default()),
            Some(Err(_)) => return false,
            None => break,
        }
    }
    seen.truncate(MAX_BODY_BYTES);
    text.is_empty() || seen.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Probe;
    use crate::pool::member::MemberKey;

    /// The outcome of a probe that expects `text`, where the member answers with `body`.
    async fn outcome(text: String, body: String) -> ProbeOutcome {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("the probe connects");
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.expect("reads") > 0, "a request");
            // The prober may leave before the end, once it has read as much as it searches.
            let _ = stream.write_all(answer.as_bytes()).await;
        });
        let probe = Arc::new(Probe { body: Some(text), ..Probe::arm_default(false) });
        let key = MemberKey { address, name: None, transport: Arc::new(Transport::Http), probe };
        let connector = Connector::new(address, None, &Transport::Http).expect("clear text");
        let member = Member::new(key, 1, connector, Arc::default(), Health::Unknown);
        let outcome = exchange(&member).await;
        server.await.expect("served");
        outcome
    }

    #[tokio::test]
    async fn the_longest_text_is_found_whatever_its_characters() {
        for character in ["x", "é", "語", "🦀"] {
            let text = character.repeat(MAX_PROBE_BODY_CHARS);
            assert_eq!(outcome(text.clone(), text).await, Ok(200), "{character}");
        }
    }

    #[tokio::test]
    async fn a_text_beyond_the_searched_part_of_the_body_is_not_found() {
        let text = "healthy".to_owned();
        let begins_at = |index: usize| format!("{}{text}", "-".repeat(index));
        assert_eq!(outcome(text.clone(), begins_at(MAX_BODY_BYTES - text.len())).await, Ok(200));
        assert!(outcome(text.clone(), begins_at(MAX_BODY_BYTES)).await.is_err());
    }
}
