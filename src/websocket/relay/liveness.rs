//! Whether the peers are still there: pings to those that have been silent.

use tokio::time::Instant;

use super::direction::{Direction, Moved};
use crate::model::Ping;
use crate::websocket::Why;

/// What is known of both peers.
pub(super) struct Liveness {
    ping: Ping,
    client: Peer,
    backend: Peer,
}

/// What is known of one.
struct Peer {
    /// Its last sign of life.
    heard: Instant,
    /// When it was asked, if it has not answered.
    asked: Option<Instant>,
    /// Whether it was then too slow for what it was given.
    stuck: bool,
}

impl Peer {
    fn due(&self, ping: Ping) -> Instant {
        match self.asked {
            Some(asked) => asked + ping.timeout,
            None => self.heard + ping.interval,
        }
    }

    /// A sign of life. Gives whether the peer had been asked for one.
    fn hear(&mut self, now: Instant) -> bool {
        self.heard = now;
        self.asked.take().is_some()
    }
}

impl Liveness {
    pub(super) fn new(ping: Ping, now: Instant) -> Self {
        let peer = || Peer { heard: now, asked: None, stuck: false };
        Self { ping, client: peer(), backend: peer() }
    }

    /// When there is something to do next.
    pub(super) fn due(&self) -> Instant {
        self.client.due(self.ping).min(self.backend.due(self.ping))
    }

    /// Takes in what has moved: bytes read from a peer show that it lives, and bytes that it takes after it had been too slow
    /// for them. Gives whether nothing but answers to the gateway's own pings has come.
    pub(super) fn hear(&mut self, now: Instant, up: Moved, down: Moved) -> bool {
        let mut answers = true;
        for (peer, direction, back) in [(&mut self.client, up, down), (&mut self.backend, down, up)] {
            if back.pinged {
                // The time for the answer begins when it can be given.
                peer.asked = Some(now);
            }
            if direction.read || back.wrote {
                let asked = peer.hear(now);
                answers &= !direction.read || asked && direction.pong_alone;
            }
        }
        answers
    }

    /// Asks whoever has been silent for too long.
    ///
    /// # Errors
    /// One has not answered in time.
    pub(super) fn look(&mut self, now: Instant, up: &mut Direction, down: &mut Direction) -> Result<(), Why> {
        // Whoever is not listened to, because the other does not take what it has said, can't be judged.
        let listens = [!up.holds_back(), !down.holds_back()];
        let peers = [(&mut self.client, down, Why::ClientGone), (&mut self.backend, up, Why::BackendGone)];
        for ((peer, way, gone), listens) in peers.into_iter().zip(listens) {
            if peer.due(self.ping) > now {
                continue;
            }
            if !listens {
                peer.hear(now);
                continue;
            }
            // A Ping that still waits for its frame boundary can't have been answered. Where it waits because the peer has taken
            // nothing in all that time, that is the answer.
            if peer.asked.is_some() && (!way.ping || peer.stuck && way.holds_back()) {
                return Err(gone);
            }
            (peer.asked, peer.stuck) = (Some(now), way.holds_back());
            way.ping = true;
        }
        Ok(())
    }
}
