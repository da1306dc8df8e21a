//! The list of languages. A new one is a folder beside the others and a line here.

use super::application_gateway::ApplicationGateways;
use super::ingress::Ingresses;
use super::language::Language;

/// Every language, each without an object.
pub(super) fn all() -> Vec<Box<dyn Language>> {
    vec![Box::<Ingresses>::default(), Box::<ApplicationGateways>::default()]
}
