//! `steadygate explain`: which route takes a request, what it answers, and why no other route takes it.

mod policies;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};

use super::objects::ObjectOptions;
use super::run::affinity::{self, AffinityOptions};
use crate::model::{
    Action, AddressPolicy, Affinity, EncodedSlashes, EndpointState, Forward, HostHeader, HostPattern, Kind, MatchInput,
    ObjectRef, PoolId, Protocol, RequestHead, Route, TlsMode, WeightedPools, decode_slashes, has_encoded_slashes,
    normalise_host, normalise_path,
};
use crate::pool::{AffinityKey, Health, Member, Pool, ProbeOutcome, Registry, Standing};
use crate::proxy::RefusalReason;
use crate::report::{Report, Severity, printable};
use crate::source::{Snapshot, directory};
use crate::table::{Explanation, ListenerTable, Miss, Target, compile};
use crate::translate::translate;

/// Time in which members may answer their probes.
const PROBE_WAIT: Duration = Duration::from_secs(3);
/// Most errors of other objects that are printed where no route takes the request.
const MAX_ERRORS: usize = 20;

/// Prints a line, in which there are texts of others.
macro_rules! print_line {
    ($($text:tt)+) => { println!("{}", printable(&format!($($text)+))) };
}

/// Arguments of `steadygate explain`.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Explain {
    /// Directory of manifests
    #[arg(long, value_name = "DIR")]
    manifests: PathBuf,

    /// What is asked for; the frontend port is 80 or 443 unless it is named
    url: Uri,

    /// Method of the request
    #[arg(short = 'X', long, value_name = "METHOD", default_value = "GET")]
    method: Method,

    /// A header of the request, which routes may look at; Host names the host (repeatable)
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,

    #[command(flatten)]
    objects: ObjectOptions,

    #[command(flatten)]
    affinity: AffinityOptions,
}

