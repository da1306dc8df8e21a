//! The namespaces whose routes a listener takes (`allowedRoutes.namespaces`).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::source::{Key, Snapshot};

/// The label with the name of a namespace, which an API server writes itself.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// A choice of namespaces.
#[derive(Debug)]
pub(super) enum AllowedNamespaces<'a> {
    All,
    /// The Gateway's own.
    Same,
    Selector(&'a LabelSelector),
    None,
}

impl AllowedNamespaces<'_> {
    /// Whether it has a namespace. `own`: that of the Gateway.
    pub(super) fn has(&self, namespace: &str, own: &str, snapshot: &Snapshot) -> bool {
        match self {
            Self::All => true,
            Self::Same => namespace == own,
            Self::Selector(selector) => selects(selector, &labels(namespace, snapshot)),
            Self::None => false,
        }
    }
}

/// The labels of a namespace. A directory need not have its object.
fn labels(namespace: &str, snapshot: &Snapshot) -> BTreeMap<String, String> {
    let object = snapshot.namespaces.get(&Key::new("", namespace));
    let mut labels = object.and_then(|object| object.metadata.labels.clone()).unwrap_or_default();
    labels.insert(NAME_LABEL.to_owned(), namespace.to_owned());
    labels
}

/// Whether a selector selects an object with these labels. An operator that is not known selects nothing.
fn selects(
    LabelSelector { match_labels, match_expressions }: &LabelSelector,
    labels: &BTreeMap<String, String>,
) -> bool {
    let is_met = |LabelSelectorRequirement { key, operator, values }: &LabelSelectorRequirement| {
        let value = labels.get(key);
        let is_listed = value.is_some_and(|value| values.iter().flatten().any(|listed| listed == value));
        match operator.as_str() {
            "In" => is_listed,
            "NotIn" => !is_listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    };
    match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value))
        && match_expressions.iter().flatten().all(is_met)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn a_selector_selects_by_labels_and_expressions() {
        let labels = [("team".to_owned(), "a".to_owned())].into();
        for (selector, expected) in [
            (json!({}), true),
            (json!({"matchLabels": {"team": "a"}}), true),
            (json!({"matchLabels": {"team": "b"}}), false),
            (json!({"matchExpressions": [{"key": "team", "operator": "In", "values": ["b", "a"]}]}), true),
            (json!({"matchExpressions": [{"key": "team", "operator": "NotIn", "values": ["a"]}]}), false),
            (json!({"matchExpressions": [{"key": "other", "operator": "NotIn", "values": ["a"]}]}), true),
            (json!({"matchExpressions": [{"key": "team", "operator": "Exists"}]}), true),
            (json!({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}), false),
            (json!({"matchLabels": {"team": "a"}, "matchExpressions": [{"key": "x", "operator": "Exists"}]}), false),
            (json!({"matchExpressions": [{"key": "team", "operator": "Near"}]}), false),
        ] {
            let read: LabelSelector = from_value(selector.clone()).expect("a selector");
            assert_eq!(selects(&read, &labels), expected, "{selector}");
        }
        let by_name = from_value(json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}})).expect("a selector");
        assert!(AllowedNamespaces::Selector(&by_name).has("shop", "edge", &Snapshot::default()));
    }
}
