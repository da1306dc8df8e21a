//! Builds one host: its routes in clear text, and over TLS where it has that, at each port of its Ingresses.

use std::sync::Arc;

use super::backend;
use super::host_field::{HostAnnotation, HostField};
use super::host_tls::HostTls;
use super::merge::{MergedPath, merge};
use super::parsed::ParsedIngress;
use super::policies::{ResolvedPolicies, RouteUse};
use super::redirect::{HttpsRedirect, app_root, www};
use super::tenants::Tenants;
use super::tls_hosts::TlsHost;
use super::{Ingresses, acme, policies, redirect, tls_policy};
use crate::model::{
    Action, Canary, Forward, HostPattern, Kind, ObjectRef, PathMatch, Policies, Protocol, Redirect, Route, RouteMatch,
};
use crate::report::Reason;
use crate::translate::claim::{Claims, PortProtocol};
use crate::translate::class::annotation_field;
use crate::translate::draft::Draft;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls;
use crate::translate::tls_profile::NotSetUp;

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
        let tenants = Tenants { claims: self.claims, hosts: &self.ingresses.hosts, host };
        tenants.report(&mut draft.reports);
        let has_tenant = tenants.has_any();
        for at in self.ingresses.hosts.frontends(host) {
            let is_served = has_tenant && self.ingresses.hosts.is_served(host, at);
            match at.protocol {
                Protocol::Http => self.build_http(host, at, is_served, &mut draft),
                Protocol::Https => self.build_https(host, at, is_served, &mut draft),
                // No Ingress is on such a port.
                Protocol::Tcp | Protocol::Tls => {}
            }
        }
        draft
    }

    /// Builds a host at a port in clear text: its own routes.
    fn build_http(&self, host: &HostPattern, at: PortProtocol, is_served: bool, draft: &mut Draft) {
        self.report_lost_http(host, at, &mut draft.reports);
        let mut paths = self.merge(host, at, &mut draft.reports);
        if is_served && self.holds(at, host) {
            let redirects = self.host_redirects(host, at, &mut paths, draft);
            let mut routes = self.clear_routes(host, &paths, draft);
            routes.extend(redirects);
            draft.add_host(at.port, at.protocol, host.clone(), routes);
            let gateway = paths.first().and_then(|path| path.ingress.gateway());
            draft.set_tls(at.port, host, gateway.and_then(|gateway| gateway.tls.clear_text.as_ref()));
        }
    }

    /// Builds a host at a port that serves over TLS: its own routes, or those of the narrowest host with routes that covers it.
    fn build_https(&self, host: &HostPattern, at: PortProtocol, is_served: bool, draft: &mut Draft) {
        let hosts = &self.ingresses.hosts;
        let tls = self.tls(host, at.port);
        self.report_without_tls(host, at, tls, &mut draft.reports);
        let Some(tls) = tls else { return };
        self.report_lost_https(host, at, tls, &mut draft.reports);
        if !self.holds(at, host) {
            return;
        }
        let wide = if is_served { None } else { hosts.wider(host).into_iter().find(|wide| hosts.is_served(wide, at)) };
        let mut paths = match &wide {
            Some(wide) => self.merge(wide, at, &mut Reports::default()),
            None => self.merge(host, at, &mut draft.reports),
        };
        let redirects = self.host_redirects(wide.as_ref().unwrap_or(host), at, &mut paths, draft);
        let policy = self.policies(tls.ingress).tls.as_ref().ok().and_then(Option::as_ref);
        let mut routes = Vec::with_capacity(paths.len());
        for path in &paths {
            let lacks = self.lacks_certificates(host, path, tls.ingress, &mut draft.reports);
            routes.push(self.forward(host, path, RouteUse::Https, lacks, draft));
        }
        routes.extend(redirects);
        draft.add_host(at.port, at.protocol, host.clone(), routes);
        draft.set_tls(at.port, host, policy);
        self.certificate(host, at, tls, draft);

        // A host that stands in `spec.tls` alone is served in clear text only to be redirected from there, or to be closed.
        let clear = tls.ingress.ports.http.map(|port| PortProtocol { port, protocol: Protocol::Http });
        if let (Some(wide), Some(clear)) = (wide, clear)
            && self.claims.holder(clear, host).is_none()
            && self.holds(clear, &wide)
        {
            let mut routes = self.clear_routes(host, &paths, draft);
            routes.extend(self.host_redirects(&wide, clear, &mut paths, draft));
            let is_guarded = !matches!(self.policies(tls.ingress).client_certificates(), Ok(None));
            if is_guarded || routes.iter().any(|route| matches!(route.action, Action::Redirect(_) | Action::NotFound)) {
                draft.add_host(clear.port, clear.protocol, host.clone(), routes);
            }
        }
    }

    /// The paths of a host at a port, but for those of tenants that it does not belong to.
    fn merge(&self, host: &HostPattern, at: PortProtocol, reports: &mut Reports) -> Vec<MergedPath<'_>> {
        let ingresses = self.ingresses.hosts.on(host, at);
        merge(host, ingresses.filter(|ingress| self.may_serve(ingress, host)), reports)
    }

    /// How a host comes to be served over TLS at a port, if it does.
    fn tls(&self, host: &HostPattern, port: u16) -> Option<HostTls<'_>> {
        self.ingresses.hosts.tls(host, port).filter(|tls| self.may_serve(tls.ingress, host))
    }

    fn may_serve(&self, ingress: &ParsedIngress, host: &HostPattern) -> bool {
        self.claims.foreign_tenant(ingress.owner.namespace(), host).is_none()
    }

    /// Reports to Ingresses with TLS that a host of theirs has none: it was perhaps forgotten in `spec.tls`.
    fn report_without_tls(
        &self,
        host: &HostPattern,
        at: PortProtocol,
        tls: Option<HostTls<'_>>,
        reports: &mut Reports,
    ) {
        if tls.is_some() || *host == HostPattern::Any {
            return;
        }
        for ingress in self.ingresses.hosts.on(host, at).filter(|ingress| ingress.tls.is_some()) {
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

    /// The objects that came first to a port or to a host of it.
    fn lost_to(&self, host: &HostPattern, at: PortProtocol) -> LostTo<'_> {
        LostTo {
            port: self.claims.winner_of_port(at),
            host: self.claims.holder(at, host).map(|claim| claim.owner()).filter(|owner| owner.kind != Kind::Ingress),
        }
    }

    /// Reports to the Ingresses that want the host in clear text, but do not get it, which object has it.
    fn report_lost_http(&self, host: &HostPattern, at: PortProtocol, reports: &mut Reports) {
        let lost = self.lost_to(host, at);
        for ingress in self.ingresses.hosts.on(host, at) {
            match (ingress.field_of(host), lost.port, lost.host) {
                (Some(_), Some(winner), _) => refuse_port(ingress, at.port, winner, reports),
                (Some(field), None, Some(winner)) => {
                    refuse_host(ingress, field.to_string(), host, at.port, winner, reports);
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
    }

    /// Reports to the Ingress that wants the host over TLS, but does not get it, which object has it.
    fn report_lost_https(&self, host: &HostPattern, at: PortProtocol, tls: HostTls<'_>, reports: &mut Reports) {
        match self.lost_to(host, at) {
            LostTo { port: Some(winner), .. } => refuse_port(tls.ingress, at.port, winner, reports),
            LostTo { port: None, host: Some(winner) } => {
                refuse_host(tls.ingress, tls.field(), host, at.port, winner, reports);
            }
            LostTo { port: None, host: None } => {}
        }
    }

    /// The routes of a host in clear text: redirects to HTTPS, or the routes that forward.
    fn clear_routes(&self, host: &HostPattern, paths: &[MergedPath<'_>], draft: &mut Draft) -> Vec<Route> {
        let mut routes = Vec::with_capacity(paths.len());
        for path in paths {
            let MergedPath { ingress, path: condition } = path;
            if ingress.redirect.is_some() || self.policies(ingress).closed(ingress, &condition.path).is_some() {
                routes.push(self.forward(host, path, RouteUse::Http, None, draft));
                continue;
            }
            let secure = ingress.ports.https.map(|port| PortProtocol { port, protocol: Protocol::Https });
            let secure = secure.filter(|at| self.holds(*at, host));
            let tls = secure.and_then(|at| self.tls(host, at.port));
            let action = match redirect::decide(ingress, &condition.path, host, tls, self.claims, &mut draft.reports) {
                Some(HttpsRedirect::ClearText(redirect)) => {
                    // Who has come by HTTPS to a trusted proxy is not redirected, and has shown no certificate here.
                    let lacks = self.is_without_certificates(host, path, tls, &mut Reports::default());
                    let route = self.forward(host, path, RouteUse::Http, lacks, draft);
                    let clear_text = Some(redirect::of_clear_text(ingress, redirect));
                    let policies = policies::with(route.policies, |policies| policies.clear_text = clear_text);
                    routes.push(Route { policies, ..route });
                    continue;
                }
                Some(HttpsRedirect::All(redirect))
                    if self.leads_to_certificate(host, &redirect, &mut draft.reports) =>
                {
                    Action::Redirect(Arc::new(redirect))
                }
                _ if redirect::refuses_clear_text(ingress, &condition.path, host, tls, &mut draft.reports) => {
                    Action::NotFound
                }
                _ => {
                    let lacks = self.is_without_certificates(host, path, tls, &mut draft.reports);
                    routes.push(self.forward(host, path, RouteUse::Http, lacks, draft));
                    continue;
                }
            };
            routes.push(self.route(
                host,
                path,
                action,
                self.policies(ingress).of_path(ingress, condition, RouteUse::Redirect),
                draft,
            ));
        }
        routes
    }

    /// The redirects that annotations ask for on a host as a whole. Paths that one of them takes are taken out.
    fn host_redirects(
        &self,
        host: &HostPattern,
        at: PortProtocol,
        paths: &mut Vec<MergedPath<'_>>,
        draft: &mut Draft,
    ) -> Option<Route> {
        let is_open = |ingress: &&Arc<ParsedIngress>| {
            ingress.closed.is_none() && ingress.serves(host) && self.may_serve(ingress, host)
        };
        let ingresses = || self.ingresses.hosts.on(host, at).filter(is_open);
        let route = |ingress: &Arc<ParsedIngress>, key: &str, path: PathMatch, action| Route {
            field: annotation_field(key).into(),
            owner: Arc::clone(&ingress.owner),
            policies: self.policies(ingress).of_host(),
            matches: path.into(),
            action,
        };
        // The host of a redirect between it and `www.` before it has no paths of its own.
        if paths.is_empty() {
            let www = HostField::Annotation(HostAnnotation::FromToWww);
            let ingress = ingresses().find(|ingress| ingress.field_of(host) == Some(www))?;
            return Some(route(ingress, www::ANNOTATION, PathMatch::Any, www::action(host)?));
        }
        let (ingress, (path, action)) = ingresses().find_map(|ingress| Some((ingress, app_root::route(ingress)?)))?;
        app_root::take_path(ingress, host, &path, paths, &mut draft.reports);
        Some(route(ingress, app_root::ANNOTATION, path, action))
    }

    /// Whether a redirect leads anywhere: a client that can't shake hands there is better served in clear text.
    fn leads_to_certificate(&self, host: &HostPattern, redirect: &Redirect, reports: &mut Reports) -> bool {
        redirect.listener().is_none_or(|port| self.has_certificate(host, port, reports))
    }

    /// Whether a redirect to `port` leads anywhere: a client that can't shake hands there is better served in clear text.
    fn has_certificate(&self, host: &HostPattern, port: u16, reports: &mut Reports) -> bool {
        let Some(tls) = self.tls(host, port) else { return true };
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

    /// Why a path is not served in clear text, where nobody can show a certificate: its Ingress asks for some, or the one that decides on
    /// the host over TLS does. That is reported.
    fn is_without_certificates(
        &self,
        host: &HostPattern,
        merged: &MergedPath<'_>,
        tls: Option<HostTls<'_>>,
        reports: &mut Reports,
    ) -> Option<Reason> {
        let MergedPath { ingress, path } = merged;
        if acme::is_challenge(&path.path) {
            return None;
        }
        let own = self.policies(ingress).client_certificates();
        let of_host = tls.map_or(Ok(None), |tls| self.policies(tls.ingress).client_certificates());
        match (own, of_host) {
            (Ok(None), Ok(None)) => return None,
            // That is reported of the host over TLS.
            (Ok(None), Err(NotSetUp)) => return Some(Reason::AccessControl),
            _ => {}
        }
        let message = format!(
            "clients show no certificate in clear text, so path {} of host {host} answers 503 there",
            path.path
        );
        let remedy = "redirect to HTTPS (ssl-redirect), or name the host in spec.tls";
        reports.warning(&ingress.owner, tls_policy::field(ingress), Reason::AccessControl, message, remedy);
        Some(Reason::AccessControl)
    }

    /// Why a path is not served over TLS: the Ingress that has the host's certificate, `first`, decides on the connections of the host, and
    /// does not ask for the client certificates that the path's Ingress asks for, or can't be set up. That is reported.
    fn lacks_certificates(
        &self,
        host: &HostPattern,
        MergedPath { ingress, path }: &MergedPath<'_>,
        first: &ParsedIngress,
        reports: &mut Reports,
    ) -> Option<Reason> {
        let own = self.policies(ingress).client_certificates();
        let of_host = self.policies(first).client_certificates();
        let (message, remedy) = match (own, of_host) {
            _ if acme::is_challenge(&path.path) => return None,
            // It is closed anyway.
            (Err(NotSetUp), _) => return None,
            (Ok(_), Err(NotSetUp)) => {
                let first = &first.owner;
                let message = format!(
                    "{first} decides on the TLS of host {host}, which can't be set up, so this Ingress answers 503 there"
                );
                (message, "see what is reported of that Ingress")
            }
            (Ok(None), Ok(_)) => return None,
            (Ok(own), Ok(of_host)) if own == of_host => return None,
            (Ok(Some(_)), Ok(_)) => {
                let first = &first.owner;
                let message = format!(
                    "{first} decides on the client certificates of host {host}, so this Ingress answers 503 there"
                );
                (message, "have both Ingresses name one profile")
            }
        };
        reports.error(&ingress.owner, tls_policy::field(ingress), Reason::AccessControl, message, remedy);
        Some(Reason::AccessControl)
    }

    fn policies(&self, ingress: &ParsedIngress) -> &ResolvedPolicies {
        self.ingresses.policies(ingress).expect("an Ingress that has hosts is in the list")
    }

    /// The route that forwards the requests of a path, or redirects them to the URL of an annotation. `lacks`: why they may not be served at this port.
    fn forward(
        &self,
        host: &HostPattern,
        merged: &MergedPath<'_>,
        route_use: RouteUse,
        lacks: Option<Reason>,
        draft: &mut Draft,
    ) -> Route {
        let MergedPath { ingress, path } = merged;
        let resolved =
            self.ingresses.resolved(ingress, path.backend()).expect("an Ingress that has hosts is in the list");
        let policies = self.policies(ingress);
        draft.reports.extend(&policies.reports);
        let closed = policies.closed(ingress, &path.path).or(lacks);
        let is_redirected = closed.is_none() && !acme::is_challenge(&path.path);
        if let Some(redirect) = ingress.redirect.as_ref().filter(|_| is_redirected) {
            let policies = policies.of_path(ingress, path, RouteUse::Redirect);
            return self.route(host, merged, Action::Redirect(Arc::clone(redirect)), policies, draft);
        }
        let mut action = backend::action(ingress, path, resolved, closed, self.lookup, &mut draft.reports);
        let mut policies = policies.of_path(ingress, path, route_use);
        if let Action::Forward(forward) = &mut action
            && let Some(canary) = self.split(host, merged, forward, &mut draft.reports)
        {
            policies = policies::with(policies, |policies| policies.canary = Some(canary));
        }
        self.route(host, merged, action, policies, draft)
    }

    /// Has a route lead to its canary as well, if it has one with endpoints.
    fn split(
        &self,
        host: &HostPattern,
        merged: &MergedPath<'_>,
        forward: &mut Forward,
        reports: &mut Reports,
    ) -> Option<Arc<Canary>> {
        let (ingress, path) = self.ingresses.canaries.of_path(host, merged, reports)?;
        let share = ingress.canary.as_deref()?;
        let resolved = self.ingresses.resolved(ingress, path.backend())?;
        reports.extend(&resolved.reports);
        let (id, _) = resolved.pool.as_ref().ok().filter(|(_, pool)| !pool.endpoints.is_empty())?;
        share.split(forward, id.clone());
        Some(Arc::clone(&share.canary))
    }

    /// A route of a path, with its policies, and the prohibited targets among its requests.
    fn route(
        &self,
        host: &HostPattern,
        merged: &MergedPath<'_>,
        action: Action,
        policies: Option<Arc<Policies>>,
        draft: &mut Draft,
    ) -> Route {
        let MergedPath { ingress, path } = merged;
        let matches = RouteMatch::from(path.path.clone());
        let prohibited = self.ingresses.prohibitions.of_route(ingress, host, &matches, &mut draft.reports);
        let policies = match prohibited {
            None => policies,
            Some(_) => policies::with(policies, |policies| policies.prohibited = prohibited),
        };
        Route { field: merged.field().path(), owner: Arc::clone(&ingress.owner), matches, action, policies }
    }

    fn certificate(&self, host: &HostPattern, at: PortProtocol, tls: HostTls<'_>, draft: &mut Draft) {
        let Some(id) = self.ingresses.hosts.certificate(host, tls) else { return };
        // That of a wider host is judged there.
        if !tls.inherited && tls.certificate.is_some() {
            tls::check_names(self.lookup, id, host, &tls.ingress.owner, &tls.field(), &mut draft.reports);
        }
        draft.set_certificate(at.port, host, id);
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
