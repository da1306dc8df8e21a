//! The kinds of Gateway API that say what to serve. Their definitions are that project's.

use kube::CustomResourceExt;

use super::{KindRules, trim};
use crate::api::gateway_api::{Gateway, GatewayClass, HttpRoute};
use crate::source::identity::Identity;
use crate::source::problem::FieldProblems;
use crate::source::schema::Schema;
use crate::source::validate::{metadata, name};

/// All rules within an object that are not in its schema, `translate` checks again.
macro_rules! kind_rules {
    ($kind:ty) => {
        impl KindRules for $kind {
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
                trim::trim_metadata_except_status(&mut object.metadata);
            }

            fn identity(&self) -> Identity {
                Identity::from(&self.metadata)
            }

            fn equals_except_status(&self, other: &Self) -> bool {
                self.spec == other.spec && trim::equals_except_status(&self.metadata, &other.metadata)
            }
        }
    };
}

kind_rules!(GatewayClass);
kind_rules!(Gateway);
kind_rules!(HttpRoute);
