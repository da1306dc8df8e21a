//! Secret (kubernetes, pkg/apis/core/validation). No message quotes what a Secret holds.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::{KindRules, trim};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::span::join;
use crate::source::validate::data::{self, DataEntry};
use crate::source::validate::{metadata, name};

impl KindRules for Secret {
    type Resource = Self;
    const IS_CONFIDENTIAL: bool = true;

    fn schema() -> Schema {
        Schema::of::<Self>().confidential()
    }

    /// Writes the type, and merges `stringData` into `data`: it wins over an entry of `data` with the same key.
    fn complete(secret: &mut Self) {
        secret.type_.get_or_insert_with(|| "Opaque".to_owned());
        let Some(text) = secret.string_data.take() else { return };
        let data: &mut BTreeMap<_, _> = secret.data.get_or_insert_default();
        data.extend(text.into_iter().map(|(key, value)| (key, ByteString(value.into_bytes()))));
    }

    fn validate(secret: &Self, problems: &mut FieldProblems) {
        metadata::check(&secret.metadata, name::subdomain, problems);
        let entries = secret.data.iter().flatten();
        data::check(entries.map(|(key, value)| DataEntry { field: "data", key, size: value.0.len() }), problems);
        let type_ = secret.type_.as_deref().unwrap_or_default();
        for key in required_keys(type_) {
            if secret.data.as_ref().is_none_or(|data| !data.contains_key(*key)) {
                let message = format!("a Secret of type {type_} needs {key}");
                problems.malformed(join("data", key), message, format!("write {key}, base64-encoded"));
            }
        }
    }

    /// Keeps the type and the data alone: annotations may hold all of it once more.
    fn trim(secret: &mut Self) {
        let Self { metadata, type_, data, .. } = std::mem::take(secret);
        *secret = Self { metadata: trim::name_only(metadata), type_, data, ..Self::default() };
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}

/// The keys that a Secret of a built-in type must have.
fn required_keys(type_: &str) -> &'static [&'static str] {
    match type_ {
        "kubernetes.io/tls" => &["tls.crt", "tls.key"],
        "kubernetes.io/ssh-auth" => &["ssh-privatekey"],
        "kubernetes.io/dockerconfigjson" => &[".dockerconfigjson"],
        "kubernetes.io/dockercfg" => &[".dockercfg"],
        _ => &[],
    }
}
