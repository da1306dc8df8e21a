//! AzureIngressProhibitedTarget, a custom resource of AGIC.

use kube::CustomResourceExt;

use super::{KindRules, trim};
use crate::api::agic::AzureIngressProhibitedTarget;
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::{metadata, name};

impl KindRules for AzureIngressProhibitedTarget {
    type Resource = Self;
    const IS_CUSTOM_RESOURCE: bool = true;
    const IS_OPTIONAL: bool = true;

    fn schema() -> Schema {
        Schema::of_crd(&Self::crd())
    }

    fn validate(object: &Self, problems: &mut FieldProblems) {
        metadata::check(&object.metadata, name::subdomain, problems);
    }

    fn trim(object: &mut Self) {
        trim::trim_metadata(&mut object.metadata);
    }

    fn identity(&self) -> Identity {
        Identity::from(&self.metadata)
    }
}
