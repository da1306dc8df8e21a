//! The order to close a session: its cause, the Close frame that both peers get, and the moment at which it is carried out.

use std::borrow::Cow;

use tokio::time::Instant;

/// Why the gateway closes a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CloseCause {
    /// The gateway shuts down.
    GatewayDrain,
    /// The backend's pod goes away.
    MemberDrain,
    /// No route leads to the session's backend any more.
    RouteRemoved,
    /// An operator asked for it.
    Command,
    /// The backend fails its health probe.
    Unhealthy,
    /// The session has reached the maximum age of its route.
    MaxAge,
    /// The token that has admitted the session has ended.
    TokenExpired,
    /// Other members of the pool have fewer sessions.
    Rebalance,
    /// No byte, or no message, has passed for the idle timeout.
    Idle,
    /// The client did not answer a Ping.
    ClientGone,
    /// The backend did not answer a Ping.
    BackendGone,
    /// A message of the client is larger than the route allows.
    MessageSize,
    /// The client sends more messages a second than the route allows.
    MessageRate,
}

impl CloseCause {
    /// The cause in one word, for logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::GatewayDrain => "drain",
            Self::MemberDrain => "member_drain",
            Self::RouteRemoved => "route_removed",
            Self::Command => "command",
            Self::Unhealthy => "unhealthy",
            Self::MaxAge => "max_age",
            Self::TokenExpired => "token_expired",
            Self::Rebalance => "rebalance",
            Self::Idle => "idle",
            Self::ClientGone => "client_gone",
            Self::BackendGone => "backend_gone",
            Self::MessageSize => "message_size",
            Self::MessageRate => "message_rate",
        }
    }

    /// The status code of the Close frame (RFC 6455 section 7.4.1; 1012 is registered as "service restart").
    pub fn code(self) -> u16 {
        match self {
            Self::Unhealthy | Self::MaxAge | Self::Rebalance => 1012,
            Self::MessageSize => 1009,
            Self::MessageRate | Self::TokenExpired => 1008,
            _ => 1001,
        }
    }

    /// The reason text of the Close frame.
    fn reason(self) -> &'static str {
        match self {
            Self::GatewayDrain => "going away",
            Self::MemberDrain => "backend going away",
            Self::RouteRemoved => "route removed",
            Self::Command => "closed by the operator",
            Self::Unhealthy => "backend unhealthy",
            Self::MaxAge => "maximum age",
            Self::TokenExpired => "token expired",
            Self::Rebalance => "rebalancing",
            Self::Idle => "idle timeout",
            Self::ClientGone => "no answer to ping",
            Self::BackendGone => "backend does not answer",
            Self::MessageSize => "message too big",
            Self::MessageRate => "too many messages",
        }
    }
}

/// The order to close a session: its cause, and the Close frame that both peers get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseOrder {
    /// Why the session is closed.
    pub cause: CloseCause,
    /// Status code of the Close frame.
    pub code: u16,
    /// Reason text of the Close frame, at most 123 bytes.
    pub reason: Cow<'static, str>,
}

impl From<CloseCause> for CloseOrder {
    fn from(cause: CloseCause) -> Self {
        Self { cause, code: cause.code(), reason: cause.reason().into() }
    }
}

/// A close order with the moment at which it is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledClose {
    /// When the session is closed.
    pub moment: Instant,
    /// How it is closed.
    pub order: CloseOrder,
}
