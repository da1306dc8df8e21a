//! Handles to the rooms whose state the admin port shows.

use tokio::sync::watch;

use crate::controller::Published;
use crate::jwks::KeySets;
use crate::pool;
use crate::source::cluster::WatchStates;
use crate::websocket::Sessions;

/// Handles to the rooms whose state is read at each request.
#[derive(Debug, Clone)]
pub struct AdminState {
    /// The configuration that is served.
    pub published: watch::Receiver<Published>,
    /// Pools and their members.
    pub pools: pool::Registry,
    /// Live sessions. The admin port may close them, and changes nothing else.
    pub sessions: Sessions,
    /// The keys of tokens that are fetched from URLs.
    pub key_sets: KeySets,
    /// The states of the watches of a cluster.
    pub watches: WatchStates,
}
