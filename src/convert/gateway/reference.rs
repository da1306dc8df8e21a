//! References between elements: by id first, without case, then by the last segment of the id.
//!
//! People's ids are often broken at their end (`…/httpListeners/web')]`), and a template's lack what Azure alone knows. The name at the end is
//! what counts.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::convert::value::{Causes, Object, Part, Partial, Value};

/// The elements of every collection.
#[derive(Debug, Default)]
pub(super) struct ElementIndex {
    by_collection: BTreeMap<&'static str, Vec<IndexedElement>>,
}

#[derive(Debug)]
struct IndexedElement {
    /// Its id in lower case, if it has one.
    id: Option<String>,
    /// Its name, or the text of it in which something is unknown.
    name: String,
    /// Why something of its name is unknown.
    causes: Causes,
}

/// Where a reference leads.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Target {
    /// To an element, by the element's own name.
    Element(String),
    /// To another resource of Azure, by the last segment of its id.
    External(String),
    /// To an element that there is not.
    Nowhere { collection: &'static str, name: String },
    /// That is unknown; the text has what is known of the name.
    Unknown { causes: Causes, text: String },
}

/// An element that is referred to and is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Dangling {
    pub(super) collection: &'static str,
    pub(super) name: String,
}

/// Fields that refer to an element, and the collection of that.
const COLLECTIONS: &[(&str, &str)] = &[
    ("backendAddressPool", "backendAddressPools"),
    ("backendHttpSettings", "backendHttpSettingsCollection"),
    ("backendSettings", "backendSettingsCollection"),
    ("defaultBackendAddressPool", "backendAddressPools"),
    ("defaultBackendHttpSettings", "backendHttpSettingsCollection"),
    ("defaultLoadDistributionPolicy", "loadDistributionPolicies"),
    ("defaultRedirectConfiguration", "redirectConfigurations"),
    ("defaultRewriteRuleSet", "rewriteRuleSets"),
    ("entraJWTValidationConfig", "entraJWTValidationConfigs"),
    ("frontendIPConfiguration", "frontendIPConfigurations"),
    ("frontendPort", "frontendPorts"),
    ("httpListener", "httpListeners"),
    ("listener", "listeners"),
    ("loadDistributionPolicy", "loadDistributionPolicies"),
    ("probe", "probes"),
    ("redirectConfiguration", "redirectConfigurations"),
    ("rewriteRuleSet", "rewriteRuleSets"),
    ("sslCertificate", "sslCertificates"),
    ("sslProfile", "sslProfiles"),
    ("targetListener", "httpListeners"),
    ("trustedClientCertificates", "trustedClientCertificates"),
    ("trustedRootCertificates", "trustedRootCertificates"),
    ("urlPathMap", "urlPathMaps"),
];

impl ElementIndex {
    /// Indexes the elements of a gateway.
    pub(super) fn new(body: &Object) -> Self {
        let mut index = Self::default();
        for collection in COLLECTIONS.iter().map(|(_, collection)| *collection) {
            let items = body.member(collection).and_then(Value::as_list).unwrap_or_default();
            let elements = items.iter().filter_map(Value::as_object).map(Object::flat);
            let indexed = elements.map(|element| {
                let (id, name) = (element.member("id").and_then(Value::as_text), element.member("name"));
                let mut causes = Causes::new();
                name.into_iter().for_each(|name| name.causes(&mut causes));
                IndexedElement {
                    id: id.map(str::to_ascii_lowercase),
                    name: name.map(text_of).unwrap_or_default(),
                    causes,
                }
            });
            index.by_collection.insert(collection, indexed.collect());
        }
        index
    }

    /// Where the reference of a field leads. `None`: it refers to nothing.
    pub(super) fn resolve(&self, field: &str, reference: &Value) -> Option<Target> {
        let named = || reference.member("id").or_else(|| reference.member("name"));
        let id = match reference {
            Value::Object(_) => named()?,
            other => other,
        };
        if let Value::Unknown(unknown) = id {
            return Some(Target::Unknown { causes: (*unknown.causes).clone(), text: String::new() });
        }
        let segment = match id {
            Value::Partial(partial) => partial.last_segment(),
            other => Partial::from_iter([Part::Known(other.as_text()?.to_owned())]).last_segment(),
        };
        let segment = segment.to_string();
        let name = cleaned(&segment);
        let Some(collection) = collection_of(field) else {
            return match id {
                Value::Partial(partial) if partial.last_segment().causes().next().is_some() => unknown(partial, name),
                _ => (!name.is_empty()).then(|| Target::External(name.to_owned())),
            };
        };
        let elements = self.by_collection.get(collection).map_or(&[][..], Vec::as_slice);
        let id_text = id.as_text().map(str::to_ascii_lowercase);
        let by_id = id_text.and_then(|id| elements.iter().find(|element| element.id.as_ref() == Some(&id)));
        let by_name = |name: &str| elements.iter().find(|element| element.name.eq_ignore_ascii_case(name));
        if let Some(found) = by_id.or_else(|| by_name(&segment)).or_else(|| by_name(name)) {
            let IndexedElement { id: _, name, causes } = found;
            return Some(match causes.is_empty() {
                true => Target::Element(name.clone()),
                false => Target::Unknown { causes: causes.clone(), text: name.clone() },
            });
        }
        match id {
            Value::Partial(partial) if partial.last_segment().causes().next().is_some() => unknown(partial, name),
            _ if name.is_empty() => None,
            _ => Some(Target::Nowhere { collection, name: name.to_owned() }),
        }
    }
}

/// Whether a field refers to an element of the gateway, and not to another resource.
pub(super) fn is_element(field: &str) -> bool {
    collection_of(field).is_some()
}

fn collection_of(field: &str) -> Option<&'static str> {
    COLLECTIONS.iter().find(|(known, _)| *known == field).map(|(_, collection)| *collection)
}

/// A name without what is broken at its end: quotes and brackets of an expression that was cut off.
fn cleaned(segment: &str) -> &str {
    segment.trim().trim_end_matches(['\'', '"', ')', ']', ' ']).trim()
}

fn unknown(id: &Partial, name: &str) -> Option<Target> {
    Some(Target::Unknown { causes: id.last_segment().causes().collect(), text: name.to_owned() })
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => Rc::clone(text).to_string(),
        Value::Partial(partial) => partial.to_string(),
        Value::Unknown(unknown) => format!("{{{}}}", unknown.expression),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
