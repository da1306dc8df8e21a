//! Asking members over HTTP or HTTPS whether they are well.
//!
//! One task a member, which lives as long as somebody holds the member. The first probe goes out at once;
//! the others at the interval, spread by a tenth of it either way so that members don't answer in step.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;

use super::dial::Connector;
use super::registry::ProbeCounters;
use super::{Health, Member, Outcome};
use crate::model::Transport;

/// How much of the body is looked at for the text that must be in it (ARM's limit).
const BODY_LIMIT: usize = 4090;
/// Requests that fail may ask for a probe; it is never more often than this. Also the pause after the first failure of a
/// member that is not up: such a member is asked again after 1, 2, 4 … seconds, up to the interval.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Probes a member until nobody holds it.
pub(super) async fn run(member: Weak<Member>, changed: Arc<Notify>, counters: ProbeCounters) {
    let mut quick = SHORTEST_PAUSE;
    while let Some(strong) = member.upgrade() {
        if strong.successor().is_some() {
            drop(strong);
            tokio::time::sleep(SHORTEST_PAUSE).await;
            continue;
        }
        let (interval, suspected) = (strong.key.probe.interval, Arc::clone(&strong.suspected));
        // It takes far more room than the pause until the next.
        Box::pin(probe(&strong, &changed, &counters)).await;
        let pause = if strong.health() == Health::Up {
            quick = SHORTEST_PAUSE;
            interval
        } else {
            let pause = quick.min(interval);
            quick = pause * 2;
            pause
        };
        drop(strong);
        wait(&suspected, pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
    }
}

/// Asks a member once, and takes in what comes of it.
async fn probe(member: &Member, changed: &Notify, counters: &ProbeCounters) {
    let timeout = member.key.probe.timeout;
    let outcome = match tokio::time::timeout(timeout, ask(member)).await {
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

/// Waits for the next turn, for a request that could not reach the member, or for its end. Does not hold it, so that one
/// that nobody uses is freed.
async fn wait(suspected: &Notify, pause: Duration) {
    let shortest = SHORTEST_PAUSE.min(pause);
    tokio::time::sleep(shortest).await;
    let _in_time = tokio::time::timeout(pause - shortest, suspected.notified()).await;
}

/// One probe.
async fn ask(member: &Member) -> Outcome {
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
    let exchange = async {
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
    tokio::pin!(exchange);
    // The connection is driven here, so that it ends with the probe.
    tokio::select! {
        outcome = &mut exchange => outcome,
        _ = connection => exchange.await,
    }
}

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

async fn body_contains(mut body: hyper::body::Incoming, text: &str) -> bool {
    let mut seen = Vec::new();
    while seen.len() < BODY_LIMIT {
        match body.frame().await {
            Some(Ok(frame)) => seen.extend_from_slice(frame.data_ref().map(AsRef::as_ref).unwrap_or_default()),
            Some(Err(_)) => return false,
            None => break,
        }
    }
    seen.truncate(BODY_LIMIT);
    text.is_empty() || seen.windows(text.len()).any(|window| window == text.as_bytes())
}
