//! Which of the totals of an object a session is counted in: by what is spoken in it.

/// The totals that a session is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalsKey<'a> {
    /// WebSocket.
    WebSocket,
    /// An upgrade to another protocol, by the protocol's label.
    Upgrade(&'a str),
    /// A stream, by its protocol.
    Stream(&'static str),
}
