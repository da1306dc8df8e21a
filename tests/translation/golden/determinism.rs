//! Translation is deterministic: a snapshot gives a byte-identical model, in whatever order its objects came.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;
use steadygate::report::Report;
use steadygate::source::Snapshot;
use steadygate::translate::{Options, translate};

use super::case::{Case, cases};
use super::manifests;

/// The documents of every case, by case.
pub(super) fn inputs() -> &'static [Vec<Value>] {
    static INPUTS: LazyLock<Vec<Vec<Value>>> = LazyLock::new(|| cases().iter().map(Case::documents).collect());
    &INPUTS
}

fn print(documents: &[Value], options: &Options) -> (String, Vec<Report>) {
    let mut snapshot = Snapshot::default();
    for document in documents {
        manifests::add(&mut snapshot, document.clone());
    }
    let translation = translate(&snapshot, options);
    let reports = translation.reports.into_iter().collect();
    (serde_json::to_string(&translation.model).expect("plain data"), reports)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, max_shrink_iters: 16, ..ProptestConfig::default() })]

    #[test]
    fn the_order_in_which_objects_come_does_not_matter(
        (case, order) in any::<prop::sample::Index>().prop_flat_map(|index| {
            let case = index.get(inputs()).clone();
            (Just(case.clone()), Just(case).prop_shuffle())
        }),
        taken_over in any::<bool>(),
        everything_without_class in any::<bool>(),
    ) {
        let serve_controllers = if taken_over { vec!["k8s.io/ingress-nginx".to_owned()] } else { Vec::new() };
        let options = Options { serve_controllers, everything_without_class, ..Options::default() };
        let expected = print(&case, &options);
        prop_assert_eq!(&expected, &print(&order, &options));
        // Within an EndpointSlice the endpoints have no order either; a report names one by its place.
        let mut order = order;
        for document in &mut order {
            if let Some(endpoints) = document.pointer_mut("/endpoints").and_then(Value::as_array_mut) {
                endpoints.reverse();
            }
        }
        prop_assert_eq!(&expected.0, &print(&order, &options).0);
    }
}
