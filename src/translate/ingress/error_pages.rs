//! Pages for errors that an Ingress has of the ApplicationGateway of its class.

use std::sync::Arc;

use super::parsed::ParsedIngress;
use crate::model::ErrorPages;
use crate::translate::class::ClassPages;
use crate::translate::error_page;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;

type Pages = Option<Arc<ErrorPages>>;

/// The pages in clear text, and those over TLS.
pub(super) fn of_class(ingress: &ParsedIngress, lookup: &Lookup<'_>, reports: &mut Reports) -> (Pages, Pages) {
    let Some(gateway) = ingress.gateway() else { return (None, None) };
    let ClassPages { gateway: every, http, https } = &gateway.pages;
    if every.is_empty() && http.is_empty() && https.is_empty() {
        return (None, None);
    }
    let owner = Arc::new(gateway.object.clone());
    let mut load = |own| error_page::load(&owner, own, every, lookup, reports);
    (load(http), load(https))
}
