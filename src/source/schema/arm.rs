//! Fields of Azure's Application Gateway that this version does not carry. An ApplicationGateway that has them is
//! served without them.

use serde_json::Value;

/// Their names in ARM.
const NAMES: &[&str] = &[
    "authenticationCertificates",
    "autoscaleConfiguration",
    "backendSettingsCollection",
    "customErrorConfigurations",
    "dedicatedBackendConnection",
    "defaultLoadDistributionPolicy",
    "defaultRedirectConfiguration",
    "defaultRewriteRuleSet",
    "enableFips",
    "enableHttp2",
    "firewallPolicy",
    "forceFirewallPolicyAssociation",
    "frontendIPConfiguration",
    "frontendIPConfigurations",
    "gatewayIPConfigurations",
    "globalConfiguration",
    "identity",
    "listeners",
    "loadDistributionPolicies",
    "loadDistributionPolicy",
    "minServers",
    "privateLinkConfigurations",
    "redirectConfiguration",
    "redirectConfigurations",
    "requireServerNameIndication",
    "rewriteRuleSet",
    "rewriteRuleSets",
    "routingRules",
    "sku",
    "sslPolicy",
    "sslProfile",
    "sslProfiles",
    "trustedClientCertificates",
    "webApplicationFirewallConfiguration",
    "zones",
];

/// Whether a field of this name is one of them.
pub(super) fn is_left_out(name: &str) -> bool {
    NAMES.binary_search(&name).is_ok()
}

/// Whether leaving out the field changes nothing: the value is empty, or what the gateway does anyway.
pub(super) fn asks_for_nothing(name: &str, value: &Value) -> bool {
    match (name, value) {
        (_, Value::Null) => true,
        (_, Value::Array(items)) => items.is_empty(),
        ("enableHttp2", Value::Bool(enabled)) => *enabled,
        ("minServers", Value::Number(servers)) => servers.as_u64() == Some(0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted() {
        assert!(NAMES.is_sorted());
    }
}
