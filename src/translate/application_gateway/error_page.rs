//! `customErrorConfigurations`, read: pages from ConfigMaps. A page that can't be read is reported and left out: clients get the gateway's own
//! sentence instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::application_gateway::{ConfigKeyReference, CustomErrorConfiguration};
use crate::model::{ErrorPage, ErrorPages, Kind, MAX_PAGE_BYTES, ObjectRef, PAGE_STATUSES, PageBytes, PolicyOrigin};
use crate::report::Reason;

use super::reference;
use crate::translate::lookup::Lookup;
use crate::translate::report::{Fault, Reports};

/// Pages by status.
pub(super) type PagesByStatus = BTreeMap<u16, ErrorPage>;

/// Reads the pages that the element at `element` has. Of two pages for one status the first counts.
pub(super) fn read(
    owner: &Arc<ObjectRef>,
    element: &str,
    configurations: &[CustomErrorConfiguration],
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> PagesByStatus {
    let mut pages = BTreeMap::new();
    for (index, CustomErrorConfiguration { status_code, config_map_ref }) in configurations.iter().enumerate() {
        let field = format!("{element}.customErrorConfigurations[{index}]");
        let mut refuse = |part: &str, message: String, remedy: &str| {
            reports.error(owner, format!("{field}{part}"), Reason::InvalidValue, message, remedy);
        };
        let Some(status) = status(status_code) else {
            let message =
                format!("{} is no status that a page can be for, so the page is left out", shown(status_code));
            refuse(".statusCode", message, &format!("write one of {}", statuses()));
            continue;
        };
        if pages.contains_key(&status) {
            let message = format!("another page further up is for {status}, so this one is left out");
            refuse(".statusCode", message, "remove one of the two");
            continue;
        }
        let Some(reference) = config_map_ref else {
            let remedy = "put the page into a ConfigMap, and name that and its key in configMapRef";
            refuse("", "it has no configMapRef, so the page is left out".to_owned(), remedy);
            continue;
        };
        match page(owner, reference, lookup) {
            Ok(html) => {
                let origin = PolicyOrigin { owner: Arc::clone(owner), field: field.into() };
                pages.insert(status, ErrorPage { origin, html });
            }
            Err(fault) => reports.fault(owner, &format!("{field}.configMapRef"), &fault),
        }
    }
    pages
}

/// The pages of a listener: its own, and the gateway's for all other statuses.
pub(super) fn of_listener(own: PagesByStatus, gateway: &PagesByStatus) -> Option<Arc<ErrorPages>> {
    let mut pages = gateway.clone();
    pages.extend(own);
    (!pages.is_empty()).then(|| Arc::new(ErrorPages(pages)))
}

fn page(owner: &ObjectRef, reference: &ConfigKeyReference, lookup: &Lookup<'_>) -> Result<PageBytes, Fault> {
    let ConfigKeyReference { name: _, namespace: _, key } = reference;
    let object = reference::config_key(lookup.snapshot, owner, Kind::ConfigMap, reference)?;
    let fault = |reason, part, problem: String, remedy: &str| Fault {
        reason,
        part,
        message: format!("{problem}, so the page is left out"),
        remedy: remedy.to_owned(),
    };
    let Some(map) = lookup.config_map(object.namespace(), object.name()) else {
        let remedy = "create it, or correct the name";
        return Err(fault(Reason::ConfigMapNotFound, ".name", format!("there is no {object}"), remedy));
    };
    let Some(html) = map.data.as_ref().and_then(|data| data.get(key)) else {
        let problem = format!("{object} has no {key:?} in its data");
        return Err(fault(Reason::InvalidValue, ".key", problem, "add it there, or correct the key"));
    };
    if html.len() > MAX_PAGE_BYTES {
        let problem = format!("{key:?} of {object} has {} bytes, and a page has at most {MAX_PAGE_BYTES}", html.len());
        return Err(fault(Reason::InvalidValue, ".key", problem, "shorten the page: keep images and styles elsewhere"));
    }
    Ok(PageBytes(html.as_bytes().into()))
}

/// `HttpStatus502`, as in ARM, or the number.
fn status(code: &IntOrString) -> Option<u16> {
    let number = match code {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(text) => text.strip_prefix("HttpStatus").unwrap_or(text).parse().ok(),
    };
    number.filter(|number| PAGE_STATUSES.contains(number))
}

fn shown(code: &IntOrString) -> String {
    match code {
        IntOrString::Int(number) => number.to_string(),
        IntOrString::String(text) => format!("{text:?}"),
    }
}

fn statuses() -> String {
    PAGE_STATUSES.map(|status| status.to_string()).join(", ")
}
