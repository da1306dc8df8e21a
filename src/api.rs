//! What users write: the `ApplicationGateway` resource, the kinds of Gateway API, and the annotations of an Ingress.
//!
//! Only shapes, ranges and defaults are here. What they mean together is up to `translate`. Nothing here uses the rest
//! of the program.

pub mod agic;
pub mod annotations;
pub mod application_gateway;
pub mod cookie;
pub mod gateway_api;
mod read;
mod reference_grant;
pub mod session;
mod upgrade;
pub mod value;

pub use application_gateway::{ApplicationGateway, ApplicationGatewaySpec, crd_yaml};
pub use reference_grant::{ReferenceGrant, ReferenceGrantFrom, ReferenceGrantSpec, ReferenceGrantTo};
pub use session::SessionSettings;
