//! The backend of an Ingress path: a pool, and how its members are spoken to.

use std::sync::Arc;

use crate::api::annotations::{BackendProtocol, Settings};
use crate::model::{
    Action, Backend, HostHeader, HostPattern, Manner, PathRewrite, Pool, PoolId, Probe, Transport, Unavailable,
    UpstreamTls,
};
use crate::report::{Reason, Report};

use super::site::{At, Names, Path, Place, Port, Site};
use crate::translate::affinity;
use crate::translate::balance;
use crate::translate::class::annotation_field;
use crate::translate::lookup::Lookup;
use crate::translate::probe;
use crate::translate::report::Reports;
use crate::translate::rewrite;
use crate::translate::service::{self, Resolved};

/// Where a place of a site leads, whichever of its hosts and paths lead there.
#[derive(Debug, PartialEq)]
pub(super) struct Leads {
    /// The pool, or why there is none.
    pub(super) pool: Result<(PoolId, Arc<Pool>), Reason>,
    /// What is told where a path leads here.
    pub(super) reports: Box<[Report]>,
}

/// What a path does with its requests.
pub(super) fn action(site: &Site, path: &Path, leads: &Leads, lookup: &Lookup<'_>, reports: &mut Reports) -> Action {
    reports.extend(&leads.reports);
    match &leads.pool {
        Ok((id, _)) => {
            let backend = Backend { manner: lookup.shared_manner(manner(site, path, id)), pool: id.clone() };
            let asked = annotation_field(affinity::annotation(&site.settings.affinity));
            affinity::check(&site.owner, &asked, &backend, reports);
            Action::Forward(backend)
        }
        Err(reason) => Action::Unavailable(Unavailable { reason: reason.name() }),
    }
}

/// Follows a place of a site.
pub(super) fn follow(site: &Site, place: &Place, lookup: &Lookup<'_>) -> Leads {
    let mut reports = Reports::default();
    let pool = pool(site, place, lookup, &mut reports);
    Leads { pool, reports: reports.into_sorted() }
}

fn pool(site: &Site, place: &Place, lookup: &Lookup<'_>, reports: &mut Reports) -> Result<(PoolId, Arc<Pool>), Reason> {
    // `spec.defaultBackend` is itself the backend.
    let Place { at, names } = place;
    let field = if *at == At::Default { at.to_string() } else { format!("{at}.backend") };
    let (part, reason, message) = match &**names {
        Names::Service(service, port) => {
            return pool_of(site, service, port.as_ref(), &format!("{field}.service"), lookup, reports);
        }
        Names::Resource => {
            (".resource", Reason::Unsupported, "a backend that is a resource is not supported by this version")
        }
        Names::Nothing => ("", Reason::InvalidValue, "it names no Service"),
    };
    reports.error(&site.owner, format!("{field}{part}"), reason, message, "name a Service in backend.service");
    Err(reason)
}

/// The pool of a Service's port.
fn pool_of(
    site: &Site,
    service: &str,
    port: Option<&Port>,
    field: &str,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<(PoolId, Arc<Pool>), Reason> {
    let namespace = site.owner.namespace();
    let Some(port) = port.map(Port::as_ref) else {
        let message = format!("the reference to Service {namespace}/{service} has no port");
        reports.error(&site.owner, format!("{field}.port"), Reason::InvalidValue, message, "give its name or number");
        return Err(Reason::InvalidValue);
    };
    let resolved = match service::resolve(lookup, namespace, service, port, reports) {
        Ok(resolved) => resolved,
        Err(fault) => {
            reports.fault(&site.owner, field, &fault);
            return Err(fault.reason);
        }
    };
    if resolved.endpoints.is_empty() {
        reports.warning(
            &site.owner,
            format!("{field}.name"),
            Reason::NoEndpoints,
            format!("Service {namespace}/{service} has no endpoint for port {}", resolved.label()),
            "see that its selector matches pods and that they run",
        );
    }
    let id = PoolId(format!("{namespace}/{service}:{} ({})", resolved.label(), site.owner).into());
    let pool = Pool {
        transport: transport(&site.settings),
        probe: infer(site, service, &resolved),
        balance: balance(site.settings.load_distribution),
        endpoints: lookup.shared(resolved.endpoints),
    };
    Ok((id, lookup.shared_pool(pool)))
}

fn transport(settings: &Settings) -> Transport {
    match settings.backend_protocol {
        None | Some(BackendProtocol::Http) => Transport::Http,
        Some(BackendProtocol::Https) => {
            let server_name = settings.backend_hostname.as_deref().map(without_port).map(str::to_owned);
            Transport::Https(UpstreamTls { server_name, trusted_roots: None })
        }
    }
}

/// `chat.example.com:8443` -> `chat.example.com`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() && !name.contains(':') => name,
        _ => host,
    }
}

fn infer(site: &Site, service: &str, resolved: &Resolved<'_>) -> Probe {
    let hostname = site.settings.backend_hostname.as_deref();
    let mut probe = match probe::infer(resolved) {
        Some(inferred) => Probe { host: inferred.host.or(hostname.map(str::to_owned)), ..inferred },
        None => {
            let https = site.settings.backend_protocol == Some(BackendProtocol::Https);
            probe::ingress_default(https, hostname.or(first_host(site, service, resolved)))
        }
    };
    probe::annotate(&mut probe, &site.settings.probe, &resolved.endpoints);
    probe
}

/// The first exact host of the Ingress whose requests go to the same port of the same Service.
fn first_host<'s>(site: &'s Site, service: &str, resolved: &Resolved<'_>) -> Option<&'s str> {
    let same = |path: &&Path| {
        let Names::Service(name, Some(port)) = &*site.places[path.place()].names else { return false };
        **name == *service
            && match port {
                Port::Name(name) => resolved.name.as_deref() == Some(name),
                Port::Number(number) => *number == resolved.number,
            }
    };
    site.paths.iter().filter(same).find_map(|path| match site.host_of(path) {
        HostPattern::Exact(host) => Some(&**host),
        _ => None,
    })
}

fn manner(site: &Site, path: &Path, pool: &PoolId) -> Manner {
    let settings = &site.settings;
    let request_timeout = site.request_timeout();
    Manner {
        affinity: affinity::annotated(&settings.affinity, pool, &path.path).map(Arc::new),
        host: settings.backend_hostname.clone().map_or(HostHeader::Preserve, HostHeader::Set),
        rewrite: settings
            .backend_path_prefix
            .clone()
            .map(|prepend| PathRewrite { strip: rewrite::literal(&path.path), prepend }),
        request_timeout,
        websocket: Arc::clone(&site.websocket),
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