impl Explain {
    /// Prints the explanation. The exit code is 1 if the request would not be served.
    ///
    /// # Errors
    /// The directory can't be read, or the URL is not valid.
    pub(super) fn execute(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.explain())
    }

    async fn explain(self) -> anyhow::Result<ExitCode> {
        let Some(authority) = self.url.authority() else {
            bail!("{} is no absolute URL: write it as https://example.com/path", self.url)
        };
        let port = match (authority.port_u16(), self.url.scheme_str()) {
            (Some(port), _) => port,
            (None, Some("https" | "wss")) => 443,
            (None, _) => 80,
        };
        let headers = self.headers()?;
        let head = RequestHead::Received { method: &self.method, headers: &headers, query: self.url.query() };
        let mut host = normalise_host(host_header(&headers)?.as_deref().unwrap_or(authority.host()));
        let mut path = normalise_path(self.url.path());

        let input = directory::read(&self.manifests)?;
        let options = self.objects.of_directory();
        let translation = translate(&input.snapshot, &options);
        let key = affinity::read_key(self.affinity.affinity_key_file.as_deref())?;
        let key = key.unwrap_or_else(AffinityKey::random);
        let registry = Registry::new(
            tokio::runtime::Handle::current(),
            AddressPolicy { allow_loopback: true, ..AddressPolicy::default() },
            key,
        );
        // Only the pools of the route that is chosen are probed: the table is compiled once to choose, once to probe.
        let unprobed = compile(&translation.model, 1, &Default::default());
        let protocol = unprobed.listener(port).map(|listener| listener.protocol);
        if protocol == Some(Protocol::Tcp) {
            host = HostPattern::of_port(port).to_string();
        }
        if matches!(protocol, Some(Protocol::Tcp | Protocol::Tls)) {
            path = "".into();
        }
        let find = |path: &str| unprobed.listener(port)?.find(&host, MatchInput { path, head: &head });
        let mut chosen = find(&path);
        let disguised = has_encoded_slashes(self.url.path());
        let slashes = if disguised { encoded_slashes(chosen) } else { EncodedSlashes::Keep };
        if slashes == EncodedSlashes::Decode {
            path = decode_slashes(&path).0.into();
            chosen = find(&path);
        }
        let requested = MatchInput { path: &path, head: &head };
        let is_wanted = |id: &PoolId| chosen.is_some_and(|target| target.route.action.pools().any(|pool| pool == id));
        let specs = translation.model.pools.iter().filter(|(id, _)| is_wanted(id));
        let specs = specs.map(|(id, pool)| (id.clone(), Arc::clone(pool))).collect();
        let table = compile(&translation.model, 1, &registry.apply(&specs, &BTreeMap::new()));

        match protocol {
            Some(Protocol::Tcp) => print_line!("connection frontend port {port}"),
            Some(Protocol::Tls) => print_line!("connection server name {host:?}, frontend port {port}"),
            Some(Protocol::Http | Protocol::Https) | None => {
                print_line!("request    host {host:?}, path {path:?}, frontend port {port}")
            }
        }
        let (served, explanation) = match table.listener(port) {
            Some(listener) => explain_on(listener, port, &host, requested).await,
            None => {
                let ports: Vec<String> = table.ports().map(|port| port.to_string()).collect();
                print_line!("listener   none on port {port}; there are: {}", ports.join(", "));
                (false, Explanation { chosen: None, considered: Vec::new() })
            }
        };
        let refused = slashes != EncodedSlashes::Keep && encoded_slashes(chosen) == EncodedSlashes::Refuse;
        if refused {
            print_line!("answer     400: the route takes no path with an encoded slash, a backslash or a semicolon");
        }
        print_other_routes(&explanation);
        let reports: Vec<&Report> = input.reports.iter().chain(&translation.reports).collect();
        for line in report_lines(&reports, &input.snapshot, &host, &explanation) {
            print_line!("{line}");
        }
        Ok(if served && !refused { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn headers(&self) -> anyhow::Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        for header in &self.headers {
            let invalid = || format!("-H {header:?} is not 'Name: value'");
            let (name, value) = header.split_once(':').with_context(invalid)?;
            let name: HeaderName = name.trim().parse().with_context(invalid)?;
            let value: HeaderValue = value.trim().parse().with_context(invalid)?;
            headers.append(name, value);
        }
        Ok(headers)
    }
}

/// The host that the header `Host` names.
fn host_header(headers: &HeaderMap) -> anyhow::Result<Option<String>> {
    let Some(value) = headers.get(header::HOST) else { return Ok(None) };
    let authority = http::uri::Authority::try_from(value.as_bytes());
    let authority = authority.with_context(|| format!("-H Host: {value:?} names no host"))?;
    Ok(Some(authority.host().to_owned()))
}

/// What a route does with paths that have encoded slashes.
fn encoded_slashes(target: Option<&Arc<Target>>) -> EncodedSlashes {
    match target.map(|target| &target.route.action) {
        Some(Action::Forward(forward)) => forward.encoded_slashes,
        _ => EncodedSlashes::Keep,
    }
}

/// Prints what a listener does with the request; returns whether it would be served, and why.
async fn explain_on(listener: &ListenerTable, port: u16, host: &str, input: MatchInput<'_>) -> (bool, Explanation) {
    let explanation = listener.explain(host, input);
    let tls = client_tls(listener, explanation.chosen.as_deref());
    let certificate = listener.certificate(Some(host)).filter(|_| tls == Some(TlsMode::Terminate));
    let shown = match (tls, certificate) {
        (None, _) => String::new(),
        (Some(TlsMode::Passthrough), _) => ", TLS is passed through".to_owned(),
        (Some(TlsMode::Terminate), Some(certificate)) => format!(", certificate of Secret {}", certificate.id),
        (Some(TlsMode::Terminate), None) => ", no certificate for this host: the TLS handshake would fail".to_owned(),
    };
    print_line!("listener   {port} {:?}{shown}", listener.protocol);
    if let Some(policy) = explanation.chosen.as_deref().and_then(|target| listener.tls_policy_asked_of(target)) {
        print_line!("{}", policies::tls(policy));
    }
    let refusals = Refusals::of(listener.protocol);
    let served = match &explanation.chosen {
        Some(target) => print_route(target, refusals, host, input).await,
        None => {
            print_line!("route      none: {}", refusals.name(404));
            false
        }
    };
    let reached = tls != Some(TlsMode::Terminate) || certificate.is_some();
    (served && reached, explanation)
}

/// What becomes of the TLS of a client whose route is `chosen`. `None`: it speaks none.
fn client_tls(listener: &ListenerTable, chosen: Option<&Target>) -> Option<TlsMode> {
    match (listener.protocol, chosen.map(|target| &target.route.action)) {
        (Protocol::Http | Protocol::Tcp, _) => None,
        (Protocol::Https, _) => Some(TlsMode::Terminate),
        (Protocol::Tls, Some(Action::Stream(stream))) => stream.tls,
        // The connection is refused before that.
        (Protocol::Tls, _) => None,
    }
}

/// How a listener refuses: HTTP answers, a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusals {
    Statuses,
    Ends,
}

