//! The decision on a request: refused, redirected or forwarded. The one file that knows all of the data plane.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use super::client::body::ClientBody;
use super::forward;
use super::forward::response_body::ResponseBody;
use super::http1::framing::MalformedBody;
use super::policy::{self, Admission, AnswerEdits, RequestRewrite};
use super::request::context::ConnectionContext;
use super::request::edits::RequestEdits;
use super::request::header_size;
use super::request::headers;
use super::request::metrics::RefusedFor;
use super::request::record::{RequestLine, RequestRecord};
use super::request::refusal::{Refusal, RefusalReason};
use super::request::target::RequestTarget;
use super::session::handshake;
use crate::model::{
    Action, CanarySide, EncodedSlashes, Forward, ForwardOptions, MatchInput, Policies, Protocol, Redirect,
    RedirectedRequest, RequestHead, RewriteSet, RouteFilters, escape_target,
};
use crate::table::{NoPool, PoolIndex, Target};

/// What has come of a request: an answer, which has the record of the request, or a refusal and the record.
type Decision = Result<Response<ResponseBody>, (Refusal, Box<RequestRecord>)>;

/// Answers one request.
pub(super) async fn answer(context: Arc<ConnectionContext>, request: Request<ClientBody>) -> Response<ResponseBody> {
    let record = Box::new(RequestRecord::new(Arc::clone(&context), &request));
    let http1 = request.version() < Version::HTTP_2;
    let connect = *request.method() == Method::CONNECT;
    let mut response = match decide(&context, request, record).await {
        Ok(response) => response,
        Err((refusal, record)) => refused(refusal, record),
    };
    if http1 && response.status() != StatusCode::SWITCHING_PROTOCOLS && context.state.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    // The answer that opens a tunnel says no more than that (RFC 9110 section 9.3.6).
    let opens_tunnel = connect && response.status().is_success();
    if context.state.settings.server_header && !opens_tunnel {
        headers::add_server(&mut response);
    }
    response
}

/// Answers a request whose header could not be read. `line` is what could be read of its first line.
pub(super) fn refuse(context: Arc<ConnectionContext>, line: RequestLine, refusal: Refusal) -> Response<ResponseBody> {
    if refusal.is_for_size() {
        context.state.metrics.client_refused(RefusedFor::Header);
    }
    let names_server = context.state.settings.server_header;
    let mut response = refused(refusal, Box::new(RequestRecord::unread(context, line)));
    if names_server {
        headers::add_server(&mut response);
    }
    response
}

/// Answers a request whose member's answer has a malformed body, before anything of it has gone out.
pub(super) fn malformed_answer(fault: MalformedBody, mut record: Box<RequestRecord>) -> Response<ResponseBody> {
    record.is_answered_anew();
    refused(Refusal::malformed_answer(fault), record)
}

/// The gateway's own answer to a request that is refused.
fn refused(refusal: Refusal, record: Box<RequestRecord>) -> Response<ResponseBody> {
    answered(refusal.into_response(record.is_head()), record)
}

/// An answer of the gateway itself.
fn answered(response: Response<Bytes>, mut record: Box<RequestRecord>) -> Response<ResponseBody> {
    let mut response = response.map(ResponseBody::full);
    record.answered(response.status(), response.headers());
    response.body_mut().record = Some(record);
    response
}

/// Refuses, redirects or forwards a request.
async fn decide(context: &ConnectionContext, request: Request<ClientBody>, mut record: Box<RequestRecord>) -> Decision {
    let (parts, body) = request.into_parts();
    match header_size::check(&parts) {
        Ok(bytes) => record.header_bytes = bytes,
        Err(refusal) => {
            context.state.metrics.client_refused(RefusedFor::Header);
            return Err((refusal, record));
        }
    }
    let mut requested = match RequestTarget::read(&parts) {
        Ok(requested) => requested,
        Err(refusal) => return Err((refusal, record)),
    };
    record.host = Some(requested.host.clone());
    let target = match resolve(context, &parts.method, &parts.headers, &mut requested, &mut record) {
        Ok(target) => target,
        Err(refusal) => return Err((refusal, record)),
    };
    record.target = Some(Arc::clone(&target));
    let request = Request::from_parts(parts, body);
    match &target.route.policies {
        None => act(context, request, &requested, None, &target, record).await,
        Some(policies) => {
            Box::pin(act_with_policies(context, request, requested, None, &target, policies, record)).await
        }
    }
}

