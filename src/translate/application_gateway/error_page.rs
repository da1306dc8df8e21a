//! `customErrorConfigurations`, read: which pages there are, and where.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::api::application_gateway::{ConfigKeyReference, CustomErrorConfiguration};
use crate::model::{Kind, ObjectRef, PAGE_STATUSES};
use crate::report::Reason;
use crate::source::Snapshot;

use super::reference;
use crate::translate::error_page::{PageRef, PageRefs};
use crate::translate::report::Reports;

/// Reads the pages that the element at `element` asks for. Of two pages for one status the first counts.
pub(super) fn read(
    owner: &ObjectRef,
    element: &str,
    configurations: &[CustomErrorConfiguration],
    snapshot: &Snapshot,
    reports: &mut Reports,
) -> PageRefs {
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
        let ConfigKeyReference { name: _, namespace: _, key } = reference;
        match reference::config_key(snapshot, owner, Kind::ConfigMap, reference) {
            Ok(map) => {
                pages.insert(status, PageRef { field, map, key: key.clone() });
            }
            Err(fault) => reports.fault(owner, &format!("{field}.configMapRef"), &fault),
        }
    }
    pages
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
