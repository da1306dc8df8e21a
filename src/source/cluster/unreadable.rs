//! Objects that an API server sends and that can't be read. They damage nothing but themselves.

use crate::model::ObjectRef;
use crate::report::{Reason, Report, Severity};

/// Why an object can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The path of the field; empty for the object as a whole.
    pub(super) field: String,
    /// What is wrong with the field.
    pub(super) message: String,
}

impl Unreadable {
    /// The report on the object. `has_last_good`: whether an earlier version of it could be read, which is still served.
    pub(super) fn report(&self, object: &ObjectRef, has_last_good: bool) -> Report {
        let consequence =
            if has_last_good { "the last version that could be read goes on being served" } else { "it is not served" };
        Report {
            object: object.clone(),
            field: self.field.clone(),
            reason: Reason::InvalidObject,
            severity: Severity::Error,
            message: format!("{}, so it can't be read; {consequence}", self.message),
            remedy: "correct the field, or bring the definition of the resource and the controller to the same version"
                .to_owned(),
        }
    }
}
