//! ReferenceGrant, a custom resource of Gateway API.

use kube::CustomResourceExt;

use super::{KindRules, trim};
use crate::api::ReferenceGrant;
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::{metadata, name};

impl KindRules for ReferenceGrant {
    type Resource = Self;
    const IS_CUSTOM_RESOURCE: bool = true;
    const IS_OPTIONAL: bool = true;

    fn schema() -> Schema {
        let mut versions = Self::crd().spec.versions;
        let schema = versions.pop().and_then(|version| version.schema?.open_api_v3_schema);
        Schema::new(serde_json::to_value(schema).expect("a schema holds text, numbers and lists alone"))
    }

    /// All other rules are in its schema.
    fn validate(grant: &Self, problems: &mut FieldProblems) {
        metadata::check(&grant.metadata, name::subdomain, problems);
    }

    fn trim(grant: &mut Self) {
        trim::trim_metadata(&mut grant.metadata);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}
