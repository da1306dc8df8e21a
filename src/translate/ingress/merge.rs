//! The paths of one host, from all Ingresses. Of equal paths the oldest Ingress's is taken, and within an Ingress the
//! first. Within a namespace, a priority goes before the age.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::backend_ref::BackendField;
use super::host_field::HostField;
use super::parsed::{IngressPath, ParsedIngress};
use crate::model::{HostPattern, PathMatch};
use crate::report::Reason;
use crate::translate::report::Reports;

/// A path, and the Ingress that has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct MergedPath<'a> {
    pub(super) ingress: &'a Arc<ParsedIngress>,
    pub(super) path: &'a IngressPath,
}

impl MergedPath<'_> {
    /// The field that holds the backend of the path.
    pub(super) fn field(&self) -> BackendField {
        self.ingress.backend_of(self.path).field
    }

    /// Whether it goes before an older one. No namespace takes a path from another.
    fn goes_before(&self, older: &Self) -> bool {
        let priority = |path: &Self| path.ingress.settings.agic.rule_priority.unwrap_or(u32::MAX);
        self.ingress.owner.namespace() == older.ingress.owner.namespace() && priority(self) < priority(older)
    }
}

/// The paths of `host`. `ingresses` are those that serve or cover it, oldest first. Paths that are left out are
/// reported.
pub(super) fn merge<'a>(
    host: &HostPattern,
    ingresses: impl IntoIterator<Item = &'a Arc<ParsedIngress>>,
    reports: &mut Reports,
) -> Vec<MergedPath<'a>> {
    // The index in `merged` of each path.
    let mut taken: BTreeMap<Cow<'_, PathMatch>, usize> = BTreeMap::new();
    let mut merged: Vec<MergedPath<'a>> = Vec::new();
    for ingress in ingresses {
        for path in ingress.paths_of(host) {
            let mut loser = MergedPath { ingress, path };
            let key = key(&path.path);
            let Some(winner) = taken.get(&key).map(|index| &mut merged[*index]) else {
                taken.insert(key, merged.len());
                merged.push(loser);
                continue;
            };
            if loser.goes_before(winner) {
                std::mem::swap(&mut loser, winner);
            }
            report_conflict(host, loser, *winner, reports);
        }
    }
    merged
}

/// What paths that are the same have in common: their text, be it read as a regular expression or not.
pub(super) fn key(path: &PathMatch) -> Cow<'_, PathMatch> {
    match path {
        PathMatch::Regex(regex) => PathMatch::prefix(regex.as_str()).map_or(Cow::Borrowed(path), Cow::Owned),
        other => Cow::Borrowed(other),
    }
}

/// Reports a path that is left out, since `winner` has an equal one.
fn report_conflict(host: &HostPattern, loser: MergedPath<'_>, winner: MergedPath<'_>, reports: &mut Reports) {
    let ingress = loser.ingress;
    let (field, winner_field) = (loser.field(), winner.field());
    let is_own = winner.ingress.owner == ingress.owner;
    // A host that an annotation adds to several rules, which have an equal path.
    if let Some(annotation @ HostField::Annotation(_)) = ingress.field_of(host).filter(|_| is_own) {
        return reports.warning(
            &ingress.owner,
            annotation.to_string(),
            Reason::Conflict,
            format!("host {host} has the path of {field} from {winner_field}, for it is added to both"),
            "give the host an Ingress of its own if it should have the other",
        );
    }
    let field = field.to_string();
    // A default backend, which still serves the hosts of its own rules.
    if ingress.catches_all && *host == HostPattern::Any {
        let winner = &winner.ingress.owner;
        return reports.warning(
            &ingress.owner,
            field,
            Reason::Conflict,
            format!("{winner} came first to the hosts that no rule names, so this serves those of its rules alone"),
            "nothing, if the hosts of the rules are all that is meant",
        );
    }
    let is_older = is_own || winner.ingress.age() < ingress.age();
    let goes_first = if is_older { "came first" } else { "has the lower rule-priority" };
    let winner = if is_own { "this Ingress".to_owned() } else { winner.ingress.owner.to_string() };
    let has = match &loser.path.path {
        PathMatch::Any => "has the default backend".to_owned(),
        PathMatch::Exact(path) => format!("has the path {path} (Exact)"),
        PathMatch::Regex(regex) => format!("has the path {}", regex.as_str()),
        other => format!("has the path {other} (Prefix)"),
    };
    reports.error(
        &ingress.owner,
        field,
        Reason::Conflict,
        format!("{winner} {goes_first} and {has} of host {host}, at {winner_field}"),
        "remove one of the two, or change its host or path",
    );
}
