//! AzureIngressProhibitedTarget: hosts and paths that no Ingress of a class of AGIC may serve.
//!
//! In Azure, AGIC leaves such a target to whoever else configures the Application Gateway. Here nobody else does, so requests for it are
//! refused. It guards: where its host or a path can't be read, every host or path is prohibited.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parsed::ParsedIngress;
use crate::api::agic::{AzureIngressProhibitedTarget, AzureIngressProhibitedTargetSpec};
use crate::model::{
    HostPattern, Kind, ObjectRef, PathMatch, PolicyOrigin, ProhibitedTarget, ProhibitedTargets, RouteMatch,
};
use crate::report::{Reason, Report};
use crate::source::{Key, Snapshot};
use crate::translate::assembly::Assembly;
use crate::translate::claim::covers;
use crate::translate::class::ClassOrigin;
use crate::translate::report::Reports;

/// Every prohibited target, by its object.
#[derive(Debug, Default)]
pub(super) struct Prohibitions(BTreeMap<Key, Prohibition>);

#[derive(Debug)]
struct Prohibition {
    target: ProhibitedTarget,
    reports: Box<[Report]>,
}

impl Prohibitions {
    /// Reads a new version of an object, or forgets one that is gone. Gives the hosts that it prohibits or prohibited.
    pub(super) fn replace(&mut self, key: &Key, snapshot: &Snapshot, assembly: &mut Assembly) -> Vec<HostPattern> {
        let before = self.0.remove(key);
        let mut touched: Vec<_> = before.iter().map(|before| before.target.host.clone()).collect();
        let mut reports = before.map(|before| before.reports).unwrap_or_default();
        let mut found = Reports::default();
        let target = snapshot.azure_prohibited_targets.get(key).map(|object| read(key, object, &mut found));
        assembly.reports.replace(&mut reports, found.into_sorted());
        if let Some(target) = target {
            touched.push(target.host.clone());
            self.0.insert(key.clone(), Prohibition { target, reports });
        }
        touched
    }

    /// The targets that a route of an Ingress may be asked for. They are reported to the Ingress.
    pub(super) fn of_route(
        &self,
        ingress: &ParsedIngress,
        host: &HostPattern,
        matches: &RouteMatch,
        reports: &mut Reports,
    ) -> Option<Arc<ProhibitedTargets>> {
        if self.0.is_empty() || ingress.class.origin != ClassOrigin::Agic {
            return None;
        }
        let targets = self.0.values().map(|prohibition| &prohibition.target);
        let targets: Vec<_> = targets.filter(|target| is_asked(target, host, &matches.path)).cloned().collect();
        let field = || ingress.field_of(host).map(|field| field.to_string()).unwrap_or_default();
        for ProhibitedTarget { origin, .. } in &targets {
            let by = &origin.owner;
            let message = format!("{by} prohibits requests that host {host} takes in, so these answer 503");
            let remedy = "delete that object, or narrow its hostname and paths, if they may be served here";
            reports.error(&ingress.owner, field(), Reason::ProhibitedTarget, message, remedy);
        }
        (!targets.is_empty()).then(|| Arc::new(ProhibitedTargets(targets)))
    }
}

/// Whether some request for a host and path may be for a target.
fn is_asked(target: &ProhibitedTarget, host: &HostPattern, path: &PathMatch) -> bool {
    overlaps(&target.host, host) && target.paths.iter().any(|prohibited| meets(prohibited, path))
}

/// Whether some host may be one of both. Two wildcards may always have one in common.
pub(super) fn overlaps(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::Exact(_), wide) => covers(wide, one),
        (wide, HostPattern::Exact(_)) => covers(wide, other),
        _ => true,
    }
}

/// Whether some path may meet both conditions: one that is an example of the one or of the other. A regular expression may have any path.
fn meets(one: &PathMatch, other: &PathMatch) -> bool {
    matches!(other, PathMatch::Regex(_))
        || one.matches(other.example())
        || other.matches(one.example())
        || is_wide(one) && is_wide(other) && shares_start(one, other)
}

