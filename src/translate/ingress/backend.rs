//! Backends of an Ingress, resolved: the pool of a Service port, and the options for requests that are forwarded to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::api::annotations::{BackendProtocol, EncodedSlashesSetting};
use crate::model::{
    Action, Address, EncodedSlashes, Endpoint, EndpointState, Forward, ForwardOptions, HostHeader, HostPattern,
    PathRewrite, Pool, PoolId, Probe, Transport, Unavailable, UpstreamTls, Weight,
};
use crate::report::{Reason, Report};

use super::backend_ref::{BackendField, BackendPort, BackendRef, BackendTarget};
use super::parsed::{IngressPath, ParsedIngress};
use super::roots;
use crate::source::Key;
use crate::translate::affinity;
use crate::translate::balance;
use crate::translate::class::{ClassOrigin, annotation_field};
use crate::translate::lookup::Lookup;
use crate::translate::probe;
use crate::translate::report::Reports;
use crate::translate::rewrite;
use crate::translate::service::{self, ResolvedPort};
use crate::translate::upgrade;

/// The result of resolving a backend of an Ingress, for all hosts and paths that lead there.
#[derive(Debug, PartialEq)]
pub(super) struct ResolvedBackend {
    /// The pool with its identity, or why there is none.
    pub(super) pool: Result<(PoolId, Arc<Pool>), Reason>,
    /// The reports for each path that leads here.
    pub(super) reports: Box<[Report]>,
}

impl ResolvedBackend {
    /// Whether routes to one are routes to the other: the identity of the pool and the reports are equal. The endpoints
    /// in the pool may differ.
    pub(super) fn leads_as(&self, other: &Self) -> bool {
        self.reports == other.reports && self.pool_id() == other.pool_id()
    }

    fn pool_id(&self) -> Result<&PoolId, Reason> {
        match &self.pool {
            Ok((id, _)) => Ok(id),
            Err(reason) => Err(*reason),
        }
    }
}

