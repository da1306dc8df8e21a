//! The policies of a route, one line a step, in the order in which they apply.

use crate::model::{ErrorPages, Policies};

/// The steps that a request takes, each with the object and field that asked for it.
pub(super) fn steps(policies: &Policies) -> Vec<String> {
    let Policies { error_pages } = policies;
    error_pages.as_deref().map(pages).into_iter().flatten().collect()
}

fn pages(ErrorPages(pages): &ErrorPages) -> impl Iterator<Item = String> {
    pages.iter().map(|(status, page)| format!("errors     {status} has a page ({})", page.origin))
}
