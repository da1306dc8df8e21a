//! One application gateway of ARM as objects of Kubernetes.
//!
//! The schema of ApplicationGateway leads: it has ARM's vocabulary, so each of its fields takes the property of its name, and a new field is
//! converted without a line here. Every property of the input is looked at: one that the schema does not have is reported, by [`absent`] in words of its
//! own and otherwise as unknown. Nothing is dropped in silence.

mod absent;
mod element;
mod name;
mod reference;
mod review;
mod scalar;
mod schema;
mod skeleton;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use self::element::Conversion;
use self::reference::ElementIndex;
use self::review::Listeners;
use super::report::{CarriedElements, ConversionReport, Outcome};
use super::template::{Condition, FoundGateway};
use super::value::{Causes, Object, Value};
use super::yaml::{Yaml, YamlField};

/// How objects are named.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    /// The name of the object, in place of the template's.
    pub(crate) name: Option<String>,
    /// The name to take where the template's is unknown: the file's.
    pub(crate) fallback: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) ingress_class: Option<String>,
}

/// What the gateways of a document have between them.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Names of objects.
    names: BTreeSet<String>,
    listeners: Listeners,
}

/// Converts a gateway. The objects are in the order in which they are needed: Secrets and ConfigMaps last.
pub(crate) fn convert(
    found: &FoundGateway,
    naming: &Naming,
    taken: &mut Taken,
    report: &mut ConversionReport,
) -> Vec<Yaml> {
    let empty = Object::default();
    let resource = found.resource.as_object().unwrap_or(&empty);
    let object_name = match name::of_gateway(resource, naming, report) {
        Yaml::Text(name) => Yaml::Text(name::unique(&name, &mut taken.names)),
        open => open,
    };
    let label = object_name.as_text().unwrap_or("the gateway").to_owned();
    if let Condition::Unknown(causes) = &found.condition {
        let message = format!("whether it is deployed is unknown: {}", shown(causes));
        report.add_unknown(&label, "condition", causes);
        report.add(Outcome::Note, (&label, ""), message, "use it if it is");
    }

    let body = body(resource, &label, report);
    let index = ElementIndex::new(&body);
    let mut conversion = Conversion::new(&label, &index, report);
    let mut spec = conversion.fields(&body, schema::spec(), "", None);
    if let Some(class) = &naming.ingress_class {
        spec.insert(0, YamlField::new("ingressClassName", Yaml::text(class)));
    }
    let (configuration, dangling) = conversion.finish(naming);
    let spec = skeleton::add(spec, &dangling);
    review::review(&Yaml::Map(spec.clone()), &label, &mut taken.listeners, report);

    let counts = spec.iter().filter_map(|field| match &field.value {
        Yaml::List(items) if !items.is_empty() => {
            Some(CarriedElements { collection: field.name.clone(), count: items.len() })
        }
        _ => None,
    });
    report.carried.insert(label, counts.collect());
    let gateway = Yaml::map([
        ("apiVersion", Yaml::text("steadygate.io/v1alpha1")),
        ("kind", Yaml::text("ApplicationGateway")),
        ("metadata", name::metadata(object_name, naming)),
        ("spec", Yaml::Map(spec)),
    ]);
    [gateway].into_iter().chain(configuration).collect()
}

/// The properties of a gateway, on whatever level they stand: below `properties`, or beside the name as `az` prints them.
fn body(resource: &Object, label: &str, report: &mut ConversionReport) -> Object {
    let mut members: BTreeMap<String, (Rc<str>, Value)> = BTreeMap::new();
    let mut add =
        |name: &Rc<str>, value: &Value| members.insert(name.to_ascii_lowercase(), (Rc::clone(name), value.clone()));
    for (name, value) in resource.iter() {
        match value {
            Value::Object(properties) if name.eq_ignore_ascii_case("properties") => {
                properties.iter().for_each(|(name, value)| drop(add(name, value)));
            }
            open if name.eq_ignore_ascii_case("properties") && open.is_open() => {
                let mut causes = Causes::new();
                open.causes(&mut causes);
                report.add_unknown(label, "properties", &causes);
                let message = format!("all of its properties are unknown: {}", shown(&causes));
                report.add(Outcome::LeftOut, (label, "properties"), message, remedy(&causes));
            }
            _ if name.eq_ignore_ascii_case("name") || name.eq_ignore_ascii_case("resourceName") => {}
            _ => drop(add(name, value)),
        }
    }
    members.into_values().collect()
}

/// Why something is unknown, in one line.
fn shown(causes: &Causes) -> String {
    let texts: Vec<_> = causes.iter().map(ToString::to_string).collect();
    if texts.is_empty() { "it can't be evaluated".to_owned() } else { texts.join(", ") }
}

/// What to do where something is unknown.
fn remedy(causes: &Causes) -> String {
    use super::value::Cause;
    let names: Vec<_> = causes
        .iter()
        .filter_map(|cause| if let Cause::Parameter(name) = cause { Some(&**name) } else { None })
        .collect();
    match names[..] {
        [] => "write the value in the output".to_owned(),
        [name] => format!("give {name} in a file of --parameters, or write the value in the output"),
        _ => format!("give {} in a file of --parameters, or write the value in the output", names.join(", ")),
    }
}

#[cfg(test)]
mod tests;
