//! The paths of one host, of all Ingresses: the first of several that are equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::site::{At, Field, Path, Site};
use crate::model::{HostPattern, ObjectRef, PathMatch};
use crate::report::Reason;
use crate::translate::report::Reports;

/// A path, and the site that it is of.
pub(super) type SitePath<'a> = (&'a Arc<Site>, &'a Path);

/// The paths of `host`. `sites` are those that have to do with it, oldest first.
pub(super) fn merge<'a>(host: &HostPattern, sites: &'a [Arc<Site>], reports: &mut Reports) -> Vec<SitePath<'a>> {
    let mut taken: BTreeMap<&PathMatch, (&Site, At)> = BTreeMap::new();
    let mut merged = Vec::new();
    for site in sites {
        for path in site.paths.iter().filter(|path| site.host_of(path) == host) {
            let place = site.places[path.place()].at;
            if let Some((winner, field)) = taken.get(&path.path) {
                conflict(site, host, path, place, (&winner.owner, *field), reports);
                continue;
            }
            taken.insert(&path.path, (site, place));
            merged.push((site, path));
        }
    }
    merged
}

fn conflict(
    site: &Site,
    host: &HostPattern,
    path: &Path,
    field: At,
    (winner, winner_field): (&ObjectRef, At),
    reports: &mut Reports,
) {
    let ours = *winner == *site.owner;
    if let Some(annotation @ Field::Annotation(_)) = site.names(host).filter(|_| ours) {
        return reports.warning(
            &site.owner,
            annotation.to_string(),
            Reason::Conflict,
            format!("host {host} has the path of {field} from {winner_field}, for it is added to both"),
            "give the host an Ingress of its own if it should have the other",
        );
    }
    let field = field.to_string();
    if site.catches_all && *host == HostPattern::Any {
        return reports.warning(
            &site.owner,
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
        &site.owner,
        field,
        Reason::Conflict,
        format!("{winner} came first and {what} of host {host}, at {winner_field}"),
        "remove one of the two, or change its host or path",
    );
}
