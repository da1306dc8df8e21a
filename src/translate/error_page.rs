//! Pages for the gateway's own errors, loaded from the ConfigMaps that have them. A page adorns: one that can't be read is reported and left out,
//! and clients get the gateway's own sentence instead.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{ErrorPage, ErrorPages, MAX_PAGE_BYTES, ObjectRef, PageBytes, PolicyOrigin};
use crate::report::Reason;

use super::lookup::Lookup;
use super::report::{Fault, Reports};

/// Where the pages of an element are, by their statuses.
pub(super) type PageRefs = BTreeMap<u16, PageRef>;

/// Where a page is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PageRef {
    /// The field that asks for it: `spec.customErrorConfigurations[0]`.
    pub(super) field: String,
    /// The ConfigMap.
    pub(super) map: ObjectRef,
    /// The key of its data.
    pub(super) key: String,
}

/// Loads the pages of a listener: its own, and the gateway's for all other statuses. `owner`: the object that has asked for them.
pub(super) fn load(
    owner: &Arc<ObjectRef>,
    own: &PageRefs,
    gateway: &PageRefs,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Option<Arc<ErrorPages>> {
    let mut pages = BTreeMap::new();
    for (status, page) in gateway.iter().chain(own) {
        match html(page, lookup) {
            Ok(html) => {
                let origin = PolicyOrigin { owner: Arc::clone(owner), field: page.field.as_str().into() };
                pages.insert(*status, ErrorPage { origin, html });
            }
            Err(fault) => reports.fault(owner, &format!("{}.configMapRef", page.field), &fault),
        }
    }
    (!pages.is_empty()).then(|| lookup.intern_pages(ErrorPages(pages)))
}

fn html(PageRef { field: _, map: object, key }: &PageRef, lookup: &Lookup<'_>) -> Result<PageBytes, Fault> {
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
