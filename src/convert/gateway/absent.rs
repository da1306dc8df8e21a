//! Properties of ARM that ApplicationGateway does not have: what is said of each.

use std::net::IpAddr;

use super::scalar;
use crate::convert::json::COLLECTIONS;
use crate::convert::report::Outcome;
use crate::convert::value::Value;

/// What is said of a property that is not carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Absence {
    /// Nothing: it says nothing of the configuration, or is reported where it is used.
    Silent,
    Told {
        outcome: Outcome,
        message: String,
        remedy: String,
    },
    /// It is no property that anybody knows.
    NotKnown,
}

/// What a resource manager and its tools keep beside the configuration.
const BOOKKEEPING: &[&str] = &[
    "changedTime",
    "clientCertIssuerDN",
    "createdTime",
    "defaultPredefinedSslPolicy",
    "etag",
    "id",
    "name",
    "operationalState",
    "provisioningState",
    "publicCertData",
    "resourceGroup",
    "resourceGroupName",
    "resourceGuid",
    "resourceId",
    "resourceType",
    "subscriptionId",
    "systemData",
    "type",
    "validatedCertData",
];

/// What Secrets and ConfigMaps are made of; it is reported with them.
const CONFIGURATION: &[&str] = &["customErrorPageUrl", "data", "keyVaultSecretId", "password"];

/// A property that is known: what becomes of it, why, and what to do.
#[derive(Debug)]
struct KnownProperty {
    name: &'static str,
    outcome: Outcome,
    why: &'static str,
    remedy: &'static str,
}

const fn left_out(name: &'static str, why: &'static str, remedy: &'static str) -> KnownProperty {
    KnownProperty { name, outcome: Outcome::LeftOut, why, remedy }
}

const fn not_needed(name: &'static str, why: &'static str, remedy: &'static str) -> KnownProperty {
    KnownProperty { name, outcome: Outcome::NotNeeded, why, remedy }
}

/// Why there is nothing in place of a firewall.
const NO_FIREWALL: &str = "there is no web application firewall here, so requests are served without one";
/// Why there is nothing in place of Private Link, and what to do.
const NO_PRIVATE_LINK: &str = "there is no Private Link here";
const INTERNAL_SERVICE: &str = "make the gateway's Service internal where clients are private";

/// Every property that is known, in the order of the alphabet.
const KNOWN: &[KnownProperty] = &[
    left_out(
        "authenticationCertificates",
        "certificates of backends are verified by a CA, not one by one",
        "name the CA in trustedRootCertificates",
    ),
    not_needed(
        "autoscaleConfiguration",
        "Kubernetes scales the gateway",
        "use a HorizontalPodAutoscaler, with the chart's values",
    ),
    left_out(
        "backendIPConfigurations",
        "members that are network interfaces of Azure can't be found here",
        "list their addresses in backendAddresses",
    ),
    left_out(
        "dedicatedBackendConnection",
        "connections to backends are shared by clients",
        "see whether a backend authenticates connections (NTLM)",
    ),
    left_out("enableFips", "the cryptography is not validated for FIPS", "see whether something depends on it"),
    left_out(
        "enableL4ClientIpPreservation",
        "backends see the gateway's address",
        "see whether a backend depends on the client's",
    ),
    not_needed("extendedLocation", "it is about Azure's machines", ""),
    left_out("firewallPolicy", NO_FIREWALL, "put one in front"),
    not_needed("forceFirewallPolicyAssociation", "there is no web application firewall here", ""),
    not_needed("gatewayIPConfigurations", "pods run in the cluster's own network", ""),
    not_needed("globalConfiguration", "requests and answers are streamed, not buffered; nothing of them is lost", ""),
    not_needed("identity", "Secrets take the place of a Key Vault, so no identity is needed to read one", ""),
    not_needed("location", "it is about Azure's machines", ""),
    not_needed("managedBy", "it is about Azure Resource Manager", ""),
    not_needed("plan", "it is about Azure's machines", ""),
    left_out("privateEndpointConnections", NO_PRIVATE_LINK, INTERNAL_SERVICE),
    not_needed("privateIPAllocationMethod", "the gateway listens on its pod's addresses", ""),
    left_out("privateLinkConfiguration", NO_PRIVATE_LINK, INTERNAL_SERVICE),
    left_out("privateLinkConfigurations", NO_PRIVATE_LINK, INTERNAL_SERVICE),
    not_needed("probeEnabled", "a probe is used wherever settings name one", ""),
    not_needed("sku", "the number of replicas takes its place", "set replicas in the chart's values"),
    left_out(
        "sniName",
        "the server name of backends is the Host that they get",
        "write it as hostName where both are the same",
    ),
    not_needed("subnet", "pods run in the cluster's own network", ""),
    not_needed("tags", "they are about Azure Resource Manager", "add labels where something depends on them"),
    left_out(
        "validateCertChainAndExpiry",
        "certificates of backends are always verified",
        "give the CA in trustedRootCertificates",
    ),
    left_out(
        "validateSNI",
        "names in certificates of backends are always verified",
        "give backends certificates with their names",
    ),
    left_out("webApplicationFirewallConfiguration", NO_FIREWALL, "put one in front"),
    not_needed("zones", "Kubernetes spreads pods over zones", "use topologySpreadConstraints, with the chart's values"),
];

