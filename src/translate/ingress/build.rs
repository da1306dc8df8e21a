//! One host, made: its routes on port 80, and on port 443 where it is served over TLS.

use std::sync::Arc;

use super::backend;
use super::merge::{SitePath, merge};
use super::secure::Secure;
use super::site::Site;
use super::{HTTP, HTTPS, Sites, redirect};
use crate::model::{Action, HostPattern, ObjectRef, Protocol, Redirect, Route};
use crate::report::Reason;
use crate::translate::claim::{Claims, wider};
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;

/// What a host is made with.
#[derive(Clone, Copy)]
pub(in crate::translate) struct Builder<'a> {
    pub(in crate::translate) sites: &'a Sites,
    pub(in crate::translate) claims: Claims<'a>,
    pub(in crate::translate) lookup: Lookup<'a>,
}

impl<'a> Builder<'a> {
    /// Makes a host.
    pub(in crate::translate) fn build(&self, host: &HostPattern) -> Draft {
        let mut draft = Draft::default();
        let claims = &self.claims;
        let secure = claims.hosts.secure(host);
        self.claim(host, secure, &mut draft.reports);
        let own = merge(host, claims.hosts.sites(host), &mut draft.reports);
        let is_served = claims.hosts.is_served(host);
        if is_served && claims.ingresses_hold(HTTP, Protocol::Http, host) {
            let routes = self.clear_routes(host, &own, &mut draft);
            draft.host(HTTP, Protocol::Http, host.clone(), routes);
        }
        let Some(secure) = secure.filter(|_| claims.ingresses_hold(HTTPS, Protocol::Https, host)) else { return draft };
        // The narrowest host with routes that takes the requests to this one.
        let wide = if is_served { None } else { wider(host).find(|wide| claims.hosts.is_served(wide)) };
        let paths = match &wide {
            Some(wide) => merge(wide, claims.hosts.sites(wide), &mut Reports::default()),
            None => own,
        };
        let routes = paths.iter().map(|path| self.forward(path, &mut draft)).collect();
        draft.host(HTTPS, Protocol::Https, host.clone(), routes);
        self.certificate(host, secure, &mut draft);
        // A host that stands in `spec.tls` alone needs a place on port 80 only to be redirected from there.
        if let Some(wide) = wide
            && claims.holder(HTTP, Protocol::Http, host).is_none()
            && claims.ingresses_hold(HTTP, Protocol::Http, &wide)
        {
            let routes = self.clear_routes(host, &paths, &mut draft);
            if routes.iter().any(|route| matches!(route.action, Action::Redirect(_))) {
                draft.host(HTTP, Protocol::Http, host.clone(), routes);
            }
        }
        draft
    }

    /// Tells those who want the host and do not get it.
    fn claim(&self, host: &HostPattern, secure: Option<Secure<'_>>, reports: &mut Reports) {
        let claims = &self.claims;
        let lost = |port, protocol| {
            let holder = claims.holder(port, protocol, host).filter(|_| !claims.ingresses_hold(port, protocol, host));
            (claims.other_protocol(port, protocol), holder.map(|holder| holder.owner()))
        };
        let (other_protocol, winner) = lost(HTTP, Protocol::Http);
        for site in claims.hosts.sites(host) {
            match (site.names(host), other_protocol, winner) {
                (Some(_), Some(winner), _) => refuse_port(site, HTTP, winner, reports),
                (Some(field), None, Some(winner)) => {
                    refuse_host(site, field.to_string(), host, HTTP, winner, reports);
                }
                (None, None, Some(winner)) if site.serves(host) => reports.warning(
                    &site.owner,
                    "spec.defaultBackend",
                    Reason::Conflict,
                    format!(
                        "{winner} already serves hosts that no rule names, so this serves those of its rules alone"
                    ),
                    "nothing, if the hosts of the rules are all that is meant",
                ),
                _ => {}
            }
        }
        let Some(secure) = secure else { return };
        match lost(HTTPS, Protocol::Https) {
            (Some(winner), _) => refuse_port(secure.site, HTTPS, winner, reports),
            (None, Some(winner)) => refuse_host(secure.site, secure.field(), host, HTTPS, winner, reports),
            (None, None) => {}
        }
    }

    fn clear_routes(&self, host: &HostPattern, paths: &[SitePath<'_>], draft: &mut Draft) -> Vec<Route> {
        let secure = self.claims.hosts.secure(host);
        let secure = secure.filter(|_| self.claims.ingresses_hold(HTTPS, Protocol::Https, host));
        let mut routes = Vec::with_capacity(paths.len());
        for path in paths {
            let (site, own) = path;
            let redirect = redirect::decide(site, &own.path, host, secure, &self.claims, &mut draft.reports);
            routes.push(match redirect.filter(|(_, port)| self.has_certificate(host, *port, &mut draft.reports)) {
                Some((status, port)) => Route {
                    field: site.places[own.place()].at.field(),
                    owner: Arc::clone(&site.owner),
                    path: own.path.clone(),
                    action: Action::Redirect(Redirect { status, port }),
                },
                None => self.forward(path, draft),
            });
        }
        routes
    }

    /// Whether a redirect to `port` leads anywhere: a client that can't shake hands there is better served in clear text.
    fn has_certificate(&self, host: &HostPattern, port: u16, reports: &mut Reports) -> bool {
        let claims = &self.claims;
        let Some(secure) = claims.hosts.secure(host).filter(|_| port == HTTPS) else { return true };
        let by_default = secure.certificate.is_none() && secure.secret.is_none();
        if claims.is_certified(port, host) || by_default && claims.is_certified(port, &HostPattern::Any) {
            return true;
        }
        reports.warning(
            &secure.site.owner,
            secure.field(),
            Reason::InvalidCertificate,
            format!("host {host} has no usable certificate, so it is served over HTTP and not redirected"),
            "name a Secret with a certificate for it",
        );
        false
    }

    fn forward(&self, (site, path): &SitePath<'_>, draft: &mut Draft) -> Route {
        let leads = self.sites.leads(site, path.place()).expect("a site that has hosts is known");
        let action = backend::action(site, path, leads, &self.lookup, &mut draft.reports);
        let (field, owner) = (site.places[path.place()].at.field(), Arc::clone(&site.owner));
        Route { field, owner, path: path.path.clone(), action }
    }

    fn certificate(&self, host: &HostPattern, secure: Secure<'_>, draft: &mut Draft) {
        let Some(id) = secure.certificate else { return };
        if !secure.within {
            tls::check_names(&self.lookup, id, host, &secure.site.owner, &secure.field(), &mut draft.reports);
        }
        draft.certify(HTTPS, host, id);
    }
}

fn refuse_port(site: &Site, port: u16, winner: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &site.owner,
        "spec",
        Reason::Conflict,
        format!("{winner} has port {port} for another protocol, so nothing of this Ingress is served there"),
        "give the listener of that gateway another port",
    );
}

fn refuse_host(site: &Site, field: String, host: &HostPattern, port: u16, winner: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &site.owner,
        field,
        Reason::Conflict,
        format!("{winner} already serves host {host} on port {port}"),
        "remove the host from one of the two",
    );
}
