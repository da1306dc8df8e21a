//! The backends of a rule: pools with their weights. A backend that is not valid keeps its share, which is answered 500
//! (HTTPBackendRef).

use crate::api::gateway_api::{BackendObject, HttpBackendRef, HttpRoute};
use crate::model::{Kind, ObjectRef, Pool, PoolId, Transport, WeightedPool, WeightedPools};
use crate::report::Reason;
use crate::source::{Key, Snapshot};
use crate::translate::balance;
use crate::translate::draft::Draft;
use crate::translate::grant;
use crate::translate::lookup::Lookup;
use crate::translate::probe;
use crate::translate::report::Fault;
use crate::translate::service::{self, PortRef};

/// The backends of a rule.
#[derive(Debug, Default)]
pub(super) struct Backends {
    valid: Vec<WeightedPool>,
    /// The share of those that are not valid.
    invalid: u32,
    /// Why the first of those is not.
    fault: Option<Reason>,
}

impl Backends {
    /// The pools that share the requests; or why no request can be served.
    pub(super) fn pools(&self) -> Result<WeightedPools, Reason> {
        let Self { valid, invalid, fault } = self;
        let has_weight = valid.iter().any(|pool| pool.weight > 0);
        match &valid[..] {
            _ if !has_weight => Err(fault.unwrap_or(Reason::InvalidValue)),
            [only] if *invalid == 0 => Ok(WeightedPools::One { pool: only.pool.clone() }),
            several => Ok(WeightedPools::Several { pools: several.into(), invalid: *invalid }),
        }
    }
}

/// The Services that a route refers to, and may refer to.
pub(super) fn services<'r>(
    owner: &'r ObjectRef,
    route: &'r HttpRoute,
    snapshot: &'r Snapshot,
) -> impl Iterator<Item = Key> + 'r {
    let rules = route.spec.rules.iter().flatten();
    let backends = rules.flat_map(|rule| &rule.backend_refs);
    backends.filter_map(|backend| service(owner, &backend.backend, snapshot).ok()).map(|service| service.key)
}

/// Reads the backends of the rule at `rule`. Their pools, which are those of the Gateway, are put into the draft.
pub(super) fn read(
    owner: &ObjectRef,
    gateway: &ObjectRef,
    rule: &str,
    references: &[HttpBackendRef],
    lookup: &Lookup<'_>,
    draft: &mut Draft,
) -> Backends {
    let mut backends = Backends::default();
    for (index, HttpBackendRef { backend, weight, filters }) in references.iter().enumerate() {
        let field = format!("{rule}.backendRefs[{index}]");
        let weight = u32::try_from(weight.unwrap_or(1)).unwrap_or_default();
        let pool = match filters.is_empty() {
            true => pool(owner, gateway, &field, backend, lookup, draft),
            false => Err(Fault {
                reason: Reason::UnsupportedValue,
                part: ".filters",
                message: "filters of a backend are not served, so its share of requests is answered 500".to_owned(),
                remedy: "write them into the filters of the rule".to_owned(),
            }),
        };
        match pool {
            Ok(pool) => backends.valid.push(WeightedPool { pool, weight }),
            Err(fault) => {
                draft.reports.fault(owner, &field, &fault);
                backends.fault.get_or_insert(fault.reason);
                backends.invalid = backends.invalid.saturating_add(weight);
            }
        }
    }
    let has_weight = backends.invalid > 0 || backends.valid.iter().any(|pool| pool.weight > 0);
    if !has_weight {
        let message = "no backend has a weight, so requests are answered 500";
        draft.reports.warning(owner, format!("{rule}.backendRefs"), Reason::InvalidValue, message, "name a backend");
    }
    backends
}

/// The Service that a reference names, if it may.
fn service(owner: &ObjectRef, reference: &BackendObject, snapshot: &Snapshot) -> Result<ObjectRef, Fault> {
    let BackendObject { group, kind, name, namespace, port: _ } = reference;
    let kind = kind.as_deref().unwrap_or("Service");
    if kind != Kind::Service.name() || !group.as_deref().unwrap_or_default().is_empty() {
        return Err(Fault {
            reason: Reason::InvalidKind,
            part: ".kind",
            message: format!("{kind} is no kind of backend that is served"),
            remedy: "name a Service".to_owned(),
        });
    }
    let service = ObjectRef::new(Kind::Service, namespace.as_deref().unwrap_or(owner.namespace()), name);
    // Whether the Service exists is not looked at before, or other namespaces could find it out.
    grant::check(snapshot, owner, &service)?;
    Ok(service)
}

fn pool(
    owner: &ObjectRef,
    gateway: &ObjectRef,
    field: &str,
    reference: &BackendObject,
    lookup: &Lookup<'_>,
    draft: &mut Draft,
) -> Result<PoolId, Fault> {
    let service = service(owner, reference, lookup.snapshot)?;
    let Some(port) = reference.port else {
        return Err(Fault {
            reason: Reason::InvalidValue,
            part: ".port",
            message: format!("the reference to {service} has no port"),
            remedy: "add the port of the Service".to_owned(),
        });
    };
    let (namespace, name) = (service.namespace(), service.name());
    let resolved = service::resolve(lookup, namespace, name, PortRef::Number(port), &mut draft.reports)?;
    if let Some(protocol) = app_protocol(&service, port, lookup).filter(|protocol| !is_http(protocol)) {
        return Err(Fault {
            reason: Reason::UnsupportedProtocol,
            part: ".port",
            message: format!(
                "port {port} of {service} has appProtocol {protocol:?}, which is not spoken with backends"
            ),
            remedy: "serve HTTP/1.1 in clear text there".to_owned(),
        });
    }
    if resolved.endpoints.is_empty() {
        draft.reports.warning(
            owner,
            format!("{field}.name"),
            Reason::NoEndpoints,
            format!("{service} has no endpoint for port {}", resolved.label()),
            "see that its selector matches pods and that they run",
        );
    }
    let id = PoolId(format!("{namespace}/{name}:{} ({gateway})", resolved.label()).into());
    if !draft.pools.contains_key(&id) {
        let pool = Pool {
            transport: Transport::Http,
            // Pods without a probe of their own are judged by their readiness.
            probe: probe::infer(&resolved, namespace, &mut draft.reports),
            balance: balance(None, resolved.keeps_clients, owner, field, &mut draft.reports),
            endpoints: lookup.intern_endpoints(resolved.endpoints),
            min_up: 0,
            is_component: false,
        };
        draft.pools.insert(id.clone(), pool);
    }
    Ok(id)
}

fn app_protocol<'a>(service: &ObjectRef, port: i32, lookup: &Lookup<'a>) -> Option<&'a str> {
    let service = lookup.service(service.namespace(), service.name())?;
    let port = service.spec.as_ref()?.ports.iter().flatten().find(|declared| declared.port == port)?;
    port.app_protocol.as_deref()
}

/// Whether HTTP/1.1 in clear text is spoken where a Service says so (KEP-3726, GEP-1911). Of other names nothing is known.
fn is_http(protocol: &str) -> bool {
    !matches!(protocol, "kubernetes.io/h2c" | "kubernetes.io/wss")
}
