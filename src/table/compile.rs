//! Model to table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Certificates, HostTable, ListenerTable, RoutingTable, Target};
use crate::model::{Action, CertificateId, Host, HostPattern, Listener, Model, PathMatch, PoolId};
use crate::pool::Pool;
use crate::table::ServedCertificate;

/// Compiles a model. `pools` has every pool that the model's routes name; a route whose pool is missing
/// answers 503.
pub fn compile(model: &Model, generation: u64, pools: &BTreeMap<PoolId, Arc<Pool>>) -> RoutingTable {
    let certificates: BTreeMap<&CertificateId, Arc<ServedCertificate>> = model
        .certificates
        .iter()
        .filter_map(|(id, certificate)| match ServedCertificate::new(id, certificate) {
            Ok(served) => Some((id, Arc::new(served))),
            Err(error) => {
                tracing::error!(certificate = %id, %error, "certificate can't be served");
                None
            }
        })
        .collect();
    let listeners =
        model.listeners.iter().map(|(port, listener)| (*port, compile_listener(listener, &certificates, pools)));
    RoutingTable { generation, listeners: listeners.collect() }
}

fn compile_listener(
    listener: &Listener,
    certificates: &BTreeMap<&CertificateId, Arc<ServedCertificate>>,
    pools: &BTreeMap<PoolId, Arc<Pool>>,
) -> ListenerTable {
    let served = |id: &Option<CertificateId>| id.as_ref().and_then(|id| certificates.get(id)).cloned();
    let mut table = ListenerTable {
        protocol: listener.protocol,
        certificates: Certificates::new(served(&listener.default_certificate)),
        exact: HashMap::new(),
        single_label: HashMap::new(),
        globs: Vec::new(),
        any: None,
    };
    for (pattern, host) in &listener.hosts {
        if let Some(certificate) = served(&host.certificate) {
            table.certificates.insert(pattern, certificate);
        }
        let routes = compile_host(pattern, host, pools);
        match pattern {
            HostPattern::Exact(name) => drop(table.exact.insert(name.clone(), routes)),
            HostPattern::SingleLabel(parent) => drop(table.single_label.insert(parent.clone(), routes)),
            HostPattern::Glob(_) => table.globs.push((pattern.clone(), routes)),
            HostPattern::Any => table.any = Some(routes),
        }
    }
    table
}

fn compile_host(pattern: &HostPattern, host: &Host, pools: &BTreeMap<PoolId, Arc<Pool>>) -> HostTable {
    let mut table = HostTable::default();
    for route in &host.routes {
        let pool = match &route.action {
            Action::Forward(backend) => pools.get(&backend.pool).cloned(),
            Action::Redirect(_) | Action::Unavailable(_) | Action::NotFound => None,
        };
        let name = route.owner.to_string();
        let id = format!("{name} {pattern} {}", route.path).into();
        let target = Arc::new(Target { route: route.clone(), pool, name, id });
        // The first of two equal paths is the one that the model prefers.
        match &route.path {
            PathMatch::Exact(path) => drop(table.exact.entry(path.clone()).or_insert(target)),
            PathMatch::Prefix(path) => {
                table.longest_prefix = table.longest_prefix.max(path.len());
                table.prefix.entry(path.clone()).or_insert(target);
            }
            PathMatch::PatternExact(_) | PathMatch::PatternPrefix(_) => {
                table.patterns.push((route.path.clone(), target));
            }
            PathMatch::Any => drop(table.any.get_or_insert(target)),
        }
    }
    table
}
