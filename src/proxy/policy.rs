//! What the policies of a route do with a request on its way. A file a capability, of which none knows another.
//!
//! This file is the one place that knows their order:
//!
//! ```text
//!  1 connection            in the TLS handshake: cipher suites, HTTP/2
//!  2 route                 decision; whether the connection is as its host asks for
//!    prohibited targets
//!  3 client address  4 size of the body  5 CORS preflight  6 rates  7 password, token, external authorisation
//!  8 redirect              decision: the action of the route
//!  9 request headers, URL  10 mirror  11 backend  12 retries
//! 13 page for an error  14 response headers, cookies, CORS
//! ```
//!
//! A request whose route has no policies, on a port whose hosts ask nothing of connections, never comes here.

mod client_addresses;
mod error_pages;
mod prohibited;
mod rewrite;
mod tls;
mod token;

use http::request;

use super::request::context::ConnectionContext;
use super::request::record::RequestRecord;
use super::request::refusal::Refusal;
use super::request::target::RequestTarget;
use crate::model::Policies;

pub(super) use rewrite::{RequestRewrite, request as rewrite};
pub(super) use tls::admit_connection;

/// Admits a request to its route: steps 3 to 7, after the prohibited targets of the route.
///
/// # Errors
/// A policy that guards does not admit it.
pub(super) async fn admit(
    policies: &Policies,
    context: &ConnectionContext,
    parts: &mut request::Parts,
    requested: &mut RequestTarget,
    record: &mut RequestRecord,
) -> Result<(), Refusal> {
    let Policies { prohibited, client_addresses, token, rewrites: _, error_pages: _ } = policies;
    if let Some(targets) = prohibited {
        prohibited::admit(targets, requested)?;
    }
    if let Some(addresses) = client_addresses {
        client_addresses::admit(addresses, record.client.address)?;
    }
    if let Some(policy) = token {
        // A request whose path was rewritten may have been admitted by another token before.
        let end = token::admit(policy, context, &mut parts.headers, requested).await?;
        record.token_end = [record.token_end, end].into_iter().flatten().min();
    }
    Ok(())
}

/// The gateway's own answer, as the policies of the route have it.
pub(super) fn refuse(policies: &Policies, refusal: Refusal) -> Refusal {
    let Policies { prohibited: _, client_addresses: _, token: _, rewrites: _, error_pages } = policies;
    match error_pages {
        Some(pages) => error_pages::apply(pages, refusal),
        None => refusal,
    }
}
