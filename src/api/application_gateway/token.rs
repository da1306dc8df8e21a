//! Tokens (JWT) that requests have to bring.

#![expect(unreachable_pub, reason = "the schema derive makes public items inside functions")]

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigKeyReference;

/// Rules for the tokens of requests (ARM `entraJWTValidationConfigs`): of Entra, by `tenantId` and `clientId`, or of any issuer.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.tenantId) != has(self.issuer)").message("give either tenantId or issuer"))]
#[x_kube(validation = Rule::new("!has(self.tenantId) || has(self.clientId)").message("a tenantId needs a clientId"))]
#[x_kube(validation = Rule::new("!has(self.issuer) || has(self.jwks)").message("an issuer needs jwks"))]
#[x_kube(validation = Rule::new("!has(self.issuer) || has(self.clientId) || has(self.audiences)").message("an issuer needs audiences, or a clientId"))]
pub struct TokenValidationConfig {
    /// Name, for references. Unique in its list.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Tenant of Entra whose tokens are accepted: its GUID, or `common`, `organizations` or `consumers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub tenant_id: Option<String>,
    /// Identity of the application for which tokens are meant. It is one of the audiences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub client_id: Option<String>,
    /// Audiences for which tokens may be meant (claim `aud`), at most 5, besides the `clientId`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(min = 1, max = 512)))]
    pub audiences: Vec<String>,
    /// The answer to a request without a valid token: `Deny`: 401. `Allow`: it goes on without an identity. Default: Deny.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub un_authorized_request_action: Option<UnauthorizedRequestAction>,
    /// Issuer whose tokens are accepted (claim `iss`), where that is not Entra (not in ARM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub issuer: Option<String>,
    /// The issuer's keys, a JSON Web Key Set (not in ARM). Default: those of Entra, for a tenant of Entra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<JwksSource>,
    /// Seconds by which the clocks of issuer and gateway may differ, 0–300 (not in ARM). Default: 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 300))]
    pub clock_skew: Option<i32>,
    /// Header that brings the token, after `Bearer` or alone (not in ARM). Default: Authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub token_header: Option<String>,
    /// Query parameter that brings the token where the header does not (not in ARM): browsers can't send a header with a WebSocket
    /// handshake. It is removed before the request is sent to a backend. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub token_query_parameter: Option<String>,
    /// Claims that are sent to backends as headers (not in ARM).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub claims_to_headers: Vec<ClaimToHeader>,
    /// What becomes of a WebSocket session when its token ends (claim `exp`): `Close`: it is closed (1008). `Keep`: it stays (not in ARM).
    /// Default: Close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_at_token_end: Option<SessionAtTokenEnd>,
}

/// Where the keys of an issuer come from.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.secretRef), has(self.configMapRef), has(self.url)].filter(given, given).size() == 1").message("give one of secretRef, configMapRef and url"))]
pub struct JwksSource {
    /// A value of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ConfigKeyReference>,
    /// A value of a ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<ConfigKeyReference>,
    /// A URL, from which they are fetched again from time to time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^[Hh][Tt][Tt][Pp][Ss]?://[^/?#]"))]
    pub url: Option<String>,
}

/// A claim that is sent to backends as a header.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimToHeader {
    /// Name of the claim.
    #[schemars(length(min = 1, max = 256))]
    pub claim: String,
    /// Name of the header. What clients send under it is removed.
    #[schemars(length(min = 1, max = 256))]
    pub header: String,
}

/// The answer to a request without a valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum UnauthorizedRequestAction {
    /// 401.
    Deny,
    /// It goes on without an identity.
    Allow,
}

/// What becomes of a session when its token ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum SessionAtTokenEnd {
    /// It is closed (1008).
    Close,
    /// It stays.
    Keep,
}
