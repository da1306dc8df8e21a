//! The walk over a gateway, led by the schema of ApplicationGateway.

mod configuration;
mod ssl_policy;

use serde_json::Value as Schema;

use self::configuration::Configuration;
use super::reference::{self, Dangling, ElementIndex, Target};
use super::schema::{self, FieldKind};
use super::{Naming, absent, remedy, scalar, shown};
use crate::convert::report::{ConversionReport, Outcome};
use crate::convert::value::{Causes, Object, Value};
use crate::convert::yaml::{Yaml, YamlField};

/// A gateway while it is converted.
pub(super) struct Conversion<'a> {
    /// The gateway's name, in the report.
    pub(super) label: &'a str,
    index: &'a ElementIndex,
    pub(super) report: &'a mut ConversionReport,
    /// Secrets and ConfigMaps that its elements need.
    configuration: Configuration,
    /// References that lead nowhere.
    dangling: Vec<Dangling>,
}

impl<'a> Conversion<'a> {
    pub(super) fn new(label: &'a str, index: &'a ElementIndex, report: &'a mut ConversionReport) -> Self {
        let (configuration, dangling) = (Configuration::new(label), Vec::new());
        Self { label, index, report, configuration, dangling }
    }

    /// The Secrets and ConfigMaps that it needs, and its references that lead nowhere.
    pub(super) fn finish(self, naming: &Naming) -> (Vec<Yaml>, Vec<Dangling>) {
        (self.configuration.into_objects(naming), self.dangling)
    }

    /// The fields of an object that the schema has. What else the object has is reported.
    pub(super) fn fields(
        &mut self,
        object: &Object,
        schema: &Schema,
        path: &str,
        collection: Option<&str>,
    ) -> Vec<YamlField> {
        let mut fields = Vec::new();
        for (name, field) in schema::ordered(schema) {
            if matches!(schema::kind(field), FieldKind::Unsupported) || absent::is_left_out(path, name) {
                continue;
            }
            let made = match object.member(name) {
                _ if matches!(name, "secretRef" | "configMapRef" | "serviceRef") => {
                    self.configured(name, object, path, collection)
                }
                Some(value) => self.field(name, value, field, &join(path, name)),
                None => None,
            };
            let made = made.or_else(|| self.required(name, object, schema, path));
            fields.extend(made);
        }
        self.rest(object, schema, path, collection);
        fields
    }

    /// One field. `None`: its value stands for nothing.
    fn field(&mut self, name: &str, value: &Value, schema: &Schema, path: &str) -> Option<YamlField> {
        if let Value::Unknown(unknown) = value {
            return Some(self.unknown(name, &unknown.causes, "", path));
        }
        let kind = schema::kind(schema);
        if value.is_nothing() {
            return None;
        }
        let made = match kind {
            FieldKind::Reference => return self.reference(name, value, path),
            FieldKind::Object => match value {
                Value::Object(object) => {
                    let fields = self.fields(object, schema, path, None);
                    Yaml::Map(if name == "sslPolicy" { self.offered(fields, path) } else { fields })
                }
                other => self.misfit(other, "an object", path),
            },
            FieldKind::List(items) => return Some(self.list(name, value, items, path)),
            FieldKind::Unsupported => return None,
            FieldKind::Text(_) | FieldKind::Number | FieldKind::Bool | FieldKind::NumberOrText => {
                return self.scalar(name, value, kind, path);
            }
        };
        let is_empty = matches!(&made, Yaml::Map(fields) if fields.is_empty());
        (!is_empty).then(|| YamlField::new(name, made))
    }

    fn scalar(&mut self, name: &str, value: &Value, kind: FieldKind<'_>, path: &str) -> Option<YamlField> {
        if let Value::Partial(partial) = value {
            return Some(self.unknown(name, &partial.causes().collect(), &partial.to_string(), path));
        }
        // An empty text is no text, but in a query that is to become empty.
        if value.as_text() == Some("") && name != "modifiedQueryString" {
            return None;
        }
        let made = scalar::read(value, kind).unwrap_or_else(|expected| self.misfit(value, expected, path));
        Some(YamlField::new(name, made))
    }

