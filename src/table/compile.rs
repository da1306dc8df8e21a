//! Compilation of a model into a table. It starts from the table before and the difference of the models, so that a change costs
//! what has changed.

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

use super::{ByName, Certificates, HostTable, ListenerTable, Paths, RoutingTable, Target, TlsPolicies};
use crate::model::{Host, HostPattern, Listener, Model, PathMatch, PoolId, Route};
use crate::pool::Pool;

/// Routes of a host up to which a look-up scans them one by one.
const MAX_SCANNED_ROUTES: usize = 8;

/// Pools by identity.
type Pools = OrdMap<PoolId, Arc<Pool>>;

/// Compiles a model from nothing. `pools` has every pool that the model's routes lead to; a route whose pool is missing answers
/// 503.
pub fn compile(model: &Model, generation: u64, pools: &Pools) -> RoutingTable {
    RoutingTable::default().update(model, generation, pools)
}

impl RoutingTable {
    /// Compiles a model, sharing with this table the hosts and certificates that have not changed. A pool that such a host leads
    /// to must still be the pool in `pools`.
    pub fn update(&self, model: &Model, generation: u64, pools: &Pools) -> Self {
        let certificates = self.certificates.update(&model.certificates);
        let listeners = model.listeners.iter().map(|(port, listener)| {
            let before = self.listeners.get(port).cloned();
            let mut table = before.unwrap_or_else(|| ListenerTable::new(listener));
            table.update(listener, &certificates, pools);
            table.fallback_certificate.clone_from(&model.default_certificate);
            (*port, table)
        });
        Self { generation, listeners: listeners.collect(), certificates, pools: pools.clone() }
    }
}

impl ListenerTable {
    fn new(listener: &Listener) -> Self {
        Self {
            protocol: listener.protocol,
            hosts: OrdMap::new(),
            exact: ByName::default(),
            single_label: ByName::default(),
            globs: Arc::default(),
            any: None,
            certificates: OrdMap::new(),
            default_certificate: None,
            fallback_certificate: None,
            tls_policies: TlsPolicies::default(),
        }
    }

    fn update(&mut self, listener: &Listener, certificates: &Certificates, pools: &Pools) {
        self.protocol = listener.protocol;
        self.certificates = certificates.served.clone();
        self.default_certificate.clone_from(&listener.default_certificate);
        self.tls_policies.sweep();
        let before = std::mem::replace(&mut self.hosts, listener.hosts.clone());
        for change in before.diff(&listener.hosts) {
            let (pattern, routes) = match change {
                DiffItem::Add(pattern, host) | DiffItem::Update { new: (pattern, host), .. } => {
                    (pattern, Some(Arc::new(HostTable::new(pattern, host, pools, &mut self.tls_policies))))
                }
                DiffItem::Remove(pattern, _) => (pattern, None),
            };
            match pattern {
                HostPattern::Exact(name) => self.exact.set(name, routes),
                HostPattern::SingleLabel(parent) => self.single_label.set(parent, routes),
                HostPattern::Glob(_) => {
                    let replaced = match self.glob_index(pattern) {
                        Ok(index) => index..index + 1,
                        Err(index) => index..index,
                    };
                    Arc::make_mut(&mut self.globs).splice(replaced, routes);
                }
                HostPattern::Any => self.any = routes,
            }
        }
    }
}

impl HostTable {
    fn new(pattern: &HostPattern, host: &Arc<Host>, pools: &Pools, tls_policies: &mut TlsPolicies) -> Self {
        let target = |route: &Arc<Route>| Arc::new(Target::new(pattern, Arc::clone(route), pools));
        debug_assert!(
            host.routes.is_sorted_by(|a, b| a.matches.precedence() <= b.matches.precedence()),
            "the routes of a host are in the order of their precedence"
        );
        let paths = (host.routes.len() > MAX_SCANNED_ROUTES).then(|| Box::new(Paths::new(host)));
        let targets = host.routes.iter().map(target).collect();
        let takes_all = host.routes.first().is_some_and(|route| route.matches.is_unconditional());
        let tls = host.tls.as_ref().map(|policy| tls_policies.shared(&policy.terms));
        Self { pattern: pattern.clone(), host: Arc::clone(host), targets, tls, takes_all, paths }
    }

    /// The text of the pattern, by which hosts are hashed.
    pub(super) fn name(&self) -> &str {
        match &self.pattern {
            HostPattern::Exact(name) | HostPattern::SingleLabel(name) | HostPattern::Glob(name) => name,
            HostPattern::Any => "",
        }
    }
}

impl Paths {
    fn new(host: &Host) -> Self {
        let mut paths = Self::default();
        let mut previous = None;
        for (index, route) in host.routes.iter().enumerate() {
            let path = &route.matches.path;
            let is_first_of_path = previous.replace(path) != Some(path);
            let replaced = match path {
                // The look-up goes on to it from the first route of its path.
                PathMatch::Exact(_) | PathMatch::Prefix(_) if !is_first_of_path => None,
                PathMatch::Exact(path) => paths.exact.insert((&**path).into(), index),
                PathMatch::Prefix(path) => {
                    paths.longest_prefix = paths.longest_prefix.max(path.len());
                    paths.prefix.insert((&**path).into(), index)
                }
                PathMatch::Regex(_) => {
                    paths.regexes.push(index);
                    None
                }
                PathMatch::PatternExact(_) | PathMatch::PatternPrefix(_) | PathMatch::Any => {
                    paths.others.push(index);
                    None
                }
            };
            debug_assert!(replaced.is_none(), "the routes of one path are adjacent");
        }
        paths
    }
}
