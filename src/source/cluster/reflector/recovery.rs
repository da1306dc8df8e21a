//! The recovery of a watch from a failure, as a table.

use super::list::ListMode;
use crate::source::cluster::request::RequestFailure;
use crate::source::cluster::watch_state::WatchTrouble;

/// How an API server calls a version from the future. It will not come: the server's data has gone back.
const VERSION_FROM_THE_FUTURE: &str = "Too large resource version";

/// The situation of a watch when it failed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Situation {
    /// Whether it had worked since the failure before.
    pub(super) was_well: bool,
    /// Whether a list was under way, and how lists are requested; none: there was a list.
    pub(super) listing: Option<ListMode>,
    /// Whether the cluster may not know the kind.
    pub(super) may_be_absent: bool,
}

/// The consequences of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recovery {
    /// Whether the last list is void, so that another comes next.
    pub(super) relists: bool,
    /// Whether lists are requested page by page from now on.
    pub(super) pages_lists: bool,
    /// The step before the next attempt.
    pub(super) step: Step,
}

/// A step before the next attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing but a short pause: connections end now and then. There is trouble only if the next attempt fails too.
    Restart,
    /// Nothing: the next attempt follows at once.
    RetryNow,
    /// The server is asked whether it knows the kind. If it does, the failure is reported.
    AskForKind,
    /// The trouble is reported, and a pause follows.
    Report(WatchTrouble),
}

impl Recovery {
    /// The recovery from `failure`: the first line that fits.
    pub(super) fn of(failure: &RequestFailure, situation: Situation) -> Self {
        use RequestFailure::{Broken, Nonsense, Refused, Rewound, Silent};
        let Situation { was_well, listing, may_be_absent } = situation;
        let streams = listing == Some(ListMode::Streamed);
        let failing = || Step::Report(WatchTrouble::Failing(failure.to_string()));
        let keep = |step| Self { relists: false, pages_lists: false, step };
        let relist = |step| Self { relists: true, pages_lists: false, step };
        let page = |step| Self { relists: false, pages_lists: true, step };
        match failure {
            Broken(_) | Silent(_) | Nonsense(_) if was_well => keep(Step::Restart),
            Refused { code: 410, .. } if was_well => relist(Step::Restart),
            Refused { code: 410, .. } | Rewound => relist(failing()),
            Refused { code: 504, message, .. } if message.contains(VERSION_FROM_THE_FUTURE) => relist(failing()),
            // The server does not stream lists.
            Refused { code: 400 | 422, .. } if streams => page(Step::RetryNow),
            // Perhaps something between the server and us holds back a stream.
            Silent(_) if streams => page(failing()),
            Refused { code: 404, .. } if may_be_absent => keep(Step::AskForKind),
            Refused { code: 403, message, .. } => keep(Step::Report(WatchTrouble::Forbidden(message.clone()))),
            Refused { .. } | Broken(_) | Silent(_) | Nonsense(_) => keep(failing()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused(code: u16, message: &str) -> RequestFailure {
        RequestFailure::Refused { code, message: message.to_owned(), retry_after: None }
    }

    #[test]
    fn what_follows_depends_on_the_failure_and_on_what_went_before() {
        let failing = Situation { was_well: false, listing: None, may_be_absent: false };
        let well = Situation { was_well: true, ..failing };
        let streaming = Situation { listing: Some(ListMode::Streamed), ..failing };
        let paging = Situation { listing: Some(ListMode::Paged), ..failing };
        let custom = Situation { may_be_absent: true, ..failing };
        let (broken, silent) =
            (RequestFailure::Broken("reset".to_owned()), RequestFailure::Silent(Duration::from_secs(60)));
        for (failure, situation, expected) in [
            (&broken, well, "Restart"),
            (&broken, failing, "Failing"),
            (&silent, well, "Restart"),
            (&silent, streaming, "Failing, pages lists"),
            (&silent, paging, "Failing"),
            (&refused(410, "too old"), well, "Restart, relists"),
            (&refused(410, "too old"), failing, "Failing, relists"),
            (&RequestFailure::Rewound, well, "Failing, relists"),
            (&refused(504, "Too large resource version: 9"), well, "Failing, relists"),
            (&refused(504, "timeout"), failing, "Failing"),
            (&refused(422, "sendInitialEvents is forbidden"), streaming, "RetryNow, pages lists"),
            (&refused(422, "sendInitialEvents is forbidden"), paging, "Failing"),
            (&refused(404, "not found"), custom, "AskForKind"),
            (&refused(404, "not found"), failing, "Failing"),
            (&refused(403, "no"), well, "Forbidden"),
            (&refused(500, "no"), well, "Failing"),
        ] {
            let Recovery { relists, pages_lists, step } = Recovery::of(failure, situation);
            let mut is = match step {
                Step::Report(WatchTrouble::Failing(_)) => "Failing".to_owned(),
                Step::Report(WatchTrouble::Forbidden(_)) => "Forbidden".to_owned(),
                other => format!("{other:?}"),
            };
            is += if relists { ", relists" } else { "" };
            is += if pages_lists { ", pages lists" } else { "" };
            assert_eq!(is, expected, "{failure} in {situation:?}");
        }
    }
}
