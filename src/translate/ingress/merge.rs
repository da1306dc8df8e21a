//! The paths of one host, of all Ingresses: the first of several that are equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parsed::{BackendField, HostField, IngressPath, ParsedIngress};
use crate::model::{HostPattern, ObjectRef, PathMatch};
use crate::report::Reason;
use crate::translate::report::Reports;

/// A path, and the Ingress that it is of.
pub(super) type MergedPath<'a> = (&'a Arc<ParsedIngress>, &'a IngressPath);

/// The paths of `host`. `ingresses` are those that have to do with it, oldest first.
pub(super) fn merge<'a>(
    host: &HostPattern,
    ingresses: &'a [Arc<ParsedIngress>],
    reports: &mut Reports,
) -> Vec<MergedPath<'a>> {
    let mut taken: BTreeMap<&PathMatch, (&ParsedIngress, BackendField)> = BTreeMap::new();
    let mut merged = Vec::new();
    for ingress in ingresses {
        for path in ingress.paths.iter().filter(|path| ingress.host_of(path) == host) {
            let field = ingress.backends[path.backend()].field;
            if let Some((winner, winner_field)) = taken.get(&path.path) {
                conflict(ingress, host, path, field, (&winner.owner, *winner_field), reports);
                continue;
            }
            taken.insert(&path.path, (ingress, field));
            merged.push((ingress, path));
        }
    }
    merged
}

fn conflict(
    ingress: &ParsedIngress,
    host: &HostPattern,
    path: &IngressPath,
    field: BackendField,
    (winner, winner_field): (&ObjectRef, BackendField),
    reports: &mut Reports,
) {
    let ours = *winner == *ingress.owner;
    if let Some(annotation @ HostField::Annotation(_)) = ingress.field_of(host).filter(|_| ours) {
        return reports.warning(
            &ingress.owner,
            annotation.to_string(),
            Reason::Conflict,
            format!("host {host} has the path of {field} from {winner_field}, for it is added to both"),
            "give the host an Ingress of its own if it should have the other",
        );
    }
    let field = field.to_string();
    if ingress.catches_all && *host == HostPattern::Any {
        return reports.warning(
            &ingress.owner,
            field,
            Reason::Conflict,
            format!("{winner} came first to the hosts that no rule names, so this serves those of its rules alone"),
            "nothing, if the hosts of the rules are all that is meant",
        );
    }
    let winner = if ours { "this Ingress".to_owned() } else { winner.to_string() };
    let what = match &path.path {
        PathMatch::Any => "has the default backend".to_owned(),
        PathMatch::Exact(path) => format!("has the path {path} (Exact)"),
        other => format!("has the path {other} (Prefix)"),
    };
    reports.error(
        &ingress.owner,
        field,
        Reason::Conflict,
        format!("{winner} came first and {what} of host {host}, at {winner_field}"),
        "remove one of the two, or change its host or path",
    );
}
