//! Namespace: read from directories, so that they may hold any manifests that are applied together. Nothing reads it.

use k8s_openapi::api::core::v1::Namespace;

use super::{KindRules, trim};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::{metadata, name};

impl KindRules for Namespace {
    type Resource = Self;

    fn schema() -> Schema {
        Schema::of::<Self>()
    }

    fn validate(namespace: &Self, problems: &mut FieldProblems) {
        metadata::check(&namespace.metadata, name::label, problems);
    }

    fn trim(namespace: &mut Self) {
        trim::trim_metadata(&mut namespace.metadata);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}