    fn list(&mut self, name: &str, value: &Value, items: &Schema, path: &str) -> YamlField {
        let one = [value.clone()];
        let values = value.as_list().unwrap_or(&one);
        let mut made = Vec::new();
        for (index, value) in values.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let item = match (schema::kind(items), value) {
                (_, Value::Unknown(unknown)) => self.unknown(name, &unknown.causes, "", &path).value,
                (FieldKind::Object, Value::Object(object)) => {
                    let path = labelled(&path, object);
                    match self.fields(&object.flat(), items, &path, Some(name)) {
                        fields if fields.is_empty() => continue,
                        fields => Yaml::Map(fields),
                    }
                }
                (FieldKind::Object, Value::Null) => continue,
                (FieldKind::Object, other) => self.misfit(other, "an object", &path),
                (FieldKind::Reference, value) => match self.reference(name, value, &path) {
                    Some(field) => field.value,
                    None => continue,
                },
                (kind, value) => match self.scalar(name, value, kind, &path) {
                    Some(field) => field.value,
                    None => continue,
                },
            };
            made.push(item);
        }
        YamlField::new(name, Yaml::List(made))
    }

    fn reference(&mut self, name: &str, value: &Value, path: &str) -> Option<YamlField> {
        let target = self.index.resolve(name, value)?;
        let named = |name: Yaml| Yaml::map([("name", name)]);
        match target {
            Target::Element(found) => Some(YamlField::new(name, named(Yaml::Text(found)))),
            Target::External(resource) => {
                let message = format!("the address of {resource} is not carried over");
                let remedy = "the Service in front of the gateway has its own; point DNS at that";
                self.report.add(Outcome::NotNeeded, (self.label, path), message, remedy);
                Some(YamlField::new(name, named(Yaml::Text(resource))))
            }
            Target::Nowhere { collection, name: missing } => {
                let message = format!("{missing:?} leads nowhere: {collection} has no element of this name");
                let remedy = format!("add it to {collection}; a skeleton of it stands there");
                self.report.add(Outcome::Open, (self.label, path), message, remedy);
                self.dangling.push(Dangling { collection, name: missing.clone() });
                Some(YamlField::new(name, named(Yaml::Text(missing))))
            }
            // What stands for a resource of Azure has no effect here.
            Target::Unknown { causes, text: _ } if !reference::is_element(name) => {
                self.report.add_unknown(self.label, path, &causes);
                let message = format!("the address is not carried over, and is unknown: {}", shown(&causes));
                let remedy = "the Service in front of the gateway has its own; point DNS at that";
                self.report.add(Outcome::NotNeeded, (self.label, path), message, remedy);
                None
            }
            Target::Unknown { causes, text } => {
                let field = self.unknown(name, &causes, &text, path);
                Some(YamlField { value: named(field.value), ..field })
            }
        }
    }

    /// A field whose value is unknown: what stands in its place, and a line of the report.
    pub(super) fn unknown(&mut self, name: &str, causes: &Causes, text: &str, path: &str) -> YamlField {
        self.report.add_unknown(self.label, path, causes);
        self.report.add(Outcome::Open, (self.label, path), format!("unknown: {}", shown(causes)), remedy(causes));
        let comment = if text.is_empty() { String::new() } else { format!("the template's text: {text}") };
        YamlField::new(name, Yaml::Unknown(shown(causes))).commented(comment)
    }

    /// What stands for a field that the schema requires and the template does not have.
    fn required(&mut self, name: &str, object: &Object, schema: &Schema, path: &str) -> Option<YamlField> {
        if !schema::requires(schema, name) {
            return None;
        }
        if name == "ruleType" {
            // ARM's own default.
            let kind = if object.member("urlPathMap").is_some() { "PathBasedRouting" } else { "Basic" };
            return Some(YamlField::new(name, Yaml::text(kind)));
        }
        let path = join(path, name);
        let message = format!("{name} is required, and the template does not have it");
        self.report.add(Outcome::Open, (self.label, &path), &message, format!("write {name} in the output"));
        Some(YamlField::new(name, Yaml::Unknown("not in the template".to_owned())))
    }

    /// A value that is not what its field takes. It stays as it is, for `check` refuses it.
    fn misfit(&mut self, value: &Value, expected: &str, path: &str) -> Yaml {
        let shown = scalar::shown(value);
        let message = format!("{shown} is not {expected}");
        self.report.add(Outcome::Open, (self.label, path), message, "correct the value in the output");
        Yaml::Unknown(format!("{shown}, which is not {expected}"))
    }

    /// Reports what the schema does not have.
    fn rest(&mut self, object: &Object, schema: &Schema, path: &str, collection: Option<&str>) {
        let known = |name: &str| {
            schema::properties(schema).into_iter().flatten().any(|(known, field)| {
                known.eq_ignore_ascii_case(name)
                    && !matches!(schema::kind(field), FieldKind::Unsupported)
                    && !absent::is_left_out(path, known)
            })
        };
        for (name, value) in object.iter().filter(|(name, _)| !known(name)) {
            let place = join(path, name);
            let mut causes = Causes::new();
            value.causes(&mut causes);
            match absent::find(name, value, collection) {
                absent::Absence::Silent => continue,
                absent::Absence::Told { outcome, message, remedy } => {
                    self.report.add(outcome, (self.label, &place), message, remedy);
                }
                absent::Absence::NotKnown => {
                    let message = format!("{name} is no property that is known here, and is not carried over");
                    self.report.add(
                        Outcome::LeftOut,
                        (self.label, &place),
                        message,
                        "see whether something depends on it",
                    );
                }
            }
            if !absent::is_of_resource(&place) {
                self.report.add_unknown(self.label, &place, &causes);
            }
        }
    }
}

/// A path with one more name.
pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The path of an element, with its name if that is known.
fn labelled(path: &str, object: &Object) -> String {
    match object.member("name").and_then(Value::as_text) {
        Some(name) => format!("{path} {name:?}"),
        None => path.to_owned(),
    }
}
