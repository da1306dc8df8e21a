//! A session as it is listed.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use k8s_openapi::jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::filter::Facts;
use crate::model::{Address, Model};
use crate::websocket::{Counters, ScheduledClose, Session};

/// What `GET /sessions` answers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Listing<'a> {
    /// From the oldest.
    pub sessions: Vec<Listed<'a>>,
}

/// One session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listed<'a> {
    /// Unique in the process.
    pub id: u64,
    /// The object that made the route: `Ingress default/site`.
    pub object: Cow<'a, str>,
    /// The field of the object from which the route was made.
    pub field: Cow<'a, str>,
    /// The identity of the route: object, host and path.
    pub route: Cow<'a, str>,
    /// The pool that its member was chosen from.
    pub pool: Cow<'a, str>,
    /// Where its backend is.
    pub member: SocketAddr,
    /// What is there now, if that is known: `Pod default/chat-7d9f`.
    pub pod: Option<Cow<'a, str>>,
    /// Who opened it.
    pub client: IpAddr,
    /// Frontend port.
    pub port: u16,
    /// Host, lower case and without port.
    pub host: Cow<'a, str>,
    /// Path, normalised.
    pub path: Cow<'a, str>,
    /// What its handshake was in.
    pub version: Cow<'a, str>,
    /// `User-Agent`.
    pub user_agent: Cow<'a, str>,
    /// The one that the backend chose.
    pub subprotocol: Cow<'a, str>,
    /// `X-Request-Id`.
    pub request_id: Cow<'a, str>,
    /// When it was opened (RFC 3339, UTC).
    pub opened: Cow<'a, str>,
    /// Seconds since.
    pub age_seconds: f64,
    /// Seconds since the last byte.
    pub silence_seconds: f64,
    /// `open`, or `closing` once it has been asked to close.
    pub state: Cow<'a, str>,
    /// What it has been asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Closing<'a>>,
    /// From the client to the backend.
    pub up: Direction,
    /// From the backend to the client.
    pub down: Direction,
}

/// That a session is about to be closed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Closing<'a> {
    /// The cause, as the log has it.
    pub why: Cow<'a, str>,
    /// Status of the Close frame.
    pub code: u16,
    /// Its reason.
    pub reason: Cow<'a, str>,
    /// When (RFC 3339, UTC).
    pub at: Cow<'a, str>,
}

/// What has been counted of one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Direction {
    /// Bytes, frame headers included.
    pub bytes: u64,
    /// Text messages in one frame.
    pub text: u64,
    /// Binary messages in one frame.
    pub binary: u64,
    /// Messages in several frames.
    pub fragmented: u64,
    /// Ping frames.
    pub pings: u64,
    /// Pong frames.
    pub pongs: u64,
    /// Status of the Close frame, if one was seen; 1005: it had none.
    pub close: Option<u16>,
}

impl Direction {
    /// Messages, however many frames they had.
    pub fn messages(&self) -> u64 {
        self.text + self.binary + self.fragmented
    }
}

impl From<&Counters> for Direction {
    fn from(counters: &Counters) -> Self {
        let values = counters.values();
        Self {
            bytes: values.bytes,
            text: values.text,
            binary: values.binary,
            fragmented: values.continued,
            pings: values.pings,
            pongs: values.pongs,
            close: values.close,
        }
    }
}

/// What is at each address, as far as the source says.
#[derive(Debug)]
pub(super) struct Pods<'a>(HashMap<SocketAddr, &'a str>);

impl<'a> Pods<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        let endpoints = model.pools.values().flat_map(|pool| &pool.endpoints);
        let known = endpoints.filter_map(|endpoint| match (&endpoint.address, &endpoint.target) {
            (Address::Socket(address), Some(target)) => Some((*address, target.as_str())),
            _ => None,
        });
        Self(known.collect())
    }

    pub(super) fn facts<'b>(&'b self, session: &'b Session) -> Facts<'b> {
        Facts {
            id: session.id,
            route: session.info.target.id(),
            pool: session.pool(),
            member: session.member(),
            pod: self.0.get(&session.member()).copied(),
            client: session.info.client,
        }
    }
}

impl<'a> Listed<'a> {
    pub(super) fn of(session: &'a Session, pods: &'a Pods<'_>) -> Self {
        let (facts, info) = (pods.facts(session), &session.info);
        let scheduled = session.scheduled_close();
        Self {
            id: facts.id,
            object: facts.route.owner.to_string().into(),
            field: (&*info.target.route.field).into(),
            route: facts.route.to_string().into(),
            pool: facts.pool.into(),
            member: facts.member,
            pod: facts.pod.map(Into::into),
            client: facts.client,
            port: info.port,
            host: info.handshake.host().into(),
            path: info.handshake.path().into(),
            version: format!("{:?}", info.version).into(),
            user_agent: info.handshake.user_agent().into(),
            subprotocol: info.handshake.subprotocol().into(),
            request_id: info.handshake.request_id().into(),
            opened: time(session.opened).into(),
            age_seconds: seconds(session.opened.elapsed()),
            silence_seconds: seconds(session.silence()),
            state: if scheduled.is_some() { "closing" } else { "open" }.into(),
            closing: scheduled.map(|ScheduledClose { moment, order }| Closing {
                why: order.cause.name().into(),
                code: order.code,
                reason: order.reason,
                at: time(moment).into(),
            }),
            up: (&session.up).into(),
            down: (&session.down).into(),
        }
    }
}

/// To the millisecond.
fn seconds(duration: std::time::Duration) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}

/// A moment as the clock on the wall has it, to the second; empty for one that no clock shows.
fn time(moment: Instant) -> String {
    let (now, clock) = (Instant::now(), SystemTime::now());
    let shown = match moment.checked_duration_since(now) {
        Some(ahead) => clock.checked_add(ahead),
        None => clock.checked_sub(now.saturating_duration_since(moment)),
    };
    let shown = shown.and_then(|shown| Timestamp::try_from(shown).ok());
    let second = shown.and_then(|shown| Timestamp::from_second(shown.as_second()).ok());
    second.map(|second| second.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn moments_are_told_in_utc_to_the_second() {
        let now = Instant::now();
        let (past, ahead) = (time(now - Duration::from_millis(1)), time(now + Duration::from_secs(3_600)));
        assert!(past.ends_with('Z') && past.len() == "2026-01-01T00:00:00Z".len(), "{past}");
        assert!(past < ahead, "{past} {ahead}");
    }
}
