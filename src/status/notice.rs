//! The Events that reports ask for: their objects, names and notes. A pure function.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use imbl::OrdSet;

use super::shorten::shortened;
use crate::model::{Kind, ObjectRef};
use crate::report::{Reason, Report};
use crate::source::{Identity, Snapshot};

/// The longest note that the API server accepts, in bytes.
const MAX_NOTE_BYTES: usize = 1024;

/// The longest part of an object's name in the name of its Event: with the hash, the whole is a valid name.
const MAX_NAME_CHARS: usize = 200;

/// One Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The object that has the problem.
    pub object: ObjectRef,
    /// `apiVersion` of its kind.
    pub api_version: &'static str,
    /// `metadata.uid` of the object.
    pub uid: Option<String>,
    /// `metadata.resourceVersion` of the object.
    pub version: Option<String>,
    /// The reason of the report.
    pub reason: Reason,
    /// The field, the message and the remedy of the report.
    pub note: String,
}

/// The Events that the reports ask for, by name. The name is a hash of object, reason, field and message: an Event that
/// exists already is found by its name.
pub fn notices(reports: &OrdSet<Report>, snapshot: &Snapshot) -> BTreeMap<String, Notice> {
    reports.iter().filter_map(|report| notice(report, snapshot)).collect()
}

fn notice(report: &Report, snapshot: &Snapshot) -> Option<(String, Notice)> {
    let Report { object, field, reason, severity: _, message, remedy } = report;
    // A file is no object of the API server, so that no Event can be about it.
    if object.kind == Kind::File {
        return None;
    }
    let api_version = object.kind.api_version();
    let Identity { uid, resource_version: version } = snapshot.identity(object).unwrap_or_default();
    let parts = [object.kind.name(), uid.as_deref().unwrap_or_default(), reason.name(), field, message];
    let hash = digest(&SHA256, parts.join("\0").as_bytes());
    let hash: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name: String = object.name().chars().take(MAX_NAME_CHARS).collect();
    let name = format!("{}.{hash}", name.trim_end_matches(['.', '-']));

    let mut note = if field.is_empty() { message.clone() } else { format!("{field}: {message}") };
    if !remedy.is_empty() {
        note = format!("{note}; {remedy}");
    }
    let note = shortened(note, MAX_NOTE_BYTES);
    Some((name, Notice { object: object.clone(), api_version, uid, version, reason: *reason, note }))
}
