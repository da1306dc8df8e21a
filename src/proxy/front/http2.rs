//! A client's HTTP/2 connection (RFC 9113): a task for each request, and the limits of what a client may abandon.
//!
//! It stands directly on h2, so that the fault of a stream never ends its connection (docs/decisions/0009).

mod liveness;
mod stream;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;

use self::liveness::Liveness;
use super::CLOSE_TIMEOUT;
use crate::proxy::client::ClientStream;
use crate::proxy::client::resets::ResetBudget;
use crate::proxy::limits::{
    CLIENT_CONNECTION_WINDOW_BYTES, MAX_CLIENT_STREAMS, MAX_HTTP2_HEADER_LIST_BYTES, MAX_UNSENT_STREAM_BYTES,
    STREAM_WINDOW_BYTES,
};
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::metrics::RefusedFor;

/// How many times the budget of resets a trusted proxy has: its connection carries the requests of many clients.
const TRUSTED_RESET_FACTOR: u32 = 10;
/// Streams that are refused one by one once a connection is to end, for a client that has not read of the end yet.
const MAX_REFUSED_STREAMS: u32 = 1000;

/// Streams that have ended before their clients had sent all, and that are remembered for [`RESET_MEMORY`]: as many as a client may
/// have, twice.
const MAX_REMEMBERED_RESETS: usize = 2 * MAX_CLIENT_STREAMS as usize;
const RESET_MEMORY: Duration = Duration::from_secs(30);

/// A client's connection.
struct ClientConnection {
    context: Arc<ConnectionContext>,
    connection: Connection<ClientStream, Bytes>,
    liveness: Liveness,
    resets: Arc<ResetBudget>,
    /// Streams that were refused because the budget of resets is exceeded.
    refused: u32,
}

/// Serves the requests of a connection, until it ends, is idle, or the gateway drains: then it ends after what is under way.
///
/// # Errors
/// The connection failed.
pub(super) async fn serve(context: Arc<ConnectionContext>, mut stream: ClientStream) -> Result<(), h2::Error> {
    let mut over = pin!(async {
        tokio::select! {
            () = context.state.drained() => {}
            () = context.requests.quiet(context.state.settings.header_timeout) => {}
        }
    });
    let connection = tokio::select! {
        biased;
        connection = async {
            // The window of the connection is announced in the turn in which the client's preface is read. If the SETTINGS went out
            // before that, a client could answer them with more than the window that it knows.
            stream.received().await;
            builder().handshake(stream).await
        } => connection?,
        () = &mut over => return Ok(()),
    };
    let mut client = ClientConnection::new(Arc::clone(&context), connection);
    tokio::select! {
        biased;
        result = poll_fn(|cx| client.poll(cx)) => return result,
        () = &mut over => {}
    }
    client.connection.graceful_shutdown();
    tokio::select! {
        biased;
        result = poll_fn(|cx| client.poll(cx)) => result,
        // A peer that does not answer the end is not waited for.
        () = context.requests.quiet(CLOSE_TIMEOUT) => Ok(()),
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .max_concurrent_streams(MAX_CLIENT_STREAMS)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CLIENT_CONNECTION_WINDOW_BYTES)
        .max_header_list_size(MAX_HTTP2_HEADER_LIST_BYTES)
        .max_send_buffer_size(MAX_UNSENT_STREAM_BYTES)
        // What a client still sends on a stream that has been refused is dropped without a word, and is no fault of its connection.
        .max_concurrent_reset_streams(MAX_REMEMBERED_RESETS)
        .reset_stream_duration(RESET_MEMORY)
        .enable_connect_protocol();
    builder
}

impl ClientConnection {
    fn new(context: Arc<ConnectionContext>, mut connection: Connection<ClientStream, Bytes>) -> Self {
        let liveness = Liveness::new(connection.ping_pong().expect("taken once"));
        let factor = if context.hop.is_trusted() { TRUSTED_RESET_FACTOR } else { 1 };
        Self { context, connection, liveness, resets: Arc::new(ResetBudget::new(factor)), refused: 0 }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), h2::Error>> {
        loop {
            if self.liveness.poll_lost(cx).is_ready() {
                self.connection.abrupt_shutdown(Reason::NO_ERROR);
            }
            // What is under way is answered; the client connects again for the rest. A second call does nothing.
            if self.context.is_untrusted.load(Ordering::Relaxed) {
                self.connection.graceful_shutdown();
            }
            match ready!(self.connection.poll_accept(cx)) {
                Some(Ok((request, respond))) => self.accept(request, respond),
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
    }

    fn accept(&mut self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        if self.resets.is_exceeded() {
            respond.send_reset(Reason::REFUSED_STREAM);
            return self.refuse();
        }
        let (context, resets) = (Arc::clone(&self.context), Arc::clone(&self.resets));
        tokio::spawn(Box::pin(stream::answer(context, resets, request, respond)));
    }

    /// Ends the connection, because its client has reset too many streams: after what is under way, if anything is. A client that
    /// goes on all the same is cut.
    fn refuse(&mut self) {
        self.refused += 1;
        if self.refused == 1 {
            self.context.state.metrics.client_refused(RefusedFor::Resets);
            tracing::debug!(peer = %self.context.peer, "the client resets too many streams; its connection ends");
        }
        if !self.context.requests.any_active() || self.refused > MAX_REFUSED_STREAMS {
            self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        } else if self.refused == 1 {
            self.connection.graceful_shutdown();
        }
    }
}
