//! One host, made: its routes on port 80, and on port 443 where it is served over TLS.

use std::sync::Arc;

use super::backend;
use super::host_tls::HostTls;
use super::merge::{MergedPath, merge};
use super::parsed::ParsedIngress;
use super::{HTTP, HTTPS, Ingresses, redirect};
use crate::model::{Action, HostPattern, ObjectRef, Protocol, Route};
use crate::report::Reason;
use crate::translate::claim::{Claims, wider};
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;

/// What a host is made with.
#[derive(Clone, Copy)]
pub(in crate::translate) struct Builder<'a> {
    pub(in crate::translate) ingresses: &'a Ingresses,
    pub(in crate::translate) claims: Claims<'a>,
    pub(in crate::translate) lookup: Lookup<'a>,
}

impl<'a> Builder<'a> {
    /// Makes a host.
    pub(in crate::translate) fn build(&self, host: &HostPattern) -> Draft {
        let mut draft = Draft::default();
        let claims = &self.claims;
        let tls = claims.hosts.tls(host);
        self.claim(host, tls, &mut draft.reports);
        let own = merge(host, claims.hosts.ingresses(host), &mut draft.reports);
        let is_served = claims.hosts.is_served(host);
        if is_served && claims.ingresses_hold(HTTP, Protocol::Http, host) {
            let routes = self.clear_routes(host, &own, &mut draft);
            draft.add_host(HTTP, Protocol::Http, host.clone(), routes);
        }
        let Some(tls) = tls.filter(|_| claims.ingresses_hold(HTTPS, Protocol::Https, host)) else { return draft };
        // The narrowest host with routes that takes the requests to this one.
        let wide = if is_served { None } else { wider(host).find(|wide| claims.hosts.is_served(wide)) };
        let paths = match &wide {
            Some(wide) => merge(wide, claims.hosts.ingresses(wide), &mut Reports::default()),
            None => own,
        };
        let routes = paths.iter().map(|path| self.forward(path, &mut draft)).collect();
        draft.add_host(HTTPS, Protocol::Https, host.clone(), routes);
        self.certificate(host, tls, &mut draft);
        // A host that stands in `spec.tls` alone needs a place on port 80 only to be redirected from there.
        if let Some(wide) = wide
            && claims.holder(HTTP, Protocol::Http, host).is_none()
            && claims.ingresses_hold(HTTP, Protocol::Http, &wide)
        {
            let routes = self.clear_routes(host, &paths, &mut draft);
            if routes.iter().any(|route| matches!(route.action, Action::Redirect(_))) {
                draft.add_host(HTTP, Protocol::Http, host.clone(), routes);
            }
        }
        draft
    }

    /// Tells those who want the host and do not get it.
    fn claim(&self, host: &HostPattern, tls: Option<HostTls<'_>>, reports: &mut Reports) {
        let claims = &self.claims;
        let lost = |port, protocol| {
            let holder = claims.holder(port, protocol, host).filter(|_| !claims.ingresses_hold(port, protocol, host));
            (claims.other_protocol(port, protocol), holder.map(|holder| holder.owner()))
        };
        let (other_protocol, winner) = lost(HTTP, Protocol::Http);
        for ingress in claims.hosts.ingresses(host) {
            match (ingress.field_of(host), other_protocol, winner) {
                (Some(_), Some(winner), _) => refuse_port(ingress, HTTP, winner, reports),
                (Some(field), None, Some(winner)) => {
                    refuse_host(ingress, field.to_string(), host, HTTP, winner, reports);
                }
                (None, None, Some(winner)) if ingress.serves(host) => reports.warning(
                    &ingress.owner,
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
        let Some(tls) = tls else { return };
        match lost(HTTPS, Protocol::Https) {
            (Some(winner), _) => refuse_port(tls.ingress, HTTPS, winner, reports),
            (None, Some(winner)) => refuse_host(tls.ingress, tls.field(), host, HTTPS, winner, reports),
            (None, None) => {}
        }
    }

    fn clear_routes(&self, host: &HostPattern, paths: &[MergedPath<'_>], draft: &mut Draft) -> Vec<Route> {
        let tls = self.claims.hosts.tls(host);
        let tls = tls.filter(|_| self.claims.ingresses_hold(HTTPS, Protocol::Https, host));
        let mut routes = Vec::with_capacity(paths.len());
        for path in paths {
            let MergedPath { ingress, path: condition } = path;
            let redirect = redirect::decide(ingress, &condition.path, host, tls, &self.claims, &mut draft.reports);
            routes.push(match redirect.filter(|to| self.has_certificate(host, to.port, &mut draft.reports)) {
                Some(redirect) => Route {
                    field: path.field().path(),
                    owner: Arc::clone(&ingress.owner),
                    matches: condition.path.clone().into(),
                    action: Action::Redirect(redirect),
                },
                None => self.forward(path, draft),
            });
        }
        routes
    }

    /// Whether a redirect to `port` leads anywhere: a client that can't shake hands there is better served in clear
    /// text.
    fn has_certificate(&self, host: &HostPattern, port: u16, reports: &mut Reports) -> bool {
        let claims = &self.claims;
        let Some(tls) = claims.hosts.tls(host).filter(|_| port == HTTPS) else { return true };
        let by_default = tls.certificate.is_none() && tls.secret.is_none();
        if claims.is_certified(port, host) || by_default && claims.is_certified(port, &HostPattern::Any) {
            return true;
        }
        reports.warning(
            &tls.ingress.owner,
            tls.field(),
            Reason::InvalidCertificate,
            format!("host {host} has no usable certificate, so it is served over HTTP and not redirected"),
            "name a Secret with a certificate for it",
        );
        false
    }

    fn forward(&self, merged: &MergedPath<'_>, draft: &mut Draft) -> Route {
        let MergedPath { ingress, path } = merged;
        let resolved =
            self.ingresses.resolved(ingress, path.backend()).expect("an Ingress that has hosts is in the list");
        let action = backend::action(ingress, path, resolved, &self.lookup, &mut draft.reports);
        Route {
            field: merged.field().path(),
            owner: Arc::clone(&ingress.owner),
            matches: path.path.clone().into(),
            action,
        }
    }

    fn certificate(&self, host: &HostPattern, tls: HostTls<'_>, draft: &mut Draft) {
        let Some(id) = tls.certificate else { return };
        if !tls.inherited {
            tls::check_names(&self.lookup, id, host, &tls.ingress.owner, &tls.field(), &mut draft.reports);
        }
        draft.set_certificate(HTTPS, host, id);
    }
}

fn refuse_port(ingress: &ParsedIngress, port: u16, winner: &ObjectRef, reports: &mut Reports) {
    reports.error(
        &ingress.owner,
        "spec",
        Reason::Conflict,
        format!("{winner} has port {port} for another protocol, so nothing of this Ingress is served there"),
        "give the listener of that gateway another port",
    );
}

fn refuse_host(
    ingress: &ParsedIngress,
    field: String,
    host: &HostPattern,
    port: u16,
    winner: &ObjectRef,
    reports: &mut Reports,
) {
    reports.error(
        &ingress.owner,
        field,
        Reason::Conflict,
        format!("{winner} already serves host {host} on port {port}"),
        "remove the host from one of the two",
    );
}
