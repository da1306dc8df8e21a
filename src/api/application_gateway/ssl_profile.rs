//! TLS with clients: policies, profiles, and the CA certificates of client certificates.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigReference, Reference};

/// Versions of TLS and cipher suites that clients may use (ARM `sslPolicy`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.policyType) || self.policyType != 'Predefined' || has(self.policyName)").message("a policy of type Predefined needs a policyName"))]
#[x_kube(validation = Rule::new("!has(self.policyType) || self.policyType == 'Predefined' || !has(self.policyName)").message("a policyName is for type Predefined alone"))]
#[x_kube(validation = Rule::new("!has(self.policyName) || (!has(self.minProtocolVersion) && !has(self.cipherSuites))").message("a predefined policy has its own minProtocolVersion and cipherSuites"))]
pub struct SslPolicy {
    /// `Predefined`: by name. `Custom`: the versions and cipher suites that are listed. `CustomV2`: also TLS 1.3. Default: Predefined where
    /// a `policyName` stands, else CustomV2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<SslPolicyType>,
    /// Name of a predefined policy: `AppGwSslPolicy20150501`, `20170401`, `20170401S`, `20220101` or `20220101S`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub policy_name: Option<String>,
    /// The oldest version of TLS: `TLSv1_0`, `TLSv1_1`, `TLSv1_2` or `TLSv1_3`. Versions below 1.2 are never offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_protocol_version: Option<SslProtocol>,
    /// Cipher suites, by their names in the registry of IANA, most preferred first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    pub cipher_suites: Vec<String>,
    /// Versions of TLS that are not offered (ARM, before it had policies).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub disabled_ssl_protocols: Vec<SslProtocol>,
}

/// How a policy is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SslPolicyType {
    /// By name.
    Predefined,
    /// By its versions and cipher suites.
    Custom,
    /// By its versions and cipher suites, TLS 1.3 included.
    CustomV2,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
pub enum SslProtocol {
    /// TLS 1.0.
    #[serde(rename = "TLSv1_0")]
    Tls10,
    /// TLS 1.1.
    #[serde(rename = "TLSv1_1")]
    Tls11,
    /// TLS 1.2.
    #[serde(rename = "TLSv1_2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "TLSv1_3")]
    Tls13,
}

/// TLS settings of listeners: client certificates, and a policy of their own (ARM `sslProfiles`).
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SslProfile {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// CA certificates that client certificates must come from, elements of `trustedClientCertificates`. Where there are any, a client
    /// without such a certificate is refused. Default: no client certificates are asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub trusted_client_certificates: Vec<Reference>,
    /// What else is checked of client certificates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_auth_configuration: Option<ClientAuthConfiguration>,
    /// The policy of its listeners, instead of the gateway's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_policy: Option<SslPolicy>,
}

/// What else is checked of client certificates.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAuthConfiguration {
    /// Whether the issuer of a client's certificate must be the last CA of a chain that is listed, by its name. Default: false.
    #[serde(default, rename = "verifyClientCertIssuerDN", skip_serializing_if = "Option::is_none")]
    pub verify_client_cert_issuer_dn: Option<bool>,
    /// Whether it is asked whether a certificate was revoked. Default: None, which is all that is supported: another value closes the
    /// listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_client_revocation: Option<ClientRevocation>,
    /// Which certificates are let through. Default: Strict, which is all that is supported: another value closes the listeners.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_client_auth_mode: Option<ClientAuthMode>,
}

/// Which client certificates are let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ClientAuthMode {
    /// Those that a CA which is listed has issued.
    Strict,
    /// All, for the backend to judge.
    Passthrough,
}

/// How it is asked whether a client certificate was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ClientRevocation {
    /// It is not asked.
    None,
    /// By OCSP (RFC 6960).
    #[serde(rename = "OCSP")]
    Ocsp,
}

/// CA certificates that verify client certificates (ARM `trustedClientCertificates`). PEM, in the key `ca.crt` of a Secret or ConfigMap.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.configMapRef)").message("give either secretRef or configMapRef"))]
pub struct TrustedClientCertificate {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ConfigReference>,
    /// The ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigReference>,
}
