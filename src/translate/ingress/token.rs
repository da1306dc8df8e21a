//! Tokens that an Ingress asks for by its annotations, or by those of its class.

use std::sync::Arc;

use super::parsed::ParsedIngress;
use crate::api::annotations::{ObjectValue, TokenSettings};
use crate::api::application_gateway::{SessionAtTokenEnd, UnauthorizedRequestAction};
use crate::model::{self, Kind, ObjectRef, PolicyOrigin, TokenPolicy, Unauthorized};
use crate::report::Reason;
use crate::translate::class::annotation_field;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::token::{self, KeysRef, TokenField, TokenRequest};

/// The policy that an Ingress asks for, if it asks for one.
///
/// # Errors
/// It can't be made, which is reported: the Ingress must be closed.
pub(super) fn policy(
    ingress: &ParsedIngress,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<Option<Arc<TokenPolicy>>, Reason> {
    let Some(settings) = ingress.settings.token.as_deref() else { return Ok(None) };
    let TokenSettings {
        entra_tenant,
        issuer,
        audiences,
        keys_url,
        keys_secret,
        keys_config_map,
        clock_skew,
        header,
        query_parameter,
        claims_to_headers,
        unauthorized,
        session_end,
    } = settings;
    let secret = keys_secret.as_ref().map(|value| object(ingress, Kind::Secret, value));
    let map = keys_config_map.as_ref().map(|value| object(ingress, Kind::ConfigMap, value));
    let request = TokenRequest {
        entra_tenant: entra_tenant.as_deref(),
        issuer: issuer.as_deref(),
        audiences: audiences.iter().map(String::as_str).collect(),
        keys: keys_url.as_deref().map(KeysRef::Url).into_iter().chain(secret).chain(map).collect(),
        clock_skew: *clock_skew,
        header: header.as_deref(),
        query_parameter: query_parameter.as_deref(),
        claims: claims_to_headers.iter().map(|(claim, header)| (claim.as_str(), header.as_str())).collect(),
        unauthorized: match unauthorized {
            None | Some(UnauthorizedRequestAction::Deny) => Unauthorized::Deny,
            Some(UnauthorizedRequestAction::Allow) => Unauthorized::Allow,
        },
        session_end: match session_end {
            None | Some(SessionAtTokenEnd::Close) => model::SessionAtTokenEnd::Close,
            Some(SessionAtTokenEnd::Keep) => model::SessionAtTokenEnd::Keep,
        },
    };
    let main = if entra_tenant.is_some() { TokenField::EntraTenant } else { TokenField::Issuer };
    let read = token::policy(&request, (&ingress.owner, field(main)), field, lookup, reports)?;
    let owner = ingress.class.writer(&ingress.owner, &ingress.settings, |settings| &settings.token);
    Ok(Some(Arc::new(TokenPolicy { origin: PolicyOrigin { owner, ..read.origin }, ..read })))
}

fn object<'v>(ingress: &ParsedIngress, kind: Kind, ObjectValue { name, key }: &'v ObjectValue) -> KeysRef<'v> {
    KeysRef::Object(ObjectRef::new(kind, ingress.owner.namespace(), name.as_str()), key)
}

fn field(setting: TokenField) -> String {
    annotation_field(match setting {
        TokenField::EntraTenant => "steadygate.io/jwt-entra-tenant",
        TokenField::Issuer => "steadygate.io/jwt-issuer",
        TokenField::Audiences => "steadygate.io/jwt-audiences",
        TokenField::Url => "steadygate.io/jwt-jwks-url",
        TokenField::Secret => "steadygate.io/jwt-jwks-secret",
        TokenField::ConfigMap => "steadygate.io/jwt-jwks-config-map",
        TokenField::Header => "steadygate.io/jwt-header",
        TokenField::QueryParameter => "steadygate.io/jwt-query-parameter",
        TokenField::Claim(_) => "steadygate.io/jwt-claims-to-headers",
    })
}