/// Does what a route does with a request, and what its policies ask for before and after that. `edits` have led a rewritten request here.
async fn act_with_policies(
    context: &ConnectionContext,
    request: Request<ClientBody>,
    mut requested: RequestTarget,
    edits: Option<&RequestEdits>,
    target: &Target,
    policies: &Policies,
    mut record: Box<RequestRecord>,
) -> Decision {
    let (mut parts, body) = request.into_parts();
    // Of a rewritten request the first route alone edits the answer.
    let answer_edits = AnswerEdits::of(policies, &parts.headers, &record).filter(|_| edits.is_none());
    let admitted = policy::admit(policies, context, &mut parts, &mut requested, &mut record).await;
    if admitted.is_err() {
        handshake::count_denied(context, &parts, &requested, target);
    }
    let decided = match admitted {
        Err(refusal) => Err((refusal, record)),
        Ok(Admission::Preflight) => Ok(answered(policy::preflight(), record)),
        Ok(Admission::Redirected(redirect)) => redirected(context, &requested, redirect, record),
        Ok(Admission::Admitted { max_body }) => {
            let request = Request::from_parts(parts, body);
            let rewrites = edits.is_none() && matches!(target.route.action, Action::Forward(_));
            match (policies.rewrites.as_ref(), policies.filters.as_deref()) {
                (Some(rules), _) if rewrites => {
                    act_rewritten(context, request, requested, target, rules, max_body, record).await
                }
                (_, Some(filters)) if rewrites => {
                    act_filtered(context, request, &requested, target, filters, max_body, record).await
                }
                _ => {
                    // Of a rewritten request, the limit of the first route holds for the body.
                    let of_body = max_body.map(RequestEdits::of_body);
                    act(context, request, &requested, edits.or(of_body.as_ref()), target, record).await
                }
            }
        }
    };
    let decided = decided.map_err(|(refusal, record)| (policy::refuse(policies, refusal), record));
    let Some(edits) = answer_edits else { return decided };
    let mut response = decided.unwrap_or_else(|(refusal, record)| refused(refusal, record));
    edits.apply(response.headers_mut());
    Ok(response)
}

/// Forwards a request whose route has filters. What the gateway itself answers is not changed by them.
async fn act_filtered(
    context: &ConnectionContext,
    request: Request<ClientBody>,
    requested: &RequestTarget,
    target: &Target,
    filters: &RouteFilters,
    max_body: Option<u64>,
    record: Box<RequestRecord>,
) -> Decision {
    let mut edits = policy::filter(filters, requested);
    edits.max_body = max_body;
    let mut decided = act(context, request, requested, Some(&edits), target, record).await;
    if let Ok(response) = &mut decided {
        policy::modify_answer(&filters.response, response.headers_mut());
    }
    decided
}

/// Forwards a request whose route rewrites it or its answer. Where a rule asks for it, the new path decides on the route, once: the rewrites
/// of that route do not apply. What the gateway itself answers is not rewritten.
async fn act_rewritten(
    context: &ConnectionContext,
    request: Request<ClientBody>,
    requested: RequestTarget,
    target: &Target,
    rewrites: &Arc<RewriteSet>,
    max_body: Option<u64>,
    mut record: Box<RequestRecord>,
) -> Decision {
    let rewritten = match policy::rewrite(rewrites, context, &requested, request.headers(), &record) {
        Ok(rewritten) => rewritten,
        Err(refusal) => return Err((refusal, record)),
    };
    let RequestRewrite { mut edits, reroute, answer } = rewritten;
    edits.max_body = max_body;
    let mut decided = match edits.path.as_deref().filter(|_| reroute) {
        None => act(context, request, &requested, Some(&edits), target, record).await,
        Some(path) => {
            let mut requested = requested.with_path(path);
            let target = match resolve(context, request.method(), request.headers(), &mut requested, &mut record) {
                Ok(target) => target,
                Err(refusal) => return Err((refusal, record)),
            };
            record.target = Some(Arc::clone(&target));
            let decided = match &target.route.policies {
                None => act(context, request, &requested, Some(&edits), &target, record).await,
                Some(policies) => {
                    let acting =
                        act_with_policies(context, request, requested, Some(&edits), &target, policies, record);
                    Box::pin(acting).await
                }
            };
            if !matches!(target.route.action, Action::Forward(_)) {
                return decided;
            }
            decided
        }
    };
    if let (Ok(response), Some(answer)) = (&mut decided, answer) {
        answer.apply(context, response);
    }
    decided
}

/// Does what a route does with a request.
async fn act(
    context: &ConnectionContext,
    request: Request<ClientBody>,
    requested: &RequestTarget,
    edits: Option<&RequestEdits>,
    target: &Target,
    mut record: Box<RequestRecord>,
) -> Decision {
    match &target.route.action {
        Action::Redirect(redirect) => redirected(context, requested, redirect, record),
        Action::Forward(Forward { options, pools: _ }) => {
            let chosen = match choose_pool(target, options, request.headers()) {
                Ok(chosen) => chosen,
                Err(none) => return Err((Refusal::no_pool(none), record)),
            };
            record.pool = Some(chosen);
            let Some(pool) = target.pool(chosen) else {
                let message = "this route's backend is not configured";
                return Err((Refusal::new(RefusalReason::PoolNotFound, message), record));
            };
            forward::forward(context, request, requested, edits, options, pool, record).await
        }
        // The port has just been given to streams.
        Action::Stream(_) | Action::NotFound => Err((Refusal::not_found(), record)),
        Action::Unavailable(unavailable) => Err((Refusal::unavailable(unavailable), record)),
    }
}

