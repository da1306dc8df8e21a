//! Filters of Gateway API: what they change in a request, and in its answer.

use http::HeaderMap;

use crate::model::{HeaderChange, HeaderModifier, RouteFilters};
use crate::proxy::request::edits::RequestEdits;
use crate::proxy::request::target::RequestTarget;

/// What the filters change in a request.
pub(in crate::proxy) fn request(filters: &RouteFilters, target: &RequestTarget) -> RequestEdits {
    let RouteFilters { origin: _, request: HeaderModifier(changes), response: _, path } = filters;
    let mut edits = RequestEdits::default();
    for change in changes {
        match change {
            HeaderChange::Set(name, value) => edits.set_header(name, Some(value.clone())),
            HeaderChange::Add(name, value) => edits.add_header(name, value.clone()),
            HeaderChange::Remove(name) => edits.set_header(name, None),
        }
    }
    // `OPTIONS *` has no path.
    let path = path.as_ref().filter(|_| target.path() != "*");
    edits.path = path.map(|replacement| replacement.apply(target.path()).into_owned());
    edits
}

/// Changes the headers of a backend's answer.
pub(in crate::proxy) fn modify(HeaderModifier(changes): &HeaderModifier, headers: &mut HeaderMap) {
    for change in changes {
        match change {
            HeaderChange::Set(name, value) => {
                headers.insert(name, value.clone());
            }
            HeaderChange::Add(name, value) => {
                headers.append(name, value.clone());
            }
            HeaderChange::Remove(name) => {
                headers.remove(name);
            }
        }
    }
}