impl Refusals {
    fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Http | Protocol::Https => Self::Statuses,
            Protocol::Tcp | Protocol::Tls => Self::Ends,
        }
    }

    /// What clients get where HTTP would answer with `status`.
    fn name(self, status: u16) -> String {
        match self {
            Self::Statuses => status.to_string(),
            Self::Ends => "the connection is refused".to_owned(),
        }
    }
}

/// Prints what a route does; returns whether it would serve the request.
async fn print_route(target: &Target, refusals: Refusals, host: &str, input: MatchInput<'_>) -> bool {
    match refusals {
        Refusals::Statuses => {
            print_line!("route      {}: {}, path {}", target.owner(), target.route.field, target.route.matches)
        }
        Refusals::Ends => print_line!("route      {}: {}", target.owner(), target.route.field),
    }
    for step in target.route.policies.as_deref().map(policies::steps).unwrap_or_default() {
        print_line!("{step}");
    }
    let prohibited = target.route.policies.as_deref().and_then(|policies| policies.prohibited.as_deref());
    if let Some(by) = prohibited.and_then(|targets| targets.find(host, input.path)) {
        print_line!("answer     503: {} has it that this is not served", by.origin.owner);
        return false;
    }
    match &target.route.action {
        Action::Redirect(redirect) => {
            print_line!("answer     {redirect}");
            true
        }
        Action::NotFound => {
            print_line!("answer     {}", refusals.name(404));
            false
        }
        Action::Unavailable(unavailable) => {
            print_line!("answer     {}, {}", refusals.name(unavailable.status), unavailable.reason);
            false
        }
        Action::Forward(forward) => {
            let mut served = false;
            for share in shares(&forward.pools) {
                print_forward(forward, &share);
                served |= print_pool(target, &share, forward.affinity.as_deref(), refusals).await;
            }
            if let WeightedPools::Several { invalid: weight @ 1.., .. } = forward.pools {
                println!("answer     500 for a share, weight {weight}: some backends of the route are not valid");
            }
            served
        }
        Action::Stream(stream) => {
            let mut served = false;
            for share in shares(&stream.pools) {
                let idle = stream.sessions.idle_timeout.map(|idle| format!(", idle timeout {idle:?}"));
                print_line!("backend    pool {share}, stream of {}{}", stream.protocol(), idle.unwrap_or_default());
                served |= print_pool(target, &share, None, refusals).await;
            }
            served
        }
    }
}

/// A pool of a route, and the share of requests that it takes.
struct PoolShare<'a> {
    pool: &'a PoolId,
    /// `None`: every request.
    weight: Option<u32>,
}

impl fmt::Display for PoolShare<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pool)?;
        self.weight.map_or(Ok(()), |weight| write!(f, ", weight {weight}"))
    }
}

fn shares(pools: &WeightedPools) -> Vec<PoolShare<'_>> {
    match pools {
        WeightedPools::One { pool } => vec![PoolShare { pool, weight: None }],
        WeightedPools::Several { pools, invalid: _ } => {
            pools.iter().map(|weighted| PoolShare { pool: &weighted.pool, weight: Some(weighted.weight) }).collect()
        }
    }
}

