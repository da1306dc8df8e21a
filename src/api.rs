//! What users write: the `ApplicationGateway` resource and the annotations of an Ingress.
//!
//! Shapes, ranges and defaults only. What they mean together is `translate`'s, and nothing here
//! knows the rest of the program.

pub mod annotations;
pub mod application_gateway;
pub mod cookie;
mod read;
pub mod session;
pub mod value;

pub use application_gateway::{ApplicationGateway, ApplicationGatewaySpec, crd_yaml};
pub use session::SessionSettings;
