//! Fragments on a page: a document of prose, Markdown or not, that shows parts of a template.

use super::Reader;
use crate::convert::json::{Node, NodeKind, SyntaxError};

/// Collections of a gateway, and other members that no other resource has: by them a fragment is recognised.
pub(crate) const COLLECTIONS: &[&str] = &[
    "backendAddressPools",
    "backendHttpSettingsCollection",
    "backendSettingsCollection",
    "frontendIPConfigurations",
    "frontendPorts",
    "httpListeners",
    "listeners",
    "loadDistributionPolicies",
    "probes",
    "redirectConfigurations",
    "requestRoutingRules",
    "rewriteRuleSets",
    "routingRules",
    "sslCertificates",
    "sslPolicy",
    "sslProfiles",
    "trustedClientCertificates",
    "trustedRootCertificates",
    "urlPathMaps",
];

/// Reads the members of a gateway that begin lines of a page, into one object. `None`: the text is no page that has any.
///
/// # Errors
/// A member begins, and is not JSON.
pub(super) fn fragments(reader: &mut Reader<'_>) -> Result<Option<Node>, SyntaxError> {
    let position = reader.position();
    // What begins as JSON is JSON, and its fault is to be named where it is.
    if reader.rest().trim_start().starts_with(['{', '[', '"', '/']) {
        return Ok(None);
    }
    let mut members = Vec::new();
    while !reader.rest().is_empty() {
        let line = reader.rest();
        let indent = line.len() - line.trim_start_matches([' ', '\t']).len();
        if begins(&line[indent..]) {
            reader.advance(indent);
            members.push(reader.member()?);
        } else {
            reader.advance(line.find('\n').map_or(line.len(), |end| end + 1));
        }
    }
    Ok((!members.is_empty()).then_some(Node { position, kind: NodeKind::Object(members) }))
}

fn begins(line: &str) -> bool {
    let name = line.strip_prefix('"').and_then(|rest| rest.split_once('"'));
    name.is_some_and(|(name, rest)| {
        COLLECTIONS.iter().any(|known| known.eq_ignore_ascii_case(name)) && rest.trim_start().starts_with(':')
    })
}