/// Prints how requests go to one of the pools of a route.
fn print_forward(forward: &Forward, share: &PoolShare<'_>) {
    let host = match &forward.host {
        HostHeader::Preserve => "as the client sent it".to_owned(),
        HostHeader::Set(host) => host.clone(),
        HostHeader::Member => "the member's own".to_owned(),
    };
    print_line!("backend    pool {share}, Host {host}, request timeout {:?}", forward.request_timeout);
    if let Some(rewrite) = &forward.rewrite {
        print_line!("rewrite    {:?} at the front of the path becomes {:?}", rewrite.strip, rewrite.prepend);
    }
    if let Some(protocols) = &forward.upgrade_protocols {
        println!("upgrade    WebSocket, {}", protocols.names().collect::<Vec<_>>().join(", "));
    }
}

/// Prints one of the pools of a route; returns whether it would serve a request.
async fn print_pool(target: &Target, share: &PoolShare<'_>, affinity: Option<&Affinity>, refusals: Refusals) -> bool {
    let PoolShare { pool: id, weight } = share;
    match target.pools().find(|pool| pool.id == **id) {
        Some(pool) => print_members(pool, affinity, refusals).await && *weight != Some(0),
        None => false,
    }
}

/// Prints each member with the result of its probe and the cookie of its clients; returns whether the pool would serve a request.
async fn print_members(pool: &Pool, affinity: Option<&Affinity>, refusals: Refusals) -> bool {
    // Without the gateway's key, nobody knows its cookies.
    let affinity = affinity.filter(|_| pool.has_shared_key());
    if pool.chooses_by_client() {
        println!("affinity   by the client's address (sessionAffinity: ClientIP of the Service)");
    }
    let deadline = tokio::time::Instant::now() + PROBE_WAIT;
    let pending = || {
        let unknown = pool.unavailable().is_some_and(|why| why.unknown > 0);
        unknown
            || pool.members().iter().any(|(member, endpoint)| {
                matches!(endpoint, EndpointState::Ready | EndpointState::Terminating { .. })
                    && member.health() == Health::Unknown
            })
    };
    while tokio::time::Instant::now() < deadline && pending() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (member, endpoint, standing) in pool.standings() {
        let state = match endpoint {
            EndpointState::Ready => standing.name().to_owned(),
            EndpointState::Terminating { .. } => format!("terminating, {}", member.health().name()),
            EndpointState::Ending { .. } => "terminating, not serving".to_owned(),
            EndpointState::NotReady => "not ready".to_owned(),
        };
        let probe = describe_probe(&member, standing);
        let cookie = affinity.map(|affinity| format!("; cookie {}={}", affinity.cookie, pool.token(&member)));
        print_line!("member     {} {state}; {probe}{}", member.key.address, cookie.unwrap_or_default());
    }
    let takers = pool.takers();
    match pool.unavailable() {
        None if !takers.is_empty() && takers.iter().all(|member| member.is_unreachable()) => {
            let reason = RefusalReason::BackendUnreachable.name();
            println!("answer     {}, {reason}: no connection can be made", refusals.name(502));
            false
        }
        None => true,
        Some(why) => {
            print_line!("answer     {}, {}: {why}", refusals.name(503), RefusalReason::from(why).name());
            false
        }
    }
}

/// The result of a member's last probe, and whether it counts.
fn describe_probe(member: &Member, standing: Standing) -> String {
    let probe = match member.last_outcome() {
        _ if member.key.probe.is_none() => return "probes are off, so the endpoint's readiness decides".to_owned(),
        Some(ProbeOutcome::Passed(Some(status))) => format!("probe answered {status}"),
        Some(ProbeOutcome::Passed(None)) => "probe connected".to_owned(),
        Some(ProbeOutcome::Inconclusive(error)) => format!("probe could not be sent: {error}"),
        Some(outcome) => format!("probe failed: {outcome}"),
        None => "probe not answered yet".to_owned(),
    };
    let counts = match standing {
        Standing::Ready => "; it does not count, since nobody wrote this probe and no member passes it",
        Standing::Down if member.has_guessed_probe() => "; it counts, since another member passes it",
        Standing::Unknown if member.has_guessed_probe() => "; it is not waited for any longer, since nobody wrote it",
        _ => "",
    };
    format!("{probe}{counts}")
}

