//! Reports as one part of the translation collects them, and those of all parts together: sorted, each once.

use std::collections::BTreeSet;

use imbl::OrdSet;

use crate::model::{HostPattern, ObjectRef};
use crate::report::{Reason, Report, Severity};

use super::multiset::Multiset;

/// The reports that one part has collected so far.
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

    /// Reports a fault of what `field` of `object` refers to.
    pub(super) fn fault(&mut self, object: &ObjectRef, field: &str, fault: &Fault) {
        let Fault { reason, part, message, remedy } = fault;
        self.error(object, format!("{field}{part}"), *reason, message.clone(), remedy.clone());
    }

    /// Reports to an object that one of its hosts belongs to the namespace of `tenant`.
    pub(super) fn foreign_tenant(&mut self, object: &ObjectRef, field: &str, host: &HostPattern, tenant: &ObjectRef) {
        let message = format!(
            "host {host} belongs to namespace {:?}, whose {tenant} came first to it or to a wildcard that covers it, so this \
             object does not serve it",
            tenant.namespace()
        );
        let remedy = "move the object to that namespace, or have the host removed there";
        self.error(object, field, Reason::Conflict, message, remedy);
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

    /// Adds reports that another part has collected.
    pub(super) fn extend(&mut self, reports: &[Report]) {
        self.0.extend(reports.iter().cloned());
    }

    /// All of them, sorted.
    pub(super) fn into_sorted(self) -> Box<[Report]> {
        self.0.into_iter().collect()
    }
}

/// The reports of all parts together, as parts come and go.
#[derive(Debug, Default)]
pub(super) struct AllReports(Multiset<Report>);

impl AllReports {
    /// Replaces the reports of a part: `before` becomes `now`.
    pub(super) fn replace(&mut self, before: &mut Box<[Report]>, now: Box<[Report]>) {
        if *before == now {
            return;
        }
        now.iter().for_each(|report| self.0.insert(report.clone()));
        before.iter().for_each(|report| self.0.remove(report));
        *before = now;
    }

    /// Every report, once.
    pub(super) fn all(&self) -> OrdSet<Report> {
        self.0.members().clone()
    }
}

/// Why something that a field refers to can't be used. Who reads the field reports it.
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

impl Fault {
    /// This fault, blamed on the name in the referring field.
    pub(super) fn of_name(self) -> Self {
        Self { part: ".name", ..self }
    }
}
