//! Which members may take a request, and in which order they are preferred.

use tokio::time::Instant;

use super::FIRST_PROBE_TIMEOUT;
use super::member::{Health, Member};
use crate::model::EndpointState;

/// How well a member suits a request. Of several members those with the smallest preference share the requests.
///
/// A probe that is a guess excludes nobody: a member that fails it is the worse choice, as long as another one passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Preference {
    /// The endpoint is ready, and the member is up.
    Up,
    /// The endpoint is terminating but serves (KEP-1669), and the member is up.
    TerminatingUp,
    /// The endpoint is ready, and its probe does not count.
    Ready,
    /// The endpoint is ready, its probe does not count, and the prober could not connect to the member.
    ReadyUnreachable,
    /// The endpoint is terminating but serves, and its probe does not count.
    Terminating,
}

/// What a member has to be to take requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) patience: Patience,
    /// Whether every ready member counts as up: too few of the pool's members are.
    pub(super) every_ready: bool,
}

/// Whether the first answers to probes are still waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// They are, until the first probe of a member has been under way for [`FIRST_PROBE_TIMEOUT`].
    Waiting,
    /// The request has waited for long enough.
    Over,
}

impl Preference {
    /// The preference of a member with this endpoint. `None`: it may not take requests.
    pub(super) fn of(member: &Member, endpoint: EndpointState, terms: Terms) -> Option<Self> {
        let Terms { patience, every_ready } = terms;
        let ready = match endpoint {
            EndpointState::Ready => true,
            EndpointState::Terminating { .. } => false,
            EndpointState::Ending { .. } | EndpointState::NotReady => return None,
        };
        match member.health() {
            _ if ready && every_ready => Some(Self::Up),
            Health::Up => Some(if ready { Self::Up } else { Self::TerminatingUp }),
            Health::Unknown | Health::Down if !member.has_guessed_probe() => None,
            Health::Unknown if patience == Patience::Waiting && !is_overdue(member) => None,
            _ if !ready => Some(Self::Terminating),
            _ if member.is_unreachable() => Some(Self::ReadyUnreachable),
            _ => Some(Self::Ready),
        }
    }

    /// Whether the member has passed its probe.
    pub(super) fn is_up(self) -> bool {
        matches!(self, Self::Up | Self::TerminatingUp)
    }
}

/// Whether it is worth to wait for a member: its endpoint is ready, and its first probe has not been answered.
pub(super) fn is_pending(member: &Member, endpoint: EndpointState) -> bool {
    endpoint == EndpointState::Ready
        && member.health() == Health::Unknown
        && !(member.has_guessed_probe() && is_overdue(member))
}

/// When the first answer to a member's probe has been waited for long enough.
pub(super) fn overdue_at(member: &Member) -> Instant {
    member.created + FIRST_PROBE_TIMEOUT
}

fn is_overdue(member: &Member) -> bool {
    Instant::now() >= overdue_at(member)
}
