//! Forwarding: a request goes to a member of its route's pool, and the answer comes back.

mod affinity;
mod exchange;
mod request_body;
pub(super) mod response_body;
mod retry;
mod rewrite;
pub(super) mod silence;
pub(super) mod upstream;

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version, request};
use http_body::Body;

use self::affinity::AffinityCookies;
pub(super) use self::affinity::named_pool;
use self::exchange::{Answered, Exchange};
use self::request_body::{BodyProgress, RequestBody};
use self::response_body::{AnswerSource, ResponseBody};
use self::retry::RetryPolicy;
use super::client::body::ClientBody;
use super::limits::MAX_OWN_HOPS;
use super::request::context::ConnectionContext;
use super::request::edits::RequestEdits;
use super::request::headers;
use super::request::metrics::RefusedFor;
use super::request::record::RequestRecord;
use super::request::refusal::{Refusal, RefusalReason};
use super::request::target::{RawTarget, RequestTarget};
use super::session::handshake::{HandshakeAnswer, SessionRequest};
use super::session::upgrade::{self, MemberStream};
use crate::model::ForwardOptions;
use crate::pool::Pool;
use crate::websocket::HandshakeOutcome;

/// Time for which a request's body waits for the member's 100 (Continue).
const CONTINUE_TIMEOUT: Duration = Duration::from_secs(1);

type Answer = Result<Response<ResponseBody>, (Refusal, Box<RequestRecord>)>;

/// Forwards a request along its route, with the edits that the route's policies make.
///
/// # Errors
/// No member can answer it: the refusal says why, and the record comes back with it.
pub(super) async fn forward(
    context: &ConnectionContext,
    request: Request<ClientBody>,
    target: &RequestTarget,
    edits: Option<&RequestEdits>,
    options: &ForwardOptions,
    pool: &Pool,
    mut record: Box<RequestRecord>,
) -> Answer {
    let (mut parts, mut body) = request.into_parts();
    let receiver = body.receiver();
    let has_body = !body.is_end_stream();

    if headers::own_hops(&parts.headers) >= MAX_OWN_HOPS {
        return Err((Refusal::loop_detected(), record));
    }

    // A handshake is checked and admitted before anything is sent.
    let session = match SessionRequest::read(context, &mut parts, &mut body, target, options, &record) {
        Ok(session) => session,
        Err(refusal) => return Err((refusal, record)),
    };

    // The request's head becomes the one that goes out, whichever member it will go to.
    headers::prepare_request(&mut parts.headers, &context.hop, &record.client, &target.authority, record.version);
    if let Some(session) = &session {
        headers::add_upgrade(&mut parts.headers, session.upgrade_header());
    }
    parts.version = Version::HTTP_11;
    let cookies = AffinityCookies::read(options.affinity.as_deref(), &parts.headers, record.client.tls);
    if let Some(edits) = edits {
        edits.apply(&mut parts.headers);
    }
    record.forwarded(&parts.headers);
    let Some(outgoing) = rewrite::target(target, edits, options.rewrite.as_ref()) else {
        fail(session, HandshakeOutcome::Malformed);
        return Err((Refusal::malformed("the request target is not a path"), record));
    };
    parts.uri = outgoing.uri;
    parts.extensions.remove::<RawTarget>();
    if let Some(raw) = outgoing.raw {
        parts.extensions.insert(raw);
    }
    headers::add_framing(&mut parts.headers, &parts.method, has_body);
    let silence = options.request_timeout;
    let max_body = edits.and_then(|edits| edits.max_body);
    let (body, progress) =
        if has_body { with_body(&parts, body, silence, max_body) } else { (RequestBody::empty(), None) };

    // A member answers.
    let exchange = Exchange {
        options,
        pool,
        target,
        host: edits.and_then(|edits| edits.host.as_ref()),
        wanted: cookies.wanted(),
        client: pool.chooses_by_client().then_some(record.client.address),
        handshake: session.as_ref().map(SessionRequest::protocol),
        policy: RetryPolicy::new(&parts.method, has_body),
        progress,
        // Few WebSocket libraries expect anything but the answer to a handshake.
        interim: (record.version == Version::HTTP_11 && session.is_none()).then_some(&context.interim),
        end_of_descriptors: context.state.settings.connections.end_of_descriptors,
    };
    let answered = {
        let running = exchange.run(parts, body, &mut record);
        match receiver {
            None => running.await,
            Some(receiver) => tokio::select! {
                biased;
                answered = running => answered,
                () = receiver.overflow() => Err(overflow(context)),
            },
        }
    };
    let mut answered = match answered {
        Ok(answered) => answered,
        Err(refusal) => {
            fail(session, HandshakeOutcome::BackendFailed);
            return Err((refusal, record));
        }
    };
    cookies.set(answered.response.headers_mut(), || pool.token(answered.lease.member()));

    // The answer opens a session, or is handed on.
    let status = answered.response.status();
    let Some(session) = session else {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            let message = "the backend switched protocols though nobody asked it to";
            return Err((Refusal::upgrade_answer(message), record));
        }
        return hand_on(answered, target, silence, headers::WEBSOCKET, record);
    };
    match session.judge(status) {
        HandshakeAnswer::Accepted => open_session(context, session, answered, record),
        HandshakeAnswer::FalselyAccepted => {
            session.fail(HandshakeOutcome::InvalidAnswer);
            let message = format!("the backend answered the handshake with {status} instead of switching protocols");
            Err((Refusal::handshake_answer(message), record))
        }
        HandshakeAnswer::Refused => {
            let upgrade = session.upgrade_header();
            session.fail(HandshakeOutcome::BackendRefused);
            hand_on(answered, target, silence, upgrade, record)
        }
    }
}

