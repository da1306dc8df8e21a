//! One request, until a member has answered it: members are chosen, connections are taken or made, and attempts that fail are
//! repeated where they may be.

use std::borrow::Cow;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::pin::pin;
use std::sync::Arc;

use http::header::{self, HeaderValue};
use http::{Response, StatusCode, request};
use tokio::time::Instant;

use super::request_body::{BodyProgress, RequestBody};
use super::response_body::AnswerSource;
use super::retry::{FailedAttempt, Retry, RetryPolicy};
use super::rewrite;
use super::upstream::{self, ExchangeError, Http1Body, Http1Connection, IdleCheck, RequestFate};
use crate::model::ForwardOptions;
use crate::pool::dial::DialError;
use crate::pool::{Lease, MemberQuery, Pool, Token};
use crate::proxy::request::context::InterimAnswers;
use crate::proxy::request::record::RequestRecord;
use crate::proxy::request::refusal::{Refusal, RefusalReason};
use crate::proxy::request::target::RequestTarget;
use crate::proxy::session::http2_sessions::{self, SessionTransport};
use crate::proxy::timer::{PooledTimer, within};
use crate::websocket::SessionProtocol;

/// Members that are tried for one request.
const MAX_MEMBERS_TRIED: usize = 3;

/// One request, until a member has answered it.
pub(super) struct Exchange<'a> {
    pub(super) options: &'a ForwardOptions,
    pub(super) pool: &'a Pool,
    pub(super) target: &'a RequestTarget,
    /// The `Host` that every member gets, whatever the options say.
    pub(super) host: Option<&'a HeaderValue>,
    /// The members that the request's cookies name.
    pub(super) wanted: &'a [Token],
    /// The client's own address, where it decides on the member.
    pub(super) client: Option<IpAddr>,
    /// What is to be spoken after the answer, if the request is a handshake: it needs a connection of its own.
    pub(super) handshake: Option<SessionProtocol>,
    pub(super) policy: RetryPolicy,
    /// The progress of the request's body; `None` for no body.
    pub(super) progress: Option<Arc<BodyProgress>>,
    /// Where the member's interim answers go; `None` if the client takes none.
    pub(super) interim: Option<&'a InterimAnswers>,
    /// The file descriptor from which on none is for a request.
    pub(super) end_of_descriptors: RawFd,
}

/// A member's answer, of which the body is still to come.
pub(super) struct Answered {
    pub(super) response: Response<()>,
    pub(super) source: AnswerSource,
    pub(super) lease: Lease,
}

/// A new connection to a member; or the answer, where the request has been sent on a shared one.
enum Opened {
    Connection(Http1Connection),
    Answered(Response<()>, AnswerSource),
}

/// Why an attempt gave no answer.
enum AttemptError {
    /// The client is answered at once.
    Refused(Refusal),
    /// The connection broke off.
    Broken(ExchangeError),
}

