//! ConfigMap (kubernetes, pkg/apis/core/validation).

use k8s_openapi::api::core::v1::ConfigMap;

use super::{KindRules, trim};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::span::join;
use crate::source::validate::data::{self, DataEntry};
use crate::source::validate::{metadata, name};

impl KindRules for ConfigMap {
    type Resource = Self;

    fn schema() -> Schema {
        Schema::of::<Self>()
    }

    fn validate(map: &Self, problems: &mut FieldProblems) {
        metadata::check(&map.metadata, name::subdomain, problems);
        let text = map.data.iter().flatten().map(|(key, value)| DataEntry { field: "data", key, size: value.len() });
        let binary = map.binary_data.iter().flatten();
        let binary = binary.map(|(key, value)| DataEntry { field: "binaryData", key, size: value.0.len() });
        data::check(text.chain(binary), problems);
        for key in map.binary_data.iter().flatten().map(|(key, _)| key) {
            if map.data.as_ref().is_some_and(|data| data.contains_key(key)) {
                problems.refuse(join("binaryData", key), "the key is in data as well", "keep one of the two");
            }
        }
    }

    /// Keeps the texts alone: annotations may hold all of them once more.
    fn trim(map: &mut Self) {
        let Self { metadata, data, .. } = std::mem::take(map);
        *map = Self { metadata: trim::name_only(metadata), data, ..Self::default() };
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}
