//! The policies of an Ingress, by its annotations and those of its class.

use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};

use super::parsed::ParsedIngress;
use super::redirect;
use crate::api::annotations::AnnotationSettings;
use crate::model::{AddressList, ClientAddresses, ObjectRef, PathMatch, Policies, PolicyOrigin};
use crate::translate::class::annotation_field;

/// The policies of an Ingress. [`of_path`] gives those of a path.
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

/// The policies of a path. A certificate authority must get the answer to its challenge, whatever else is asked for.
pub(super) fn of_path(ingress: &ParsedIngress, path: &PathMatch) -> Option<Arc<Policies>> {
    ingress.policies.clone().filter(|_| !redirect::is_acme_challenge(path))
}

fn has_everybody(networks: &[IpNet]) -> bool {
    networks.iter().any(|network| *network == IpNet::V4(Ipv4Net::default()))
}
