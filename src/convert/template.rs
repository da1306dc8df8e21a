//! Templates: parameters, variables, loops, conditions and nested deployments, and the resources that come of them.
//!
//! What is evaluated is what somebody needs, once. Every value that can't be known is unknown with its cause, and nothing takes its place.

mod decisive;
mod deployment;
mod evaluator;
mod parameters;
mod resources;

pub(super) use parameters::given;
pub(super) use resources::{Condition, FoundGateway, Resources, find};