/// The action of a path whose backend is `resolved`.
pub(super) fn action(
    ingress: &ParsedIngress,
    path: &IngressPath,
    resolved: &ResolvedBackend,
    closed: Option<Reason>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Action {
    reports.extend(&resolved.reports);
    if let Some(reason) = closed {
        return Action::Unavailable(Unavailable::new(reason.name()));
    }
    match &resolved.pool {
        Ok((id, _)) => {
            let options = lookup.intern_options(options(ingress, path));
            let field = annotation_field(affinity::annotation_key(&ingress.settings.affinity));
            affinity::check(&ingress.owner, &field, &options, reports);
            Action::Forward(Forward::to(id.clone(), options))
        }
        Err(reason) => Action::Unavailable(Unavailable::new(reason.name())),
    }
}

/// Resolves a backend of an Ingress.
pub(super) fn resolve(ingress: &ParsedIngress, backend: &BackendRef, lookup: &Lookup<'_>) -> ResolvedBackend {
    let mut reports = Reports::default();
    let pool = pool(ingress, backend, lookup, &mut reports);
    ResolvedBackend { pool, reports: reports.into_sorted() }
}

fn pool(
    ingress: &ParsedIngress,
    backend: &BackendRef,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<(PoolId, Arc<Pool>), Reason> {
    // `spec.defaultBackend` is itself the backend.
    let BackendRef { field, target } = backend;
    let field = if *field == BackendField::Default { field.to_string() } else { format!("{field}.backend") };
    let (part, reason, message) = match &**target {
        BackendTarget::Service(service, port) => {
            return pool_of(ingress, service, port.as_ref(), &format!("{field}.service"), lookup, reports);
        }
        BackendTarget::Resource => {
            (".resource", Reason::Unsupported, "a backend that is a resource is not supported by this version")
        }
        BackendTarget::Nothing => ("", Reason::InvalidValue, "it names no Service"),
    };
    reports.error(&ingress.owner, format!("{field}{part}"), reason, message, "name a Service in backend.service");
    Err(reason)
}

/// The pool of a Service port. `field` is the reference to the Service.
fn pool_of(
    ingress: &ParsedIngress,
    service: &str,
    port: Option<&BackendPort>,
    field: &str,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<(PoolId, Arc<Pool>), Reason> {
    let namespace = ingress.owner.namespace();
    let Some(port) = port.map(BackendPort::as_ref) else {
        let message = format!("the reference to Service {namespace}/{service} has no port");
        reports.error(
            &ingress.owner,
            format!("{field}.port"),
            Reason::InvalidValue,
            message,
            "give its name or number",
        );
        return Err(Reason::InvalidValue);
    };
    let resolved = match service::resolve(lookup, namespace, service, port, reports) {
        Ok(resolved) if ingress.settings.service_upstream == Some(true) => {
            at_cluster_ip(ingress, resolved, service, field, lookup, reports)
        }
        Ok(resolved) => resolved,
        Err(fault) => {
            reports.fault(&ingress.owner, field, &fault);
            return Err(fault.reason);
        }
    };
    if resolved.endpoints.is_empty() {
        reports.warning(
            &ingress.owner,
            format!("{field}.name"),
            Reason::NoEndpoints,
            format!("Service {namespace}/{service} has no endpoint for port {}", resolved.label()),
            "see that its selector matches pods and that they run",
        );
    }
    let id = PoolId(format!("{namespace}/{service}:{} ({})", resolved.label(), ingress.owner).into());
    let distribution = annotation_field("steadygate.io/load-distribution");
    let pool = Pool {
        transport: transport(ingress, &resolved, lookup, reports)?,
        probe: infer_probe(ingress, service, &resolved, reports),
        balance: balance(
            ingress.settings.load_distribution,
            resolved.keeps_clients,
            &ingress.owner,
            &distribution,
            reports,
        ),
        endpoints: lookup.intern_endpoints(resolved.endpoints),
        min_up: 0,
        is_component: false,
    };
    Ok((id, lookup.intern_pool(pool)))
}

/// The port with the cluster IP of its Service for its only endpoint. A Service without one keeps its endpoints, which is reported.
fn at_cluster_ip<'a>(
    ingress: &ParsedIngress,
    resolved: ResolvedPort<'a>,
    service: &str,
    field: &str,
    lookup: &Lookup<'a>,
    reports: &mut Reports,
) -> ResolvedPort<'a> {
    let spec = lookup.service(ingress.owner.namespace(), service).and_then(|service| service.spec.as_ref());
    let ip = spec.and_then(|spec| spec.cluster_ip.as_deref()?.parse::<IpAddr>().ok());
    let Some((ip, port)) = ip.zip(u16::try_from(resolved.number).ok()) else {
        let message =
            format!("Service {}/{service} has no cluster IP, so requests go to its pods", ingress.owner.namespace());
        let remedy = "remove the annotation service-upstream, or give the Service a cluster IP";
        reports.warning(&ingress.owner, format!("{field}.name"), Reason::InvalidAnnotation, message, remedy);
        return resolved;
    };
    let address = Address::Socket(SocketAddr::new(ip, port));
    let endpoint = Endpoint { address, state: EndpointState::Ready, weight: Weight::ONE, target: None };
    ResolvedPort { endpoints: vec![endpoint], ..resolved }
}

fn transport(
    ingress: &ParsedIngress,
    resolved: &ResolvedPort<'_>,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<Transport, Reason> {
    if !is_https(ingress, resolved) {
        return Ok(Transport::Http);
    }
    let server_name = ingress.settings.backend_hostname.as_deref().map(without_port).map(str::to_owned);
    Ok(Transport::Https(UpstreamTls { server_name, trusted_roots: roots::read(ingress, lookup, reports)? }))
}

/// Whether backends speak TLS. AGIC takes it from port 443, where no annotation says so.
fn is_https(ingress: &ParsedIngress, resolved: &ResolvedPort<'_>) -> bool {
    match ingress.settings.backend_protocol {
        Some(protocol) => protocol == BackendProtocol::Https,
        None => {
            let is_443 =
                |endpoint: &Endpoint| matches!(&endpoint.address, Address::Socket(address) if address.port() == 443);
            let members_are = !resolved.endpoints.is_empty() && resolved.endpoints.iter().all(is_443);
            ingress.class.origin == ClassOrigin::Agic && (resolved.number == 443 || members_are)
        }
    }
}

/// A host without its port: `chat.example.com:8443` -> `chat.example.com`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => name,
        _ => host,
    }
}

