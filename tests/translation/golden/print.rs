//! Prints a translation for a golden case: listeners, routes (a line each), pools, certificates, reports.
//!
//! A setting is printed only where it differs from its default, so that a case shows its point and a change of a default
//! touches few cases. The defaults are not written here: they are what the cases of `tests/golden/defaults` translate to,
//! and the output of those shows all of them.
//!
//! Structs of the model are taken apart field by field: a new field must be printed before this compiles.

use std::fmt::{Display, Write};
use std::sync::LazyLock;
use std::time::Duration;

use steadygate::model::{
    Action, Affinity, Certificate, ClientCertificates, Endpoint, EndpointState, Forward, ForwardOptions, Host,
    HostHeader, Listener, Model, ObjectRef, PathRewrite, Ping, Policies, Pool, PoolId, Probe, ProbeHeader, Route,
    SessionLimits, Stream, TlsPolicy, TlsTerms, Transport, Unavailable, UpstreamTls, WebSocket, Weight, WeightedPool,
    WeightedPools,
};
use steadygate::translate::Translation;

use super::case::Case;
use super::translated;

/// The model and the reports. `full`: with settings that equal their defaults.
pub(super) fn print(Translation { model, reports, .. }: &Translation, full: bool) -> String {
    let Model { listeners, pools, certificates, default_certificate, departing } = model;
    let mut out = Lines { text: String::new(), full };
    for (port, Listener { protocol, hosts, default_certificate }) in listeners {
        let default = default_certificate.as_ref().map(|id| format!(", default certificate {id}"));
        out.line(0, format_args!("listener {port} {protocol:?}{}", default.unwrap_or_default()));
        for (pattern, host) in hosts {
            out.host(format_args!("{port} {pattern}"), host);
        }
    }
    if let Some(id) = default_certificate {
        out.line(0, format_args!("default certificate {id}"));
    }
    for (id, pool) in pools {
        out.pool(id, pool);
    }
    for (id, certificate) in certificates {
        // Both are secret, and made anew in each run.
        let Certificate { chain: _, key: _ } = &**certificate;
        out.line(0, format_args!("certificate {id}"));
    }
    for (address, state) in departing {
        out.line(0, format_args!("departing {address} {}", endpoint_state(*state)));
    }
    for report in reports {
        out.line(0, report);
    }
    out.text
}

/// What a language makes of an object that asks for nothing.
struct Defaults {
    options: ForwardOptions,
    pool: Pool,
}

impl Defaults {
    /// The defaults of the language in which an owner is written. `owner` is a text that names it.
    fn of(owner: &str) -> &'static Self {
        static INGRESS: LazyLock<Defaults> = LazyLock::new(|| Defaults::read("defaults/ingress"));
        static APPLICATION_GATEWAY: LazyLock<Defaults> = LazyLock::new(|| Defaults::read("defaults/gateway"));
        static HTTP_ROUTE: LazyLock<Defaults> = LazyLock::new(|| Defaults::read("defaults/http-route"));
        match owner {
            owner if owner.contains("ApplicationGateway ") => &APPLICATION_GATEWAY,
            owner if owner.contains("HTTPRoute ") || owner.contains("(Gateway ") => &HTTP_ROUTE,
            _ => &INGRESS,
        }
    }

    /// A case that has one route and one pool.
    fn read(case: &str) -> Self {
        let model = translated(&Case::named(case)).model;
        let hosts = model.listeners.values().flat_map(|listener| listener.hosts.values());
        let options = hosts.flat_map(|host| &host.routes).find_map(|route| match &route.action {
            Action::Forward(forward) => Some(ForwardOptions::clone(&forward.options)),
            _ => None,
        });
        let pool = model.pools.values().next().map(|pool| Pool::clone(pool));
        Self { options: options.expect("a route that forwards"), pool: pool.expect("a pool") }
    }
}

