//! What users write: the `ApplicationGateway` resource and the annotations of an Ingress.

pub mod gateway;

pub use gateway::{ApplicationGateway, ApplicationGatewaySpec};
