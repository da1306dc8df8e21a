//! Health probes of members: a request over HTTP or HTTPS, or a connection.
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
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::dial::{Connector, DialError, Stream};
use super::member::{Health, Member, ProbeOutcome};
use crate::model::{MAX_PROBE_BODY_CHARS, Probe, ProbeHeader, ProbeKind, Transport};

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
    inconclusive: AtomicU64,
}

impl ProbeCounters {
    fn count(&self, outcome: &ProbeOutcome) {
        let counter = match outcome {
            ProbeOutcome::Passed(_) => &self.0.succeeded,
            ProbeOutcome::Failed(_) | ProbeOutcome::Unreachable(_) => &self.0.failed,
            ProbeOutcome::Inconclusive(_) => &self.0.inconclusive,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// How many probes have had each result, by its name in the metrics.
    pub fn totals(&self) -> [(&'static str, u64); 3] {
        let ProbeCounts { failed, succeeded, inconclusive } = &*self.0;
        [("failure", failed), ("success", succeeded), ("inconclusive", inconclusive)]
            .map(|(result, counter)| (result, counter.load(Ordering::Relaxed)))
    }
}

/// Probes a member until nothing holds it. `changed` is notified when its health has changed.
pub(super) async fn run(member: Weak<Member>, probe: Arc<Probe>, changed: Arc<Notify>, counters: ProbeCounters) {
    let mut retry = MIN_PROBE_INTERVAL;
    while let Some(strong) = member.upgrade() {
        if strong.successor().is_some() {
            drop(strong);
            tokio::time::sleep(MIN_PROBE_INTERVAL).await;
            continue;
        }
        let suspected = Arc::clone(&strong.suspected);
        // Boxed: its future is far larger than the rest of the task, which waits nearly all the time.
        let outcome = Box::pin(ask(&strong, &probe)).await;
        counters.count(&outcome);
        let conclusive = !matches!(outcome, ProbeOutcome::Inconclusive(_));
        record(&strong, &probe, outcome, &changed);
        let pause = if strong.health() == Health::Up && conclusive {
            retry = MIN_PROBE_INTERVAL;
            probe.interval
        } else {
            let pause = retry.min(probe.interval);
            retry = pause * 2;
            pause
        };
        drop(strong);
        wait(&suspected, pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }
}

/// Records the result of a probe.
fn record(member: &Member, probe: &Probe, outcome: ProbeOutcome, changed: &Notify) {
    let failure = (!matches!(outcome, ProbeOutcome::Passed(_))).then(|| outcome.to_string());
    let answers = matches!(outcome, ProbeOutcome::Failed(_));
    if let Some(health) = member.record(outcome, probe.unhealthy_threshold) {
        let (address, health) = (member.key.address, health.name());
        match failure {
            None => tracing::info!(%address, health, "member health changed"),
            Some(failure) if probe.is_guess && answers => {
                let remedy = "it still serves where no member passes this default probe; name a path that answers plain HTTP, by \
                              the pod's readinessProbe or the annotation health-probe-path, or turn probes off: \
                              steadygate.io/health-probe: \"off\"";
                tracing::info!(%address, health, %failure, remedy, "member health changed");
            }
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

/// One request or connection to a member, and what its answer says of the member's health.
async fn ask(member: &Member, probe: &Probe) -> ProbeOutcome {
    let (deadline, timeout) = (Instant::now() + probe.timeout, probe.timeout);
    let address = SocketAddr::new(member.key.address.ip(), probe.port.unwrap_or(member.key.address.port()));
    let connector = match (probe.https, &*member.key.transport) {
        (true, Transport::Https(_)) | (false, Transport::Http) => member.connector.at_port(address.port()),
        (true, Transport::Http) => Connector::unverified(address),
        (false, Transport::Https(_)) => Connector::clear(address),
    };
    let stream = match timeout_at(deadline, connector.dial()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error @ DialError::Shortage(..))) => return ProbeOutcome::Inconclusive(error.to_string()),
        Ok(Err(error)) => return ProbeOutcome::Unreachable(error.to_string()),
        Err(_) => return ProbeOutcome::Unreachable(format!("no connection to {address} within {timeout:?}")),
    };
    if probe.kind == ProbeKind::Connection {
        return ProbeOutcome::Passed(None);
    }
    let host = probe.host.clone().unwrap_or_else(|| match &member.key.name {
        Some(name) => format!("{name}:{}", address.port()),
        None => address.to_string(),
    });
    match timeout_at(deadline, exchange(stream, probe, host)).await {
        Ok(Ok(status)) => ProbeOutcome::Passed(Some(status)),
        Ok(Err(failure)) => ProbeOutcome::Failed(failure),
        Err(_) => ProbeOutcome::Failed(format!("no whole answer within {timeout:?}")),
    }
}

/// Sends the request on a connection. Gives the status of the answer, or why the probe has failed.
async fn exchange(stream: Stream, probe: &Probe, host: String) -> Result<u16, String> {
    // The kubelet's names of headers are written so, too.
    let handshake = http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let request = request(probe, host).map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| format!("no answer: {error}"))?;
        let status = response.status().as_u16();
        if !probe.accepts(status) {
            return Err(unexpected(probe, status));
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

/// The request of a probe. Of `User-Agent` and `Accept` the declared ones count, and an empty one is left out, as with the kubelet.
fn request(probe: &Probe, host: String) -> http::Result<Request<Empty<Bytes>>> {
    let mut request = Request::get(&probe.path).header(header::HOST, host).header(header::CONNECTION, "close");
    for (name, default) in
        [(header::USER_AGENT, concat!("steadygate-probe/", env!("CARGO_PKG_VERSION"))), (header::ACCEPT, "*/*")]
    {
        if !probe.headers.iter().any(|declared| declared.name.eq_ignore_ascii_case(name.as_str())) {
            request = request.header(name, default);
        }
    }
    for ProbeHeader { name, value } in &probe.headers {
        let is_own = [header::USER_AGENT, header::ACCEPT].iter().any(|own| name.eq_ignore_ascii_case(own.as_str()));
        if !(is_own && value.expose().is_empty()) {
            request = request.header(name, value.expose());
        }
    }
    request.body(Empty::new())
}

/// The error of an answer whose status the probe does not accept.
fn unexpected(probe: &Probe, status: u16) -> String {
    let wanted: Vec<String> = probe.statuses.iter().map(ToString::to_string).collect();
    let mut message = format!("GET {} answered {status}, expected {}", probe.path, wanted.join(","));
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
mod tests;
