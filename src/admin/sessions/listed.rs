//! Live sessions as JSON.

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

/// The answer to `GET /sessions`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Listing<'a> {
    /// From the oldest.
    pub sessions: Vec<ListedSession<'a>>,
}

/// One session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListedSession<'a> {
    /// Its number, unique in the process.
    pub id: u64,
    /// The object that made the route: `Ingress default/site`.
    pub object: Cow<'a, str>,
    /// The field of the object from which the route was made.
    pub field: Cow<'a, str>,
    /// The identity of the route: object, host and path.
    pub route: Cow<'a, str>,
    /// The pool that its member was chosen from.
    pub pool: Cow<'a, str>,
    /// The address of its backend.
    pub member: SocketAddr,
    /// The pod at that address now, if it is known: `Pod default/chat-7d9f`.
    pub pod: Option<Cow<'a, str>>,
    /// The address of the client.
    pub client: IpAddr,
    /// The port of the listener.
    pub port: u16,
    /// Host, lower case and without port.
    pub host: Cow<'a, str>,
    /// Path, normalised.
    pub path: Cow<'a, str>,
    /// The HTTP version of its handshake; empty for a stream.
    pub version: Cow<'a, str>,
    /// `User-Agent`.
    pub user_agent: Cow<'a, str>,
    /// What is spoken: `websocket`, the protocol that the backend upgraded to, or `tcp`, `tls`, `tls-passthrough` of a stream.
    pub protocol: Cow<'a, str>,
    /// The subprotocol of WebSocket that the backend chose.
    pub subprotocol: Cow<'a, str>,
    /// `X-Request-Id`.
    pub request_id: Cow<'a, str>,
    /// When it was opened (RFC 3339, UTC).
    pub opened: Cow<'a, str>,
    /// Seconds since it was opened.
    pub age_seconds: f64,
    /// Seconds since the last byte.
    pub silence_seconds: f64,
    /// `open`, or `closing` once a close is scheduled.
    pub state: Cow<'a, str>,
    /// The close that is scheduled, if one is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<ListedClose<'a>>,
    /// From the client to the backend.
    pub up: ListedCounters,
    /// From the backend to the client.
    pub down: ListedCounters,
}

/// The close that is scheduled for a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListedClose<'a> {
    /// The cause, as in the log.
    pub why: Cow<'a, str>,
    /// Status of the Close frame; none where there are no frames.
    pub code: Option<u16>,
    /// Reason of the Close frame.
    pub reason: Cow<'a, str>,
    /// When (RFC 3339, UTC).
    pub at: Cow<'a, str>,
}

/// The counters of one direction of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedCounters {
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

impl ListedCounters {
    /// Messages, in one frame or in several.
    pub fn messages(&self) -> u64 {
        self.text + self.binary + self.fragmented
    }
}

impl From<&Counters> for ListedCounters {
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

/// The pod at each address, as far as the source reports it.
#[derive(Debug)]
pub(super) struct PodsByAddress<'a>(HashMap<SocketAddr, &'a str>);

impl<'a> PodsByAddress<'a> {
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

impl<'a> ListedSession<'a> {
    pub(super) fn of(session: &'a Session, pods: &'a PodsByAddress<'_>) -> Self {
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
            version: info.version.map(|version| format!("{version:?}")).unwrap_or_default().into(),
            user_agent: info.handshake.user_agent().into(),
            protocol: session.other_protocol().unwrap_or("websocket").into(),
            subprotocol: session.subprotocol().into(),
            request_id: info.handshake.request_id().into(),
            opened: time(session.opened).into(),
            age_seconds: seconds(session.opened.elapsed()),
            silence_seconds: seconds(session.silence()),
            state: if scheduled.is_some() { "closing" } else { "open" }.into(),
            closing: scheduled.map(|ScheduledClose { moment, order }| ListedClose {
                why: order.cause.name().into(),
                code: session.has_frames().then_some(order.code),
                reason: order.reason,
                at: time(moment).into(),
            }),
            up: (&session.up).into(),
            down: (&session.down).into(),
        }
    }
}

/// A duration in seconds, to the millisecond.
fn seconds(duration: std::time::Duration) -> f64 {
    duration.as_millis() as f64 / 1_000.0
}

/// A moment as RFC 3339 text in UTC, to the second; empty for a moment that cannot be expressed so.
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