/// Counts a handshake that has failed, if the request is one.
fn fail(session: Option<SessionRequest>, outcome: HandshakeOutcome) {
    if let Some(session) = session {
        session.fail(outcome);
    }
}

/// The refusal of a request whose client has sent more ahead than the gateway may hold.
fn overflow(context: &ConnectionContext) -> Refusal {
    context.state.metrics.client_refused(RefusedFor::UnansweredBytes);
    let message = "too much of what clients have sent waits for the answers of backends";
    Refusal::new(RefusalReason::GatewayBufferLimit, message).retry_after(1)
}

/// The client's body. Where the client waits for a 100 (Continue), the body waits for the member's.
fn with_body(
    parts: &request::Parts,
    incoming: ClientBody,
    silence: Duration,
    max_bytes: Option<u64>,
) -> (RequestBody, Option<Arc<BodyProgress>>) {
    let (mut body, progress) = RequestBody::new(incoming, silence, max_bytes);
    let expects = parts.headers.get(header::EXPECT);
    if expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        body.hold(CONTINUE_TIMEOUT);
    }
    (body, Some(progress))
}

/// Opens the session for which a member has answered 101.
fn open_session(
    context: &ConnectionContext,
    session: SessionRequest,
    answered: Answered,
    record: Box<RequestRecord>,
) -> Answer {
    let Answered { mut response, source, lease } = answered;
    let (member, slot) = match source {
        AnswerSource::Http1(answer) => match answer.and_then(upstream::Http1Body::into_upgraded) {
            Some((stream, first)) => (MemberStream::Http1(stream, first), None),
            None => {
                session.fail(HandshakeOutcome::InvalidAnswer);
                let message = "the backend switched protocols before it had the whole request";
                return Err((Refusal::upgrade_answer(message), record));
            }
        },
        AnswerSource::Http2(_, slot) => (MemberStream::Http2(hyper::upgrade::on(&mut response)), Some(slot)),
    };
    let response = upgrade::open(context, session, response, member, slot, lease, record)?;
    Ok(response.map(|()| ResponseBody::full(bytes::Bytes::new())))
}

/// Hands a member's answer on to the client. `upgrade` names the protocols to which the client may upgrade, where the member demands
/// that.
fn hand_on(
    answered: Answered,
    target: &RequestTarget,
    silence: Duration,
    upgrade: HeaderValue,
    mut record: Box<RequestRecord>,
) -> Answer {
    let Answered { response, source, lease } = answered;
    let (mut parts, ()) = response.into_parts();
    if target.is_extended_connect {
        parts.headers.remove(header::SEC_WEBSOCKET_ACCEPT);
    }
    let to_head = record.is_head();
    if headers::prepare_response(&mut parts.headers, parts.status, to_head).is_err() {
        let message = "the backend's answer has a Transfer-Encoding other than chunked";
        return Err((Refusal::new(RefusalReason::BackendEncoding, message), record));
    }
    // The version is that of the gateway, not of the member.
    parts.version = Version::HTTP_11;
    if parts.status == StatusCode::UPGRADE_REQUIRED && record.version == Version::HTTP_11 {
        headers::add_upgrade(&mut parts.headers, upgrade);
    }
    record.answered(parts.status, &parts.headers);
    let mut body = ResponseBody::member(source, silence, lease);
    body.record = Some(record);
    Ok(Response::from_parts(parts, body))
}
