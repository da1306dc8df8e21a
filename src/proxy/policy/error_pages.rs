//! Pages for the gateway's own errors, in place of its one sentence.

use std::sync::Arc;

use crate::model::ErrorPages;
use crate::proxy::request::refusal::Refusal;

/// The refusal with its page, if there is one for its status.
pub(super) fn apply(pages: &ErrorPages, refusal: Refusal) -> Refusal {
    match pages.page(refusal.status().as_u16()) {
        Some(page) => refusal.with_page(Arc::clone(&page.html.0)),
        None => refusal,
    }
}
