//! Builds one host: its routes on port 80, and on port 443 where it is served over TLS.

use std::sync::Arc;

use super::backend::{self, Access};
use super::host_field::HostField;
use super::host_tls::HostTls;
use super::merge::{MergedPath, merge};
use super::parsed::ParsedIngress;
use super::policies::ResolvedPolicies;
use super::tenants::Tenants;
use super::tls_hosts::TlsHost;
use super::{HTTP, HTTPS, Ingresses, policies, redirect};
use crate::model::{Action, HostPattern, Kind, ObjectRef, Route};
use crate::report::Reason;
use crate::translate::claim::{Claims, PortProtocol, wider};
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;

/// Builds hosts of Ingresses, with all that they are built of.
#[derive(Clone, Copy)]
pub(super) struct HostBuilder<'a> {
    pub(super) ingresses: &'a Ingresses,
    pub(super) claims: &'a Claims<'a>,
    pub(super) lookup: &'a Lookup<'a>,
}

impl HostBuilder<'_> {
    /// Builds a host.
    pub(super) fn build(&self, host: &HostPattern) -> Draft {
        let mut draft = Draft::default();
        let hosts = &self.ingresses.hosts;
        let tls = self.tls(host);
        self.report_lost_claims(host, tls, &mut draft.reports);
        let tenants = Tenants { claims: self.claims, hosts, host };
        tenants.report(&mut draft.reports);
        self.report_without_tls(host, tls, &mut draft.reports);

        // Port 80: the host's own routes.
        let own = self.merge(host, &mut draft.reports);
        let is_served = hosts.is_served(host) && tenants.has_any();
        if is_served && self.holds(HTTP, host) {
            let routes = self.clear_routes(host, &own, &mut draft);
            draft.add_host(HTTP.port, HTTP.protocol, host.clone(), routes);
        }

        // Port 443: the same routes, or those of the narrowest host with routes that covers this one.
        let Some(tls) = tls.filter(|_| self.holds(HTTPS, host)) else { return draft };
        let wide = if is_served { None } else { wider(host).find(|wide| hosts.is_served(wide)) };
        let paths = match &wide {
            Some(wide) => self.merge(wide, &mut Reports::default()),
            None => own,
        };
        let routes = paths.iter().map(|path| self.forward(path, &mut draft)).collect();
        draft.add_host(HTTPS.port, HTTPS.protocol, host.clone(), routes);
        self.certificate(host, tls, &mut draft);

        // A host that stands in `spec.tls` alone is on port 80 only to be redirected from there.
        if let Some(wide) = wide
            && self.claims.holder(HTTP, host).is_none()
            && self.holds(HTTP, &wide)
        {
            let routes = self.clear_routes(host, &paths, &mut draft);
            if routes.iter().any(|route| matches!(route.action, Action::Redirect(_))) {
                draft.add_host(HTTP.port, HTTP.protocol, host.clone(), routes);
            }
        }
        draft
    }

    /// The paths of a host, but for those of tenants that it does not belong to.
    fn merge(&self, host: &HostPattern, reports: &mut Reports) -> Vec<MergedPath<'_>> {
        let ingresses = self.ingresses.hosts.ingresses(host);
        merge(host, ingresses.iter().filter(|ingress| self.may_serve(ingress, host)), reports)
    }

    /// How a host comes to be served over TLS, if it does.
    fn tls(&self, host: &HostPattern) -> Option<HostTls<'_>> {
        self.ingresses.hosts.tls(host).filter(|tls| self.may_serve(tls.ingress, host))
    }

    fn may_serve(&self, ingress: &ParsedIngress, host: &HostPattern) -> bool {
        self.claims.foreign_tenant(ingress.owner.namespace(), host).is_none()
    }

    /// Reports to Ingresses with TLS that a host of theirs has none: it was perhaps forgotten in `spec.tls`.
    fn report_without_tls(&self, host: &HostPattern, tls: Option<HostTls<'_>>, reports: &mut Reports) {
        if tls.is_some() || *host == HostPattern::Any {
            return;
        }
        for ingress in self.ingresses.hosts.ingresses(host).iter().filter(|ingress| ingress.tls.is_some()) {
            let is_requested = |covered: &TlsHost| covered.host == *host && !covered.needs_certificate;
            let (message, remedy) = match ingress.field_of(host) {
                None => continue,
                Some(_) if self.claims.https_port(ingress.owner.namespace(), host).is_some() => continue,
                // It does not get what it asks for, and is reported elsewhere.
                Some(_) if ingress.tls_hosts().iter().any(is_requested) => continue,
                Some(HostField::Annotation(_)) => (
                    "no certificate of spec.tls covers it",
                    "name it in spec.tls, or have the certificate renewed with it",
                ),
                Some(_) => ("no entry of spec.tls names it", "name it in spec.tls"),
            };
            let field = ingress.field_of(host).map(|field| field.to_string()).unwrap_or_default();
            let message =
                format!("host {host} is served in clear text alone, although this Ingress has TLS: {message}");
            reports.warning(&ingress.owner, field, Reason::NoTls, message, remedy);
        }
    }

    /// Whether the claim of the Ingresses holds a host of a port.
    fn holds(&self, at: PortProtocol, host: &HostPattern) -> bool {
        self.claims.is_held_by(Kind::Ingress, at, host)
    }

    /// Reports to the Ingresses that want the host, but do not get it, which object has it.
    fn report_lost_claims(&self, host: &HostPattern, tls: Option<HostTls<'_>>, reports: &mut Reports) {
        let lost_to = |at: PortProtocol| LostTo {
            port: self.claims.winner_of_port(at),
            host: self.claims.holder(at, host).map(|claim| claim.owner()).filter(|owner| owner.kind != Kind::Ingress),
        };
        let lost = lost_to(HTTP);
        for ingress in self.ingresses.hosts.ingresses(host) {
            match (ingress.field_of(host), lost.port, lost.host) {
                (Some(_), Some(winner), _) => refuse_port(ingress, HTTP.port, winner, reports),
                (Some(field), None, Some(winner)) => {
                    refuse_host(ingress, field.to_string(), host, HTTP.port, winner, reports);
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
        match lost_to(HTTPS) {
            LostTo { port: Some(winner), .. } => refuse_port(tls.ingress, HTTPS.port, winner, reports),
            LostTo { port: None, host: Some(winner) } => {
                refuse_host(tls.ingress, tls.field(), host, HTTPS.port, winner, reports);
            }
            LostTo { port: None, host: None } => {}
        }
    }

    /// The routes of a host on port 80: redirects to HTTPS, or the routes that forward.
    fn clear_routes(&self, host: &HostPattern, paths: &[MergedPath<'_>], draft: &mut Draft) -> Vec<Route> {
        let tls = self.tls(host).filter(|_| self.holds(HTTPS, host));
        let mut routes = Vec::with_capacity(paths.len());
        for path in paths {
            let MergedPath { ingress, path: condition } = path;
            if self.policies(ingress).access(ingress, &condition.path) == Access::Closed {
                routes.push(self.forward(path, draft));
                continue;
            }
            let redirect = redirect::decide(ingress, &condition.path, host, tls, self.claims, &mut draft.reports);
            let redirect = redirect.filter(|to| self.has_certificate(host, to.port(), &mut draft.reports));
            let action = match redirect {
                Some(redirect) => Action::Redirect(Arc::new(redirect)),
                None if redirect::refuses_clear_text(ingress, &condition.path, host, tls, &mut draft.reports) => {
                    Action::NotFound
                }
                None => {
                    routes.push(self.forward(path, draft));
                    continue;
                }
            };
            routes.push(Route {
                field: path.field().path(),
                owner: Arc::clone(&ingress.owner),
                matches: condition.path.clone().into(),
                action,
                policies: policies::of_path(ingress, &condition.path),
            });
        }
        routes
    }

    /// Whether a redirect to `port` leads anywhere: a client that can't shake hands there is better served in clear text.
    fn has_certificate(&self, host: &HostPattern, port: u16, reports: &mut Reports) -> bool {
        let Some(tls) = self.tls(host).filter(|_| port == HTTPS.port) else { return true };
        let is_default = self.lookup.default_certificate.is_some();
        if is_default || self.ingresses.hosts.certificate(host, tls).is_some() {
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

    fn policies(&self, ingress: &ParsedIngress) -> &ResolvedPolicies {
        self.ingresses.policies(ingress).expect("an Ingress that has hosts is in the list")
    }

    /// The route that forwards the requests of a path.
    fn forward(&self, merged: &MergedPath<'_>, draft: &mut Draft) -> Route {
        let MergedPath { ingress, path } = merged;
        let resolved =
            self.ingresses.resolved(ingress, path.backend()).expect("an Ingress that has hosts is in the list");
        let policies = self.policies(ingress);
        draft.reports.extend(&policies.reports);
        let access = policies.access(ingress, &path.path);
        let action = backend::action(ingress, path, resolved, access, self.lookup, &mut draft.reports);
        Route {
            field: merged.field().path(),
            owner: Arc::clone(&ingress.owner),
            matches: path.path.clone().into(),
            action,
            policies: policies.of_path(&path.path),
        }
    }

    fn certificate(&self, host: &HostPattern, tls: HostTls<'_>, draft: &mut Draft) {
        let Some(id) = self.ingresses.hosts.certificate(host, tls) else { return };
        if !tls.inherited {
            tls::check_names(self.lookup, id, host, &tls.ingress.owner, &tls.field(), &mut draft.reports);
        }
        draft.set_certificate(HTTPS.port, host, id);
    }
}

/// The objects that came before the Ingresses, if any.
struct LostTo<'a> {
    /// The object that has the port for another protocol.
    port: Option<&'a ObjectRef>,
    /// The object of another language that has the host.
    host: Option<&'a ObjectRef>,
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