/// Whether a field of ApplicationGateway is not written though ARM has it too.
pub(super) fn is_left_out(path: &str, name: &str) -> bool {
    (path.is_empty() && name == "globalConfiguration")
        || (path.starts_with("frontendIPConfigurations[") && name == "privateIPAddress")
}

/// Whether a property is a gateway's as a resource, beside its configuration.
pub(super) fn is_of_resource(path: &str) -> bool {
    ["extendedLocation", "identity", "location", "tags", "zones"].iter().any(|name| name.eq_ignore_ascii_case(path))
}

/// What is said of a property of an object: of an element of a collection, or of something within one.
pub(super) fn find(name: &str, value: &Value, collection: Option<&str>) -> Absence {
    let is = |known: &&str| known.eq_ignore_ascii_case(name);
    if value.is_nothing() || BOOKKEEPING.iter().any(is) {
        return Absence::Silent;
    }
    if CONFIGURATION.iter().any(is) && collection.is_some()
        || is_back_reference(name, value)
        || is_description(name, value)
    {
        return Absence::Silent;
    }
    if is(&"privateIPAddress") {
        return private_address(value);
    }
    let disabled = |known: &str| {
        let enabled =
            if known == "webApplicationFirewallConfiguration" { value.member("enabled") } else { Some(value) };
        enabled == Some(&Value::Bool(false))
    };
    match KNOWN.iter().find(|known| is(&known.name)) {
        Some(KnownProperty { name, outcome, why, remedy }) => {
            let (outcome, remedy) = if disabled(name) { (Outcome::NotNeeded, "") } else { (*outcome, *remedy) };
            let message = format!("not carried over ({}): {why}", scalar::shown(value));
            Absence::Told { outcome, message, remedy: remedy.to_owned() }
        }
        None => Absence::NotKnown,
    }
}

fn private_address(value: &Value) -> Absence {
    let shown = scalar::shown(value);
    let no_address = value.as_text().is_some_and(|text| text.parse::<IpAddr>().is_err());
    let note = if no_address { ", which is no address," } else { "" };
    let message =
        format!("the private address {shown}{note} is not carried over: the gateway listens on its pod's addresses");
    let remedy = "make the gateway's Service internal where the listeners were to be private".to_owned();
    Absence::Told { outcome: Outcome::LeftOut, message, remedy }
}

/// Whether it lists elements that refer to the one in which it stands.
fn is_back_reference(name: &str, value: &Value) -> bool {
    let others = ["backendHttpSettings", "backendSettings", "pathRules"];
    let is_collection = others.iter().chain(COLLECTIONS).any(|known| known.eq_ignore_ascii_case(name));
    let is_reference = |item: &Value| {
        item.member("id").is_some() && item.member("properties").is_none() && item.member("name").is_none()
    };
    is_collection && value.as_list().is_some_and(|items| items.iter().all(is_reference))
}

/// Whether it is one of the texts that PowerShell puts beside properties: `SkuText` has `Sku` as JSON.
fn is_description(name: &str, value: &Value) -> bool {
    name.ends_with("Text") && value.as_text().is_some_and(|text| text == "null" || text.starts_with(['{', '[', '"']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_sorted() {
        assert!(KNOWN.is_sorted_by_key(|known| known.name));
        assert!(BOOKKEEPING.is_sorted());
    }
}
