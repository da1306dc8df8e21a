//! `entraJWTValidationConfigs`: the policy of each, and which of them a rule has. A rule whose policy can't be made is closed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::api::ApplicationGatewaySpec;
use crate::api::application_gateway::{
    ClaimToHeader, ConfigKeyReference, JwksSource, RuleReference, SessionAtTokenEnd, TokenValidationConfig,
    UnauthorizedRequestAction,
};
use crate::api::value::{ClockSkew, ValueKind};
use crate::model::{self, Kind, ObjectRef, TokenPolicy, Unauthorized};
use crate::report::Reason;
use crate::source::{Key, Snapshot};

use super::element::{Element, Elements};
use super::reference;
use crate::translate::lookup::Lookup;
use crate::translate::report::Reports;
use crate::translate::token::{self, KeysRef, TokenField, TokenRequest};

/// The policy of each element, by its name; or why there is none.
#[derive(Debug)]
pub(super) struct Tokens<'a>(BTreeMap<&'a str, Result<Arc<TokenPolicy>, Reason>>);

impl<'a> Tokens<'a> {
    pub(super) fn read(owner: &ObjectRef, elements: &Elements<'a>, lookup: &Lookup<'_>, reports: &mut Reports) -> Self {
        let mut read = BTreeMap::new();
        for Element { field, value } in elements.tokens.iter() {
            let policy = policy(owner, &field, value, lookup, reports);
            read.insert(value.name.as_str(), policy.map(Arc::new));
        }
        Self(read)
    }

    /// The policy that a rule at `field` names, if it names one.
    ///
    /// # Errors
    /// There is none, and the rule must be closed.
    pub(super) fn of(
        &self,
        owner: &ObjectRef,
        elements: &Elements<'a>,
        field: &str,
        token: RuleReference<'_>,
        reports: &mut Reports,
    ) -> Result<Option<Arc<TokenPolicy>>, Reason> {
        let Some(reference) = token.reference else { return Ok(None) };
        elements.tokens.find(owner, reference, &format!("{field}.{}", token.field), reports)?;
        self.0.get(reference.name.as_str()).cloned().unwrap_or(Err(Reason::ElementNotFound)).map(Some)
    }
}

/// The Secrets and ConfigMaps with key sets.
pub(super) fn refs(
    snapshot: &Snapshot,
    owner: &ObjectRef,
    spec: &ApplicationGatewaySpec,
    kind: Kind,
) -> impl Iterator<Item = Key> {
    let sources = spec.entra_jwt_validation_configs.iter().filter_map(|config| config.jwks.as_ref());
    let references = sources.filter_map(move |source| match kind {
        Kind::Secret => source.secret_ref.as_ref(),
        _ => source.config_map_ref.as_ref(),
    });
    references.filter_map(move |reference| Some(reference::config_key(snapshot, owner, kind, reference).ok()?.key))
}

fn policy(
    owner: &ObjectRef,
    field: &str,
    config: &TokenValidationConfig,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<TokenPolicy, Reason> {
    let TokenValidationConfig {
        name: _,
        tenant_id,
        client_id,
        audiences,
        un_authorized_request_action,
        issuer,
        jwks,
        clock_skew,
        token_header,
        token_query_parameter,
        claims_to_headers,
        session_at_token_end,
    } = config;
    let request = TokenRequest {
        entra_tenant: tenant_id.as_deref(),
        issuer: issuer.as_deref(),
        audiences: client_id.iter().chain(audiences).map(String::as_str).collect(),
        keys: jwks.iter().flat_map(|source| keys(lookup.snapshot, owner, source)).collect(),
        clock_skew: read_clock_skew(owner, field, *clock_skew, reports)?,
        header: token_header.as_deref(),
        query_parameter: token_query_parameter.as_deref(),
        claims: claims_to_headers.iter().map(|ClaimToHeader { claim, header }| (&**claim, &**header)).collect(),
        unauthorized: match un_authorized_request_action {
            None | Some(UnauthorizedRequestAction::Deny) => Unauthorized::Deny,
            Some(UnauthorizedRequestAction::Allow) => Unauthorized::Allow,
        },
        session_end: match session_at_token_end {
            None | Some(SessionAtTokenEnd::Close) => model::SessionAtTokenEnd::Close,
            Some(SessionAtTokenEnd::Keep) => model::SessionAtTokenEnd::Keep,
        },
    };
    let field_of = |setting| match setting {
        TokenField::EntraTenant => format!("{field}.tenantId"),
        TokenField::Issuer => format!("{field}.issuer"),
        TokenField::Audiences => format!("{field}.audiences"),
        TokenField::Url if jwks.is_none() => format!("{field}.jwks"),
        TokenField::Url => format!("{field}.jwks.url"),
        TokenField::Secret => format!("{field}.jwks.secretRef"),
        TokenField::ConfigMap => format!("{field}.jwks.configMapRef"),
        TokenField::Header => format!("{field}.tokenHeader"),
        TokenField::QueryParameter => format!("{field}.tokenQueryParameter"),
        TokenField::Claim(index) => format!("{field}.claimsToHeaders[{index}]"),
    };
    token::policy(&request, (owner, field.to_owned()), field_of, lookup, reports)
}

fn keys<'s>(snapshot: &Snapshot, owner: &ObjectRef, source: &'s JwksSource) -> Vec<KeysRef<'s>> {
    let JwksSource { secret_ref, config_map_ref, url } = source;
    let object = |kind, reference: &'s ConfigKeyReference| match reference::config_key(snapshot, owner, kind, reference)
    {
        Ok(object) => KeysRef::Object(object, &reference.key),
        Err(fault) => KeysRef::Refused(kind, fault),
    };
    let secret = secret_ref.as_ref().map(|reference| object(Kind::Secret, reference));
    let map = config_map_ref.as_ref().map(|reference| object(Kind::ConfigMap, reference));
    url.as_deref().map(KeysRef::Url).into_iter().chain(secret).chain(map).collect()
}

fn read_clock_skew(
    owner: &ObjectRef,
    field: &str,
    seconds: Option<i32>,
    reports: &mut Reports,
) -> Result<Option<Duration>, Reason> {
    let Some(seconds) = seconds else { return Ok(None) };
    ClockSkew::from_field(seconds).map(Some).map_err(|seconds| {
        let message = format!("{seconds} is outside of what clocks may differ by, so what it guards answers 503");
        let remedy = format!("write {}", ClockSkew::VALUES);
        reports.error(owner, format!("{field}.clockSkew"), Reason::InvalidValue, message, remedy);
        Reason::AccessControl
    })
}