/// Prints the routes that don't take the request.
fn print_other_routes(explanation: &Explanation) {
    for considered in &explanation.considered {
        let why = match considered.miss {
            None => continue,
            Some(Miss::Host) => "another host".to_owned(),
            Some(Miss::Condition(condition)) => format!("another {condition}"),
            Some(Miss::Precedence) => "matches too, but goes after the one chosen".to_owned(),
        };
        let Route { owner, field, matches, .. } = &*considered.route;
        print_line!("not        {owner}: {field}, host {}, path {matches}: {why}", considered.host);
    }
}

/// The reports of the objects that concern the host, and the objects that name the host but have neither a report nor a route.
/// Where no route was chosen, also the errors of other objects: one may be the cause.
fn report_lines(reports: &[&Report], snapshot: &Snapshot, host: &str, explanation: &Explanation) -> Vec<String> {
    let routed: BTreeSet<&ObjectRef> =
        explanation.considered.iter().filter(|c| c.miss != Some(Miss::Host)).map(|c| &*c.route.owner).collect();
    let naming = naming(snapshot, host);
    let concerns = |report: &Report| {
        routed.contains(&report.object)
            || naming.contains(&report.object)
            || (report.object.kind.is_language() || report.object.kind == Kind::IngressClass)
                && names(&report.message, host)
    };
    let (near, far): (Vec<&Report>, Vec<&Report>) = reports.iter().partition(|report| concerns(report));
    let mut lines: Vec<String> = near.iter().map(|report| format!("report     {report}")).collect();
    let silent =
        naming.iter().filter(|object| !routed.contains(object) && near.iter().all(|report| report.object != **object));
    lines.extend(silent.map(|object| {
        format!("not        {object}: it names the host, and is another controller's or on another port")
    }));
    if explanation.chosen.is_none() {
        let errors: Vec<_> = far.iter().filter(|report| report.severity == Severity::Error).collect();
        lines.extend(errors.iter().take(MAX_ERRORS).map(|report| format!("report     {report}")));
        if let Some(more) = errors.len().checked_sub(MAX_ERRORS).filter(|more| *more > 0) {
            lines.push(format!("report     and {more} more errors: see steadygate check"));
        }
    }
    lines
}

/// The objects of any language and class that name the host.
fn naming(snapshot: &Snapshot, host: &str) -> BTreeSet<ObjectRef> {
    let mut naming = BTreeSet::new();
    for (key, ingress) in &snapshot.ingresses {
        let spec = ingress.unpack().spec;
        let rules = spec.iter().flat_map(|spec| spec.rules.iter().flatten());
        if rules.filter_map(|rule| rule.host.as_deref()).any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::Ingress, key: key.clone() });
        }
    }
    for (key, gateway) in &snapshot.application_gateways {
        let listeners = &gateway.spec.http_listeners;
        if listeners.iter().flat_map(|l| l.host_name.iter().chain(&l.host_names)).any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() });
        }
    }
    for (key, gateway) in &snapshot.gateways {
        if gateway.spec.listeners.iter().filter_map(|l| l.hostname.as_ref()).any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::Gateway, key: key.clone() });
        }
    }
    for (key, route) in &snapshot.http_routes {
        if route.spec.hostnames.iter().any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::HTTPRoute, key: key.clone() });
        }
    }
    naming
}

/// Whether a text contains the host as a word.
fn names(text: &str, host: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*');
    text.split(|c| !is_part(c)).any(|word| is_host(word.trim_end_matches('.'), host))
}

