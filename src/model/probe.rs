//! Health probes: what a member is asked, and which answers are healthy.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::tls::SecretBytes;

/// The longest text that a probe looks for in the body of an answer (ARM's limit), in characters.
pub const MAX_PROBE_BODY_CHARS: usize = 4090;

/// The health probe of members (ARM `probes`, a pod's `readinessProbe.httpGet`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Probe {
    /// Whether nobody wrote the probe: it is the default of a language that has to guess what backends answer. A guess only says which
    /// members go first. Where no member of a pool passes it, it does not count, and the readiness of the endpoints decides.
    pub is_guess: bool,
    /// What is asked.
    #[serde(skip_serializing_if = "ProbeKind::is_http")]
    pub kind: ProbeKind,
    /// Whether the probe speaks TLS. The certificate is verified as the pool's transport says; if the transport is clear text, it
    /// is not verified, as with the kubelet.
    pub https: bool,
    /// The `Host` of the request. `None`: the member's own address.
    pub host: Option<String>,
    /// Further headers of the request, in order. Names may repeat.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<ProbeHeader>,
    /// The path of the request, with the query if there is one.
    pub path: String,
    /// The port. `None`: the member's own port.
    pub port: Option<u16>,
    /// The time between two probes.
    pub interval: Duration,
    /// The time in which the whole answer must have arrived.
    pub timeout: Duration,
    /// The number of failures in a row after which a member is down (1–20). One success brings it up.
    pub unhealthy_threshold: u32,
    /// The statuses of a successful answer.
    pub statuses: Vec<StatusRange>,
    /// A text of at most [`MAX_PROBE_BODY_CHARS`] that the body must contain. `None`: any body. As many bytes of the body are searched
    /// as that many characters can have.
    pub body: Option<String>,
}

/// What a probe asks a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub enum ProbeKind {
    /// A request of HTTP/1.1, which has to be answered.
    #[default]
    Http,
    /// A connection, which has to be made, TLS included. All that a probe says of requests and answers has no meaning then.
    Connection,
}

impl ProbeKind {
    fn is_http(&self) -> bool {
        *self == Self::Http
    }
}

/// A header that probes send (a pod's `httpGet.httpHeaders`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ProbeHeader {
    /// The name: a token (RFC 9110 section 5.6.2).
    pub name: String,
    /// The value. It may be a token of access, and is never printed.
    pub value: SecretBytes,
}

/// A range of HTTP statuses, both ends included: `200-399`, `401`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusRange {
    /// The first status.
    pub first: u16,
    /// The last status.
    pub last: u16,
}

/// The error of a text that is not a range of statuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a status range is one status (401) or two (200-399), each from 100 to 599, the lower first")]
pub struct StatusRangeError;

impl FromStr for StatusRange {
    type Err = StatusRangeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let read = |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..600).contains(status));
        match (read(first), read(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(StatusRangeError),
        }
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Probe {
    /// The default probe of ARM: `GET /` with host 127.0.0.1 every 30 s, 30 s to answer, 3 failures, 200–399.
    pub fn arm_default(https: bool) -> Self {
        Self {
            is_guess: false,
            kind: ProbeKind::Http,
            https,
            host: Some("127.0.0.1".to_owned()),
            headers: Vec::new(),
            path: "/".to_owned(),
            port: None,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(30),
            unhealthy_threshold: 3,
            statuses: vec![StatusRange { first: 200, last: 399 }],
            body: None,
        }
    }

    /// ARM's default probe of layer 4: a connection every 30 s, 30 s to make it, 3 failures.
    pub fn connection(tls: bool) -> Self {
        Self { kind: ProbeKind::Connection, host: None, ..Self::arm_default(tls) }
    }

    /// Whether `status` is in the range.
    pub fn accepts(&self, status: u16) -> bool {
        self.statuses.iter().any(|range| (range.first..=range.last).contains(&status))
    }
}
