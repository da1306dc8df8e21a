//! Names of objects: a gateway's, and those that are made of it.

use std::collections::BTreeSet;

use super::{Naming, shown};
use crate::convert::report::{ConversionReport, Outcome};
use crate::convert::value::{Causes, Object, Part, Value};
use crate::convert::yaml::Yaml;

/// Longest name. Objects may have longer ones, but what is made of them may not.
const MAX_NAME: usize = 63;

/// The name of a gateway's object: what was asked for, the template's, or one that its ids have.
pub(super) fn of_gateway(resource: &Object, naming: &Naming, report: &mut ConversionReport) -> Yaml {
    if let Some(name) = &naming.name {
        return Yaml::text(name);
    }
    match resource.member("name").or_else(|| resource.member("resourceName")) {
        Some(Value::Text(name)) if !name.is_empty() => {
            let object = sanitized(name);
            if object != **name {
                let message =
                    format!("{name:?} is named {object}: names of objects have lower-case letters, digits and '-'");
                report.add(Outcome::Note, (&object, "name"), message, "");
            }
            Yaml::Text(object)
        }
        Some(open) if open.is_open() => {
            let mut causes = Causes::new();
            open.causes(&mut causes);
            let why = shown(&causes);
            let Some(fallback) = &naming.fallback else {
                report.add(Outcome::Open, ("", "name"), format!("the gateway's name is unknown: {why}"), "give --name");
                return Yaml::Unknown(why);
            };
            let object = sanitized(fallback);
            report.add_unknown(&object, "name", &causes);
            let message = format!("its name is unknown ({why}), so it is named after the file");
            report.add(Outcome::Note, (&object, "name"), message, "give --name for another one");
            Yaml::Text(object)
        }
        _ => unnamed(resource, naming, report),
    }
}

fn unnamed(resource: &Object, naming: &Naming, report: &mut ConversionReport) -> Yaml {
    let of_ids = resource.iter().find_map(|(_, value)| of_id(value));
    let (object, source) = match (&of_ids, &naming.fallback) {
        (Some(name), _) => {
            (sanitized(name), format!("there is no name at the top, so it is taken from the ids ({name})"))
        }
        (None, Some(file)) => (sanitized(file), "there is no name, so it is named after the file".to_owned()),
        (None, None) => ("application-gateway".to_owned(), "there is no name".to_owned()),
    };
    report.add(Outcome::Note, (&object, "name"), source, "give --name for another one");
    Yaml::Text(object)
}

/// The gateway's name in the first id that has it.
fn of_id(value: &Value) -> Option<String> {
    let in_text = |text: &str| {
        let at = text.to_ascii_lowercase().find("/applicationgateways/")? + "/applicationgateways/".len();
        let name = text[at..].split('/').next().filter(|name| !name.is_empty())?;
        Some(name.to_owned())
    };
    match value {
        Value::Text(text) => in_text(text),
        Value::Partial(partial) => {
            partial.parts().iter().find_map(|part| if let Part::Known(text) = part { in_text(text) } else { None })
        }
        Value::List(list) => list.items.iter().find_map(of_id),
        Value::Object(object) => object.iter().find_map(|(_, value)| of_id(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Unknown(_) => None,
    }
}

/// The metadata of an object.
pub(super) fn metadata(name: Yaml, naming: &Naming) -> Yaml {
    let name = ("name", name);
    match &naming.namespace {
        Some(namespace) => Yaml::map([name, ("namespace", Yaml::text(namespace))]),
        None => Yaml::map([name]),
    }
}

/// A text as a name of an object (RFC 1123 label): lower-case letters, digits, and `-` for everything else.
pub(super) fn sanitized(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(MAX_NAME);
    let name = name.trim_end_matches('-');
    if name.is_empty() { "application-gateway".to_owned() } else { name.to_owned() }
}

/// A name that is not among those that are taken: with a number after it if need be.
pub(super) fn unique(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let numbered = |number: usize| {
        let suffix = format!("-{number}");
        format!("{}{suffix}", wanted[..wanted.len().min(MAX_NAME - suffix.len())].trim_end_matches('-'))
    };
    let mut name = wanted.to_owned();
    let mut number = 1;
    while !taken.insert(name.clone()) {
        number += 1;
        name = numbered(number);
    }
    name
}
