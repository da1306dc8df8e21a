//! How a session ended: the cause and the Close status that logs and metrics report.

use std::io;

use super::close_order::CloseOrder;

/// One of the two peers of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerSide {
    /// The peer that opened the session.
    Client,
    /// The peer that accepted it.
    Backend,
}

/// How a session ended.
#[derive(Debug)]
pub struct End {
    /// Why it ended.
    pub cause: EndCause,
    /// The status code of the first Close frame. 1005: the frame had none. `None`: there was no Close frame.
    pub code: Option<u16>,
}

/// Why a session ended.
#[derive(Debug)]
pub enum EndCause {
    /// A peer closed it, by a Close frame or by ending its stream.
    Closed(PeerSide),
    /// A stream failed.
    Failed(io::Error),
    /// The gateway closed it.
    Ordered(CloseOrder),
}

impl End {
    /// The end of a session that was never relayed, or whose relay was given up.
    pub fn failed(error: io::Error) -> Self {
        Self { cause: EndCause::Failed(error), code: None }
    }

    /// The cause in one word, for logs and metrics.
    pub fn name(&self) -> &'static str {
        match &self.cause {
            EndCause::Ordered(order) => order.cause.name(),
            _ => self.initiator(),
        }
    }

    /// Who ended it: `client`, `backend` or `gateway`; `error` where nobody did.
    pub fn initiator(&self) -> &'static str {
        match self.cause {
            EndCause::Closed(PeerSide::Client) => "client",
            EndCause::Closed(PeerSide::Backend) => "backend",
            EndCause::Failed(_) => "error",
            EndCause::Ordered(_) => "gateway",
        }
    }

    /// The error, or the reason text of the gateway's Close frame; empty where a peer closed the session.
    pub fn detail(&self) -> String {
        match &self.cause {
            EndCause::Closed(_) => String::new(),
            EndCause::Failed(error) => error.to_string(),
            EndCause::Ordered(order) => order.reason.to_string(),
        }
    }
}
