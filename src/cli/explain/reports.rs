//! The reports and objects that have to do with a request.

use std::collections::BTreeSet;

use crate::model::{HostPattern, Kind, ObjectRef};
use crate::report::{Report, Severity};
use crate::source::Snapshot;
use crate::table::{Explanation, Miss};

/// Most errors of other objects that are printed where no route takes the request.
const MAX_ERRORS: usize = 20;

/// The reports of the objects that concern the host, and the objects that name the host but have neither a report nor a route.
/// Where no route was chosen, also the errors of other objects: one may be the cause.
pub(super) fn report_lines(
    reports: &[&Report],
    snapshot: &Snapshot,
    host: &str,
    explanation: &Explanation,
) -> Vec<String> {
    let routed: BTreeSet<&ObjectRef> =
        explanation.considered.iter().filter(|c| c.miss != Some(Miss::Host)).map(|c| &*c.route.owner).collect();
    let naming = naming(snapshot, host);
    let concerns = |report: &Report| {
        routed.contains(&report.object)
            || naming.contains(&report.object)
            || (report.object.kind.is_language() || report.object.kind == Kind::IngressClass)
                && names(&report.message, host)
    };
    let (near, far): (Vec<&Report>, Vec<&Report>) = reports.iter().partition(|report| concerns(report));
    let mut lines: Vec<String> = near.iter().map(|report| format!("report     {report}")).collect();
    let silent =
        naming.iter().filter(|object| !routed.contains(object) && near.iter().all(|report| report.object != **object));
    lines.extend(silent.map(|object| {
        format!("not        {object}: it names the host, and is another controller's or on another port")
    }));
    if explanation.chosen.is_none() {
        let errors: Vec<_> = far.iter().filter(|report| report.severity == Severity::Error).collect();
        lines.extend(errors.iter().take(MAX_ERRORS).map(|report| format!("report     {report}")));
        if let Some(more) = errors.len().checked_sub(MAX_ERRORS).filter(|more| *more > 0) {
            lines.push(format!("report     and {more} more errors: see steadygate check"));
        }
    }
    lines
}

/// The objects of any language and class that name the host.
fn naming(snapshot: &Snapshot, host: &str) -> BTreeSet<ObjectRef> {
    let mut naming = BTreeSet::new();
    for (key, ingress) in &snapshot.ingresses {
        let spec = ingress.unpack().spec;
        let rules = spec.iter().flat_map(|spec| spec.rules.iter().flatten());
        if rules.filter_map(|rule| rule.host.as_deref()).any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::Ingress, key: key.clone() });
        }
    }
    for (key, gateway) in &snapshot.application_gateways {
        let listeners = &gateway.spec.http_listeners;
        if listeners.iter().flat_map(|l| l.host_name.iter().chain(&l.host_names)).any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::ApplicationGateway, key: key.clone() });
        }
    }
    for (key, gateway) in &snapshot.gateways {
        if gateway.spec.listeners.iter().filter_map(|l| l.hostname.as_ref()).any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::Gateway, key: key.clone() });
        }
    }
    for (key, route) in &snapshot.http_routes {
        if route.spec.hostnames.iter().any(|named| is_host(named, host)) {
            naming.insert(ObjectRef { kind: Kind::HTTPRoute, key: key.clone() });
        }
    }
    naming
}

/// Whether a text contains the host as a word.
fn names(text: &str, host: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '*');
    text.split(|c| !is_part(c)).any(|word| is_host(word.trim_end_matches('.'), host))
}

fn is_host(named: &str, host: &str) -> bool {
    !named.is_empty() && HostPattern::gateway(named).is_ok_and(|pattern| pattern.matches(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MatchInput;
    use crate::report::Reason;
    use crate::source::directory;
    use crate::table::compile;
    use crate::translate::{Options, translate};

    const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n";

    fn ingress(name: &str, class: &str, host: &str, path: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: {name}}}\nspec:\n  {class}\n  rules:\n  \
             - host: {host}\n    http: {{paths: [{{path: {path}, pathType: Prefix, backend: {{service: {{name: s, port: {{number: 80}}}}}}}}]}}\n"
        )
    }

    fn class(name: &str, controller: &str) -> String {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}}}\nspec: {{controller: {controller}}}\n"
        )
    }

    /// The report lines for a request for `a.example.com/` on port 80.
    fn lines(text: &str) -> Vec<String> {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("a.yaml"), text).expect("written");
        let input = directory::read(dir.path()).expect("read");
        let options = Options { everything_without_class: true, ..Options::default() };
        let translation = translate(&input.snapshot, &options);
        let table = compile(&translation.model, 1, &Default::default());
        let explanation = table.listener(80).map_or(Explanation { chosen: None, considered: Vec::new() }, |listener| {
            listener.explain("a.example.com", MatchInput::from_path("/"))
        });
        let reports: Vec<_> = input.reports.iter().chain(&translation.reports).collect();
        report_lines(&reports, &input.snapshot, "a.example.com", &explanation)
    }

    #[test]
    fn objects_that_lost_or_are_not_ours_are_shown() {
        let ours = class("ours", "steadygate.io/ingress-controller") + &class("theirs", "example.com/other");
        let all = [
            SERVICE,
            &ours,
            &ingress("first", "ingressClassName: ours", "a.example.com", "/"),
            &ingress("loser", "ingressClassName: ours", "a.example.com", "/"),
            &ingress("foreign", "ingressClassName: theirs", "a.example.com", "/"),
            &ingress("apart", "ingressClassName: theirs", "b.example.com", "/"),
        ];
        let lines = lines(&all.concat());
        let is_shown = |name: &str| lines.iter().any(|line| line.contains(&format!("default/{name}")));
        assert!(is_shown("loser") && is_shown("foreign") && !is_shown("apart"), "{lines:#?}");
    }

    #[test]
    fn where_no_route_is_chosen_every_error_is_shown_up_to_a_number() {
        let refused: String = (0..25).map(|n| ingress(&format!("i{n}"), "x: y", "a.example.com", "/")).collect();
        let lines = lines(&format!("{SERVICE}{refused}"));
        assert_eq!(lines.len(), MAX_ERRORS + 1, "{lines:#?}");
        assert!(lines[0].contains(Reason::InvalidObject.name()) && lines[MAX_ERRORS].contains("and 5 more"));
    }

    #[test]
    fn a_host_is_named_by_a_word() {
        for (text, expected) in [
            ("there is no certificate for \"a.example.com\"", true),
            ("it is a.example.com.", true),
            ("*.example.com goes elsewhere", true),
            ("aa.example.com", false),
            ("a.example.com.org", false),
            ("", false),
        ] {
            assert_eq!(names(text, "a.example.com"), expected, "{text}");
        }
    }
}
