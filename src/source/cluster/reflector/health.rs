//! The state of one watch, on which its next request depends.
//!
//! ```text
//!               a list                  an event, or 500 ms
//!  Unlisted ─────────────> Doubtful ─────────────────────────> Well
//!   ^   ^                   │   ^                               │
//!   │   └───────────────────┘   └──────────── a failure ────────┘
//!   │    the position is void
//!   │
//!   └─ another failure ── Absent <── from any state: the server does not know the kind
//! ```
//!
//! The next request is a list in `Unlisted` and `Absent`; in `Doubtful` a check that the server has not gone back to an earlier
//! time, then the watch; in `Well` the watch.

/// The state of one watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum WatchHealth {
    /// There is no list, or the last list is void.
    Unlisted,
    /// There is a list, but since then, or since the last failure, nothing has proved that the watch works. After a failure
    /// the server may be another, or a restored one.
    Doubtful {
        /// Up to which resourceVersion everything has been seen.
        version: String,
    },
    /// The watch works.
    Well {
        /// Up to which resourceVersion everything has been seen.
        version: String,
    },
    /// The server does not know the kind.
    Absent {
        /// How often in a row it has said so.
        times: u32,
    },
}

impl WatchHealth {
    /// Up to which resourceVersion everything has been seen; none: a list comes next.
    pub(super) fn version(&self) -> Option<&str> {
        match self {
            Self::Doubtful { version } | Self::Well { version } => Some(version),
            Self::Unlisted | Self::Absent { .. } => None,
        }
    }

    /// Whether the watch works.
    pub(super) fn is_well(&self) -> bool {
        matches!(self, Self::Well { .. })
    }

    /// How often in a row the server has said that it does not know the kind.
    pub(super) fn absences(&self) -> u32 {
        match self {
            Self::Absent { times } => *times,
            Self::Unlisted | Self::Doubtful { .. } | Self::Well { .. } => 0,
        }
    }

    /// Notes that everything has been seen up to a later version.
    pub(super) fn advance(&mut self, to: &str) {
        match self {
            Self::Doubtful { version } | Self::Well { version } => to.clone_into(version),
            Self::Unlisted | Self::Absent { .. } => *self = Self::Doubtful { version: to.to_owned() },
        }
    }

    /// Notes that the watch works.
    pub(super) fn prove(&mut self) {
        if let Self::Doubtful { version } = self {
            *self = Self::Well { version: std::mem::take(version) };
        }
    }

    /// Notes a failure.
    pub(super) fn doubt(&mut self) {
        *self = match std::mem::replace(self, Self::Unlisted) {
            Self::Doubtful { version } | Self::Well { version } => Self::Doubtful { version },
            Self::Unlisted | Self::Absent { .. } => Self::Unlisted,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_doubt_until_the_watch_is_proved_again() {
        let version = |text: &str| text.to_owned();
        let mut health = WatchHealth::Unlisted;
        health.prove();
        health.doubt();
        assert_eq!(health, WatchHealth::Unlisted);
        health.advance("7");
        assert_eq!(health, WatchHealth::Doubtful { version: version("7") });
        health.prove();
        health.advance("8");
        assert_eq!(health, WatchHealth::Well { version: version("8") });
        health.doubt();
        health.doubt();
        assert_eq!(health, WatchHealth::Doubtful { version: version("8") });
        health = WatchHealth::Absent { times: 1 };
        assert_eq!((health.version(), health.absences()), (None, 1));
        health.doubt();
        assert_eq!(health, WatchHealth::Unlisted);
    }
}