/// Settings by name. An option that is not set is `none`.
type Settings = Vec<(&'static str, String)>;

struct Lines {
    text: String,
    full: bool,
}

impl Lines {
    fn line(&mut self, depth: usize, text: impl Display) {
        writeln!(self.text, "{:width$}{text}", "", width = depth * 2).expect("a text takes all");
    }

    /// A line with those of a group of settings that differ from the defaults, if any do.
    fn settings(&mut self, group: &str, settings: Settings, defaults: &Settings) {
        let default = |name| defaults.iter().find(|(other, _)| *other == name).map_or("none", |(_, text)| text);
        let shown = settings.iter().filter(|(name, text)| self.full || default(*name) != text);
        let shown: Vec<_> = shown.map(|(name, text)| format!("{name} {text}")).collect();
        if !shown.is_empty() {
            self.line(1, format_args!("{group}: {}", shown.join(", ")));
        }
    }

    fn host(&mut self, place: impl Display, Host { certificate, tls, routes }: &Host) {
        let certificate = certificate.as_ref().map(|id| format!(" cert {id}")).unwrap_or_default();
        if routes.is_empty() {
            self.line(0, format_args!("{place} has no routes{certificate}"));
        }
        if let Some(policy) = tls {
            self.line(0, format_args!("{place} TLS{}", tls_policy(policy)));
        }
        for route in routes {
            let Route { field, owner, matches, action, policies } = &**route;
            self.line(0, format_args!("{place} {matches} -> {}{certificate}", target(action, owner, field)));
            if let Action::Forward(Forward { pools: _, options }) = action {
                self.options(options, &Defaults::of(&owner.to_string()).options);
            }
            if let Action::Stream(stream) = action {
                self.settings("sessions", websocket(&stream.sessions), &websocket(&WebSocket::default()));
            }
            if let Some(policies) = policies {
                self.policies(policies);
            }
        }
    }

    /// The policies of a route, as a dump shows them: a line a policy.
    fn policies(&mut self, policies: &Policies) {
        let json = serde_json::to_value(policies).expect("policies are plain data");
        for (name, value) in json.as_object().into_iter().flatten() {
            self.line(1, format_args!("{name}: {value}"));
        }
    }

    fn options(&mut self, options: &ForwardOptions, default: &ForwardOptions) {
        self.settings("forward", forward(options), &forward(default));
        self.settings("websocket", websocket(&options.websocket), &websocket(&default.websocket));
        self.settings("affinity", affinity(options.affinity.as_deref()), &affinity(default.affinity.as_deref()));
    }

    /// A pool, with its endpoint if it has one; several get a line each.
    fn pool(&mut self, id: &PoolId, pool: &Pool) {
        let default = &Defaults::of(&id.0).pool;
        let endpoints: Vec<_> = pool.endpoints.iter().map(|endpoint| self.endpoint(endpoint)).collect();
        match &endpoints[..] {
            [] => self.line(0, format_args!("pool {id} has no endpoints")),
            [only] => self.line(0, format_args!("pool {id}: {only}")),
            several => {
                self.line(0, format_args!("pool {id}:"));
                several.iter().for_each(|endpoint| self.line(1, endpoint));
            }
        }
        self.settings("members", members(pool), &members(default));
        match (&pool.probe, &default.probe) {
            (Some(own), Some(default)) => self.settings("probe", probe(own), &probe(default)),
            (Some(own), None) => self.settings("probe", probe(own), &Settings::default()),
            (None, _) => self.line(1, "probe: off"),
        }
    }

    fn endpoint(&self, Endpoint { address, state, weight, target }: &Endpoint) -> String {
        let state = (self.full || *state != EndpointState::Ready).then(|| endpoint_state(*state));
        let weight = (*weight != Weight::ONE).then(|| format!("weight {}", weight.number()));
        let parts = [Some(address.to_string()), state, weight, target.clone()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What a policy asks for. Of CA certificates, which are made anew in each run, the number.
fn tls_policy(TlsPolicy { origin, terms }: &TlsPolicy) -> String {
    let TlsTerms { cipher_suites, http2, requires_server_name, client_certificates } = &**terms;
    let mut text = String::new();
    if let Some(suites) = cipher_suites {
        let names: Vec<_> = suites.iter().map(|suite| suite.name()).collect();
        text += &format!(" suites {};", names.join(" "));
    }
    if !http2 {
        text += " no HTTP/2;";
    }
    if *requires_server_name {
        text += " server name;";
    }
    if let Some(ClientCertificates { authorities, issuer_is_last_ca }) = client_certificates {
        let issuer = if *issuer_is_last_ca { ", issuer by name" } else { "" };
        text += &format!(" client certificates of {} CAs{issuer};", authorities.len());
    }
    text + &format!(" ({origin})")
}

/// Where a route leads, with the field that made it. An owner that ends the pool's name is not repeated.
fn target(action: &Action, owner: &ObjectRef, field: &str) -> String {
    let shown = |pool: &PoolId| {
        let name = pool.0.strip_suffix(&format!(" ({owner})"));
        name.map_or_else(|| format!("pool {pool}"), str::to_owned)
    };
    let weighted = |pools: &WeightedPools| match pools {
        WeightedPools::One { pool } => shown(pool),
        WeightedPools::Several { pools, invalid } => {
            let share = |WeightedPool { pool, weight }: &WeightedPool| format!("{} weight {weight}", shown(pool));
            let invalid = (*invalid > 0).then(|| format!("500 weight {invalid}"));
            pools.iter().map(share).chain(invalid).collect::<Vec<_>>().join(", ")
        }
    };
    let to = match action {
        Action::Forward(Forward { pools, options: _ }) => weighted(pools),
        Action::Stream(stream) => {
            let Stream { pools, tls: _, sessions: _ } = &**stream;
            format!("stream {} {}", stream.protocol(), weighted(pools))
        }
        Action::Redirect(redirect) => format!("redirect {redirect}"),
        Action::Unavailable(Unavailable { reason, status }) => format!("{status} {reason}"),
        Action::NotFound => "404".to_owned(),
    };
    format!("{to} ({owner} {field})")
}

fn forward(options: &ForwardOptions) -> Settings {
    let ForwardOptions {
        host,
        rewrite,
        encoded_slashes,
        request_timeout,
        websocket: _,
        upgrade_protocols,
        affinity: _,
    } = options;
    let host = match host {
        HostHeader::Preserve => "Preserve".to_owned(),
        HostHeader::Set(host) => format!("{host:?}"),
        HostHeader::Member => "Member".to_owned(),
    };
    let rewrite = rewrite.as_ref().map(|PathRewrite { strip, prepend }| format!("{strip:?} to {prepend:?}"));
    let upgrades = upgrade_protocols.as_ref().map(|protocols| protocols.names().collect::<Vec<_>>().join(" "));
    vec![
        ("host", host),
        ("rewrite", text(rewrite)),
        ("encoded_slashes", format!("{encoded_slashes:?}")),
        ("request_timeout", seconds(*request_timeout)),
        ("upgrade_protocols", text(upgrades)),
    ]
}

fn websocket(websocket: &WebSocket) -> Settings {
    let WebSocket {
        idle_timeout,
        idle_counts,
        ping,
        max_age,
        drain,
        unhealthy_grace,
        rebalance,
        backend_http2,
        limits: SessionLimits { sessions, sessions_per_client, handshake_rate, message_size, message_rate },
    } = websocket;
    let ping = ping.map(|Ping { interval, timeout }| format!("{} within {}", seconds(interval), seconds(timeout)));
    vec![
        ("idle_timeout", text(idle_timeout.map(seconds))),
        ("idle_counts", format!("{idle_counts:?}")),
        ("ping", text(ping)),
        ("max_age", text(max_age.map(seconds))),
        ("drain", text(drain.map(seconds))),
        ("unhealthy_grace", text(unhealthy_grace.map(seconds))),
        ("rebalance", text(*rebalance)),
        ("backend_http2", backend_http2.to_string()),
        ("limits.sessions", text(*sessions)),
        ("limits.sessions_per_client", text(*sessions_per_client)),
        ("limits.handshake_rate", text(*handshake_rate)),
        ("limits.message_size", text(*message_size)),
        ("limits.message_rate", text(*message_rate)),
    ]
}

fn affinity(affinity: Option<&Affinity>) -> Settings {
    let Some(Affinity { cookie, path, domain, max_age, same_site, secure, cors }) = affinity else {
        return vec![("cookie", text(None::<String>))];
    };
    vec![
        ("cookie", format!("{cookie:?}")),
        ("path", format!("{path:?}")),
        ("domain", text(domain.as_ref().map(|domain| format!("{domain:?}")))),
        ("max_age", text(max_age.map(seconds))),
        ("same_site", text(same_site.map(|same_site| format!("{same_site:?}")))),
        ("secure", format!("{secure:?}")),
        ("cors", cors.to_string()),
    ]
}

/// How the members of a pool are chosen and spoken to.
fn members(pool: &Pool) -> Settings {
    let Pool { endpoints: _, transport, probe: _, balance, min_up, is_component } = pool;
    let mut settings = vec![
        ("balance", format!("{balance:?}")),
        ("min_up", min_up.to_string()),
        ("is_component", is_component.to_string()),
    ];
    match transport {
        Transport::Http => settings.push(("transport", "Http".to_owned())),
        Transport::Https(UpstreamTls { server_name, trusted_roots }) => settings.extend([
            ("transport", "Https".to_owned()),
            ("server_name", text(server_name.as_ref())),
            ("trusted_roots", text(trusted_roots.as_ref().map(|_| "redacted"))),
        ]),
    }
    settings
}

fn probe(probe: &Probe) -> Settings {
    let Probe {
        is_guess,
        kind,
        https,
        host,
        headers,
        path,
        port,
        interval,
        timeout,
        unhealthy_threshold,
        statuses,
        body,
    } = probe;
    let headers: Vec<_> = headers
        .iter()
        .map(|ProbeHeader { name, value }| format!("{name}: {}", value.expose().escape_ascii()))
        .collect();
    let statuses: Vec<_> = statuses.iter().map(ToString::to_string).collect();
    vec![
        ("guess", is_guess.to_string()),
        ("kind", format!("{kind:?}")),
        ("https", https.to_string()),
        ("host", text(host.as_ref())),
        ("headers", text((!headers.is_empty()).then(|| headers.join(" ")))),
        ("path", path.clone()),
        ("port", text(*port)),
        ("interval", seconds(*interval)),
        ("timeout", seconds(*timeout)),
        ("unhealthy_threshold", unhealthy_threshold.to_string()),
        ("statuses", statuses.join(" ")),
        ("body", text(body.as_ref().map(|body| format!("{body:?}")))),
    ]
}

fn endpoint_state(state: EndpointState) -> String {
    match state {
        EndpointState::Ready => "Ready".to_owned(),
        EndpointState::Terminating { grace } => format!("Terminating {}", seconds(grace)),
        EndpointState::Ending { grace } => format!("Ending {}", seconds(grace)),
        EndpointState::NotReady => "NotReady".to_owned(),
    }
}

fn text(value: Option<impl Display>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| value.to_string())
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}
