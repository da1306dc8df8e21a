//! Handing a request to a member of the pool, and its answer back.

mod affinity;
pub(super) mod body;
mod rewrite;
pub(super) mod upstream;

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version, request};
use http_body::Body;
use hyper::body::Incoming;
use tokio::time::Instant;

use self::affinity::AffinityCookies;
use self::body::{AnswerSource, Progress, RequestBody, ResponseBody};
use self::upstream::{ExchangeError, Http1Connection};
use crate::model::ForwardOptions;
use crate::pool::dial::DialError;
use crate::pool::{Lease, Pool, Token};
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::RequestTarget;
use crate::proxy::session::extended;
use crate::proxy::session::http2_sessions::{self, SessionTransport};
use crate::proxy::session::upgrade::{self, HandshakeAttempt, MemberStream, SessionRequest};
use crate::proxy::timer::{PooledTimer, within};
use crate::websocket::Handshake;

/// Members that are tried for one request.
const MEMBERS_TRIED: usize = 3;
/// How long a backend may take to say 100 (Continue) before the body is sent all the same.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

type Answer = Result<Response<ResponseBody>, (Refusal, Box<RequestRecord>)>;

/// Forwards a request along its route.
///
/// # Errors
/// No member can answer it: the refusal says why, and the record comes back with it.
pub(super) async fn forward(
    context: &ConnectionContext,
    request: Request<Incoming>,
    asked: &RequestTarget,
    options: &ForwardOptions,
    pool: &Pool,
    mut record: Box<RequestRecord>,
) -> Answer {
    let (mut parts, body) = request.into_parts();
    let has_body = !body.is_end_stream();
    let extended = extended::protocol(&parts).is_some();
    let mut opening = match opening(context, &mut parts, has_body, asked, &record) {
        Ok(opening) => opening,
        Err(refusal) => return Err((refusal, record)),
    };
    prepare(context, asked, &mut parts, opening.is_some());
    record.forwarded(&parts.headers);
    let Some(uri) = rewrite::target(asked, options.rewrite.as_ref()) else {
        if let Some(opening) = &mut opening {
            opening.attempt.came_to("malformed");
        }
        return Err((Refusal::malformed("the request target is not a path"), record));
    };
    parts.uri = uri;

    let sticky = AffinityCookies::read(options.affinity.as_deref(), &parts.headers, headers::over_tls(&parts.headers));
    headers::frame(&mut parts.headers, &parts.method, has_body);
    let silence = options.request_timeout;
    let (body, progress) = if has_body { with_body(&parts, body, silence) } else { (RequestBody::empty(), None) };
    let wanted = sticky.wanted();
    let exchange = Exchange { options, pool, asked, wanted, upgrade: opening.is_some(), progress };
    let (mut response, source, lease) = match exchange.run(parts, body, &mut record).await {
        Ok(answered) => answered,
        Err(refusal) => {
            if let Some(opening) = &mut opening {
                opening.attempt.came_to("backend_failed");
            }
            return Err((refusal, record));
        }
    };
    sticky.set(response.headers_mut(), || pool.token(lease.member()));
    if let Some(opening) = &mut opening {
        let status = response.status();
        let granted = status == StatusCode::SWITCHING_PROTOCOLS || extended && status.is_success();
        // Until the session is open.
        opening.attempt.came_to(if granted { "invalid_answer" } else { "backend_refused" });
    }
    match (response.status(), opening) {
        (StatusCode::SWITCHING_PROTOCOLS, Some(mut opening)) => {
            let member = match source {
                AnswerSource::Own(answer) => match answer.and_then(upstream::Http1Body::into_switched) {
                    Some((stream, first)) => MemberStream::Own(stream, first),
                    None => return Err((broke_off(), record)),
                },
                AnswerSource::Shared(_, place) => {
                    opening.place = Some(place);
                    MemberStream::Upgraded(hyper::upgrade::on(&mut response))
                }
            };
            upgrade::open(context, opening, response, member, lease, record)
        }
        (StatusCode::SWITCHING_PROTOCOLS, None) => Err((switched_unasked(), record)),
        (status, _) if extended && status.is_success() => {
            // Handed on, it would say that the session is open.
            let message = format!("the backend answered the handshake with {status} instead of switching protocols");
            Err((Refusal::bad_gateway("WebSocketHandshake", message), record))
        }
        _ => {
            let (mut parts, ()) = response.into_parts();
            if extended {
                parts.headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            }
            if headers::response(&mut parts.headers).is_err() {
                let message = "the backend's answer has a Transfer-Encoding other than chunked";
                return Err((Refusal::bad_gateway("BackendEncoding", message), record));
            }
            // Ours, not the backend's.
            parts.version = Version::HTTP_11;
            if parts.status == StatusCode::UPGRADE_REQUIRED && record.version == Version::HTTP_11 {
                upgrade::mark(&mut parts.headers);
            }
            record.answered(parts.status, &parts.headers);
            let mut body = ResponseBody::upstream(source, silence, lease);
            body.record = Some(record);
            Ok(Response::from_parts(parts, body))
        }
    }
}

