//! How a pool regards each of its members: the words of metrics, dumps and status.

use super::member::{Health, Member};
use crate::model::EndpointState;

/// The probes of a pool's members that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CountingProbes {
    /// None: fewer members pass theirs than count as up in any case.
    None,
    /// Those that somebody wrote: no member that may take requests passes a guess.
    Written,
    /// All.
    All,
}

impl CountingProbes {
    /// Whether the probe of a member counts.
    pub(super) fn include(self, member: &Member) -> bool {
        match self {
            Self::None => false,
            Self::Written => !member.has_guessed_probe(),
            Self::All => true,
        }
    }
}

/// How a pool regards a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its endpoint is ready, and it passes its probe.
    Up,
    /// Its endpoint is ready, and no probe counts: there is none, it is a guess that no member of the pool passes, or fewer members pass
    /// theirs than the pool is to have.
    Ready,
    /// Its endpoint is ready, and it fails its probe.
    Down,
    /// Its endpoint is ready, and its first probe has not been answered.
    Unknown,
    /// Its endpoint is terminating.
    Terminating,
    /// Its endpoint is not ready.
    NotReady,
}

impl Standing {
    /// Every standing, in the order of the metrics.
    pub const ALL: [Self; 6] = [Self::Up, Self::Ready, Self::Down, Self::Unknown, Self::Terminating, Self::NotReady];

    /// The standing of a member of a pool in which these probes count.
    pub(super) fn of(member: &Member, endpoint: EndpointState, counting: CountingProbes) -> Self {
        match (endpoint, member.health()) {
            (EndpointState::NotReady, _) => Self::NotReady,
            (EndpointState::Terminating { .. } | EndpointState::Ending { .. }, _) => Self::Terminating,
            (EndpointState::Ready, Health::Up) if member.key.probe.is_none() => Self::Ready,
            (EndpointState::Ready, Health::Up) => Self::Up,
            (EndpointState::Ready, Health::Unknown) => Self::Unknown,
            (EndpointState::Ready, Health::Down) if !counting.include(member) => Self::Ready,
            (EndpointState::Ready, Health::Down) => Self::Down,
        }
    }

    /// The name in lower case, for metrics and dumps.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Ready => "ready",
            Self::Down => "down",
            Self::Unknown => "unknown",
            Self::Terminating => "terminating",
            Self::NotReady => "not_ready",
        }
    }
}
