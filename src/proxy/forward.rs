//! Handing a request to a member of the pool, and its answer back.

use std::borrow::Cow;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::header;
use http::{Method, Request, Response, StatusCode, Version, request};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::access::Record;
use super::affinity::Sticky;
use super::body::{Progress, RequestBody, ResponseBody};
use super::context::Context;
use super::patience::Patience;
use super::refusal::Refusal;
use super::request::Asked;
use super::shared::{self, Place, Way};
use super::upgrade::{self, Attempt, Granted, Opening};
use super::upstream::{self, Sender};
use super::{extended, handshake, headers, rewrite};
use crate::model::Backend;
use crate::pool::dial::{DialError, Stream};
use crate::pool::{Lease, Member, Pool, Token};
use crate::websocket::Handshake;

/// Members that are tried for one request.
const MEMBERS_TRIED: usize = 3;
/// How long a backend may take to say 100 (Continue) before the body is sent all the same.
const CONTINUE_WAIT: Duration = Duration::from_secs(1);

type Answer = Result<Response<ResponseBody>, (Refusal, Box<Record>)>;

/// Forwards a request along its route.
///
/// # Errors
/// No member can answer it: the refusal says why, and the record comes back with it.
pub(super) async fn forward(
    context: &Context,
    request: Request<Incoming>,
    asked: &Asked,
    backend: &Backend,
    pool: &Pool,
    mut record: Box<Record>,
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
    let Some(uri) = rewrite::target(asked, backend.rewrite.as_ref()) else {
        if let Some(opening) = &mut opening {
            opening.attempt.came_to("malformed");
        }
        return Err((Refusal::malformed("the request target is not a path"), record));
    };
    parts.uri = uri;

    let sticky = Sticky::read(backend.affinity.as_deref(), &parts.headers, headers::over_tls(&parts.headers));
    headers::frame(&mut parts.headers, &parts.method, has_body);
    let silence = backend.request_timeout;
    let (body, progress) = if has_body { with_body(&mut parts, body, silence) } else { (RequestBody::empty(), None) };
    let wanted = sticky.wanted();
    let exchange = Exchange { backend, pool, asked, wanted, upgrade: opening.is_some(), progress };
    let (mut response, carrier, lease) = match exchange.run(Request::from_parts(parts, body), &mut record).await {
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
            let member = match carrier {
                Carrier::Switched(stream, first) => Granted::Own(stream, first),
                Carrier::Own(sender, _) => {
                    sender.release();
                    Granted::Upgraded(hyper::upgrade::on(&mut response))
                }
                Carrier::Shared(place, _) => {
                    opening.place = Some(place);
                    Granted::Upgraded(hyper::upgrade::on(&mut response))
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
            let (carrier, incoming) = match carrier {
                Carrier::Own(sender, incoming) => ((Some(sender), None), incoming),
                Carrier::Shared(place, incoming) => ((None, Some(place)), incoming),
                Carrier::Switched(..) => return Err((switched_unasked(), record)),
            };
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
            let mut body = ResponseBody::upstream(incoming, silence, carrier, exchange.progress, lease);
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
    context: &Context,
    parts: &mut request::Parts,
    has_body: bool,
    asked: &Asked,
    record: &Record,
) -> Result<Option<Opening>, Refusal> {
    let sessions = &context.shared.sessions;
    let extended = extended::protocol(parts).is_some();
    let read = if extended {
        extended::request(parts).map(Some)
    } else {
        Handshake::read(&parts.method, parts.version, &parts.headers, has_body)
    };
    let read = read.map_err(|fault| {
        sessions.refused(record.route(), "malformed");
        Refusal::handshake(fault, extended)
    });
    let (Some(handshake), Some(target)) = (read?, &record.target) else { return Ok(None) };
    let Some(client) = parts.extensions.remove::<hyper::upgrade::OnUpgrade>() else { return Ok(None) };
    let settings = &context.shared.settings;
    let client_address = headers::client(&parts.headers, context.peer, |peer| settings.trusts(peer));
    let permit = sessions.admit(target, client_address).map_err(|rejected| {
        sessions.refused(record.route(), rejected.name());
        Refusal::rejected(rejected)
    })?;
    let user_agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Ok(Some(Opening {
        handshake,
        client,
        extended,
        place: None,
        attempt: Attempt::new(sessions.clone(), Arc::clone(target)),
        permit,
        client_address,
        port: context.front.port,
        path: asked.path().to_owned(),
        user_agent: user_agent.unwrap_or_default().to_owned(),
    }))
}

/// Makes the request's head the one that goes out, whoever the member will be.
fn prepare(context: &Context, asked: &Asked, parts: &mut request::Parts, upgrade: bool) {
    headers::request(&mut parts.headers, &context.hop, &asked.authority);
    if upgrade {
        upgrade::mark(&mut parts.headers);
    }
    parts.version = Version::HTTP_11;
}

/// The client's body. Where the client waits for a 100 (Continue), the body waits for the backend's.
fn with_body(
    parts: &mut request::Parts,
    incoming: Incoming,
    silence: Duration,
) -> (RequestBody, Option<Arc<Progress>>) {
    let (mut body, progress) = RequestBody::new(incoming, silence);
    let expects = parts.headers.get(header::EXPECT);
    if expects.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        let (opener, opened) = oneshot::channel();
        let opener = Mutex::new(Some(opener));
        body.hold(opened, CONTINUE_WAIT);
        let mut carrier = Request::new(());
        hyper::ext::on_informational(&mut carrier, move |response| {
            if response.status() == StatusCode::CONTINUE
                && let Some(opener) = opener.lock().ok().and_then(|mut opener| opener.take())
            {
                // Nobody waits any more where patience has run out.
                let _ = opener.send(());
            }
        });
        parts.extensions.extend(std::mem::take(carrier.extensions_mut()));
    }
    (body, Some(progress))
}

/// What an answer came on, and its body.
enum Carrier {
    Own(Sender, Incoming),
    Shared(Place, Incoming),
    /// The connection of a handshake, with what came after the 101.
    Switched(Stream, Bytes),
}

/// A connection to a member: one that is spoken HTTP on, or that of a handshake.
enum Line {
    Http(Sender),
    Bare(Stream),
}

/// One request, until a member has answered it.
struct Exchange<'a> {
    backend: &'a Backend,
    pool: &'a Pool,
    asked: &'a Asked,
    /// The members that its cookie names.
    wanted: &'a [Token],
    /// Whether it asks for an upgrade, and so for a connection of its own.
    upgrade: bool,
    progress: Option<Arc<Progress>>,
}

impl Exchange<'_> {
    async fn run(
        &self,
        mut request: Request<RequestBody>,
        record: &mut Record,
    ) -> Result<(Response<()>, Carrier, Lease), Refusal> {
        let repeatable = self.progress.is_none() && idempotent(request.method());
        let deadline = Instant::now() + self.backend.request_timeout;
        let mut fresh = self.upgrade;
        let mut tried = Vec::new();
        let mut failure = None;
        while tried.len() < MEMBERS_TRIED {
            let lease = match self.pool.choose(&tried, self.wanted).await {
                Ok(lease) => lease,
                Err(why) => return Err(failure.unwrap_or_else(|| Refusal::no_member(why))),
            };
            let member = Arc::clone(lease.member());
            record.member = Some(member.key.address);
            if !fresh && !repeatable {
                // Kept connections that their member has closed are found out meanwhile: what is sent on one can't be
                // sent again.
                tokio::task::yield_now().await;
            }
            let host = rewrite::host(&self.backend.host, self.asked, &member);
            let unused = if fresh { None } else { upstream::take(&lease) };
            let reused = unused.is_some();
            let way = if self.upgrade && self.backend.websocket.backend_http2 {
                timeout_at(deadline, Box::pin(shared::way(&lease))).await
            } else {
                Ok(Ok(Way::Own(None)))
            };
            let connected = match (unused, way) {
                (_, Err(_)) => return Err(self.timed_out()),
                (Some(sender), _) => Ok(Line::Http(sender)),
                (None, Ok(Err(error))) => Err(error),
                (None, Ok(Ok(Way::Own(Some(stream))))) => Ok(Line::Bare(stream)),
                (None, Ok(Ok(way))) => {
                    if let Way::Shared(mut connection) = way {
                        let host = host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default();
                        match timeout_at(deadline, Box::pin(connection.ask(&request, host))).await {
                            Ok(Ok(response)) => {
                                let (response, body) = divide(response);
                                return Ok((response, Carrier::Shared(connection.into_place(), body), lease));
                            }
                            Ok(Err(error)) => tracing::debug!(pool = %self.pool.id, %error, "no session over HTTP/2"),
                            Err(_) => return Err(self.timed_out()),
                        }
                    }
                    match timeout_at(deadline, Box::pin(self.connect(&member))).await {
                        Ok(connected) => connected,
                        Err(_) => return Err(self.timed_out()),
                    }
                }
            };
            let line = match connected {
                Ok(line) => line,
                Err(error) => {
                    tracing::warn!(pool = %self.pool.id, %error, "can't connect to member");
                    member.suspect();
                    tried.push(member.id);
                    failure = Some(unreachable(&error));
                    continue;
                }
            };
            if let Some(host) = host {
                request.headers_mut().insert(header::HOST, host);
            }
            let sender = match line {
                Line::Http(sender) => Ok(sender),
                Line::Bare(stream) => match timeout_at(deadline, Box::pin(handshake::ask(stream, &request))).await {
                    Err(_) => return Err(self.timed_out()),
                    Ok(Ok(handshake::Answer::Switched(response, stream, first))) => {
                        return Ok((response, Carrier::Switched(stream, first), lease));
                    }
                    Ok(Ok(handshake::Answer::Other(stream))) => {
                        Box::pin(upstream::speak(&member, stream)).await.map_err(io::Error::other)
                    }
                    Ok(Err(error)) => Err(error),
                },
            };
            let mut sender = match sender {
                Ok(sender) => sender,
                Err(error) => {
                    tracing::debug!(pool = %self.pool.id, member = %member.key.address, %error, "handshake failed");
                    member.suspect();
                    tried.push(member.id);
                    failure = Some(broke_off());
                    continue;
                }
            };
            let again = repeatable.then(|| copy(&request));
            let mut error = match self.answer(&mut sender, request, deadline).await {
                Ok(response) => {
                    let (response, body) = divide(response);
                    return Ok((response, Carrier::Own(sender, body), lease));
                }
                Err(Failure::Refused(refusal)) => return Err(refusal),
                Err(Failure::Send(error)) => error,
            };
            tracing::debug!(pool = %self.pool.id, member = %member.key.address, error = %error.error(), reused,
                "request failed");
            match &self.progress {
                Some(progress) if progress.failed() => {
                    return Err(Refusal::malformed("the request's body broke off"));
                }
                Some(progress) if progress.stalled() => return Err(Refusal::stalled(self.backend.request_timeout)),
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
            request = match error.take_message().or(again) {
                Some(request) => request,
                None => break,
            };
        }
        Err(failure.unwrap_or_else(|| Refusal::bad_gateway("BackendFailed", "no backend could answer")))
    }

    async fn connect(&self, member: &Member) -> Result<Line, DialError> {
        let stream = member.connector.dial().await?;
        if self.upgrade { Ok(Line::Bare(stream)) } else { upstream::speak(member, stream).await.map(Line::Http) }
    }

    /// Sends the request, and waits for the answer's head until the deadline, which moves on while the request's body
    /// does.
    async fn answer(
        &self,
        sender: &mut Sender,
        request: Request<RequestBody>,
        deadline: Instant,
    ) -> Result<Response<Incoming>, Failure> {
        let mut sending = pin!(sender.requests.try_send_request(request));
        let mut patience = Patience::until(deadline);
        loop {
            tokio::select! {
                biased;
                answer = &mut sending => return answer.map_err(|error| Failure::Send(Box::new(error))),
                () = &mut patience => {
                    let moved = self.progress.as_ref().map(|progress| progress.last() + self.backend.request_timeout);
                    match moved {
                        Some(later) if later > Instant::now() => patience = Patience::until(later),
                        _ => return Err(Failure::Refused(self.timed_out())),
                    }
                }
            }
        }
    }

    fn timed_out(&self) -> Refusal {
        let timeout = self.backend.request_timeout;
        if self.progress.as_ref().is_some_and(|progress| progress.owed()) {
            return Refusal::stalled(timeout);
        }
        let message = format!("the backend did not answer within {timeout:?}");
        Refusal::new(StatusCode::GATEWAY_TIMEOUT, "BackendTimeout", message)
    }
}

enum Failure {
    Refused(Refusal),
    Send(Box<TrySendError<Request<RequestBody>>>),
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

/// The same request, without a body.
fn copy(request: &Request<RequestBody>) -> Request<RequestBody> {
    let mut copy = Request::new(RequestBody::empty());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy.extensions_mut().clone_from(request.extensions());
    copy
}
