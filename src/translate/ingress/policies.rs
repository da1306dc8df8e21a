//! The policies of an Ingress, by its annotations and those of its class.

use std::sync::Arc;

use http::HeaderValue;
use ipnet::{IpNet, Ipv4Net};

use super::parsed::{IngressPath, ParsedIngress};
use super::tls_policy::AskedTls;
use super::{acme, class_headers, cors, error_pages, limits, rewrites, tls_policy, token};
use crate::api::annotations::AnnotationSettings;
use crate::model::{
    AddressList, ClientAddresses, ClientCertificates, Hsts, ObjectRef, PathMatch, Policies, PolicyOrigin,
};
use crate::report::{Reason, Report};
use crate::translate::class::{Class, ClassOrigin, annotation_field};
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls_profile::NotSetUp;

/// The policies of an Ingress with what it names in other objects.
#[derive(Debug, PartialEq)]
pub(super) struct ResolvedPolicies {
    /// The policies of its routes in clear text.
    http: Option<Arc<Policies>>,
    /// The policies of its routes over TLS. They differ by the pages of the class's listeners.
    https: Option<Arc<Policies>>,
    /// The policies of its routes that redirect: these need no token, and are not rewritten.
    redirect: Option<Arc<Policies>>,
    /// What the connections of its hosts over TLS must be like.
    pub(super) tls: AskedTls,
    /// Whether a policy that guards can't be made.
    is_closed: bool,
    /// The reports of each route.
    pub(super) reports: Box<[Report]>,
}

/// What a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RouteUse {
    /// It forwards requests that came in clear text.
    Http,
    /// It forwards requests that came over TLS.
    Https,
    /// It redirects, to HTTPS or elsewhere.
    Redirect,
}

impl Default for ResolvedPolicies {
    fn default() -> Self {
        let (http, https, redirect, reports) = (None, None, None, Box::default());
        Self { http, https, redirect, tls: Ok(None), is_closed: false, reports }
    }
}

impl ResolvedPolicies {
    /// Resolves the policies of an Ingress. `before` is what they were: equal policies stay the same object.
    pub(super) fn resolve(ingress: &ParsedIngress, before: &Self, lookup: &Lookup<'_>) -> Self {
        let mut reports = Reports::default();
        let token = token::policy(ingress, lookup, &mut reports);
        let tls = tls_policy::policy(ingress, lookup, &mut reports);
        let is_closed = token.is_err() || tls.is_err();
        let tls = if tls == before.tls { before.tls.clone() } else { tls };
        let token = token.unwrap_or_default();
        let rewrites = rewrites::policy(ingress, lookup, &mut reports);
        let (http_pages, https_pages) = error_pages::of_class(ingress, lookup, &mut reports);
        let own = &ingress.policies;
        let with =
            |token: &Option<_>, rewrites: &Option<_>, error_pages: &Option<_>, before: &Option<Arc<Policies>>| {
                if token.is_none() && rewrites.is_none() && error_pages.is_none() {
                    return own.clone();
                }
                let own = own.as_deref().cloned().unwrap_or_default();
                let rewrites = rewrites.clone().or(own.rewrites.clone());
                let (token, error_pages) = (token.clone(), error_pages.clone());
                let policies = Policies { token, rewrites, error_pages, ..own }.into_shared();
                if policies == *before { before.clone() } else { policies }
            };
        let http = with(&token, &rewrites, &http_pages, &before.http);
        let https =
            if https_pages == http_pages { http.clone() } else { with(&token, &rewrites, &https_pages, &before.https) };
        let redirect = with(&None, &None, &http_pages, &before.redirect);
        // What is redirected counts for no limit, and is not rewritten.
        let is_less = |own: &Policies| own.request_limits.is_some() || own.rewrites.is_some();
        let redirect = if own.as_deref().is_some_and(is_less) {
            let of_redirect = |policies: &mut Policies| (policies.request_limits, policies.rewrites) = (None, None);
            let redirect = self::with(redirect, of_redirect);
            if redirect == before.redirect { before.redirect.clone() } else { redirect }
        } else {
            redirect
        };
        Self { http, https, redirect, tls, is_closed, reports: reports.into_sorted() }
    }

