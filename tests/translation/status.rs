//! Status, by example: `tests/status/<case>.yaml` holds manifests, then a line `# Output`, then each status that is to be
//! written and each Event. `BLESS=1` rewrites the output.
//!
//! Headers in the first lines: `# publish: ADDRESS` publishes an address, `# down: ADDRESS` lets a member fail its probe, and
//! `# unopened: PORT` leaves a port closed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{IngressLoadBalancerStatus, IngressStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use steadygate::model::{Address, EndpointState, Kind, Model, ObjectRef, PoolId};
use steadygate::source::{Key, Snapshot};
use steadygate::status::{
    DesiredStatus, Facts, MemberState, PlanInput, PoolHealth, PublishedAddresses, StatusChange, notices,
};
use steadygate::translate::{CONTROLLER, Options, translate};

use crate::golden::manifests;

const MARK: &str = "# Output\n";

/// All that a plan of writes is made from.
struct Case {
    facts: Facts,
    health: BTreeMap<PoolId, PoolHealth>,
    publish: PublishedAddresses,
    written: BTreeMap<ObjectRef, DesiredStatus>,
}

impl Case {
    fn read(input: &str) -> Self {
        let heads = |key: &str| -> Vec<String> {
            let lines = input.lines().take_while(|line| line.starts_with('#'));
            lines.filter_map(|line| line.strip_prefix(key)).map(str::to_owned).collect()
        };
        let down: BTreeSet<String> = heads("# down: ").into_iter().collect();
        let unopened =
            heads("# unopened: ").into_iter().map(|port| (port.parse().expect("a port"), "taken".to_owned()));
        let published = heads("# publish: ");
        let publish =
            if published.is_empty() { PublishedAddresses::Nothing } else { PublishedAddresses::Addresses(published) };
        let snapshot = Arc::new(manifests::read(input));
        let translation = translate(&snapshot, &Options::default());
        Self {
            health: health(&translation.model, &down),
            facts: Facts {
                generation: 1,
                snapshot,
                served: Arc::new(translation.served),
                reports: Arc::new(translation.reports),
                unopened: unopened.collect(),
            },
            publish,
            written: BTreeMap::new(),
        }
    }

    fn plan(&self, seconds: i64) -> Vec<StatusChange> {
        let now = Timestamp::from_second(seconds).expect("a time");
        let Self { facts, health, publish, written } = self;
        PlanInput { facts, health, publish, manager: CONTROLLER, written, now }.plan()
    }

    /// Applies a status to the snapshot, as an API server does.
    fn apply(&mut self, changes: &[StatusChange]) {
        let mut snapshot = Snapshot::clone(&self.facts.snapshot);
        let entry = ManagedFieldsEntry {
            manager: Some(CONTROLLER.to_owned()),
            subresource: Some("status".to_owned()),
            ..ManagedFieldsEntry::default()
        };
        for StatusChange { object, status, .. } in changes {
            let key = object.key.clone();
            let owned = (*status != DesiredStatus::Nothing).then(|| vec![entry.clone()]);
            if let DesiredStatus::GatewayClass(status) = status {
                let object = Arc::make_mut(snapshot.gateway_classes.get_mut(&key).expect("there"));
                (object.status, object.metadata.managed_fields) = (Some((**status).clone()), owned);
            } else if let DesiredStatus::HttpRoute(status) = status {
                let object = Arc::make_mut(snapshot.http_routes.get_mut(&key).expect("there"));
                (object.status, object.metadata.managed_fields) = (Some((**status).clone()), owned);
            } else if object.kind == Kind::Gateway {
                let object = Arc::make_mut(snapshot.gateways.get_mut(&key).expect("there"));
                let status = if let DesiredStatus::Gateway(status) = status.clone() { Some(*status) } else { None };
                (object.status, object.metadata.managed_fields) = (status, owned);
            } else if object.kind == Kind::Ingress {
                let packed = snapshot.ingresses.get_mut(&key).expect("there");
                let mut object = packed.unpack();
                object.status = match status.clone() {
                    DesiredStatus::Ingress(addresses) => {
                        let load_balancer = Some(IngressLoadBalancerStatus { ingress: Some(addresses) });
                        Some(IngressStatus { load_balancer })
                    }
                    _ => None,
                };
                object.metadata.managed_fields = owned;
                *packed = Arc::new(object.into());
            } else {
                let object = Arc::make_mut(snapshot.application_gateways.get_mut(&key).expect("there"));
                let status =
                    if let DesiredStatus::ApplicationGateway(status) = status.clone() { Some(*status) } else { None };
                (object.status, object.metadata.managed_fields) = (status, owned);
            }
        }
        self.facts.snapshot = Arc::new(snapshot);
    }
}

