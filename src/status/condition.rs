//! Conditions, as every status that has some shows them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::shorten::shortened;

/// The longest message of a condition, in bytes.
pub(super) const MAX_MESSAGE_BYTES: usize = 1024;

/// What the conditions of one list are made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions<'a> {
    /// The conditions that the object has now.
    pub(super) shown: &'a [Condition],
    /// `metadata.generation` of the object.
    pub(super) generation: Option<i64>,
    /// The time that a changed condition gets as its last transition.
    pub(super) now: Timestamp,
}

impl Conditions<'_> {
    /// A condition. Its `lastTransitionTime` changes with its status only.
    pub(super) fn make(&self, type_: &str, status: bool, reason: &str, message: String) -> Condition {
        let status = if status { "True" } else { "False" };
        let same = self.shown.iter().find(|shown| shown.type_ == type_ && shown.status == status);
        let whole_second = Timestamp::from_second(self.now.as_second()).unwrap_or(self.now);
        Condition {
            last_transition_time: same.map_or(Time(whole_second), |shown| shown.last_transition_time.clone()),
            message: shortened(message, MAX_MESSAGE_BYTES),
            observed_generation: self.generation,
            reason: reason.to_owned(),
            status: status.to_owned(),
            type_: type_.to_owned(),
        }
    }
}
