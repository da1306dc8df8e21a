//! What an API server would refuse when an object is created: a directory has none to do so.
//!
//! Only what the schema can't say is here, and only within one object; what one object says of another is
//! `translate`'s to check.

mod config;
mod endpoint_slice;
mod ingress;
mod metadata;
mod name;
mod pod;
mod service;

pub(super) use config::{config_map, secret};
pub(super) use endpoint_slice::endpoint_slice;
pub(super) use ingress::{ingress, ingress_class};
pub(super) use pod::pod;
pub(super) use service::service;

use k8s_openapi::api::core::v1::Namespace;

use super::problem::Problems;
use crate::api::ApplicationGateway;

/// A Namespace.
pub(super) fn namespace(namespace: &mut Namespace, problems: &mut Problems) {
    metadata::check(&namespace.metadata, name::label, problems);
}

/// An ApplicationGateway: the schema says what can be said of it alone.
pub(super) fn gateway(gateway: &mut ApplicationGateway, problems: &mut Problems) {
    metadata::check(&gateway.metadata, name::subdomain, problems);
}
