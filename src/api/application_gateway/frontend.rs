//! Addresses and ports on which an ApplicationGateway listens.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Addresses of the instance on which listeners listen (ARM `frontendIPConfigurations`): one private address, or those that are public.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.privateIPAddress) && has(self.publicIPAddress))").message("privateIPAddress and publicIPAddress can't stand together"))]
pub struct FrontendIpConfiguration {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The private IPv4 or IPv6 address on which its listeners listen.
    #[serde(default, rename = "privateIPAddress", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 45))]
    pub private_ip_address: Option<String>,
    /// The public address in ARM. Its listeners listen on every address of the instance.
    #[serde(default, rename = "publicIPAddress", skip_serializing_if = "Option::is_none")]
    pub public_ip_address: Option<PublicIpAddress>,
}

/// A public address in ARM. It says that an address is public, and is not looked at itself.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublicIpAddress {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub name: Option<String>,
    /// Its identity in ARM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub id: Option<String>,
}

/// A port that listeners listen on (ARM `frontendPorts`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FrontendPort {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Port, 1–64999 (ARM's range; 65503–65534 are reserved there).
    #[schemars(range(min = 1, max = 64999))]
    pub port: i32,
}
