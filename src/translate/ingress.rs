//! Ingresses: from all of them together to hosts and routes.
//!
//! Port 80 serves every host in clear text. Port 443 serves the hosts that some Ingress covers in `spec.tls`, with
//! the same routes. Several Ingresses share a host; of two routes with the same host and path the oldest stays.

mod backend;
mod redirect;
mod secure;
mod session;
mod site;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Action, HostPattern, ObjectRef, PathMatch, Protocol, Redirect, Route};
use crate::source::Snapshot;
use crate::status::Reason;

use super::claim::{Age, Claims, Holder, covers};
use super::class::Classes;
use super::draft::Draft;
use super::lookup::Lookup;
use super::report::Reports;
use super::tls;
use secure::Secure;
use site::{Path, Site};

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

/// Every Ingress that is served, oldest first, and what they make together.
#[derive(Debug)]
pub(super) struct Sites<'a> {
    sites: Vec<Site<'a>>,
    /// Routes by host, each with the site that it is of.
    hosts: BTreeMap<HostPattern, Vec<(usize, Path<'a>)>>,
    /// Hosts that are served over TLS.
    secure: BTreeMap<HostPattern, Secure>,
    /// Those hosts again, by the site that asks for each.
    secure_of: BTreeMap<usize, Vec<HostPattern>>,
}

impl<'a> Sites<'a> {
    /// Reads the Ingresses that are ours.
    pub(super) fn read(snapshot: &'a Snapshot, classes: &Classes<'_>, lookup: &Lookup<'_>, draft: &mut Draft) -> Self {
        let reports = &mut draft.reports;
        let mut sites = Vec::new();
        for (key, object) in &snapshot.ingresses {
            let owner = ObjectRef::new("Ingress", key.namespace.clone(), key.name.clone());
            let named = object.spec.as_ref().and_then(|spec| spec.ingress_class_name.as_deref());
            let Some(class) = classes.of(&owner, &object.metadata, named, reports) else { continue };
            draft.served.ingresses.insert(key.clone(), false);
            sites.push(Site::read(owner, object, class, reports));
        }
        sites.sort_by(|a, b| a.age().cmp(&b.age()));
        let hosts = merge(&sites, reports);
        let mut secure = secure::read(&sites, &hosts, reports);
        for Secure { secret, certificate, site, field, .. } in secure.values_mut() {
            let (Some(secret), owner) = (secret, &sites[*site].owner) else { continue };
            match tls::server_certificate(lookup, &mut draft.model, &owner.namespace, secret) {
                Ok(id) => *certificate = Some(id),
                Err(fault) => reports.fault(owner, field, &fault),
            }
        }
        let mut secure_of: BTreeMap<usize, Vec<HostPattern>> = BTreeMap::new();
        for (host, Secure { site, .. }) in &secure {
            secure_of.entry(*site).or_default().push(host.clone());
        }
        Self { sites, hosts, secure, secure_of }
    }

