//! That the gateway closes a session, and why.

use std::borrow::Cow;

use tokio::time::Instant;

/// Why the gateway closes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// The gateway is going away.
    Gateway,
    /// The backend's pod is.
    Member,
    /// Nothing leads to its backend any more.
    RouteRemoved,
    /// Somebody asked for it.
    Command,
    /// The backend fails its probe.
    Unhealthy,
    /// It has reached its route's age.
    MaxAge,
    /// Other members have fewer sessions.
    Rebalance,
    /// Nobody has said anything for the idle timeout.
    Idle,
    /// The client did not answer a ping.
    ClientGone,
    /// The backend did not.
    BackendGone,
    /// A message of the client's is larger than its route takes.
    MessageSize,
    /// The client sends more messages than its route takes.
    MessageRate,
}

impl Why {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Gateway,
        Self::Member,
        Self::RouteRemoved,
        Self::Command,
        Self::Unhealthy,
        Self::MaxAge,
        Self::Rebalance,
        Self::Idle,
        Self::ClientGone,
        Self::BackendGone,
        Self::MessageSize,
        Self::MessageRate,
    ];

    /// For logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "drain",
            Self::Member => "member_drain",
            Self::RouteRemoved => "route_removed",
            Self::Command => "command",
            Self::Unhealthy => "unhealthy",
            Self::MaxAge => "max_age",
            Self::Rebalance => "rebalance",
            Self::Idle => "idle",
            Self::ClientGone => "client_gone",
            Self::BackendGone => "backend_gone",
            Self::MessageSize => "message_size",
            Self::MessageRate => "message_rate",
        }
    }

    /// The status of the Close frame (RFC 6455 section 7.4.1; 1012 is registered as "service restart").
    pub fn code(self) -> u16 {
        match self {
            Self::Unhealthy | Self::MaxAge | Self::Rebalance => 1012,
            Self::MessageSize => 1009,
            Self::MessageRate => 1008,
            _ => 1001,
        }
    }

    /// The reason in the Close frame.
    fn reason(self) -> &'static str {
        match self {
            Self::Gateway => "going away",
            Self::Member => "backend going away",
            Self::RouteRemoved => "route removed",
            Self::Command => "closed by the operator",
            Self::Unhealthy => "backend unhealthy",
            Self::MaxAge => "maximum age",
            Self::Rebalance => "rebalancing",
            Self::Idle => "idle timeout",
            Self::ClientGone => "no answer to ping",
            Self::BackendGone => "backend does not answer",
            Self::MessageSize => "message too big",
            Self::MessageRate => "too many messages",
        }
    }
}

/// What is said to both peers when a session is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Why.
    pub why: Why,
    /// Status of the Close frame.
    pub code: u16,
    /// Reason in the Close frame.
    pub reason: Cow<'static, str>,
}

impl From<Why> for Order {
    fn from(why: Why) -> Self {
        Self { why, code: why.code(), reason: why.reason().into() }
    }
}

/// An order, and when it is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// When.
    pub moment: Instant,
    /// What.
    pub order: Order,
}
