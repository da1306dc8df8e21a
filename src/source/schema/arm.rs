//! Fields of Azure's Application Gateway that this version does not carry. An ApplicationGateway that has them is
//! served without them.

use serde_json::Value;

/// Their names in ARM.
const NAMES: &[&str] = &[
    "authenticationCertificates",
    "autoscaleConfiguration",
    "customErrorPageUrl",
    "dedicatedBackendConnection",
    "enableFips",
    "enableL4ClientIpPreservation",
    "enableProbeProxyProtocolHeader",
    "forceFirewallPolicyAssociation",
    "gatewayIPConfigurations",
    "identity",
    "privateIPAllocationMethod",
    "privateLinkConfigurations",
    "sku",
    "subnet",
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