/// Whether the condition is for more than one path.
fn is_wide(path: &PathMatch) -> bool {
    !matches!(path, PathMatch::Exact(_) | PathMatch::PatternExact(_))
}

fn shares_start(one: &PathMatch, other: &PathMatch) -> bool {
    let (one, other) = (one.example().to_ascii_lowercase(), other.example().to_ascii_lowercase());
    one.starts_with(&other) || other.starts_with(&one)
}

/// Reads an object. What can't be read prohibits all.
fn read(key: &Key, object: &AzureIngressProhibitedTarget, reports: &mut Reports) -> ProhibitedTarget {
    let owner = ObjectRef { kind: Kind::AzureIngressProhibitedTarget, key: key.clone() };
    // The address and port of a gateway in Azure: here they would leave open what is to be closed.
    let AzureIngressProhibitedTargetSpec { ip: _, hostname, port: _, paths } = &object.spec;
    let host = HostPattern::gateway(hostname.as_deref().unwrap_or_default().trim()).unwrap_or_else(|error| {
        let message = format!(
            "{:?} is not a host, so every host is prohibited: {error}",
            hostname.as_deref().unwrap_or_default()
        );
        reports.error(&owner, "spec.hostname", Reason::InvalidValue, message, "correct the host");
        HostPattern::Any
    });
    let mut prohibited = Vec::new();
    for (index, text) in paths.iter().enumerate() {
        match read_path(text) {
            Ok(matches) => prohibited.extend(matches),
            Err(error) => {
                let message = format!("{text:?} is not a path, so every path is prohibited: {error}");
                let remedy = "begin it with '/', with '/*' at its end";
                reports.error(&owner, format!("spec.paths[{index}]"), Reason::InvalidValue, message, remedy);
                prohibited.push(PathMatch::Any);
            }
        }
    }
    if prohibited.is_empty() || prohibited.contains(&PathMatch::Any) {
        prohibited = vec![PathMatch::Any];
    }
    ProhibitedTarget { origin: PolicyOrigin { owner: Arc::new(owner), field: "spec".into() }, host, paths: prohibited }
}

/// Reads a path: `/fox/*` is `/fox` and what is below it, in either case.
fn read_path(text: &str) -> Result<Vec<PathMatch>, crate::model::PathMatchError> {
    let parent = text.trim().trim_end_matches('*').trim_end_matches('/');
    if parent.is_empty() && text.starts_with('/') {
        return Ok(vec![PathMatch::Any]);
    }
    Ok(vec![PathMatch::pattern(parent)?, PathMatch::pattern(&format!("{parent}/*"))?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_a_star_is_itself_and_what_is_below_it() {
        let prohibits =
            |text: &str, path: &str| read_path(text).is_ok_and(|all| all.iter().any(|one| one.matches(path)));
        for (text, path, expected) in [
            ("/fox/*", "/fox", true),
            ("/fox/*", "/FOX/den", true),
            ("/fox/*", "/foxes", false),
            ("/fox", "/fox/den", true),
            ("/*", "/", true),
            ("/", "/any", true),
            ("fox", "/fox", false),
        ] {
            assert_eq!(prohibits(text, path), expected, "{text} {path}");
        }
        assert!(read_path("fox").is_err() && read_path("").is_err());
    }

    #[test]
    fn conditions_meet_where_one_path_may_be_for_both() {
        let prefix = |text| PathMatch::prefix(text).expect("a path");
        let exact = |text| PathMatch::exact(text).expect("a path");
        let prohibited = |text| read_path(text).expect("a path");
        for (text, path, expected) in [
            ("/fox/*", prefix("/"), true),
            ("/fox/*", prefix("/fox/den"), true),
            ("/fox/*", exact("/fox/den"), true),
            ("/fox/*", exact("/Fox"), true),
            ("/fox/*", exact("/"), false),
            ("/fox/*", prefix("/hen"), false),
            ("/*", exact("/hen"), true),
        ] {
            assert_eq!(prohibited(text).iter().any(|one| meets(one, &path)), expected, "{text} {path}");
        }
    }
}