/// The probe of a pool: declared by its pods, or that of the class, or the default, with what annotations set; none where they turn it
/// off.
fn infer_probe(
    ingress: &ParsedIngress,
    service: &str,
    resolved: &ResolvedPort<'_>,
    reports: &mut Reports,
) -> Option<Probe> {
    if ingress.settings.probe.off == Some(true) {
        return None;
    }
    let hostname = ingress.settings.backend_hostname.as_deref();
    let mut probe = match probe::infer(resolved, ingress.owner.namespace(), reports) {
        Some(inferred) => Probe { host: inferred.host.or(hostname.map(str::to_owned)), ..inferred },
        None => match ingress.gateway().and_then(|gateway| gateway.probe.clone()) {
            Some(probe) => probe,
            None => {
                let https = is_https(ingress, resolved);
                probe::ingress_default(https, hostname.or(first_host(ingress, service, resolved)))
            }
        },
    };
    probe::apply_annotations(&mut probe, &ingress.settings.probe, &resolved.endpoints);
    Some(probe)
}

/// The first exact host of the Ingress whose requests go to this port of the Service.
fn first_host<'s>(ingress: &'s ParsedIngress, service: &str, resolved: &ResolvedPort<'_>) -> Option<&'s str> {
    let leads_there = |path: &&IngressPath| {
        let BackendTarget::Service(name, Some(port)) = &*ingress.backend_of(path).target else { return false };
        **name == *service
            && match port {
                BackendPort::Name(name) => resolved.name.as_deref() == Some(name),
                BackendPort::Number(number) => *number == resolved.number,
            }
    };
    ingress.paths.iter().filter(leads_there).find_map(|path| match ingress.host_of(path) {
        HostPattern::Exact(host) => Some(&**host),
        _ => None,
    })
}

/// The options for requests of a path.
fn options(ingress: &ParsedIngress, path: &IngressPath) -> ForwardOptions {
    let settings = &ingress.settings;
    let service = match &*ingress.backend_of(path).target {
        BackendTarget::Service(name, _) => name,
        BackendTarget::Resource | BackendTarget::Nothing => "",
    };
    let service = Key::new(ingress.owner.namespace(), service);
    let request_timeout = ingress.request_timeout();
    ForwardOptions {
        affinity: affinity::from_annotations(&settings.affinity, &service, &path.path).map(Arc::new),
        host: match &settings.backend_hostname {
            Some(name) => HostHeader::Set(name.clone()),
            // As in AGIC, which has the certificate of the backend be for its address then.
            None if !settings.agic.trusted_roots.is_empty() => HostHeader::Member,
            None => HostHeader::Preserve,
        },
        rewrite: settings
            .backend_path_prefix
            .clone()
            .map(|prepend| PathRewrite { strip: rewrite::literal(&path.path), prepend }),
        encoded_slashes: match settings.encoded_slashes {
            Some(EncodedSlashesSetting::Keep) => EncodedSlashes::Keep,
            Some(EncodedSlashesSetting::Refuse) => EncodedSlashes::Refuse,
            Some(EncodedSlashesSetting::Decode) => EncodedSlashes::Decode,
            // nginx matches the decoded path.
            None if ingress.class.origin == ClassOrigin::IngressNginx => EncodedSlashes::Decode,
            None => EncodedSlashes::Keep,
        },
        request_timeout,
        websocket: Arc::clone(&ingress.websocket),
        upgrade_protocols: upgrade::protocols(&settings.upgrade_protocols),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_name_has_no_port() {
        for (host, name) in
            [("a.example:8443", "a.example"), ("a.example", "a.example"), ("[::1]", "[::1]"), ("a:b", "a:b")]
        {
            assert_eq!(without_port(host), name);
        }
    }
}
