//! What the policies of a route do with a request on its way. A file a capability, of which none knows another.
//!
//! This file is the one place that knows their order:
//!
//! ```text
//!  1 connection            in the TLS handshake: cipher suites, HTTP/2, the client's certificate
//!  2 route                 decision; whether the connection is as its host asks for
//!    prohibited targets
//!  3 client address  4 size of the body  5 CORS preflight
//!    redirect of clear text
//!  6 rates, requests at once
//!  7 password, token, external authorisation
//!  8 redirect              decision: the action of the route
//!  9 request headers, URL  10 mirror  11 backend  12 retries
//! 13 page for an error  14 response headers, cookies, CORS
//! ```
//!
//! A request whose route has no policies, on a port whose hosts ask nothing of connections, never comes here.

mod body_limit;
mod canary;
mod client_addresses;
mod cors;
mod error_pages;
mod filters;
mod hsts;
mod prohibited;
mod request_limits;
mod rewrite;
mod tls;
mod token;

use http::{HeaderMap, HeaderValue, Response, request};

use super::request::context::ConnectionContext;
use super::request::record::RequestRecord;
use super::request::refusal::Refusal;
use super::request::target::RequestTarget;
use crate::model::{Canary, CanarySide, Policies, Redirect};

pub(super) use filters::{modify as modify_answer, request as filter};
pub(super) use rewrite::{RequestRewrite, request as rewrite};
pub(super) use tls::admit_connection;

/// What becomes of a request that no policy has refused.
pub(super) enum Admission<'p> {
    /// The route does with it what it does.
    Admitted {
        /// The most bytes of its body, if that has to be counted while it comes.
        max_body: Option<u64>,
    },
    /// It asks which requests of other origins are allowed: the answer is 204, with what [`AnswerEdits`] say.
    Preflight,
    /// It is redirected.
    Redirected(&'p Redirect),
}

/// The answer to a request that asks which requests of other origins are allowed.
pub(super) fn preflight<B: Default>() -> Response<B> {
    cors::preflight()
}

/// Admits a request to its route: steps 3 to 7, after the prohibited targets of the route.
///
/// # Errors
/// A policy that guards does not admit it.
pub(super) async fn admit<'p>(
    policies: &'p Policies,
    context: &ConnectionContext,
    parts: &mut request::Parts,
    requested: &mut RequestTarget,
    record: &mut RequestRecord,
) -> Result<Admission<'p>, Refusal> {
    let Policies {
        prohibited,
        client_addresses,
        body_limit,
        request_limits,
        cors,
        clear_text,
        token,
        rewrites: _,
        filters: _,
        canary: _,
        error_pages: _,
        hsts: _,
    } = policies;
    if let Some(targets) = prohibited {
        prohibited::admit(targets, requested)?;
    }
    if let Some(addresses) = client_addresses {
        client_addresses::admit(addresses, record.client.address)?;
    }
    let max_body = body_limit.as_ref().map(|limit| body_limit::admit(limit, &parts.headers)).transpose()?.flatten();
    if cors
        .as_ref()
        .is_some_and(|cors| cors::is_preflight(&parts.method) && cors::allowed(cors, &parts.headers).is_some())
    {
        return Ok(Admission::Preflight);
    }
    if let Some(clear_text) = clear_text
        && !record.client.tls
    {
        return Ok(Admission::Redirected(&clear_text.redirect));
    }
    if let Some(limits) = request_limits
        && let Some(slot) = request_limits::admit(limits, &context.state.clients.requests, record.client.address)?
    {
        record.hold(slot);
    }
    if let Some(policy) = token {
        // A request whose path was rewritten may have been admitted by another token before.
        let end = token::admit(policy, context, &mut parts.headers, requested).await?;
        record.token_end = [record.token_end, end].into_iter().flatten().min();
    }
    Ok(Admission::Admitted { max_body })
}

/// The pool that a request chooses of the two of a route with a canary: step 11. `None`: it chooses none.
pub(super) fn choose_side(canary: &Canary, headers: &HeaderMap) -> Option<CanarySide> {
    canary::side(canary, headers)
}

/// The gateway's own answer, as the policies of the route have it.
pub(super) fn refuse(policies: &Policies, refusal: Refusal) -> Refusal {
    match &policies.error_pages {
        Some(pages) => error_pages::apply(pages, refusal),
        None => refusal,
    }
}

/// What the policies of a route do with every answer, be it a backend's or the gateway's own: step 14.
pub(super) struct AnswerEdits<'p> {
    policies: &'p Policies,
    tls: bool,
    /// The origin that is allowed.
    origin: Option<HeaderValue>,
}

impl<'p> AnswerEdits<'p> {
    /// The edits of the answer to a request. `None`: there are none.
    pub(super) fn of(policies: &'p Policies, headers: &HeaderMap, record: &RequestRecord) -> Option<Self> {
        let tls = record.client.tls;
        let origin = policies.cors.as_ref().and_then(|cors| cors::allowed(cors, headers));
        (policies.hsts.is_some() && tls || origin.is_some()).then_some(Self { policies, tls, origin })
    }

    /// Edits the headers of the answer.
    pub(super) fn apply(&self, headers: &mut HeaderMap) {
        let Policies {
            prohibited: _,
            client_addresses: _,
            body_limit: _,
            request_limits: _,
            cors,
            clear_text: _,
            token: _,
            rewrites: _,
            filters: _,
            canary: _,
            error_pages: _,
            hsts,
        } = self.policies;
        if let Some(hsts) = hsts.as_ref().filter(|_| self.tls) {
            hsts::apply(hsts, headers);
        }
        if let (Some(cors), Some(origin)) = (cors, &self.origin) {
            cors::apply(cors, origin, headers);
        }
    }
}