    /// The ages of the sites, in their order.
    pub(super) fn ages(&self) -> impl Iterator<Item = Age<'_>> {
        self.sites.iter().map(Site::age)
    }

    /// Claims the ports and hosts of one site. The claims of another object are older where they are refused.
    pub(super) fn claim(&self, index: usize, claims: &mut Claims, reports: &mut Reports) {
        let site = &self.sites[index];
        let hosts: Vec<_> = site.hosts.iter().map(|(host, field)| (host, field.as_str())).collect();
        claim(site, HTTP, Protocol::Http, &hosts, claims, reports);
        if site.catches_all && claims.port(HTTP, Protocol::Http, &site.owner).is_ok() {
            let any = claims.host(HTTP, Protocol::Http, &HostPattern::Any, Holder::Ingresses, &site.owner);
            if let Err(winner) = any {
                reports.warning(
                    &site.owner,
                    "spec.defaultBackend",
                    Reason::Conflict,
                    format!(
                        "{winner} already serves hosts that no rule names, so this serves those of its rules alone"
                    ),
                    "nothing, if the hosts of the rules are all that is meant",
                );
            }
        }
        let secure = self.secure_of.get(&index).into_iter().flatten();
        let secure: Vec<_> = secure.map(|host| (host, self.secure[host].field.as_str())).collect();
        claim(site, HTTPS, Protocol::Https, &secure, claims, reports);
        for (host, _) in secure {
            let ours = claims.holds(HTTPS, Protocol::Https, host, &Holder::Ingresses);
            if ours && self.secure[host].certificate.is_some() {
                claims.certify(HTTPS, host);
            }
        }
    }

    /// Puts hosts, routes, pools and certificates into the draft.
    pub(super) fn build(&self, lookup: &Lookup<'_>, claims: &Claims, draft: &mut Draft) {
        for (host, paths) in &self.hosts {
            if claims.holds(HTTP, Protocol::Http, host, &Holder::Ingresses) {
                let routes = self.clear_routes(host, paths, claims, lookup, draft);
                draft.host(HTTP, Protocol::Http, host.clone(), routes);
            }
        }
        for (host, secure) in &self.secure {
            if !claims.holds(HTTPS, Protocol::Https, host, &Holder::Ingresses) {
                continue;
            }
            let (wider, paths) = self.serving(host);
            let routes = paths.iter().map(|(site, path)| self.forward(*site, path, lookup, draft)).collect();
            draft.host(HTTPS, Protocol::Https, host.clone(), routes);
            self.certificate(host, secure, draft);
            // A host that stands in `spec.tls` alone needs a place on port 80 only to be redirected from there.
            if wider
                && !claims.is_held(HTTP, Protocol::Http, host)
                && claims.holds(HTTP, Protocol::Http, self.wide(host), &Holder::Ingresses)
            {
                let routes = self.clear_routes(host, paths, claims, lookup, draft);
                if routes.iter().any(|route| matches!(route.action, Action::Redirect(_))) {
                    draft.host(HTTP, Protocol::Http, host.clone(), routes);
                }
            }
        }
    }

    fn clear_routes(
        &self,
        host: &HostPattern,
        paths: &[(usize, Path<'_>)],
        claims: &Claims,
        lookup: &Lookup<'_>,
        draft: &mut Draft,
    ) -> Vec<Route> {
        let secure = self.secure.get(host).filter(|_| claims.holds(HTTPS, Protocol::Https, host, &Holder::Ingresses));
        let mut routes = Vec::with_capacity(paths.len());
        for (index, path) in paths {
            let site = &self.sites[*index];
            let redirect = redirect::decide(site, &path.path, host, secure, claims, &mut draft.reports);
            routes.push(match redirect.filter(|(_, port)| self.has_certificate(host, *port, claims, draft)) {
                Some((status, port)) => Route {
                    field: path.field.clone(),
                    owner: site.owner.clone(),
                    path: path.path.clone(),
                    action: Action::Redirect(Redirect { status, port }),
                },
                None => self.forward(*index, path, lookup, draft),
            });
        }
        routes
    }

    /// Whether a redirect to `port` leads anywhere: a client that can't shake hands there is better served in clear text.
    fn has_certificate(&self, host: &HostPattern, port: u16, claims: &Claims, draft: &mut Draft) -> bool {
        let Some(secure) = self.secure.get(host).filter(|_| port == HTTPS) else { return true };
        let by_default = secure.certificate.is_none() && secure.secret.is_none();
        if claims.is_certified(port, host) || by_default && claims.is_certified(port, &HostPattern::Any) {
            return true;
        }
        draft.reports.warning(
            &self.sites[secure.site].owner,
            &secure.field,
            Reason::InvalidCertificate,
            format!("host {host} has no usable certificate, so it is served over HTTP and not redirected"),
            "name a Secret with a certificate for it",
        );
        false
    }

    fn forward(&self, site: usize, path: &Path<'_>, lookup: &Lookup<'_>, draft: &mut Draft) -> Route {
        let site = &self.sites[site];
        let action = backend::action(site, path, lookup, draft);
        Route { field: path.field.clone(), owner: site.owner.clone(), path: path.path.clone(), action }
    }

    /// The routes for requests to `host`, and whether they are those of a wider host.
    fn serving(&self, host: &HostPattern) -> (bool, &[(usize, Path<'a>)]) {
        match self.hosts.get(host) {
            Some(paths) => (false, paths),
            None => (true, self.hosts.get(self.wide(host)).map_or(&[], Vec::as_slice)),
        }
    }

    /// The narrowest host with routes that takes the requests to `host`.
    fn wide<'h>(&'h self, host: &'h HostPattern) -> &'h HostPattern {
        let wider = self.hosts.keys().filter(|wide| covers(wide, host));
        wider.max_by_key(|wide| wide.literal_length()).unwrap_or(host)
    }

    fn certificate(&self, host: &HostPattern, secure: &Secure, draft: &mut Draft) {
        let Some(id) = secure.certificate.clone() else { return };
        if !secure.within {
            let owner = &self.sites[secure.site].owner;
            tls::check_names(&draft.model, &id, host, owner, &secure.field, &mut draft.reports);
        }
        let listener = draft.listener(HTTPS, Protocol::Https);
        if *host == HostPattern::Any {
            listener.default_certificate = Some(id);
        } else if let Some(host) = listener.hosts.get_mut(host) {
            Arc::make_mut(host).certificate = Some(id);
        }
    }
}

/// Claims hosts of a port for a site.
fn claim(
    site: &Site<'_>,
    port: u16,
    protocol: Protocol,
    hosts: &[(&HostPattern, &str)],
    claims: &mut Claims,
    reports: &mut Reports,
) {
    if hosts.is_empty() {
        return;
    }
    if let Err(winner) = claims.port(port, protocol, &site.owner) {
        reports.error(
            &site.owner,
            "spec",
            Reason::Conflict,
            format!("{winner} has port {port} for another protocol, so nothing of this Ingress is served there"),
            "give the listener of that gateway another port",
        );
        return;
    }
    for (host, field) in hosts {
        if let Err(winner) = claims.host(port, protocol, host, Holder::Ingresses, &site.owner) {
            reports.error(
                &site.owner,
                *field,
                Reason::Conflict,
                format!("{winner} already serves host {host} on port {port}"),
                "remove the host from one of the two",
            );
        }
    }
}

/// Routes by host: the first of several with the same host and path.
fn merge<'a>(sites: &[Site<'a>], reports: &mut Reports) -> BTreeMap<HostPattern, Vec<(usize, Path<'a>)>> {
    let mut hosts: BTreeMap<HostPattern, Vec<(usize, Path<'a>)>> = BTreeMap::new();
    let mut taken: BTreeMap<(HostPattern, PathMatch), (usize, String)> = BTreeMap::new();
    for (index, site) in sites.iter().enumerate() {
        for (host, _) in &site.hosts {
            hosts.entry(host.clone()).or_default();
        }
        for path in &site.paths {
            let key = (path.host.clone(), path.path.clone());
            if let Some((winner, field)) = taken.get(&key) {
                conflict(site, path, &sites[*winner].owner, field, reports);
                continue;
            }
            taken.insert(key, (index, path.field.clone()));
            hosts.entry(path.host.clone()).or_default().push((index, path.clone()));
        }
    }
    hosts
}

fn conflict(site: &Site<'_>, path: &Path<'_>, winner: &ObjectRef, winner_field: &str, reports: &mut Reports) {
    let Path { host, path: paths, field, .. } = path;
    let ours = *winner == site.owner;
    let alias = site.hosts.iter().find(|(known, field)| known == host && field.starts_with("metadata."));
    if let Some((_, annotation)) = alias.filter(|_| ours) {
        return reports.warning(
            &site.owner,
            annotation,
            Reason::Conflict,
            format!("host {host} has the path of {field} from {winner_field}, for it is added to both"),
            "give the host an Ingress of its own if it should have the other",
        );
    }
    if site.catches_all && *host == HostPattern::Any {
        return reports.warning(
            &site.owner,
            field,
            Reason::Conflict,
            format!("{winner} came first to the hosts that no rule names, so this serves those of its rules alone"),
            "nothing, if the hosts of the rules are all that is meant",
        );
    }
    let winner = if ours { "this Ingress".to_owned() } else { winner.to_string() };
    let what = match paths {
        PathMatch::Any => "has the default backend".to_owned(),
        PathMatch::Exact(path) => format!("has the path {path} (Exact)"),
        other => format!("has the path {other} (Prefix)"),
    };
    reports.error(
        &site.owner,
        field,
        Reason::Conflict,
        format!("{winner} came first and {what} of host {host}, at {winner_field}"),
        "remove one of the two, or change its host or path",
    );
}
