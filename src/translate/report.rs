//! Reports: as they are collected of one part, and of all parts together. Sorted, each once.

use std::collections::BTreeSet;

use imbl::OrdSet;

use crate::model::ObjectRef;
use crate::report::{Reason, Report, Severity};

use super::multiset::Multiset;

/// The reports so far.
#[derive(Debug, Default)]
pub(super) struct Reports(BTreeSet<Report>);

impl Reports {
    /// Something that a user asked for is refused.
    pub(super) fn error(
        &mut self,
        object: &ObjectRef,
        field: impl Into<String>,
        reason: Reason,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(object, field.into(), Severity::Error, reason, message.into(), remedy.into());
    }

    /// Everything is served, but perhaps not as meant.
    pub(super) fn warning(
        &mut self,
        object: &ObjectRef,
        field: impl Into<String>,
        reason: Reason,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.add(object, field.into(), Severity::Warning, reason, message.into(), remedy.into());
    }

    /// A fault, at `field` of `object`.
    pub(super) fn fault(&mut self, object: &ObjectRef, field: &str, fault: &Fault) {
        let Fault { reason, part, message, remedy } = fault;
        self.error(object, format!("{field}{part}"), *reason, message.clone(), remedy.clone());
    }

    fn add(
        &mut self,
        object: &ObjectRef,
        field: String,
        severity: Severity,
        reason: Reason,
        message: String,
        remedy: String,
    ) {
        self.0.insert(Report { object: object.clone(), field, reason, severity, message, remedy });
    }

    /// Those that another part has collected.
    pub(super) fn extend(&mut self, reports: &[Report]) {
        self.0.extend(reports.iter().cloned());
    }

    /// All of them, sorted.
    pub(super) fn into_sorted(self) -> Box<[Report]> {
        self.0.into_iter().collect()
    }
}

/// The reports of all parts, as parts come and go.
#[derive(Debug, Default)]
pub(super) struct Told(Multiset<Report>);

impl Told {
    /// Puts what a part says now in the place of what it said before.
    pub(super) fn replace(&mut self, before: &mut Box<[Report]>, now: Box<[Report]>) {
        if *before == now {
            return;
        }
        now.iter().for_each(|report| self.0.insert(report.clone()));
        before.iter().for_each(|report| self.0.remove(report));
        *before = now;
    }

    /// What they say together.
    pub(super) fn all(&self) -> OrdSet<Report> {
        self.0.all().clone()
    }
}

/// Why something that a field refers to can't be used. The one who owns the field reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The kind of problem.
    pub(super) reason: Reason,
    /// Which part of the referring field is to blame: `.name`, `.port`, or empty.
    pub(super) part: &'static str,
    /// What is wrong.
    pub(super) message: String,
    /// What the user can do.
    pub(super) remedy: String,
}
