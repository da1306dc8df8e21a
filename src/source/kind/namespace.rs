//! Namespace: its labels decide which routes a listener of Gateway API takes.

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
        (namespace.spec, namespace.status) = (None, None);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}