/// The pool for a request. Where the route has a canary, the member of an affinity cookie chooses first, then the canary's header and cookie,
/// and then the weights.
fn choose_pool(target: &Target, options: &ForwardOptions, headers: &HeaderMap) -> Result<PoolIndex, NoPool> {
    let canary = target.route.policies.as_ref().and_then(|policies| policies.canary.as_ref());
    let Some(canary) = canary else { return target.choose_pool() };
    let named = options.affinity.as_deref().and_then(|affinity| forward::named_pool(affinity, target, headers));
    let by_side = || {
        let side = policy::choose_side(canary, headers)?;
        Some(target.pool_at(match side {
            CanarySide::Main => 0,
            CanarySide::Canary => 1,
        }))
    };
    named.or_else(by_side).map_or_else(|| target.choose_pool(), Ok)
}

/// The route of a request. Where it is asked to, the path is matched again as a backend may read it.
fn resolve(
    context: &ConnectionContext,
    method: &Method,
    headers: &HeaderMap,
    requested: &mut RequestTarget,
    record: &mut RequestRecord,
) -> Result<Arc<Target>, Refusal> {
    let encoded_slashes = |target: &Target| match &target.route.action {
        Action::Forward(forward) => forward.encoded_slashes,
        Action::Stream(_) | Action::Redirect(_) | Action::Unavailable(_) | Action::NotFound => EncodedSlashes::Keep,
    };
    let find = |requested: &RequestTarget, record: &mut RequestRecord| {
        // An extended CONNECT takes the place of the GET of HTTP/1.1 (RFC 8441 section 5).
        let method = if requested.is_extended_connect { &Method::GET } else { method };
        let head = RequestHead::Received { method, headers, query: requested.uri.query() };
        find(context, requested.host(), MatchInput { path: requested.path(), head: &head }, record)
    };
    let mut target = find(requested, record)?;
    if encoded_slashes(&target) == EncodedSlashes::Keep || !requested.has_encoded_slashes() {
        return Ok(target);
    }
    if encoded_slashes(&target) == EncodedSlashes::Decode {
        requested.decode_slashes();
        target = find(requested, record)?;
    }
    if encoded_slashes(&target) == EncodedSlashes::Refuse {
        return Err(Refusal::malformed("this route takes no path with an encoded slash, a backslash or a semicolon"));
    }
    Ok(target)
}

/// The route of a request, from the newest table, which is not held any longer than the look-up. The record notes the frontend port
/// whose route it is.
fn find(
    context: &ConnectionContext,
    host: &str,
    input: MatchInput<'_>,
    record: &mut RequestRecord,
) -> Result<Arc<Target>, Refusal> {
    let table = context.state.table.load();
    let listener = table.listener(context.listener.port).ok_or_else(Refusal::not_found)?;
    if !listener.is_shown_for(context.server_name.as_deref(), host) {
        return Err(Refusal::misdirected());
    }
    let target = listener.find(host, input).ok_or_else(Refusal::not_found)?;
    if listener.has_tls_policies() {
        record.client_certificate = policy::admit_connection(context, listener, target, record.version)?;
    }
    // Who has come by HTTPS, to a trusted proxy, is where the redirect leads to.
    if let Action::Redirect(redirect) = &target.route.action
        && record.client.tls
        && listener.protocol == Protocol::Http
        && let Some(port) = redirect.https_listener(host)
    {
        record.port = port;
        let secure = table.listener(port).ok_or_else(Refusal::not_found)?;
        let target = secure.find(host, input).ok_or_else(Refusal::not_found)?;
        policy::admit_connection(context, secure, target, record.version)?;
        return Ok(Arc::clone(target));
    }
    Ok(Arc::clone(target))
}

/// The answer of a route that redirects.
fn redirected(
    context: &ConnectionContext,
    requested: &RequestTarget,
    redirect: &Redirect,
    record: Box<RequestRecord>,
) -> Decision {
    if requested.host().is_empty() {
        return Err((Refusal::malformed("no Host is given"), record));
    }
    let client = &record.client;
    let (host, given) = requested.client_host(client);
    // A client that came to the port where the listener is bound is led to the port where the other listener is bound.
    let listener = redirect.listener().unwrap_or(context.listener.port);
    let bound = context.state.addresses.borrow().get(&listener).map(SocketAddr::port);
    let direct = given == Some(context.listener.bound.port()) && given != Some(context.listener.port);
    let [path, query] = [Some(requested.uri.path()), requested.uri.query()].map(|part| part.map(escape_target));
    let request = RedirectedRequest {
        host: &host,
        scheme: if client.tls { "https" } else { "http" },
        written_port: given,
        port: &client.port.to_string(),
        listener_port: bound.filter(|_| direct).unwrap_or(listener),
        path: path.as_deref().filter(|path| path.starts_with('/')).unwrap_or("/"),
        matched_path: requested.path(),
        query: query.as_deref(),
    };
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::from_u16(redirect.status).unwrap_or(StatusCode::PERMANENT_REDIRECT);
    if let Ok(location) = HeaderValue::from_str(&redirect.location(request)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(answered(response, record))
}
