//! Translation of hostile values: none makes it panic, print a key, or give a model with a name that leads nowhere.

use proptest::prelude::*;
use serde_json::Value;
use steadygate::source::Snapshot;
use steadygate::translate::{Options, translate};

use super::manifests;

/// Values for fields that expect others.
const STRANGE: &[&str] = &[
    "",
    "/",
    "*",
    "*.",
    ".",
    "..",
    "-",
    "::",
    "0",
    "-1",
    "65536",
    "999999999999",
    "a/b",
    "a b",
    "[::1]:80",
    "é",
    "\u{0}",
    "%",
    "{{cert:a}}",
    "true",
    "Exact",
    "Prefix",
    "Https",
    "10.0.0.1",
    "~^(.*)$",
    "200-399",
    "/a/../b",
    "/%2f",
    "/é",
    "a:b:c",
];

/// Replaces the `at`-th scalar of a document, counted in its order.
fn replace(value: &mut Value, at: &mut usize, with: &Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, at, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, at, with)),
        scalar => {
            if *at == 0 {
                *scalar = with.clone();
            }
            *at = at.wrapping_sub(1);
        }
    }
}

fn strange() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(STRANGE).prop_map(|text| Value::String(text.to_owned())),
        any::<i32>().prop_map(Value::from),
        Just(Value::Null),
        Just(Value::Bool(true)),
        "[ -~]{0,300}".prop_map(Value::String),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_value_makes_translation_panic(
        case in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..60usize, strange()), 1..6),
    ) {
        let all = super::determinism::inputs();
        let mut documents = case.get(all).clone();
        for (document, at, value) in &changes {
            let index = document.index(documents.len());
            let mut at = *at;
            replace(&mut documents[index], &mut at, value);
        }
        let mut snapshot = Snapshot::default();
        for document in documents {
            // What is no object of its kind is the source's to refuse.
            manifests::try_add(&mut snapshot, document);
        }
        let options = Options { everything_without_class: true, ..Options::default() };
        let translation = translate(&snapshot, &options);
        let model = translation.model;
        for (port, listener) in &model.listeners {
            prop_assert!(*port > 0);
            for route in listener.hosts.values().flat_map(|host| &host.routes) {
                for pool in route.action.pools() {
                    prop_assert!(model.pools.contains_key(pool), "{pool} has no pool");
                }
            }
            let named = listener.hosts.values().filter_map(|host| host.certificate.as_ref());
            for certificate in named.chain(&listener.default_certificate) {
                prop_assert!(model.certificates.contains_key(certificate), "{certificate} is not there");
            }
        }
        for report in &translation.reports {
            let text = report.to_string();
            prop_assert!(!text.contains("PRIVATE KEY"), "{text}");
            prop_assert!(!report.message.is_empty() && !report.remedy.is_empty(), "{text}");
        }
    }
}