/// The session that a request asks for, if it does.
///
/// # Errors
/// It asks in a wrong way, or for more than there may be.
fn opening(
    context: &ConnectionContext,
    parts: &mut request::Parts,
    has_body: bool,
    asked: &RequestTarget,
    record: &RequestRecord,
) -> Result<Option<SessionRequest>, Refusal> {
    let sessions = &context.state.sessions;
    let extended = extended::protocol(parts).is_some();
    let read = if extended {
        extended::request(parts).map(Some)
    } else {
        Handshake::read(&parts.method, parts.version, &parts.headers, has_body)
    };
    let Some(target) = &record.target else { return Ok(None) };
    let read = read.map_err(|fault| {
        sessions.refused(target.owner(), "malformed");
        Refusal::handshake(fault, extended)
    });
    let Some(handshake) = read? else { return Ok(None) };
    let Some(client) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else { return Ok(None) };
    let settings = &context.state.settings;
    let client_address = headers::client(&parts.headers, context.peer, |peer| settings.trusts(peer));
    let permit = sessions.admit(target, client_address).map_err(|rejected| {
        sessions.refused(target.owner(), rejected.name());
        Refusal::rejected(rejected)
    })?;
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Ok(Some(SessionRequest {
        handshake,
        client,
        extended,
        place: None,
        attempt: HandshakeAttempt::new(sessions.clone(), Arc::clone(target)),
        permit,
        client_address,
        port: context.listener.port,
        path: asked.path().to_owned(),
        user_agent: user_agent.unwrap_or_default().to_owned(),
    }))
}

/// Makes the request's head the one that goes out, whoever the member will be.
fn prepare(context: &ConnectionContext, asked: &RequestTarget, parts: &mut request::Parts, upgrade: bool) {
    headers::request(&mut parts.headers, &context.hop, &asked.authority);
    if upgrade {
        upgrade::mark(&mut parts.headers);
    }
    parts.version = Version::HTTP_11;
}

/// The client's body. Where the client waits for a 100 (Continue), the body waits for the backend's.
fn with_body(parts: &request::Parts, incoming: Incoming, silence: Duration) -> (RequestBody, Option<Arc<Progress>>) {
    let (mut body, progress) = RequestBody::new(incoming, silence);
    let expects = parts.headers.get(header::EXPECT);
    if expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        body.hold(CONTINUE_WAIT);
    }
    (body, Some(progress))
}

/// What there is to ask a member on.
enum Opened {
    Connection(Http1Connection),
    /// It has been asked already, on a connection that is shared.
    Answered(Response<()>, AnswerSource),
}

/// One request, until a member has answered it.
struct Exchange<'a> {
    options: &'a ForwardOptions,
    pool: &'a Pool,
    asked: &'a RequestTarget,
    /// The members that its cookie names.
    wanted: &'a [Token],
    /// Whether it asks for an upgrade, and so for a connection of its own.
    upgrade: bool,
    progress: Option<Arc<Progress>>,
}