impl Exchange<'_> {
    /// Sends the request to members until one has answered.
    ///
    /// # Errors
    /// No member has answered in time, or the request may not be sent again.
    pub(super) async fn run(
        &self,
        mut request: request::Parts,
        body: RequestBody,
        record: &mut RequestRecord,
    ) -> Result<Answered, Refusal> {
        let deadline = Instant::now() + self.options.request_timeout;
        let mut on_new_connection = self.handshake.is_some();
        let mut body = Some(body);
        let mut tried = Vec::new();
        let mut refusal = None;
        while tried.len() < MAX_MEMBERS_TRIED {
            // A member is chosen, and an unused connection to it, else a new one.
            let lease = match self.pool.choose(self.query(&tried)).await {
                Ok(lease) => lease,
                Err(why) => return Err(refusal.unwrap_or_else(|| Refusal::no_member(why))),
            };
            let member = Arc::clone(lease.member());
            record.member = Some(member.key.address);
            let host = match self.host {
                Some(host) => Some(host.clone()),
                None => rewrite::host(&self.options.host, self.target, &member),
            };
            let kept = if on_new_connection { None } else { upstream::take(&lease, self.idle_check()) };
            let is_kept = kept.is_some();
            let opened = match kept {
                Some(connection) => Ok(Opened::Connection(connection)),
                None => match within(deadline, Box::pin(self.open(&lease, &request, host.as_ref()))).await {
                    Some(opened) => opened,
                    None => return Err(self.timed_out()),
                },
            };

            // The request is sent, and its answer awaited.
            let failed = match opened {
                Ok(Opened::Answered(response, source)) => return Ok(Answered { response, source, lease }),
                Err(DialError::Shortage(..)) => {
                    // Another member may still have a connection to spare.
                    refusal = Some(Refusal::shortage());
                    FailedAttempt::Shortage
                }
                Err(error) => {
                    tracing::warn!(pool = %self.pool.id, %error, "can't connect to member");
                    refusal = Some(unreachable(&error));
                    FailedAttempt::Unreachable
                }
                Ok(Opened::Connection(connection)) => {
                    if let Some(host) = host {
                        request.headers.insert(header::HOST, host);
                    }
                    let body = body.take().unwrap_or_else(RequestBody::empty);
                    let failed = match self.attempt(connection, &request, body, deadline).await {
                        Ok((response, answer)) => {
                            return Ok(Answered { response, source: AnswerSource::Http1(Some(answer)), lease });
                        }
                        Err(AttemptError::Refused(refusal)) => return Err(refusal),
                        Err(AttemptError::Broken(error)) => error,
                    };
                    let (address, malformed) = (member.key.address, failed.malformed_answer());
                    let ExchangeError { error, fate } = failed;
                    tracing::debug!(pool = %self.pool.id, member = %address, %error, reused = is_kept, "request failed");
                    if let Some(refusal) = self.body_failure(fate) {
                        return Err(refusal);
                    }
                    // It has answered: it is up, and has perhaps done what was asked.
                    if let Some(fault) = malformed {
                        return Err(Refusal::malformed_answer(fault));
                    }
                    refusal = Some(Refusal::broke_off());
                    if is_kept { FailedAttempt::KeptConnection(fate) } else { FailedAttempt::NewConnection(fate) }
                }
            };

            // The member is suspected, unless it may have closed an unused connection or this machine is to blame; and the request is
            // sent again, if it may be.
            if !is_kept {
                if failed != FailedAttempt::Shortage {
                    member.suspect();
                }
                tried.push(member.id);
            }
            match self.policy.may_retry(failed) {
                Retry::OnNewConnection => on_new_connection = true,
                Retry::AtOtherMember => {}
                Retry::Never => break,
            }
        }
        Err(refusal.unwrap_or_else(|| Refusal::new(RefusalReason::BackendFailed, "no backend could answer")))
    }

    fn query<'q>(&'q self, tried: &'q [u64]) -> MemberQuery<'q> {
        MemberQuery { tried, wanted: self.wanted, client: self.client }
    }

    /// A request that can't be repeated must not meet a connection that the member has just closed.
    fn idle_check(&self) -> IdleCheck {
        if self.policy.is_repeatable() { IdleCheck::LastEvent } else { IdleCheck::Kernel }
    }

    /// Makes a new connection. A WebSocket handshake is sent at once, where the member takes it on a shared connection.
    async fn open(
        &self,
        lease: &Lease,
        request: &request::Parts,
        host: Option<&HeaderValue>,
    ) -> Result<Opened, DialError> {
        if self.handshake == Some(SessionProtocol::WebSocket) && self.options.websocket.backend_http2 {
            match http2_sessions::transport(lease).await? {
                SessionTransport::Http2(mut stream) => {
                    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
                    match stream.send_handshake(request, host).await {
                        Ok(response) => {
                            let (parts, body) = response.into_parts();
                            let source = AnswerSource::Http2(body, stream.into_slot());
                            return Ok(Opened::Answered(Response::from_parts(parts, ()), source));
                        }
                        Err(error) => tracing::debug!(pool = %self.pool.id, %error, "no session over HTTP/2"),
                    }
                }
                SessionTransport::Http1(Some(stream)) => return Ok(Opened::Connection(Http1Connection::new(stream))),
                SessionTransport::Http1(None) => {}
            }
        }
        lease
            .member()
            .connector
            .dial_for_client(self.end_of_descriptors)
            .await
            .map(|stream| Opened::Connection(Http1Connection::new(stream)))
    }

    /// Sends the request, and waits for the answer's head until the deadline, which moves on while the request's body
    /// does.
    async fn attempt(
        &self,
        connection: Http1Connection,
        request: &request::Parts,
        body: RequestBody,
        deadline: Instant,
    ) -> Result<(Response<()>, Http1Body), AttemptError> {
        let mut exchange = pin!(upstream::exchange(connection, request, body, self.interim));
        let mut timer = PooledTimer::until(deadline);
        loop {
            tokio::select! {
                biased;
                answer = &mut exchange => return answer.map_err(AttemptError::Broken),
                () = &mut timer => {
                    let moved = self.progress.as_ref().map(|progress| progress.last() + self.options.request_timeout);
                    match moved {
                        Some(later) if later > Instant::now() => timer = PooledTimer::until(later),
                        _ => return Err(AttemptError::Refused(self.timed_out())),
                    }
                }
            }
        }
    }

    /// The refusal, where it is the request's body that has failed.
    fn body_failure(&self, fate: RequestFate) -> Option<Refusal> {
        let progress = self.progress.as_ref()?;
        if progress.has_stalled() {
            return Some(Refusal::stalled(self.options.request_timeout));
        }
        if progress.is_too_large() {
            return Some(Refusal::body_too_large());
        }
        let failed = progress.has_failed() || fate == RequestFate::BodyFailed;
        failed.then(|| Refusal::malformed("the request's body broke off"))
    }

    /// The refusal when the time is over: the client's fault, where it owes a part of the body.
    fn timed_out(&self) -> Refusal {
        let timeout = self.options.request_timeout;
        if self.progress.as_ref().is_some_and(|progress| progress.is_owed()) {
            return Refusal::stalled(timeout);
        }
        Refusal::new(RefusalReason::BackendTimeout, format!("the backend did not answer within {timeout:?}"))
    }
}

fn unreachable(error: &DialError) -> Refusal {
    let (status, message): (_, Cow<'static, str>) = match error {
        DialError::Timeout(..) => {
            (StatusCode::GATEWAY_TIMEOUT, "no connection to the backend could be made in time".into())
        }
        DialError::Connect(..) | DialError::Shortage(..) => {
            (StatusCode::BAD_GATEWAY, "the backend refused the connection".into())
        }
        DialError::Tls(..) => (StatusCode::BAD_GATEWAY, "the TLS handshake with the backend failed".into()),
    };
    Refusal::with_status(status, RefusalReason::BackendUnreachable, message)
}
