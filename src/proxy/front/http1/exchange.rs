//! One request: it is given to the decision, and its answer sent, while its body is read as it is wanted.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::{Method, Response, StatusCode, Version};
use http_body::Body as _;

use super::answer::{self, AfterHead, AnswerFacts};
use super::connection::{Answering, Http1Client};
use super::head::RequestHead;
use crate::proxy::client::body::ClientBody;
use crate::proxy::client::http1_body::{self, Http1Feed};
use crate::proxy::client::http1_upgrade::{self, UpgradePlace};
use crate::proxy::decision;
use crate::proxy::forward::response_body::ResponseBody;
use crate::proxy::forward::silence::BodyError;
use crate::proxy::http1::message_writer::{MessageWriter, WriteError, WriteFraming};
use crate::proxy::limits::MAX_UNSENT_INTERIM_BYTES;
use crate::proxy::request::context::ConnectionContext;

/// What becomes of a connection after an answer.
pub(super) enum Outcome {
    /// It waits for the next request.
    KeepAlive(Http1Client),
    /// It has ended, or is another's.
    Closed,
    /// It is shut down, but the client may still be sending.
    Linger(Http1Client),
}

/// The client's part of an exchange.
struct Request {
    /// Its body; `None`: it has none.
    feed: Option<Http1Feed>,
    /// Where the connection goes if the answer upgrades it.
    upgrade: Option<UpgradePlace>,
    expects_continue: bool,
    /// Whether the client sends nothing behind it.
    is_last: bool,
    facts: AnswerFacts,
}

/// Answers one request.
pub(super) async fn run(mut client: Http1Client, context: &Arc<ConnectionContext>, head: RequestHead) -> Outcome {
    let RequestHead { request, framing, keep_alive, expects_continue, takes_trailers, asks_upgrade } = head;
    let (version, to_head) = (request.version(), *request.method() == Method::HEAD);
    let facts = AnswerFacts { version, to_head, takes_trailers, keep_alive };
    let (receiver, feed) = match framing.is_over() {
        true => (None, None),
        false => {
            let (receiver, feed) = http1_body::body(framing, client.read_buffer());
            (Some(receiver), Some(feed))
        }
    };
    let (upgrade, place) = asks_upgrade.then(http1_upgrade::upgrade).unzip();
    let body = match (receiver, upgrade) {
        (None, None) => ClientBody::Empty,
        (receiver, upgrade) => ClientBody::Http1(receiver, upgrade),
    };
    let mut asked = Request { feed, upgrade: place, expects_continue, is_last: !keep_alive, facts };

    let mut answering = pin!(decision::answer(Arc::clone(context), request.map(|()| body)));
    let answered = poll_fn(|cx| {
        loop {
            let answer = answering.as_mut().poll(cx);
            for interim in context.interim.take() {
                let ahead = client.ahead();
                let before = ahead.len();
                answer::write_interim(&interim.into_parts().0, ahead);
                if ahead.len() > MAX_UNSENT_INTERIM_BYTES {
                    ahead.truncate(before);
                }
            }
            if let Poll::Ready(answer) = answer {
                return Poll::Ready(Ok(answer));
            }
            let Request { feed, expects_continue, .. } = &mut asked;
            match client.poll_meanwhile(cx, feed.as_mut(), *expects_continue, Answering::Awaited) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    match answered {
        Ok(answer) => send(client, asked, answer).await,
        Err(error) => {
            tracing::debug!(peer = %context.peer, %error, "the client has left");
            Outcome::Closed
        }
    }
}

/// Sends an answer after which nothing more is read. `to_head`: it answers a HEAD.
pub(super) async fn send_last(client: Http1Client, answer: Response<ResponseBody>, to_head: bool) -> Outcome {
    let facts = AnswerFacts { version: Version::HTTP_11, to_head, takes_trailers: false, keep_alive: false };
    let asked = Request { feed: None, upgrade: None, expects_continue: false, is_last: false, facts };
    send(client, asked, answer).await
}

/// Sends an answer.
async fn send(mut client: Http1Client, mut asked: Request, answer: Response<ResponseBody>) -> Outcome {
    // A body that nobody has read, nor will, is passed over if all of it is there. Otherwise nobody knows where the next request begins.
    if let Some(feed) = asked.feed.as_mut().filter(|feed| feed.is_abandoned()) {
        feed.discard(client.read_buffer());
        asked.facts.keep_alive &= feed.is_complete();
    }
    let (parts, body) = answer.into_parts();
    let mut head = std::mem::take(client.ahead());
    // A part of an interim answer may have gone out.
    let is_first = head.is_empty();
    let AfterHead { framing, keep_alive } = answer::write(&parts, !body.is_end_stream(), asked.facts, &mut head);
    let mut writer = MessageWriter::new(head, body, framing);
    let sent = write(&mut client, asked.feed.as_mut(), &mut writer).await;
    match sent {
        Ok(()) if parts.status == StatusCode::SWITCHING_PROTOCOLS => {
            drop(writer);
            if let Some(place) = asked.upgrade {
                let (stream, first) = client.into_parts();
                place.give(stream, first);
            }
            return Outcome::Closed;
        }
        Ok(()) => {}
        Err(WriteError::Body(error)) => {
            tracing::debug!(%error, "the answer broke off");
            let malformed = error.get_ref().and_then(|error| error.downcast_ref::<BodyError>()?.malformed());
            if let Some(fault) = malformed.filter(|_| is_first && writer.sent() == 0)
                && let Some(record) = writer.body().record.take()
            {
                drop(writer);
                asked.facts.keep_alive = false;
                return Box::pin(send(client, asked, decision::malformed_answer(fault, record))).await;
            }
            let rest = poll_fn(|cx| writer.poll_rest(cx, client.stream())).await;
            if framing == WriteFraming::UntilEnd {
                // An end in good order would say that the body is whole.
                client.stream().reset_when_dropped();
                return Outcome::Closed;
            }
            if rest.is_ok() {
                client.break_off();
            }
            return Outcome::Linger(client);
        }
        Err(WriteError::Connection(error)) => {
            tracing::debug!(%error, "the client has left");
            return Outcome::Closed;
        }
    }
    drop(writer);
    let body_is_over = asked.feed.as_ref().is_none_or(Http1Feed::is_complete);
    if keep_alive && body_is_over {
        return Outcome::KeepAlive(client.next());
    }
    client.shut_down().await;
    if body_is_over && asked.is_last && !client.has_unread() {
        return Outcome::Closed;
    }
    Outcome::Linger(client)
}

/// Writes an answer, while the body of its request is read as it is wanted.
async fn write(
    client: &mut Http1Client,
    mut feed: Option<&mut Http1Feed>,
    writer: &mut MessageWriter<ResponseBody>,
) -> Result<(), WriteError> {
    let mut sent = writer.sent();
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(written) = writer.poll(cx, client.stream()) {
                return Poll::Ready(written);
            }
            if std::mem::replace(&mut sent, writer.sent()) != writer.sent() {
                client.note_progress();
            }
            let answering = if writer.is_flushed() { Answering::Awaited } else { Answering::Blocked };
            // Behind the head of an answer there is no 100 (Continue) any more.
            match client.poll_meanwhile(cx, feed.as_deref_mut(), false, answering) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(WriteError::Connection(error))),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
