//! The backend of an Ingress path: a pool, and how its members are spoken to.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::networking::v1::{IngressServiceBackend, ServiceBackendPort};

use crate::api::annotations::{BackendProtocol, Settings};
use crate::model::{
    Action, Backend, HostHeader, HostPattern, PathRewrite, Pool, PoolId, Probe, Transport, Unavailable, UpstreamTls,
};
use crate::status::Reason;

use super::session;
use super::site::{Path, Site};
use crate::translate::affinity;
use crate::translate::balance;
use crate::translate::class::annotation_field;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::probe;
use crate::translate::rewrite;
use crate::translate::service::{self, PortRef, Resolved};

/// What a path does with its requests. Its pool is put into the draft.
pub(super) fn action(site: &Site<'_>, path: &Path<'_>, lookup: &Lookup<'_>, draft: &mut Draft) -> Action {
    // `spec.defaultBackend` is itself the backend.
    let field =
        if path.field.ends_with("defaultBackend") { path.field.clone() } else { format!("{}.backend", path.field) };
    match pool(site, path, &field, lookup, draft) {
        Ok(pool) => {
            let backend = backend(site, path, pool);
            let asked = annotation_field(affinity::annotation(&site.settings.affinity));
            affinity::check(&site.owner, &asked, &backend, &mut draft.reports);
            Action::Forward(Box::new(backend))
        }
        Err(reason) => Action::Unavailable(Unavailable { reason: reason.name() }),
    }
}

fn pool(
    site: &Site<'_>,
    path: &Path<'_>,
    field: &str,
    lookup: &Lookup<'_>,
    draft: &mut Draft,
) -> Result<PoolId, Reason> {
    let reports = &mut draft.reports;
    let Some(service) = &path.backend.service else {
        let (part, reason, message) = match &path.backend.resource {
            Some(_) => {
                (".resource", Reason::Unsupported, "a backend that is a resource is not supported by this version")
            }
            None => ("", Reason::InvalidValue, "it names no Service"),
        };
        reports.error(&site.owner, format!("{field}{part}"), reason, message, "name a Service in backend.service");
        return Err(reason);
    };
    let field = format!("{field}.service");
    let namespace = &site.owner.namespace;
    let Some(port) = port(service) else {
        let message = format!("the reference to Service {namespace}/{} has no port", service.name);
        reports.error(&site.owner, format!("{field}.port"), Reason::InvalidValue, message, "give its name or number");
        return Err(Reason::InvalidValue);
    };
    let resolved = match service::resolve(lookup, namespace, &service.name, port, reports) {
        Ok(resolved) => resolved,
        Err(fault) => {
            reports.fault(&site.owner, &field, &fault);
            return Err(fault.reason);
        }
    };
    if resolved.endpoints.is_empty() {
        reports.warning(
            &site.owner,
            format!("{field}.name"),
            Reason::NoEndpoints,
            format!("Service {namespace}/{} has no endpoint for port {}", service.name, resolved.label()),
            "see that its selector matches pods and that they run",
        );
    }
    let id = PoolId(format!("{namespace}/{}:{} ({})", service.name, resolved.label(), site.owner));
    if !draft.model.pools.contains_key(&id) {
        let pool = Pool {
            transport: transport(&site.settings),
            probe: infer(site, service, &resolved),
            balance: balance(site.settings.load_distribution),
            endpoints: resolved.endpoints,
        };
        draft.model.pools.insert(id.clone(), Arc::new(pool));
    }
    Ok(id)
}

fn port(service: &IngressServiceBackend) -> Option<PortRef<'_>> {
    let ServiceBackendPort { name, number } = service.port.as_ref()?;
    name.as_deref().map(PortRef::Name).or(number.map(PortRef::Number))
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

fn infer(site: &Site<'_>, service: &IngressServiceBackend, resolved: &Resolved<'_>) -> Probe {
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
fn first_host<'s>(site: &'s Site<'_>, service: &IngressServiceBackend, resolved: &Resolved<'_>) -> Option<&'s str> {
    let same = |path: &&Path<'_>| {
        let Some(other) = path.backend.service.as_ref().filter(|other| other.name == service.name) else {
            return false;
        };
        match port(other) {
            Some(PortRef::Name(name)) => resolved.name.as_deref() == Some(name),
            Some(PortRef::Number(number)) => number == resolved.number,
            None => false,
        }
    };
    site.paths.iter().filter(same).find_map(|path| match &path.host {
        HostPattern::Exact(host) => Some(host.as_str()),
        _ => None,
    })
}

fn backend(site: &Site<'_>, path: &Path<'_>, pool: PoolId) -> Backend {
    let settings = &site.settings;
    let default_timeout = Duration::from_secs(if site.ingress_nginx { 60 } else { 30 });
    let request_timeout = settings.request_timeout.unwrap_or(default_timeout);
    Backend {
        affinity: affinity::annotated(&settings.affinity, &pool, &path.path),
        pool,
        host: settings.backend_hostname.clone().map_or(HostHeader::Preserve, HostHeader::Set),
        rewrite: settings
            .backend_path_prefix
            .clone()
            .map(|prepend| PathRewrite { strip: rewrite::literal(&path.path), prepend }),
        request_timeout,
        websocket: session::websocket(settings, request_timeout),
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
