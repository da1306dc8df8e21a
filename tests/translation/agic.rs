//! The configurations of AGIC's own functional tests, translated: `tests/agic` has a folder for each, with the objects and what
//! they must lead to. Its README says where they come from, and where Steadygate differs on purpose.

mod facts;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use steadygate::model::{Action, HostPattern, MatchInput, Model, Protocol};
use steadygate::report::Report;
use steadygate::source::directory;
use steadygate::table::{RoutingTable, compile};
use steadygate::translate::{Options, translate};

use facts::{assert_backend, text};

/// One case: what the objects of `input.yaml` are translated to, and `expected.yaml`.
struct Case {
    model: Model,
    table: RoutingTable,
    reports: Vec<Report>,
    expected: Value,
}

impl Case {
    fn read(folder: &Path) -> Self {
        Self::of(folder, &fs::read_to_string(folder.join("input.yaml")).expect("input.yaml"))
    }

    /// A case whose objects are those of `manifest`.
    fn of(folder: &Path, manifest: &str) -> Self {
        let manifests = tempfile::tempdir().expect("a folder");
        fs::write(manifests.path().join("input.yaml"), manifest).expect("written");
        let input = directory::read(manifests.path()).expect("readable");
        let options = Options {
            serve_controllers: vec!["azure/application-gateway".to_owned()],
            everything_without_class: true,
            ..Options::default()
        };
        let translation = translate(&input.snapshot, &options);
        let expected = fs::read_to_string(folder.join("expected.yaml")).expect("expected.yaml");
        Self {
            table: compile(&translation.model, 1, &Default::default()),
            model: translation.model,
            reports: input.reports.iter().chain(&translation.reports).cloned().collect(),
            expected: serde_saphyr::from_str(&expected).expect("YAML"),
        }
    }

    /// What a request gets, in the words of `expected.yaml`.
    fn answer(&self, url: &str) -> String {
        let url: http::Uri = url.parse().expect("a URL");
        let scheme = url.scheme_str().expect("a scheme");
        let port = url.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
        let Some(listener) = self.table.listener(port) else { return format!("refused {port}") };
        assert_eq!(listener.protocol, if scheme == "https" { Protocol::Https } else { Protocol::Http }, "{url}");
        let host = url.host().expect("a host");
        let Some(target) = listener.find(host, MatchInput::from_path(url.path())) else { return "404".to_owned() };
        match &target.route.action {
            Action::Forward(forward) => {
                // The Service alone: of two Ingresses that lead there, either may have the path.
                let ids = forward.pools.ids().map(|id| id.0.split(' ').next().unwrap_or_default().to_owned());
                ids.collect::<Vec<_>>().join(",")
            }
            Action::Redirect(redirect) => {
                assert_eq!(redirect.https_listener(host), Some(443), "{url}");
                format!("{} https://{host}{}", redirect.status, url.path_and_query().expect("a path"))
            }
            Action::Unavailable(unavailable) => format!("503 {}", unavailable.reason),
            _ => "404".to_owned(),
        }
    }

    /// What a request must get, in the same words.
    fn expected_answer(&self, request: &Value) -> String {
        let expected = request.get("input").unwrap_or(request);
        if let Some(backend) = expected.get("to") {
            let id = facts::pool_id(&self.expected["backends"][text(backend)]);
            return id.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some(status) = expected.get("redirect") {
            return format!("{status} {}", text(&expected["location"]));
        }
        match expected.get("refused") {
            Some(port) => format!("refused {port}"),
            None => expected["status"].to_string(),
        }
    }
}

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agic");
    let entries = fs::read_dir(root).expect("a folder").map(|entry| entry.expect("readable").path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    assert_eq!(folders.len(), 22, "the cases are where they are expected");
    folders
}

/// Checks each case, and names it where it fails.
fn for_each_case(check: impl Fn(&Case) + std::panic::RefUnwindSafe) {
    let mut failed = Vec::new();
    for folder in cases() {
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        if std::panic::catch_unwind(|| check(&Case::read(&folder))).is_err() {
            failed.push(name);
        }
    }
    assert_eq!(failed, Vec::<String>::new(), "these cases do not hold");
}

#[test]
fn every_request_gets_what_it_gets_from_agic() {
    for_each_case(|case| {
        for request in case.expected["requests"].as_array().expect("requests") {
            let url = text(&request["get"]);
            assert_eq!(case.answer(url), case.expected_answer(request), "{url}");
        }
    });
}

#[test]
fn every_backend_has_its_members_and_is_asked_as_agic_asks_it() {
    for_each_case(|case| {
        for backend in case.expected["backends"].as_object().expect("backends").values() {
            // One that no rule names, and the one that Azure wants where there is no Ingress, are not there.
            if backend.get("unused").is_none() && backend.get("service").is_some() {
                assert_backend(&case.model, backend);
            }
        }
    });
}

#[test]
fn the_listeners_are_those_of_agic_with_their_certificates() {
    for_each_case(|case| {
        let mut expected = BTreeSet::new();
        let listeners = case.expected["listeners"].as_array().expect("listeners").iter();
        for listener in listeners.filter(|listener| listener.get("only").is_none_or(|only| only == "input")) {
            let hosts: Vec<&str> = listener["hosts"].as_array().expect("hosts").iter().map(text).collect();
            let certificate = listener.get("certificate").map(|certificate| text(&certificate["input"]).to_owned());
            for host in if hosts.is_empty() { vec!["*"] } else { hosts } {
                expected.insert((listener["port"].to_string(), host.to_owned(), certificate.clone()));
            }
        }
        let mut actual = BTreeSet::new();
        for (port, listener) in &case.model.listeners {
            for (host, routes) in &listener.hosts {
                let default = listener.default_certificate.as_ref().filter(|_| *host == HostPattern::Any);
                let certificate = routes.certificate.as_ref().or(default).map(ToString::to_string);
                actual.insert((port.to_string(), host.to_string(), certificate));
            }
        }
        assert_eq!(actual, expected);
    });
}

#[test]
fn exactly_the_backends_of_agics_rewrites_have_them() {
    let mut cases_with_rewrites = 0;
    for folder in cases() {
        let manifest = fs::read_to_string(folder.join("input.yaml")).expect("input.yaml");
        // `xx` names no variable, and leaves the rule out.
        let case = Case::of(&folder, &manifest.replace("variable: xx", "variable: http_req_xx"));
        facts::assert_rewrites(&case.model, &case.expected);
        cases_with_rewrites += usize::from(case.expected.get("rewriteSets").is_some());
    }
    assert_eq!(cases_with_rewrites, 4);
}

#[test]
fn exactly_what_differs_is_reported() {
    for_each_case(|case| {
        let reports = case.reports.iter();
        let actual: BTreeSet<_> =
            reports.map(|report| format!("{}: {}: {}", report.object, report.field, report.reason.name())).collect();
        let expected = case.expected["reports"].get("input").and_then(Value::as_array);
        let expected: BTreeSet<_> = expected.into_iter().flatten().map(|line| text(line).to_owned()).collect();
        assert_eq!(actual, expected);
    });
}
