//! One request of an HTTP/2 connection: it is answered, and the answer is sent as fast as the client takes it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header;
use http::{Method, Request, Response, Version};
use http_body::{Body, Frame};
use tokio::sync::oneshot;

use crate::proxy::client::body::ClientBody;
use crate::proxy::client::http2_receiver::Http2Receiver;
use crate::proxy::client::http2_tunnel::TunnelRequest;
use crate::proxy::client::resets::ResetBudget;
use crate::proxy::decision;
use crate::proxy::forward::response_body::ResponseBody;
use crate::proxy::http1::date;
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::headers;

/// What becomes of the sending half of a tunnel.
type TunnelPlace = oneshot::Sender<SendStream<Bytes>>;

/// How the sending of an answer has ended.
enum Sent {
    /// All of it was sent, or the gateway itself broke it off.
    Over,
    /// The client has reset the stream.
    Reset,
}

/// Answers a request, and notes a reset by its client.
pub(super) async fn answer(
    context: Arc<ConnectionContext>,
    resets: Arc<ResetBudget>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let (request, tunnel) = with_body(request, &context, &resets);
    let Some(response) = response(context, request, &mut respond).await else { return resets.note() };
    if let Sent::Reset = send(response, tunnel, &mut respond).await {
        resets.note();
    }
}

/// The request with its body; of a CONNECT, with its tunnel.
fn with_body(
    request: Request<RecvStream>,
    context: &ConnectionContext,
    resets: &Arc<ResetBudget>,
) -> (Request<ClientBody>, Option<TunnelPlace>) {
    let (mut parts, stream) = request.into_parts();
    parts.version = Version::HTTP_2;
    let receiver =
        |stream| Http2Receiver::new(stream, Arc::clone(&context.state.clients.unanswered_bytes), Arc::clone(resets));
    let (body, place) = if parts.method == Method::CONNECT {
        let (tunnel, place) = TunnelRequest::new(receiver(stream));
        (ClientBody::Tunnel(Some(tunnel)), Some(place))
    } else if stream.is_end_stream() {
        (ClientBody::Empty, None)
    } else {
        (ClientBody::Http2(receiver(stream)), None)
    };
    (Request::from_parts(parts, body), place)
}

/// The answer to a request; `None` once the client has reset the stream.
async fn response(
    context: Arc<ConnectionContext>,
    request: Request<ClientBody>,
    respond: &mut SendResponse<Bytes>,
) -> Option<Response<ResponseBody>> {
    let mut answering = pin!(decision::answer(context, request));
    poll_fn(|cx| match answering.as_mut().poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response)),
        Poll::Pending => respond.poll_reset(cx).map(|_| None),
    })
    .await
}

/// Sends an answer. Where it opens a tunnel, the sending half goes to `tunnel`.
async fn send(
    response: Response<ResponseBody>,
    tunnel: Option<TunnelPlace>,
    respond: &mut SendResponse<Bytes>,
) -> Sent {
    let (parts, mut body) = response.into_parts();
    // What is malformed before anything of it has gone out is no answer.
    let first = poll_fn(|cx| Poll::Ready(Pin::new(&mut body).poll_frame(cx))).await;
    if let Poll::Ready(Some(Err(error))) = &first
        && let Some(fault) = error.malformed()
        && let Some(record) = body.record.take()
    {
        tracing::debug!(%error, "the answer broke off");
        return Box::pin(send(decision::malformed_answer(fault, record), None, respond)).await;
    }
    let mut head = Response::from_parts(parts, ());
    *head.version_mut() = Version::HTTP_2;
    headers::remove_connection_headers(head.headers_mut());
    let tunnel = tunnel.filter(|_| head.status().is_success());
    if tunnel.is_none()
        && let header::Entry::Vacant(date) = head.headers_mut().entry(header::DATE)
    {
        date.insert(date::now());
    }
    let is_end = tunnel.is_none() && matches!(first, Poll::Ready(None));
    // Both fail once the client has reset the stream, or the connection has ended.
    let Ok(mut stream) = respond.send_response(head, is_end) else {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Sent::Over;
    };
    match tunnel {
        // Nobody waits for it if the session has ended already.
        Some(tunnel) => drop(tunnel.send(stream)),
        None if is_end => {}
        None => return send_body(first, body, &mut stream).await,
    }
    Sent::Over
}

/// The next frame of an answer's body, if it is there.
type NextFrame = Poll<Option<Result<Frame<Bytes>, <ResponseBody as Body>::Error>>>;

/// Sends the body of an answer, whose first frame may have been taken.
async fn send_body(mut first: NextFrame, mut body: ResponseBody, stream: &mut SendStream<Bytes>) -> Sent {
    loop {
        // The next frame.
        let next = poll_fn(|cx| match (stream.poll_reset(cx), std::mem::replace(&mut first, Poll::Pending)) {
            (Poll::Ready(_), _) => Poll::Ready(Err(Sent::Reset)),
            (Poll::Pending, Poll::Ready(taken)) => Poll::Ready(Ok(taken)),
            (Poll::Pending, Poll::Pending) => Pin::new(&mut body).poll_frame(cx).map(Ok),
        });
        let frame = match next.await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => {
                tracing::debug!(%error, "the answer broke off");
                // The task of the connection sends what came before: a reset would overtake it.
                tokio::task::yield_now().await;
                stream.send_reset(Reason::INTERNAL_ERROR);
                return Sent::Over;
            }
            Ok(None) => {
                let _ = stream.send_data(Bytes::new(), true);
                return Sent::Over;
            }
            Err(reset) => return reset,
        };
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    stream.reserve_capacity(0);
                    if stream.send_trailers(trailers).is_err() {
                        stream.send_reset(Reason::INTERNAL_ERROR);
                    }
                    return Sent::Over;
                }
                continue;
            }
        };

        // It waits until the client takes some of it. No more is reserved: what lies reserved for one stream is kept from others.
        let is_end = body.is_end_stream();
        if !data.is_empty() {
            stream.reserve_capacity(1);
            while stream.capacity() == 0 {
                let room = poll_fn(|cx| match stream.poll_reset(cx) {
                    Poll::Ready(_) => Poll::Ready(None),
                    Poll::Pending => stream.poll_capacity(cx),
                });
                if !matches!(room.await, Some(Ok(_))) {
                    return Sent::Reset;
                }
            }
        }
        if stream.send_data(data, is_end).is_err() || is_end {
            return Sent::Over;
        }
    }
}
