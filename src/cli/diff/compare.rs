//! The differences between two models.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::view::{ConfigView, ListenerView, PoolView};
use crate::admin::Fingerprints;
use crate::model::EndpointState;

/// All differences.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Differences {
    pub(super) listeners: Vec<Difference>,
    pub(super) routes: Vec<Difference>,
    pub(super) pools: Vec<Difference>,
    pub(super) certificates: Vec<Difference>,
    /// What could not be compared.
    pub(super) unknown: Vec<String>,
}

/// A listener, route, pool or certificate that is added, removed or changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Difference {
    pub(super) name: String,
    pub(super) change: ChangeKind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<FieldDifference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ChangeKind {
    Added,
    Removed,
    Changed,
}

/// A field before and after the change; null where it is not there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct FieldDifference {
    pub(super) field: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

impl Differences {
    /// Compares two models.
    pub(super) fn between(old: &ConfigView, new: &ConfigView) -> Self {
        let prints = old.fingerprints.as_ref().zip(new.fingerprints.as_ref());
        let (one, other) = prints.unzip();
        let mut routes_changed = compare(&routes(old), &routes(new));
        routes_changed.extend(reordered(old, new));
        Self {
            listeners: compare(&listeners(old), &listeners(new)),
            routes: routes_changed,
            pools: compare(&pools(old, one), &pools(new, other)),
            certificates: compare(&certificates(old, one), &certificates(new, other)),
            unknown: if prints.is_none() { uncompared(old, new) } else { Vec::new() },
        }
    }

    /// Whether it is certain that nothing differs.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The parts of a model by name, each with its fields.
type NamedParts = BTreeMap<String, Value>;

fn compare(old: &NamedParts, new: &NamedParts) -> Vec<Difference> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| {
        let (change, fields) = match (old.get(name), new.get(name)) {
            (Some(_), None) => (ChangeKind::Removed, Vec::new()),
            (None, _) => (ChangeKind::Added, Vec::new()),
            (Some(old), Some(new)) => {
                let mut fields = Vec::new();
                leaves("", old, new, &mut fields);
                if fields.is_empty() {
                    return None;
                }
                (ChangeKind::Changed, fields)
            }
        };
        Some(Difference { name: name.clone(), change, fields })
    };
    names.into_iter().filter_map(change).collect()
}

/// Finds the fields that differ, by their paths.
fn leaves(path: &str, old: &Value, new: &Value, found: &mut Vec<FieldDifference>) {
    if old == new {
        return;
    }
    let (Value::Object(one), Value::Object(other)) = (old, new) else {
        return found.push(field(path, old, new));
    };
    match (tag(one), tag(other)) {
        // The name of an enum's variant is not part of the path.
        (Some(tag), Some(same)) if tag == same => return leaves(path, &one[tag], &other[tag], found),
        (None, None) if !is_duration(one) && !is_duration(other) => {}
        _ => return found.push(field(path, old, new)),
    }
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let value = |object: &Map<String, Value>| object.get(name).cloned().unwrap_or_default();
        leaves(&path, &value(one), &value(other), found);
    }
}

fn field(path: &str, old: &Value, new: &Value) -> FieldDifference {
    let name = if path.is_empty() { "action" } else { path };
    FieldDifference { field: name.to_owned(), before: shown(old), after: shown(new) }
}

