//! What differs between two models.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::view::{Listener, Pool, View};
use crate::admin::Fingerprints;
use crate::model::EndpointState;

/// Everything that differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Changes {
    pub(super) listeners: Vec<Change>,
    pub(super) routes: Vec<Change>,
    pub(super) pools: Vec<Change>,
    pub(super) certificates: Vec<Change>,
    /// What can't be told.
    pub(super) unknown: Vec<String>,
}

/// One thing that has come, gone, or become another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) name: String,
    pub(super) change: Kind,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Field>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Added,
    Removed,
    Changed,
}

/// A field of it, before and after; null where there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Field {
    pub(super) field: String,
    pub(super) before: Value,
    pub(super) after: Value,
}

impl Changes {
    /// Compares.
    pub(super) fn between(old: &View, new: &View) -> Self {
        let prints = old.fingerprints.as_ref().zip(new.fingerprints.as_ref());
        let (one, other) = prints.unzip();
        let mut routes_changed = compare(&routes(old), &routes(new));
        routes_changed.extend(reordered(old, new));
        Self {
            listeners: compare(&listeners(old), &listeners(new)),
            routes: routes_changed,
            pools: compare(&pools(old, one), &pools(new, other)),
            certificates: compare(&certificates(old, one), &certificates(new, other)),
            unknown: if prints.is_none() { untold(old, new) } else { Vec::new() },
        }
    }

    /// Whether nothing differs, for certain.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Each thing by its name, with its fields.
type Things = BTreeMap<String, Value>;

fn compare(old: &Things, new: &Things) -> Vec<Change> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let change = |name: &String| {
        let (change, fields) = match (old.get(name), new.get(name)) {
            (Some(_), None) => (Kind::Removed, Vec::new()),
            (None, _) => (Kind::Added, Vec::new()),
            (Some(old), Some(new)) => {
                let mut fields = Vec::new();
                leaves("", old, new, &mut fields);
                if fields.is_empty() {
                    return None;
                }
                (Kind::Changed, fields)
            }
        };
        Some(Change { name: name.clone(), change, fields })
    };
    names.into_iter().filter_map(change).collect()
}

/// The fields that differ, by their paths.
fn leaves(path: &str, old: &Value, new: &Value, found: &mut Vec<Field>) {
    if old == new {
        return;
    }
    let (Value::Object(one), Value::Object(other)) = (old, new) else {
        return found.push(field(path, old, new));
    };
    match (tag(one), tag(other)) {
        // Of an enumeration's variant the name alone is no field.
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

fn field(path: &str, old: &Value, new: &Value) -> Field {
    let name = if path.is_empty() { "action" } else { path };
    Field { field: name.to_owned(), before: shown(old), after: shown(new) }
}

/// The name of a variant that has content.
fn tag(object: &Map<String, Value>) -> Option<&String> {
    object.keys().next().filter(|key| object.len() == 1 && key.starts_with(|c: char| c.is_ascii_uppercase()))
}

fn is_duration(object: &Map<String, Value>) -> bool {
    object.len() == 2 && object.contains_key("secs") && object.contains_key("nanos")
}

/// A value as it is shown: durations as text, and of a variant its name and what matters most of it.
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

fn listeners(view: &View) -> Things {
    let fields = |listener: &Listener| {
        let certificate = |certificate: &Option<String>| certificate.clone().map_or(Value::Null, Value::from);
        let mut fields = Map::new();
        fields.insert("protocol".to_owned(), listener.protocol.clone().into());
        fields.insert("certificate".to_owned(), certificate(&listener.default_certificate));
        for (host, of) in &listener.hosts {
            fields.insert(format!("host {host}"), "served".into());
            fields.insert(format!("certificate of {host}"), certificate(&of.certificate));
        }
        fields.into()
    };
    view.model.listeners.iter().map(|(port, listener)| (port.to_string(), fields(listener))).collect()
}

fn routes(view: &View) -> Things {
    let mut routes = Things::new();
    for (port, listener) in &view.model.listeners {
        for (host, of) in &listener.hosts {
            for route in &of.routes {
                // Of two that are the same, the first is served.
                routes.entry(format!("{port} {}", route.id(host))).or_insert_with(|| route.action.clone());
            }
        }
    }
    routes
}

/// Patterns that both have, in another order: the first that matches is served.
fn reordered(old: &View, new: &View) -> Vec<Change> {
    let (old, new) = (patterns(old), patterns(new));
    let mut changes = Vec::new();
    for (name, before) in &old {
        let Some(after) = new.get(name) else { continue };
        let before: Vec<_> = before.iter().filter(|route| after.contains(route)).collect();
        let after: Vec<_> = after.iter().filter(|route| before.contains(route)).collect();
        if before != after {
            let field = Field { field: "order of patterns".to_owned(), before: json!(before), after: json!(after) };
            changes.push(Change { name: name.clone(), change: Kind::Changed, fields: vec![field] });
        }
    }
    changes
}

/// The routes of each port and host that are patterns, in their order.
fn patterns(view: &View) -> BTreeMap<String, Vec<String>> {
    let mut patterns = BTreeMap::new();
    for (port, listener) in &view.model.listeners {
        for (host, of) in &listener.hosts {
            let ids = of.routes.iter().filter(|route| route.path.starts_with('~')).map(|route| route.id(host));
            patterns.insert(format!("{port} {host}"), ids.collect());
        }
    }
    patterns
}

fn pools(view: &View, prints: Option<&Fingerprints>) -> Things {
    let roots = prints.map(|prints| &prints.trusted_roots);
    let fields = |id: &String, pool: &Pool| {
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
    let mut pools: Things = view.model.pools.iter().map(|(id, pool)| (id.clone(), fields(id, pool))).collect();
    let departing = view.departing().into_iter();
    let departing = departing.map(|(address, state)| (format!("member {address}"), state.name().into()));
    pools.insert("(none that a route leads to)".to_owned(), Value::Object(departing.collect()));
    pools
}

fn certificates(view: &View, prints: Option<&Fingerprints>) -> Things {
    let fields = |id: &String, certificate: &Value| match prints.and_then(|prints| prints.certificates.get(id)) {
        Some(print) => json!({ "chain (SHA-256)": print, "size": certificate }),
        None => json!({ "size": certificate }),
    };
    view.model.certificates.iter().map(|(id, certificate)| (id.clone(), fields(id, certificate))).collect()
}

/// What one of two that does not tell its fingerprints leaves open.
fn untold(old: &View, new: &View) -> Vec<String> {
    let told = |prints: &Fingerprints| (prints.certificates.clone(), prints.trusted_roots.clone());
    let (certificates, roots) = new.fingerprints.as_ref().or(old.fingerprints.as_ref()).map(told).unwrap_or_default();
    let certificates = certificates.into_keys().map(|id| format!("whether certificate {id} is the same"));
    certificates
        .chain(roots.into_keys().map(|id| format!("whether the trusted roots of pool {id} are the same")))
        .collect()
}

#[cfg(test)]
mod tests;
