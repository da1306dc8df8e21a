//! Metadata, which every object has.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::name::{self, InvalidName};
use crate::source::problem::FieldProblems;
use crate::source::span::join;

/// How much text annotations may hold (k8s.io/apimachinery, api/validation: TotalAnnotationSizeLimitB).
const MAX_ANNOTATIONS: usize = 256 << 10;

/// Name (by `form`), namespace, labels and annotations.
pub(crate) fn check(metadata: &ObjectMeta, form: fn(&str) -> Result<(), InvalidName>, problems: &mut FieldProblems) {
    match metadata.name.as_deref() {
        None | Some("") if metadata.generate_name.is_some() => problems.malformed(
            "metadata.generateName",
            "an object in a directory has no API server to make up its name",
            "write metadata.name",
        ),
        None | Some("") => {
            problems.malformed("metadata.name", "the field name is required", "write metadata.name");
        }
        Some(name) => refuse_unless("metadata.name", form(name), problems),
    }
    if let Some(namespace) = &metadata.namespace {
        refuse_unless("metadata.namespace", name::label(namespace), problems);
    }
    for (key, value) in metadata.labels.iter().flatten() {
        let field = join("metadata.labels", key);
        refuse_unless(&field, name::qualified(key), problems);
        if !value.is_empty() && !name::is_word(value) {
            let message = format!("{} is not the value of a label", name::quoted(value));
            let remedy = "use at most 63 letters, digits, '-', '_' and '.', or an annotation";
            problems.refuse(field, message, remedy);
        }
    }
    let mut size = 0;
    for (key, value) in metadata.annotations.iter().flatten() {
        size += key.len() + value.len();
        refuse_unless(&join("metadata.annotations", key), name::qualified(&key.to_ascii_lowercase()), problems);
    }
    if size > MAX_ANNOTATIONS {
        let message = format!("annotations hold {size} bytes, and at most {MAX_ANNOTATIONS} are allowed");
        problems.refuse("metadata.annotations", message, "keep large texts in a ConfigMap");
    }
}

/// Reports a name that is not of its form.
pub(crate) fn refuse_unless(field: &str, checked: Result<(), InvalidName>, problems: &mut FieldProblems) {
    if let Err((message, remedy)) = checked {
        problems.refuse(field, message, remedy);
    }
}