/// The name of an enum's variant, if the object is a variant with content.
fn tag(object: &Map<String, Value>) -> Option<&String> {
    object.keys().next().filter(|key| object.len() == 1 && key.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn is_duration(object: &Map<String, Value>) -> bool {
    object.len() == 2 && object.contains_key("secs") && object.contains_key("nanos")
}

/// A value as it is shown: a duration as text, a variant as its name and its pool or reason.
fn shown(value: &Value) -> Value {
    match value {
        Value::Object(object) if tag(object).is_some() => {
            let tag = tag(object).map_or("", String::as_str);
            let content = &object[tag];
            let most = content.get("pool").or(content.get("reason")).unwrap_or(content);
            most.as_str().map_or_else(|| tag.to_owned(), |most| format!("{tag} {most}")).into()
        }
        Value::Object(object) if is_duration(object) => {
            let part = |name: &str| object[name].as_u64().unwrap_or_default();
            let duration = std::time::Duration::new(part("secs"), (part("nanos") % 1_000_000_000) as u32);
            format!("{duration:?}").into()
        }
        Value::Object(object) => object.iter().map(|(name, value)| (name.clone(), shown(value))).collect(),
        other => other.clone(),
    }
}

fn listeners(view: &ConfigView) -> NamedParts {
    let fields = |listener: &ListenerView| {
        let certificate = |certificate: &Option<String>| certificate.clone().map_or(Value::Null, Value::from);
        let mut fields = Map::new();
        fields.insert("protocol".to_owned(), listener.protocol.clone().into());
        fields.insert("certificate".to_owned(), certificate(&listener.default_certificate));
        for (host, of) in &listener.hosts {
            fields.insert(format!("host {host}"), "served".into());
            fields.insert(format!("certificate of {host}"), certificate(&of.certificate));
            fields.insert(format!("TLS of {host}"), of.tls.clone().unwrap_or_default());
        }
        fields.into()
    };
    view.model.listeners.iter().map(|(port, listener)| (port.to_string(), fields(listener))).collect()
}

fn routes(view: &ConfigView) -> NamedParts {
    let mut routes = NamedParts::new();
    for (port, listener) in &view.model.listeners {
        for (host, of) in &listener.hosts {
            for route in &of.routes {
                // Of two routes with one identity, the first is served.
                routes.entry(format!("{port} {}", route.id(host))).or_insert_with(|| route.behaviour());
            }
        }
    }
    routes
}

/// Hosts whose path patterns are in another order: the first pattern that matches is served.
fn reordered(old: &ConfigView, new: &ConfigView) -> Vec<Difference> {
    let (old, new) = (patterns(old), patterns(new));
    let mut changes = Vec::new();
    for (name, before) in &old {
        let Some(after) = new.get(name) else { continue };
        let before: Vec<_> = before.iter().filter(|route| after.contains(route)).collect();
        let after: Vec<_> = after.iter().filter(|route| before.contains(route)).collect();
        if before != after {
            let field =
                FieldDifference { field: "order of patterns".to_owned(), before: json!(before), after: json!(after) };
            changes.push(Difference { name: name.clone(), change: ChangeKind::Changed, fields: vec![field] });
        }
    }
    changes
}

/// The routes with path patterns of each port and host, in their order.
fn patterns(view: &ConfigView) -> BTreeMap<String, Vec<String>> {
    let mut patterns = BTreeMap::new();
    for (port, listener) in &view.model.listeners {
        for (host, of) in &listener.hosts {
            let ids = of.routes.iter().filter(|route| route.matches.path.is_pattern()).map(|route| route.id(host));
            patterns.insert(format!("{port} {host}"), ids.collect());
        }
    }
    patterns
}

fn pools(view: &ConfigView, prints: Option<&Fingerprints>) -> NamedParts {
    let roots = prints.map(|prints| &prints.trusted_roots);
    let fields = |id: &String, pool: &PoolView| {
        let mut fields = pool.rest.clone();
        let mut best: BTreeMap<String, (EndpointState, Option<&String>)> = BTreeMap::new();
        for endpoint in &pool.endpoints {
            let said = (endpoint.state, endpoint.target.as_ref());
            let name = format!("member {}", endpoint.address);
            best.entry(name).and_modify(|best| *best = said.min(*best)).or_insert(said);
        }
        for (name, (state, target)) in best {
            let target = target.map(|target| format!(" ({target})")).unwrap_or_default();
            fields.insert(name, format!("{}{target}", state.name()).into());
        }
        if let Some(print) = roots.and_then(|roots| roots.get(id)) {
            fields.insert("trusted roots (SHA-256)".to_owned(), print.clone().into());
        }
        fields.into()
    };
    let mut pools: NamedParts = view.model.pools.iter().map(|(id, pool)| (id.clone(), fields(id, pool))).collect();
    let departing = view.departing().into_iter();
    let departing = departing.map(|(address, state)| (format!("member {address}"), state.name().into()));
    pools.insert("(none that a route leads to)".to_owned(), Value::Object(departing.collect()));
    pools
}

fn certificates(view: &ConfigView, prints: Option<&Fingerprints>) -> NamedParts {
    let fields = |id: &String, certificate: &Value| match prints.and_then(|prints| prints.certificates.get(id)) {
        Some(print) => json!({ "chain (SHA-256)": print, "size": certificate }),
        None => json!({ "size": certificate }),
    };
    view.model.certificates.iter().map(|(id, certificate)| (id.clone(), fields(id, certificate))).collect()
}

/// What can't be compared, since one of the two views has no fingerprints.
fn uncompared(old: &ConfigView, new: &ConfigView) -> Vec<String> {
    let ids = |prints: &Fingerprints| (prints.certificates.clone(), prints.trusted_roots.clone());
    let (certificates, roots) = new.fingerprints.as_ref().or(old.fingerprints.as_ref()).map(ids).unwrap_or_default();
    let certificates = certificates.into_keys().map(|id| format!("whether certificate {id} is the same"));
    certificates
        .chain(roots.into_keys().map(|id| format!("whether the trusted roots of pool {id} are the same")))
        .collect()
}

#[cfg(test)]
mod tests;
