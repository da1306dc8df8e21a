//! Documents to typed objects: the kind is recognised, and the object is held to its schema, given the defaults that an API
//! server gives, and validated as one would.

mod read;

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::kind::{KindRules, for_each_kind};
use super::problem::{FieldProblem, FieldProblems};
use super::recognise::{Recognised, recognise};
use super::schema::Schema;
use super::snapshot::Snapshot;
use super::span::{Span, SpanContents};
use super::yaml::Document;
use crate::model::{Key, Kind, ObjectRef};
use crate::report::Reason;

/// From the list of kinds: an object of any of them, how it is read, and where a snapshot has it.
macro_rules! define_object {
    ($($kind:ident $field:ident $stored:ty, $watch:ident;)*) => {
        /// An object that was read, of any kind.
        #[derive(Clone, PartialEq)]
        pub(super) enum Object {
            $($kind(Arc<$stored>),)*
        }

        impl Object {
            /// The object that `value` holds, if nothing is wrong with it.
            fn read(kind: Kind, value: Value, problems: &mut FieldProblems) -> Option<Self> {
                match kind {
                    $(Kind::$kind => {
                        static SCHEMA: LazyLock<Schema> = LazyLock::new(<$stored as KindRules>::schema);
                        read::read(&SCHEMA, value, problems).map(Self::$kind)
                    })*
                    Kind::File => None,
                }
            }

            /// Adds the object to a snapshot.
            pub(super) fn insert(&self, key: Key, snapshot: &mut Snapshot) {
                match self {
                    $(Self::$kind(object) => drop(snapshot.$field.insert(key, Arc::clone(object))),)*
                }
            }
        }
    };
}
for_each_kind!(define_object);

/// One object of a document: its name, its position, and the problems found in it.
pub(super) struct DocumentObject {
    /// Which document of the file, from 1.
    pub(super) document: usize,
    /// Where its fields stand.
    pub(super) span: Span,
    /// Its kind and name. `None` where the document has none, or the kind is not read.
    pub(super) reference: Option<ObjectRef>,
    /// The object; `None` where it is refused, or not of a kind that is read.
    pub(super) object: Option<Object>,
    /// The problems found in it.
    pub(super) problems: Vec<FieldProblem>,
}

/// The objects of a document: one, or those of a list.
pub(super) fn entries(document: Document) -> Vec<DocumentObject> {
    let mut out = Vec::new();
    collect(document.number, document.value, document.span, None, &mut out);
    out
}

/// The type of the items of a list, where the list says it for all.
struct ItemType {
    api_version: String,
    kind: String,
}

fn collect(document: usize, mut value: Value, span: Span, of: Option<&ItemType>, out: &mut Vec<DocumentObject>) {
    let mut problems = FieldProblems::default();
    let (api_version, kind) = match type_of(&mut value, of, &mut problems) {
        Some(named) => named,
        None => {
            return out.push(DocumentObject { document, span, reference: None, object: None, problems: problems.0 });
        }
    };
    if kind.ends_with("List") && value.get("items").is_some() {
        return expand(document, value, span, ItemType { api_version, kind }, out);
    }
    match recognise(&api_version, &kind) {
        Recognised::Read(kind) => {
            let reference = reference(kind, &value);
            let object = Object::read(kind, value, &mut problems);
            out.push(DocumentObject { document, span, reference, object, problems: problems.0 });
        }
        Recognised::Ignored => {
            out.push(DocumentObject { document, span, reference: None, object: None, problems: Vec::new() });
        }
        Recognised::Unknown(unknown) => {
            let name = value.pointer("/metadata/name").and_then(Value::as_str);
            let reference = unknown.kind.and_then(|kind| reference(kind, &value));
            let message = match name {
                Some(name) if reference.is_none() => format!("{kind} {:?}: {}", clip(name), unknown.message),
                _ => unknown.message,
            };
            problems.push(Reason::UnknownKind, unknown.severity, unknown.field, message, unknown.remedy);
            out.push(DocumentObject { document, span, reference, object: None, problems: problems.0 });
        }
    }
}

/// `apiVersion` and `kind`. The items of a typed list may leave them out.
fn type_of(value: &mut Value, of: Option<&ItemType>, problems: &mut FieldProblems) -> Option<(String, String)> {
    let Value::Object(fields) = value else {
        problems.malformed("", "a manifest is a mapping, and this is none", "write apiVersion, kind and metadata");
        return None;
    };
    if let Some(of) = of.filter(|of| of.kind != "List") {
        fields.entry("apiVersion").or_insert_with(|| of.api_version.clone().into());
        fields.entry("kind").or_insert_with(|| of.kind.trim_end_matches("List").into());
    }
    let mut named = |name: &str, remedy: &str| match fields.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Null) | None => {
            problems.malformed(name, format!("the field {name} is required"), remedy);
            None
        }
        Some(_) => {
            problems.malformed(name, format!("the field {name} must be text"), remedy);
            None
        }
    };
    let api_version = named("apiVersion", "write apiVersion, as in apiVersion: networking.k8s.io/v1");
    let kind = named("kind", "write kind, as in kind: Ingress");
    api_version.zip(kind)
}

/// The objects of a `List`, or of a typed one such as `IngressList`.
fn expand(document: usize, mut value: Value, span: Span, of: ItemType, out: &mut Vec<DocumentObject>) {
    let items = value.get_mut("items").map(Value::take);
    let spans = match span.field("items") {
        Some(Span { contents: SpanContents::Items(spans), .. }) => spans.clone(),
        _ => Box::default(),
    };
    match items {
        Some(Value::Array(items)) => {
            for (item, span) in items.into_iter().zip(spans) {
                collect(document, item, span, Some(&of), out);
            }
        }
        Some(Value::Null) => {}
        _ => {
            let mut problems = FieldProblems::default();
            problems.malformed("items", format!("the items of a {} are a list", of.kind), "begin each with '- '");
            out.push(DocumentObject { document, span, reference: None, object: None, problems: problems.0 });
        }
    }
}

/// Kind and name, if the object has them: it may be wrong in every other way.
fn reference(kind: Kind, value: &Value) -> Option<ObjectRef> {
    let metadata = value.get("metadata")?;
    let name = metadata.get("name")?.as_str().filter(|name| !name.is_empty())?;
    let namespace = match metadata.get("namespace").and_then(Value::as_str) {
        _ if !kind.is_namespaced() => "",
        Some("") | None => "default",
        Some(namespace) => namespace,
    };
    Some(ObjectRef::new(kind, clip(namespace), clip(name)))
}

/// A name, cut short where it is longer than any valid one.
fn clip(name: &str) -> String {
    name.chars().take(254).collect()
}

#[cfg(test)]
mod tests;