    /// The policies of a path. A certificate authority must get the answer to its challenge, whatever is asked for.
    pub(super) fn of_path(
        &self,
        ingress: &ParsedIngress,
        path: &IngressPath,
        route_use: RouteUse,
    ) -> Option<Arc<Policies>> {
        let policies = match route_use {
            RouteUse::Http => &self.http,
            RouteUse::Https => &self.https,
            RouteUse::Redirect => &self.redirect,
        };
        let policies = policies.clone().filter(|_| !acme::is_challenge(&path.path));
        let Some(rewrites) = ingress.rewrites_of(path).filter(|_| route_use != RouteUse::Redirect) else {
            return policies;
        };
        with(policies, |policies| {
            let of_path = Arc::clone(rewrites);
            policies.rewrites = Some(match &policies.rewrites {
                Some(of_ingress) => Arc::new(of_ingress.followed_by(&of_path)),
                None => of_path,
            });
        })
    }

    /// The policies of a redirect for a host as a whole.
    pub(super) fn of_host(&self) -> Option<Arc<Policies>> {
        self.redirect.clone()
    }

    /// Why requests for a path of the Ingress are not served, if they are not. A certificate authority must get the answer to its
    /// challenge nevertheless.
    pub(super) fn closed(&self, ingress: &ParsedIngress, path: &PathMatch) -> Option<Reason> {
        let reason = ingress.closed.or(self.is_closed.then_some(Reason::AccessControl));
        reason.filter(|_| !acme::is_challenge(path))
    }

    /// The certificates that its clients have to show, if they have to show any. An error: it can't be known.
    pub(super) fn client_certificates(&self) -> Result<Option<&ClientCertificates>, NotSetUp> {
        let policy = self.tls.as_ref().map_err(|error| *error)?;
        Ok(policy.as_ref().and_then(|policy| policy.terms.client_certificates.as_ref()))
    }
}

/// Policies with something else.
pub(super) fn with(policies: Option<Arc<Policies>>, edit: impl FnOnce(&mut Policies)) -> Option<Arc<Policies>> {
    let mut policies = policies.map(Arc::unwrap_or_clone).unwrap_or_default();
    edit(&mut policies);
    policies.into_shared()
}

/// The policies of an Ingress by its annotations and its class alone.
pub(super) fn read(
    owner: &Arc<ObjectRef>,
    settings: &AnnotationSettings,
    class: &Class,
    reports: &mut Reports,
) -> Option<Arc<Policies>> {
    type List = Option<(&'static str, Vec<IpNet>)>;
    let list = |value: fn(&AnnotationSettings) -> &List| {
        let (key, networks) = value(settings).as_ref()?;
        let owner = class.writer(owner, settings, value);
        let origin = PolicyOrigin { owner, field: annotation_field(key).into() };
        Some(AddressList { origin, networks: networks.as_slice().into() })
    };
    let (deny, allow) = (list(|settings| &settings.denied_addresses), list(|settings| &settings.allowed_addresses));
    let allow = allow.filter(|list| !has_everybody(&list.networks));
    let client_addresses = (deny.is_some() || allow.is_some()).then_some(ClientAddresses { deny, allow });
    Policies {
        client_addresses,
        rewrites: class_headers::rewrites(owner, class.origin),
        body_limit: limits::body(owner, &settings.limits, class.origin),
        request_limits: limits::requests(owner, &settings.limits, class.origin),
        cors: cors::policy(owner, &settings.cors, reports),
        hsts: hsts(owner, class.origin),
        ..Policies::default()
    }
    .into_shared()
}

/// The default of ingress-nginx.
fn hsts(owner: &Arc<ObjectRef>, origin: ClassOrigin) -> Option<Hsts> {
    let origin_of_class = || PolicyOrigin { owner: Arc::clone(owner), field: "spec.ingressClassName".into() };
    let value = HeaderValue::from_static("max-age=31536000; includeSubDomains");
    (origin == ClassOrigin::IngressNginx).then(|| Hsts { origin: origin_of_class(), value })
}

fn has_everybody(networks: &[IpNet]) -> bool {
    networks.iter().any(|network| *network == IpNet::V4(Ipv4Net::default()))
}
