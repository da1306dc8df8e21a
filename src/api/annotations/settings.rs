//! The settings that annotations can have, typed. `None` means that no annotation sets them.

use std::time::Duration;

use ipnet::IpNet;

use super::canary::CanarySettings;
use super::cors::CorsSettings;
use super::limits::LimitSettings;
use super::paths::PathSettings;
use super::redirects::{RedirectSettings, SslRedirect};
use super::{AffinitySettings, AnnotationProblemKind, TokenSettings};
use crate::api::SessionSettings;
use crate::api::application_gateway::LoadDistributionAlgorithm;

/// The settings of one Ingress, by its annotations and those of its class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnnotationSettings {
    /// Whether port 80 redirects to HTTPS where the host has TLS.
    pub redirect: Option<SslRedirect>,
    /// Whether it redirects even if this Ingress has no TLS of its own.
    pub force_redirect: Option<bool>,
    /// Redirects to URLs, and how the URLs of all redirects are written.
    pub redirects: RedirectSettings,
    /// Limits for what clients send.
    pub limits: LimitSettings,
    /// Cross-origin requests.
    pub cors: CorsSettings,
    /// How paths are read, and what backends get of them.
    pub paths: PathSettings,
    /// Time for the header of the backend's answer, and the longest silence within its body.
    pub request_timeout: Option<Duration>,
    /// Settings of WebSocket sessions.
    pub session: SessionSettings,
    /// Protocols other than WebSocket to which requests may be upgraded.
    pub upgrade_protocols: Vec<String>,
    /// Whether sessions are drained as in AGIC. `session.drain` has precedence.
    pub connection_draining: Option<bool>,
    /// The time for draining as in AGIC.
    pub connection_draining_timeout: Option<Duration>,
    /// The protocol of the backends.
    pub backend_protocol: Option<BackendProtocol>,
    /// Whether requests go to the cluster IP of a Service, and not to its pods.
    pub service_upstream: Option<bool>,
    /// The `Host` that backends see.
    pub backend_hostname: Option<String>,
    /// The path that replaces the rule's path.
    pub backend_path_prefix: Option<String>,
    /// What becomes of requests whose path has encoded slashes and their like.
    pub encoded_slashes: Option<EncodedSlashesSetting>,
    /// The algorithm that chooses the member for a request.
    pub load_distribution: Option<LoadDistributionAlgorithm>,
    /// Sticky sessions.
    pub affinity: AffinitySettings,
    /// Additional hosts for each rule (AGIC `hostname-extension`).
    pub hostname_extension: Vec<String>,
    /// Additional hosts for each rule (ingress-nginx `server-alias`).
    pub server_alias: Vec<String>,
    /// The parts of the probe that annotations set.
    pub probe: ProbeSettings,
    /// The elements of an ApplicationGateway that the Ingress names, and its frontend, as AGIC has them.
    pub agic: AgicSettings,
    /// Whether port 80 may serve the Ingress in clear text.
    pub allow_http: Option<bool>,
    /// Tokens that requests have to bring. In a box, since few Ingresses ask for them.
    pub token: Option<Box<TokenSettings>>,
    /// Whether snippets that guard don't matter.
    pub ignore_snippets: Option<bool>,
    /// The only clients that are admitted, and the annotation that says so.
    pub allowed_addresses: Option<(&'static str, Vec<IpNet>)>,
    /// Clients that are not admitted, and the annotation that says so.
    pub denied_addresses: Option<(&'static str, Vec<IpNet>)>,
    /// Whether some annotation asks for access control that can't be set up, so that nothing may be served.
    pub is_closed: bool,
    /// Whether the Ingress is the canary of another, and its share.
    pub canary: CanarySettings,
}

/// What the annotations of AGIC say beside what other families have too. Elements are those of the ApplicationGateway that the
/// parameters of the class name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgicSettings {
    /// The name of an element of `sslCertificates`.
    pub certificate: Option<String>,
    /// The name of an element of `sslProfiles`.
    pub ssl_profile: Option<String>,
    /// Names of elements of `trustedRootCertificates`, which verify the backends.
    pub trusted_roots: Vec<String>,
    /// The name of an element of `rewriteRuleSets`.
    pub rewrite_rule_set: Option<String>,
    /// The name of an AzureApplicationGatewayRewrite.
    pub rewrite_resource: Option<String>,
    /// The frontend port in place of 80 or 443.
    pub frontend_port: Option<u16>,
    /// Whether the Ingress is served at the private address alone.
    pub private_ip: Option<bool>,
    /// The priority among Ingresses with the same host and path: the lowest number first.
    pub rule_priority: Option<u32>,
}

/// What becomes of requests whose path has `%2F`, `%5C`, `\\` or `;`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedSlashesSetting {
    /// They are no separators.
    Keep,
    /// The request is refused.
    Refuse,
    /// They are taken for what a backend may take them for.
    Decode,
}

/// The protocol of the backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendProtocol {
    /// Clear text.
    Http,
    /// TLS. The certificate of the backend is verified.
    Https,
}

/// Parts of a probe that annotations can set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProbeSettings {
    /// Whether members are not probed at all.
    pub off: Option<bool>,
    /// The `Host` that probes send.
    pub hostname: Option<String>,
    /// The port of probes.
    pub port: Option<u16>,
    /// The path of probes.
    pub path: Option<String>,
    /// Statuses that count as success: first and last of each range.
    pub status_codes: Option<Vec<(u16, u16)>>,
    /// Time between two probes.
    pub interval: Option<Duration>,
    /// Time in which a probe must be answered.
    pub timeout: Option<Duration>,
    /// Failures in a row after which a member is down.
    pub unhealthy_threshold: Option<u32>,
}

impl AnnotationSettings {
    /// Reads an annotation for tokens. It guards: nothing is served if it can't be read.
    pub(super) fn read_token(
        &mut self,
        text: &str,
        read: fn(&mut TokenSettings, &str) -> Result<(), String>,
    ) -> Result<(), AnnotationProblemKind> {
        let token = self.token.get_or_insert_default();
        read(token, text).map_err(|expected| {
            self.is_closed = true;
            AnnotationProblemKind::InvalidGuard(expected)
        })
    }
}

impl ProbeSettings {
    /// Whether an annotation names any part of the probe.
    pub fn names_any(&self) -> bool {
        let Self { off: _, hostname, port, path, status_codes, interval, timeout, unhealthy_threshold } = self;
        let request = hostname.is_some() || port.is_some() || path.is_some() || status_codes.is_some();
        request || interval.is_some() || timeout.is_some() || unhealthy_threshold.is_some()
    }
}
