//! A client's HTTP/1.1 connection (RFC 9112), in one task: heads are read, answered one after another, and the connection ends so that
//! its client can read the last answer.
//!
//! While a connection waits for a request, it holds neither a buffer nor the state of a request.

mod answer;
mod connection;
mod exchange;
mod head;
mod refusal;
pub(super) mod replay;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use http::{Method, Response, Version};

use self::answer::AnswerFacts;
use self::connection::Http1Client;
use self::exchange::Outcome;
use crate::proxy::client::ClientStream;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::timer::PooledTimer;

/// Time for which a connection is kept for one more request while the gateway drains.
pub(super) const DRAIN_QUIET_TIME: Duration = Duration::from_secs(1);

/// Time in which a client that has asked for nothing more can be told that its connection ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The gateway's drain, as one connection sees it.
struct Drain<F> {
    drained: F,
    /// Whether the connection is to end.
    begun: bool,
}

impl<F: Future<Output = ()>> Drain<Pin<&mut F>> {
    /// Ready, once, when the connection is to end.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.begun || self.drained.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.begun = true;
        Poll::Ready(())
    }
}

/// Serves a connection to its end, or until the gateway drains: then it ends after the request that is under way.
///
/// HTTP/1.1 has no way to tell a client that its next request will not be read. While the gateway drains, the client learns it
/// from its next answer; the gateway closes the connection only after [`DRAIN_QUIET_TIME`] without a request.
pub(super) async fn serve(context: Arc<ConnectionContext>, stream: ClientStream) {
    let drained = pin!(context.state.drained());
    let mut drain = Drain { drained, begun: false };
    let mut client = Http1Client::new(stream);
    loop {
        if !first_bytes(&mut client, &context, &mut drain).await {
            // A client of TLS is told that the connection ends (RFC 8446 section 6.1).
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, client.shut_down()).await;
            return;
        }
        // Boxed: what a request needs is freed before the next is waited for.
        match Box::pin(request(client, &context)).await {
            Outcome::KeepAlive(kept) => client = kept,
            Outcome::Closed => return,
            Outcome::Linger(mut ended) => {
                return tokio::select! {
                    () = ended.linger() => {}
                    () = async {
                        context.state.drained().await;
                        tokio::time::sleep(DRAIN_QUIET_TIME).await;
                    } => {}
                };
            }
        }
    }
}

/// Waits for the first bytes of a request. `false`: none come.
async fn first_bytes<F: Future<Output = ()>>(
    client: &mut Http1Client,
    context: &ConnectionContext,
    drain: &mut Drain<Pin<&mut F>>,
) -> bool {
    let quiet_time = if drain.begun { DRAIN_QUIET_TIME } else { context.state.settings.header_timeout };
    let mut timer = PooledTimer::after(quiet_time);
    poll_fn(|cx| {
        if let Poll::Ready(read) = client.poll_first_bytes(cx) {
            return Poll::Ready(read);
        }
        if drain.poll_begin(cx).is_ready() {
            timer = PooledTimer::after(DRAIN_QUIET_TIME);
        }
        Pin::new(&mut timer).poll(cx).map(|()| false)
    })
    .await
}

/// Answers the request of which the first bytes have come.
async fn request(mut client: Http1Client, context: &Arc<ConnectionContext>) -> Outcome {
    match client.head(context.state.settings.header_timeout).await {
        Ok(head) => exchange::run(client, context, head).await,
        Err(None) => Outcome::Closed,
        Err(Some(fault)) => {
            let line = head::first_line(client.unread());
            let to_head = line.method == Some(Method::HEAD);
            let refused = refusal::answer(Arc::clone(context), fault, line);
            exchange::send_last(client, refused, to_head).await
        }
    }
}

/// An answer to somebody whose request has not been read, as it is on the wire.
pub(super) fn encoded(answer: &Response<bytes::Bytes>) -> BytesMut {
    let mut parts = Response::new(());
    (*parts.status_mut(), *parts.headers_mut()) = (answer.status(), answer.headers().clone());
    let facts = AnswerFacts { version: Version::HTTP_11, to_head: false, takes_trailers: false, keep_alive: false };
    let mut bytes = BytesMut::new();
    answer::write(&parts.into_parts().0, true, facts, &mut bytes);
    bytes.extend_from_slice(answer.body());
    bytes
}