fn health(model: &Model, down: &BTreeSet<String>) -> BTreeMap<PoolId, PoolHealth> {
    let mut health: BTreeMap<PoolId, PoolHealth> = BTreeMap::new();
    for (id, pool) in &model.pools {
        let of_pool = health.entry(id.clone()).or_default();
        for endpoint in &pool.endpoints {
            let Address::Socket(address) = &endpoint.address else {
                of_pool.unresolved += 1;
                continue;
            };
            let state = match (endpoint.state, down.contains(&address.ip().to_string())) {
                (EndpointState::NotReady, _) => MemberState::NotReady,
                (EndpointState::Terminating { .. } | EndpointState::Ending { .. }, _) => MemberState::Draining,
                (EndpointState::Ready, true) => MemberState::Down,
                (EndpointState::Ready, false) => MemberState::Up,
            };
            of_pool.members.push((*address, state));
        }
    }
    health
}

#[test]
fn every_case_gets_the_status_as_written() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut wrong = Vec::new();
    for file in cases() {
        let text = fs::read_to_string(&file).expect("readable");
        let (input, expected) = text.split_once(MARK).unwrap_or((&text, ""));
        let case = Case::read(input);
        let actual = print(&case, &case.plan(0));
        if bless {
            fs::write(&file, format!("{}\n{MARK}{actual}", input.trim_end())).expect("writable");
        } else if actual != expected {
            wrong.push(format!("{}: expected\n{expected}\nactual\n{actual}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "run with BLESS=1 if this is meant:\n{}", wrong.join("\n"));
}

#[test]
fn a_status_that_is_written_is_not_written_again() {
    for file in cases() {
        let text = fs::read_to_string(&file).expect("readable");
        let mut case = Case::read(text.split_once(MARK).map_or(&*text, |(input, _)| input));
        let changes = case.plan(0);
        // The watch has not shown it yet.
        case.written = changes.iter().map(|change| (change.object.clone(), change.status.clone())).collect();
        assert_eq!(case.plan(60), [], "{}", file.display());
        // Now it has.
        case.written.clear();
        case.apply(&changes);
        assert_eq!(case.plan(60), [], "{}", file.display());
    }
}

#[test]
fn a_condition_keeps_its_time_until_its_status_changes() {
    let file = cases().into_iter().find(|file| file.ends_with("gateway.yaml")).expect("there");
    let text = fs::read_to_string(file).expect("readable");
    let mut case = Case::read(text.split_once(MARK).map_or(&*text, |(input, _)| input));
    let first = case.plan(0);
    case.apply(&first);
    case.facts.unopened = BTreeMap::from([(80, "taken".to_owned())]);
    let second = case.plan(60);
    let [StatusChange { status: DesiredStatus::ApplicationGateway(status), .. }] = &second[..] else {
        panic!("{second:?}")
    };
    let times: Vec<_> =
        status.conditions.iter().map(|each| (each.type_.as_str(), each.last_transition_time.0.as_second())).collect();
    assert_eq!(times, [("Accepted", 0), ("Programmed", 60), ("ResolvedRefs", 0)]);
}

#[test]
fn the_address_in_a_status_is_kept_while_it_is_unknown() {
    let mut case = Case::read("");
    let text = "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: ours}\n\
        spec: {controller: steadygate.io/ingress-controller}\n---\n\
        apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: site, namespace: default}\n\
        spec: {ingressClassName: ours, defaultBackend: {service: {name: gone, port: {number: 80}}}}\n\
        status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}\n";
    case.facts = Case::read(text).facts;
    case.publish = PublishedAddresses::Service(Key::new("default", "not-there-now"));
    assert_eq!(case.plan(0), []);
    case.publish = PublishedAddresses::Addresses(vec!["192.0.2.2".to_owned()]);
    assert_eq!(case.plan(0).len(), 1, "a route that answers 503 is served, too");
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/status");
    let mut cases: Vec<_> = fs::read_dir(folder).expect("there").map(|entry| entry.expect("readable").path()).collect();
    cases.sort();
    assert!(cases.len() >= 4, "the cases are not where they are expected");
    cases
}

/// A status without the times of its conditions, which are the same everywhere.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.remove("lastTransitionTime");
            fields.values_mut().for_each(|field| *field = without_times(field.take()));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_times(item.take())),
        _ => {}
    }
    value
}

fn print(case: &Case, changes: &[StatusChange]) -> String {
    let status = |change: &StatusChange| match &change.status {
        DesiredStatus::Ingress(addresses) => json!(addresses),
        DesiredStatus::ApplicationGateway(status) => without_times(json!(status)),
        DesiredStatus::GatewayClass(status) => without_times(json!(status)),
        DesiredStatus::Gateway(status) => without_times(json!(status)),
        DesiredStatus::HttpRoute(status) => without_times(json!(status)),
        DesiredStatus::Nothing => json!("taken back"),
    };
    let status: BTreeMap<_, _> = changes.iter().map(|change| (change.object.to_string(), status(change))).collect();
    let events: Vec<Value> = notices(&case.facts.reports, &case.facts.snapshot)
        .into_iter()
        .map(|(name, notice)| json!({"name": name, "about": notice.object.to_string(), "note": notice.note}))
        .collect();
    serde_saphyr::to_string(&json!({"status": status, "events": events})).expect("plain data")
}
