//! What annotations can ask for, typed. `None` everywhere means that nobody asked.

use std::time::Duration;

use super::AffinitySettings;
use crate::api::SessionSettings;
use crate::api::application_gateway::LoadDistributionAlgorithm;

/// What the annotations of one Ingress, and of its class, ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnotationSettings {
    /// Whether port 80 redirects to HTTPS where the host has TLS.
    pub redirect: Option<SslRedirect>,
    /// Whether it does so though this Ingress has no TLS of its own.
    pub force_redirect: Option<bool>,
    /// Time for the backend's answer, and the longest silence within it.
    pub request_timeout: Option<Duration>,
    /// What WebSocket sessions are asked for.
    pub session: SessionSettings,
    /// Whether they are drained as AGIC has it, unless `session` has a time for it.
    pub connection_draining: Option<bool>,
    /// The time for that.
    pub connection_draining_timeout: Option<Duration>,
    /// What the backends speak.
    pub backend_protocol: Option<BackendProtocol>,
    /// `Host` that the backends see.
    pub backend_hostname: Option<String>,
    /// What takes the place of the rule's path.
    pub backend_path_prefix: Option<String>,
    /// Which member takes the next request.
    pub load_distribution: Option<LoadDistributionAlgorithm>,
    /// Sticky sessions.
    pub affinity: AffinitySettings,
    /// More hosts for each rule (AGIC `hostname-extension`).
    pub hostname_extension: Vec<String>,
    /// More hosts for each rule (ingress-nginx `server-alias`).
    pub server_alias: Vec<String>,
    /// Parts of the probe.
    pub probe: ProbeSettings,
}

/// Redirects from HTTP to HTTPS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslRedirect {
    /// None.
    Off,
    /// 301, as AGIC sends it.
    MovedPermanently,
    /// 308, as ingress-nginx sends it.
    PermanentRedirect,
}

/// What the backends speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendProtocol {
    /// Clear text.
    Http,
    /// TLS, verified.
    Https,
}

/// Parts of a probe that annotations can set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeSettings {
    /// `Host` to send.
    pub hostname: Option<String>,
    /// Port to ask.
    pub port: Option<u16>,
    /// Path to ask for.
    pub path: Option<String>,
    /// Statuses that count as success: first and last of each range.
    pub status_codes: Option<Vec<(u16, u16)>>,
    /// Time between two probes.
    pub interval: Option<Duration>,
    /// Time in which the answer must have come.
    pub timeout: Option<Duration>,
    /// Failures in a row that mark a member down.
    pub unhealthy_threshold: Option<u32>,
}
