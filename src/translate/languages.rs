//! The list of languages. A new one is a folder beside the others and a line here.

use super::Options;
use super::application_gateway::ApplicationGateways;
use super::class::Classes;
use super::gateway_api::GatewayApi;
use super::ingress::Ingresses;
use super::language::Language;
use super::report::Reports;
use crate::source::Snapshot;

/// Every language, each without an object.
pub(super) fn all() -> Vec<Box<dyn Language>> {
    vec![Box::<Ingresses>::default(), Box::<ApplicationGateways>::default(), Box::<GatewayApi>::default()]
}

/// Reads the classes, with the gateways that their parameters name.
pub(super) fn read_classes(
    languages: &[Box<dyn Language>],
    snapshot: &Snapshot,
    options: &Options,
    reports: &mut Reports,
) -> Classes {
    let read_gateway = |key: &_, reports: &mut Reports| {
        languages.iter().find_map(|language| language.class_gateway(key, snapshot, reports))
    };
    Classes::read(snapshot, options, &read_gateway, reports)
}
