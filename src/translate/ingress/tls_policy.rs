//! What an Ingress asks of connections: the profile of its class's ApplicationGateway that it names, or the one that is the class's default.

use std::sync::Arc;

use super::parsed::ParsedIngress;
use crate::model::TlsPolicy;
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::tls_profile::NotSetUp;

/// The annotation that names a profile.
pub(super) const PROFILE: &str = "appgw.ingress.kubernetes.io/appgw-ssl-profile";

/// What an Ingress asks of the connections of its hosts. `Ok(None)`: nothing but what holds anyway.
pub(super) type AskedTls = Result<Option<Arc<TlsPolicy>>, NotSetUp>;

/// The field that has the Ingress have its profile.
pub(super) fn field(ingress: &ParsedIngress) -> String {
    match ingress.settings.agic.ssl_profile {
        Some(_) => annotation_field(PROFILE),
        None => "spec.ingressClassName".to_owned(),
    }
}

/// What the connections of its hosts over TLS must be like.
pub(super) fn policy(ingress: &ParsedIngress, lookup: &Lookup<'_>, reports: &mut Reports) -> AskedTls {
    let Some(profile) = ingress.tls_profile()? else { return Ok(None) };
    profile.read(lookup).map_err(|(ca, fault)| {
        let origin = &profile.origin;
        let message = format!("its profile ({origin}) can't be set up, so it answers 503: {}", fault.message);
        let remedy = format!("{} ({} of {})", fault.remedy, ca.field, origin.owner);
        reports.error(&ingress.owner, field(ingress), Reason::AccessControl, message, remedy);
        NotSetUp
    })
}
