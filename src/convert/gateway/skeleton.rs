//! Elements that are referred to and are not there: they stand in the output as comments, to be filled in.

use std::collections::BTreeSet;

use super::reference::Dangling;
use super::schema;
use crate::convert::yaml::{Yaml, YamlField, scalar};

/// Puts a skeleton of each missing element into its collection.
pub(super) fn add(mut spec: Vec<YamlField>, dangling: &[Dangling]) -> Vec<YamlField> {
    let missing: BTreeSet<&Dangling> = dangling.iter().collect();
    for Dangling { collection, name } in missing {
        let at = spec.iter().position(|field| field.name == *collection).unwrap_or_else(|| {
            spec.push(YamlField::new(*collection, Yaml::List(Vec::new())));
            spec.len() - 1
        });
        let field = &mut spec[at];
        if field.skeleton.is_empty() {
            field.skeleton.push("Referred to, and not in the template. Fill in, and remove the '# ':".to_owned());
        }
        field.skeleton.push(format!("- name: {}", scalar(name)));
        field.skeleton.extend(parts(collection).iter().map(|line| format!("  {line}")));
    }
    let order: Vec<_> = schema::ordered(schema::spec()).into_iter().map(|(name, _)| name).collect();
    spec.sort_by_key(|field| {
        if field.name == "ingressClassName" { None } else { Some(order.iter().position(|name| *name == field.name)) }
    });
    spec
}

/// What an element needs at the least.
fn parts(collection: &str) -> &'static [&'static str] {
    match collection {
        "frontendPorts" => &["port: <the port>"],
        "sslCertificates" => &["secretRef: {name: <a Secret of type kubernetes.io/tls>}"],
        "trustedRootCertificates" | "trustedClientCertificates" => &["configMapRef: {name: <a ConfigMap with ca.crt>}"],
        "backendAddressPools" => &["backendAddresses:", "- ipAddress: <the address of a backend; or fqdn>"],
        "backendHttpSettingsCollection" => &["port: <the port of the backends>", "protocol: <Http or Https>"],
        "backendSettingsCollection" => &["port: <the port of the backends>", "protocol: <Tcp or Tls>"],
        "probes" => &["protocol: <Http or Https>", "path: <the path>"],
        "httpListeners" => &["frontendPort: {name: <an element of frontendPorts>}", "protocol: <Http or Https>"],
        "listeners" => &["frontendPort: {name: <an element of frontendPorts>}", "protocol: <Tcp or Tls>"],
        "urlPathMaps" => &[
            "defaultBackendAddressPool: {name: <an element of backendAddressPools>}",
            "defaultBackendHttpSettings: {name: <an element of backendHttpSettingsCollection>}",
        ],
        "redirectConfigurations" => {
            &["redirectType: <Permanent, Found, SeeOther or Temporary>", "targetUrl: <a URL; or targetListener>"]
        }
        "loadDistributionPolicies" => {
            &["loadDistributionTargets:", "- backendAddressPool: {name: <an element of backendAddressPools>}"]
        }
        "entraJWTValidationConfigs" => &["tenantId: <the tenant>", "clientId: <the client>"],
        _ => &[],
    }
}