impl Exchange<'_> {
    async fn run(
        &self,
        mut request: request::Parts,
        body: RequestBody,
        record: &mut RequestRecord,
    ) -> Result<(Response<()>, AnswerSource, Lease), Refusal> {
        let bodiless = self.progress.is_none();
        let repeatable = bodiless && idempotent(&request.method);
        let deadline = Instant::now() + self.options.request_timeout;
        let mut fresh = self.upgrade;
        let mut body = Some(body);
        let mut tried = Vec::new();
        let mut failure = None;
        while tried.len() < MEMBERS_TRIED {
            let lease = match self.pool.choose(&tried, self.wanted).await {
                Ok(lease) => lease,
                Err(why) => return Err(failure.unwrap_or_else(|| Refusal::no_member(why))),
            };
            let member = Arc::clone(lease.member());
            record.member = Some(member.key.address);
            let host = rewrite::host(&self.options.host, self.asked, &member);
            let unused = if fresh { None } else { upstream::take(&lease, repeatable) };
            let reused = unused.is_some();
            let opened = match unused {
                Some(line) => Ok(Opened::Connection(line)),
                None => match within(deadline, Box::pin(self.open(&lease, &request, host.as_ref()))).await {
                    Some(opened) => opened,
                    None => return Err(self.timed_out()),
                },
            };
            let line = match opened {
                Ok(Opened::Connection(line)) => line,
                Ok(Opened::Answered(response, source)) => return Ok((response, source, lease)),
                Err(error) => {
                    tracing::warn!(pool = %self.pool.id, %error, "can't connect to member");
                    member.suspect();
                    tried.push(member.id);
                    failure = Some(unreachable(&error));
                    continue;
                }
            };
            if let Some(host) = host {
                request.headers.insert(header::HOST, host);
            }
            let body = body.take().unwrap_or_else(RequestBody::empty);
            let ExchangeError { error, begun, spoilt } = match self.answer(line, &request, body, deadline).await {
                Ok((response, answer)) => return Ok((response, AnswerSource::Own(Some(answer)), lease)),
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(Failure::Broke(failed)) => failed,
            };
            tracing::debug!(pool = %self.pool.id, member = %member.key.address, %error, reused, "request failed");
            match &self.progress {
                Some(progress) if progress.stalled() => return Err(Refusal::stalled(self.options.request_timeout)),
                Some(progress) if progress.failed() || spoilt => {
                    return Err(Refusal::malformed("the request's body broke off"));
                }
                _ => {}
            }
            // A connection that was kept may have been closed by the member meanwhile, which says nothing of the member;
            // but a request is not to go through all of the kept ones.
            if reused {
                fresh = true;
            } else {
                member.suspect();
                tried.push(member.id);
            }
            failure = Some(broke_off());
            if begun && !repeatable || !bodiless {
                break;
            }
        }
        Err(failure.unwrap_or_else(|| Refusal::bad_gateway("BackendFailed", "no backend could answer")))
    }

    /// A new connection; for a session the answer, where that came on one that is shared.
    async fn open(
        &self,
        lease: &Lease,
        request: &request::Parts,
        host: Option<&HeaderValue>,
    ) -> Result<Opened, DialError> {
        if self.upgrade && self.options.websocket.backend_http2 {
            match http2_sessions::way(lease).await? {
                SessionTransport::Shared(mut connection) => {
                    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
                    match connection.ask(request, host).await {
                        Ok(response) => {
                            let (response, body) = divide(response);
                            return Ok(Opened::Answered(response, AnswerSource::Shared(body, connection.into_place())));
                        }
                        Err(error) => tracing::debug!(pool = %self.pool.id, %error, "no session over HTTP/2"),
                    }
                }
                SessionTransport::Own(Some(stream)) => return Ok(Opened::Connection(Http1Connection::new(stream))),
                SessionTransport::Own(None) => {}
            }
        }
        lease.member().connector.dial().await.map(|stream| Opened::Connection(Http1Connection::new(stream)))
    }

    /// Sends the request, and waits for the answer's head until the deadline, which moves on while the request's body
    /// does.
    async fn answer(
        &self,
        line: Http1Connection,
        request: &request::Parts,
        body: RequestBody,
        deadline: Instant,
    ) -> Result<(Response<()>, upstream::Http1Body), Failure> {
        let mut asking = pin!(line.ask(request, body));
        let mut patience = PooledTimer::until(deadline);
        loop {
            tokio::select! {
                biased;
                answer = &mut asking => return answer.map_err(Failure::Broke),
                () = &mut patience => {
                    let moved = self.progress.as_ref().map(|progress| progress.last() + self.options.request_timeout);
                    match moved {
                        Some(later) if later > Instant::now() => patience = PooledTimer::until(later),
                        _ => return Err(Failure::Refused(self.timed_out())),
                    }
                }
            }
        }
    }

    fn timed_out(&self) -> Refusal {
        let timeout = self.options.request_timeout;
        if self.progress.as_ref().is_some_and(|progress| progress.owed()) {
            return Refusal::stalled(timeout);
        }
        let message = format!("the backend did not answer within {timeout:?}");
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, "BackendTimeout", message)
    }
}

enum Failure {
    Refused(Refusal),
    Broke(ExchangeError),
}

fn divide(response: Response<Incoming>) -> (Response<()>, Incoming) {
    let (parts, body) = response.into_parts();
    (Response::from_parts(parts, ()), body)
}

fn switched_unasked() -> Refusal {
    Refusal::bad_gateway("UnexpectedUpgrade", "the backend switched protocols though nobody asked it to")
}

fn broke_off() -> Refusal {
    Refusal::bad_gateway("BackendFailed", "the backend closed the connection before it answered")
}

fn unreachable(error: &DialError) -> Refusal {
    let (status, message): (_, Cow<'static, str>) = match error {
        DialError::Timeout(..) => {
            (StatusCode::GATEWAY_TIMEOUT, "no connection to the backend could be made in time".into())
        }
        DialError::Connect(..) => (StatusCode::BAD_GATEWAY, "the backend refused the connection".into()),
        DialError::Tls(..) => (StatusCode::BAD_GATEWAY, "the TLS handshake with the backend failed".into()),
    };
    Refusal::new(status, "BackendUnreachable", message)
}

/// RFC 9110 section 9.2.2.
fn idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
