//! ApplicationGateway, the custom resource of this controller.

use kube::CustomResourceExt;

use super::{KindRules, trim};
use crate::api::ApplicationGateway;
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::{metadata, name};

impl KindRules for ApplicationGateway {
    type Resource = Self;
    const IS_CUSTOM_RESOURCE: bool = true;

    fn schema() -> Schema {
        Schema::of_crd(&Self::crd()).arm()
    }

    /// All other rules within one gateway are in its schema.
    fn validate(gateway: &Self, problems: &mut FieldProblems) {
        metadata::check(&gateway.metadata, name::subdomain, problems);
    }

    fn trim(gateway: &mut Self) {
        trim::trim_metadata_except_status(&mut gateway.metadata);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }

    fn equals_except_status(&self, other: &Self) -> bool {
        self.spec == other.spec && trim::equals_except_status(&self.metadata, &other.metadata)
    }
}
