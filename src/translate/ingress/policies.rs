//! The policies of an Ingress, by its annotations and those of its class.

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use super::parsed::ParsedIngress;
use super::{acme, rewrites, token};
use crate::api::annotations::AnnotationSettings;
use crate::model::{AddressList, ClientAddresses, ObjectRef, PathMatch, Policies, PolicyOrigin};
use crate::report::{Reason, Report};
use crate::translate::class::annotation_field;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

/// The policies of an Ingress with what it names in other objects.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ResolvedPolicies {
    /// The policies of its routes, but for those that redirect to HTTPS: these need no token, and are not rewritten.
    policies: Option<Arc<Policies>>,
    /// Whether a policy that guards can't be made.
    is_closed: bool,
    /// The reports of each route.
    pub(super) reports: Box<[Report]>,
}

impl ResolvedPolicies {
    /// Resolves the policies of an Ingress. `before` is what they were: equal policies stay the same object.
    pub(super) fn resolve(ingress: &ParsedIngress, before: &Self, lookup: &Lookup<'_>) -> Self {
        let mut reports = Reports::default();
        let token = token::policy(ingress, lookup, &mut reports);
        let is_closed = token.is_err();
        let rewrites = rewrites::policy(ingress, lookup, &mut reports);
        let policies = match (token.unwrap_or_default(), rewrites) {
            (None, None) => ingress.policies.clone(),
            (token, rewrites) => {
                let own = ingress.policies.as_deref().cloned().unwrap_or_default();
                Policies { token, rewrites, ..own }.into_shared()
            }
        };
        let policies = if policies == before.policies { before.policies.clone() } else { policies };
        Self { policies, is_closed, reports: reports.into_sorted() }
    }

    /// The policies of a path.
    pub(super) fn of_path(&self, path: &PathMatch) -> Option<Arc<Policies>> {
        self.policies.clone().filter(|_| !acme::is_challenge(path))
    }

    /// Why requests for a path of the Ingress are not served, if they are not. A certificate authority must get the answer to its
    /// challenge nevertheless.
    pub(super) fn closed(&self, ingress: &ParsedIngress, path: &PathMatch) -> Option<Reason> {
        let reason = if self.is_closed { Some(Reason::AccessControl) } else { ingress.closed };
        reason.filter(|_| !acme::is_challenge(path))
    }
}

/// The policies of an Ingress by its annotations alone. [`of_path`] gives those of a path that redirects.
pub(super) fn read(owner: &Arc<ObjectRef>, settings: &AnnotationSettings) -> Option<Arc<Policies>> {
    let list = |(key, networks): &(&str, Vec<IpNet>)| AddressList {
        origin: PolicyOrigin { owner: Arc::clone(owner), field: annotation_field(key).into() },
        networks: networks.as_slice().into(),
    };
    let (deny, allow) = (settings.denied_addresses.as_ref(), settings.allowed_addresses.as_ref());
    let allow = allow.filter(|(_, networks)| !has_everybody(networks));
    let client_addresses =
        (deny.is_some() || allow.is_some()).then(|| ClientAddresses { deny: deny.map(list), allow: allow.map(list) });
    Policies { client_addresses, ..Policies::default() }.into_shared()
}

/// The policies of a path that redirects to HTTPS. A certificate authority must get the answer to its challenge, whatever else is asked for.
pub(super) fn of_path(ingress: &ParsedIngress, path: &PathMatch) -> Option<Arc<Policies>> {
    ingress.policies.clone().filter(|_| !acme::is_challenge(path))
}

fn has_everybody(networks: &[IpNet]) -> bool {
    networks.iter().any(|network| *network == IpNet::V4(Ipv4Net::default()))
}
