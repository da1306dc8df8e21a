//! The relay of a session: both directions at once, with back-pressure and half-close.
//!
//! Bytes are read into a buffer of the thread, which is borrowed only while they are moved: an idle session has no buffer. Only bytes
//! that the other peer is too slow to take are kept on the heap, and nothing more is read until they are written.

mod direction;
mod liveness;
mod message_limiter;
mod stream;
mod tunnel;

use bytes::Bytes;

use super::end::{End, EndCause};
use super::registry::SessionGuard;
use tunnel::Tunnel;

pub use stream::RelayStream;

/// Relays until the session ends. `first_up` and `first_down` are bytes that came with the handshake; they are passed on first.
/// (This is no `async fn`, because its arguments would be kept twice for as long as the session lasts.)
pub fn relay<'a, C: RelayStream, B: RelayStream>(
    client: C,
    backend: B,
    (first_up, first_down): (Bytes, Bytes),
    guard: &'a mut SessionGuard,
) -> impl Future<Output = End> + use<'a, C, B> {
    // The bytes are copied: they are parts of larger buffers, which must not live as long as the session.
    let mut tunnel = Tunnel::new(client, backend, &first_up, &first_down, guard);
    async move {
        let cause = tunnel.run(guard).await;
        let code = match &cause {
            EndCause::Ordered(order) if guard.session().has_frames() => {
                tunnel.close(order.code, &order.reason).await;
                Some(order.code)
            }
            EndCause::Ordered(_) => {
                tunnel.finish().await;
                None
            }
            EndCause::Failed(_) => {
                tunnel.linger().await;
                None
            }
            EndCause::Closed(side) => {
                tunnel.linger().await;
                tunnel.counters_from(*side).values().close
            }
        };
        End { cause, code }
    }
}

#[cfg(test)]
mod tests;