fn is_host(named: &str, host: &str) -> bool {
    !named.is_empty() && HostPattern::gateway(named).is_ok_and(|pattern| pattern.matches(host))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use imbl::OrdMap;

    use super::*;
    use crate::model::{Host, Listener, Model, PathMatch, Redirect};
    use crate::report::Reason;
    use crate::translate::Options;

    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n";

    fn ingress(name: &str, class: &str, host: &str, path: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec:\n  {class}\n  rules:\n  \
             - host: {host}\n    http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: s, port: {{number: 80}}}}}}}}]}}\n"
        )
    }

    fn class(name: &str, controller: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}}}\nspec: {{controller: {controller}}}\n"
        )
    }

    /// The report lines for a request for `a.example.com/` on port 80.
    fn lines(text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.yaml"), text).expect("written");
        let input = directory::read(dir.path()).expect("read");
        let options = Options { everything_without_class: true, ..Options::default() };
        let translation = translate(&input.snapshot, &options);
        let table = compile(&translation.model, 1, &Default::default());
        let explanation = table.listener(80).map_or(Explanation { chosen: None, considered: Vec::new() }, |listener| {
            listener.explain("a.example.com", MatchInput::from_path("/"))
        });
        let reports: Vec<_> = input.reports.iter().chain(&translation.reports).collect();
        report_lines(&reports, &input.snapshot, "a.example.com", &explanation)
    }

    #[test]
    fn objects_that_lost_or_are_not_ours_are_shown() {
        let ours = class("ours", "steadygate.io/ingress-controller") + &class("theirs", "example.com/other");
        let all = [
            SERVICE,
            &ours,
            &ingress("first", "ingressClassName: ours", "a.example.com", "/"),
            &ingress("loser", "ingressClassName: ours", "a.example.com", "/"),
            &ingress("foreign", "ingressClassName: theirs", "a.example.com", "/"),
            &ingress("apart", "ingressClassName: theirs", "b.example.com", "/"),
        ];
        let lines = lines(&all.concat());
        let is_shown = |name: &str| lines.iter().any(|line| line.contains(&format!("default/{name}")));
        assert!(is_shown("loser") && is_shown("foreign") && !is_shown("apart"), "{lines:#?}");
    }

    #[test]
    fn where_no_route_is_chosen_every_error_is_shown_up_to_a_number() {
        let refused: String = (0..25).map(|n| ingress(&format!("i{n}"), "x: y", "a.example.com", "/")).collect();
        let lines = lines(&format!("{SERVICE}{refused}"));
        assert_eq!(lines.len(), MAX_ERRORS + 1, "{lines:#?}");
        assert!(lines[0].contains(Reason::InvalidObject.name()) && lines[MAX_ERRORS].contains("and 5 more"));
    }

    #[test]
    fn a_host_is_named_by_a_word() {
        for (text, expected) in [
            ("there is no certificate for \"a.example.com\"", true),
            ("it is a.example.com.", true),
            ("*.example.com goes elsewhere", true),
            ("aa.example.com", false),
            ("a.example.com.org", false),
            ("", false),
        ] {
            assert_eq!(names(text, "a.example.com"), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn without_a_certificate_nothing_is_served() {
        let route = Route {
            field: "spec.rules[0]".into(),
            owner: ObjectRef::new(Kind::Ingress, "default", "i").into(),
            matches: PathMatch::prefix("/").expect("a path").into(),
            action: Action::Redirect(Redirect::to_https(308, 443).into()),
            policies: None,
        };
        let host = Arc::new(Host { certificate: None, tls: None, routes: vec![route.into()] });
        for (protocol, expected) in [(Protocol::Http, true), (Protocol::Https, false)] {
            let hosts = OrdMap::unit(HostPattern::Any, host.clone());
            let listeners = BTreeMap::from([(443, Listener { protocol, hosts, default_certificate: None })]);
            let table = compile(&Model { listeners, ..Model::default() }, 1, &Default::default());
            let listener = table.listener(443).expect("a listener");
            let input = MatchInput::from_path("/");
            assert_eq!(explain_on(listener, 443, "a.example.com", input).await.0, expected, "{protocol:?}");
        }
    }
}
