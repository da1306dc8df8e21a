//! Whether the two peers of a session are alive: a peer that has been silent is sent a Ping, and given up if it does not answer.

use tokio::time::Instant;

use super::direction::{Activity, Direction};
use crate::model::Ping;
use crate::websocket::close_order::CloseCause;

/// The liveness of both peers.
pub(super) struct Liveness {
    ping: Ping,
    client: PeerLiveness,
    backend: PeerLiveness,
}

/// The liveness of one peer.
struct PeerLiveness {
    /// Its last sign of life.
    last_sign: Instant,
    /// When it was sent a Ping, if it has not answered.
    pinged: Option<Instant>,
    /// Whether it was too slow for its bytes when it was sent the Ping.
    was_backpressured: bool,
}

impl PeerLiveness {
    /// When there is something to do next.
    fn due(&self, ping: Ping) -> Instant {
        match self.pinged {
            Some(pinged) => pinged + ping.timeout,
            None => self.last_sign + ping.interval,
        }
    }

    /// Notes a sign of life. Gives whether a Ping was waiting for it.
    fn note_sign(&mut self, now: Instant) -> bool {
        self.last_sign = now;
        self.pinged.take().is_some()
    }
}

impl Liveness {
    pub(super) fn new(ping: Ping, now: Instant) -> Self {
        let peer = || PeerLiveness { last_sign: now, pinged: None, was_backpressured: false };
        Self { ping, client: peer(), backend: peer() }
    }

    /// When [`Self::check`] has something to do next.
    pub(super) fn due(&self) -> Instant {
        self.client.due(self.ping).min(self.backend.due(self.ping))
    }

    /// Notes what has moved: a peer is alive that sends bytes, or that takes bytes after it had been too slow for them. Gives whether
    /// only answers to the gateway's own Pings were read.
    pub(super) fn note_activity(&mut self, now: Instant, up: Activity, down: Activity) -> bool {
        let mut only_answers = true;
        for (peer, from_peer, to_peer) in [(&mut self.client, up, down), (&mut self.backend, down, up)] {
            if to_peer.ping_sent {
                // The time for the answer begins when the peer can give it.
                peer.pinged = Some(now);
            }
            if from_peer.read || to_peer.write_resumed {
                let pinged = peer.note_sign(now);
                only_answers &= !from_peer.read || pinged && from_peer.only_pongs;
            }
        }
        only_answers
    }

    /// Sends a Ping to each peer that has been silent for the interval.
    ///
    /// # Errors
    /// A peer has not answered in time.
    pub(super) fn check(&mut self, now: Instant, up: &mut Direction, down: &mut Direction) -> Result<(), CloseCause> {
        // A peer cannot be judged while nothing is read from it, because the other peer is too slow for what it has sent.
        let readable = [!up.is_backpressured(), !down.is_backpressured()];
        let peers =
            [(&mut self.client, down, CloseCause::ClientGone), (&mut self.backend, up, CloseCause::BackendGone)];
        for ((peer, to_peer, cause), readable) in peers.into_iter().zip(readable) {
            if peer.due(self.ping) > now {
                continue;
            }
            if !readable {
                peer.note_sign(now);
                continue;
            }
            // A Ping that still waits for its frame boundary cannot have been answered. If it waits because the peer has taken no byte
            // since the Ping before, the peer is gone.
            if peer.pinged.is_some() && (!to_peer.ping_pending || peer.was_backpressured && to_peer.is_backpressured())
            {
                return Err(cause);
            }
            (peer.pinged, peer.was_backpressured) = (Some(now), to_peer.is_backpressured());
            to_peer.ping_pending = true;
        }
        Ok(())
    }
}
