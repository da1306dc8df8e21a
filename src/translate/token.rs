//! Tokens that routes ask for: what both languages write becomes a policy. They guard, so whatever is wrong closes the routes.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, header};

use super::Options;
use super::certificate::secret_value;
use super::lookup::Lookup;
use super::report::{Fault, Reports};
use super::service::name;
use crate::model::{
    ClaimHeader, EntraTenant, KeySet, KeySource, KeyUrl, Kind, ObjectRef, PolicyOrigin, SessionAtTokenEnd, TokenIssuer,
    TokenPolicy, Unauthorized,
};
use crate::report::Reason;

/// By how much clocks may differ where nothing says so.
const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// Headers that the gateway or HTTP itself writes: no claim becomes one of them. Names that end with `-` stand for all that begin so.
const RESERVED_HEADERS: [&str; 18] = [
    "authorization",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "sec-websocket-",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-forwarded-",
    "x-real-ip",
    "x-request-id",
];

/// The tokens that an object asks for, in the texts that it has.
#[derive(Debug, Default)]
pub(super) struct TokenRequest<'a> {
    pub(super) entra_tenant: Option<&'a str>,
    pub(super) issuer: Option<&'a str>,
    pub(super) audiences: Vec<&'a str>,
    /// Where the keys come from; one is expected, or none with Entra.
    pub(super) keys: Vec<KeysRef<'a>>,
    pub(super) clock_skew: Option<Duration>,
    pub(super) header: Option<&'a str>,
    pub(super) query_parameter: Option<&'a str>,
    /// Claims, and the header of each.
    pub(super) claims: Vec<(&'a str, &'a str)>,
    pub(super) unauthorized: Unauthorized,
    pub(super) session_end: SessionAtTokenEnd,
}

/// Where keys come from.
#[derive(Debug)]
pub(super) enum KeysRef<'a> {
    /// A URL.
    Url(&'a str),
    /// A Secret or ConfigMap, and a key of its data.
    Object(ObjectRef, &'a str),
    /// An object to which the reference is not permitted.
    Refused(Kind, Fault),
}

/// A setting, for the name of its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenField {
    EntraTenant,
    Issuer,
    Audiences,
    Url,
    Secret,
    ConfigMap,
    Header,
    QueryParameter,
    /// The claim with this index.
    Claim(usize),
}

/// Makes the policy of what `owner` asks for at `field`; `field_of` gives the field of a setting.
///
/// # Errors
/// Something is wrong, and has been reported: the routes must be closed.
pub(super) fn policy(
    request: &TokenRequest<'_>,
    (owner, field): (&ObjectRef, String),
    field_of: impl Fn(TokenField) -> String,
    lookup: &Lookup<'_>,
    reports: &mut Reports,
) -> Result<TokenPolicy, Reason> {
    let mut reader = TokenReader { owner, field_of, lookup, reports };
    // Everything that is wrong is reported, not only the first.
    let issuer = reader.issuer(request);
    let audiences = reader.audiences(request);
    let keys = reader.keys(request, issuer.as_ref().ok());
    let header = reader.header(request);
    let query_parameter = reader.query_parameter(request);
    let claim_headers = reader.claims(request, header.as_ref().ok());
    Ok(TokenPolicy {
        origin: PolicyOrigin { owner: Arc::new(owner.clone()), field: field.into() },
        issuer: issuer?,
        audiences: audiences?,
        keys: keys?,
        clock_skew: request.clock_skew.unwrap_or(DEFAULT_CLOCK_SKEW),
        header: header?,
        query_parameter: query_parameter?,
        claim_headers: claim_headers?,
        unauthorized: request.unauthorized,
        session_end: request.session_end,
    })
}

/// Reads settings, and reports what is wrong with them.
struct TokenReader<'r, 'a, F> {
    owner: &'r ObjectRef,
    field_of: F,
    lookup: &'r Lookup<'a>,
    reports: &'r mut Reports,
}

impl<F: Fn(TokenField) -> String> TokenReader<'_, '_, F> {
    fn fault<T>(&mut self, field: TokenField, message: impl Into<String>, remedy: &str) -> Result<T, Reason> {
        let (field, message) = ((self.field_of)(field), message.into());
        let message = format!("{message}, so what it guards answers 503");
        self.reports.error(self.owner, field, Reason::InvalidValue, message, remedy);
        Err(Reason::AccessControl)
    }

    fn issuer(&mut self, request: &TokenRequest<'_>) -> Result<TokenIssuer, Reason> {
        match (request.entra_tenant, request.issuer) {
            (Some(tenant), None) => match EntraTenant::parse(tenant) {
                Ok(tenant) => Ok(TokenIssuer::Entra(tenant)),
                Err(error) => {
                    let remedy = "write the GUID of the tenant, common, organizations or consumers";
                    self.fault(TokenField::EntraTenant, format!("{tenant:?} is no tenant of Entra: {error}"), remedy)
                }
            },
            (None, Some(issuer)) => Ok(TokenIssuer::Named(issuer.into())),
            (Some(_), Some(_)) => {
                let message = "a tenant of Entra and another issuer are named";
                self.fault(TokenField::Issuer, message, "name one of the two")
            }
            (None, None) => {
                let message = "nothing says whose tokens are accepted";
                self.fault(TokenField::Issuer, message, "name an issuer, or a tenant of Entra")
            }
        }
    }

    fn audiences(&mut self, request: &TokenRequest<'_>) -> Result<Box<[Box<str>]>, Reason> {
        let mut audiences: Vec<Box<str>> = Vec::new();
        for audience in &request.audiences {
            if !audiences.iter().any(|known| **known == **audience) {
                audiences.push((*audience).into());
            }
        }
        if audiences.is_empty() {
            let message = "nothing says for whom tokens are meant: those for any other application would be accepted";
            return self.fault(TokenField::Audiences, message, "name the audience that your tokens have (claim aud)");
        }
        Ok(audiences.into())
    }

    fn keys(&mut self, request: &TokenRequest<'_>, issuer: Option<&TokenIssuer>) -> Result<KeySource, Reason> {
        match (&*request.keys, issuer) {
            ([keys], _) => self.read_keys(keys),
            ([], Some(TokenIssuer::Entra(tenant))) => {
                let url = KeyUrl::parse(&tenant.keys_url()).expect("Entra's URL has a host and a path");
                Ok(KeySource::Url(url))
            }
            ([], Some(TokenIssuer::Named(_))) => {
                let message = "nothing says where the issuer's keys are";
                self.fault(TokenField::Url, message, "name a URL, a Secret or a ConfigMap with its key set (JWKS)")
            }
            // What is wrong with the issuer has been reported.
            ([], None) => Err(Reason::AccessControl),
            ([_, _, ..], _) => {
                let message = "the issuer's keys are named more than once";
                self.fault(TokenField::Url, message, "name one: a URL, a Secret or a ConfigMap")
            }
        }
    }

    fn read_keys(&mut self, keys: &KeysRef<'_>) -> Result<KeySource, Reason> {
        let kind_field = |kind| if kind == Kind::Secret { TokenField::Secret } else { TokenField::ConfigMap };
        let (field, fault) = match keys {
            KeysRef::Url(text) => match key_url(text, self.owner.namespace(), self.lookup.options) {
                Ok(url) => return Ok(KeySource::Url(url)),
                Err(fault) => (TokenField::Url, fault),
            },
            KeysRef::Object(object, key) => match key_set(self.lookup, object, key) {
                Ok(keys) => return Ok(KeySource::Static(Arc::new(keys))),
                Err(fault) => (kind_field(object.kind), fault),
            },
            KeysRef::Refused(kind, fault) => (kind_field(*kind), fault.clone()),
        };
        let message = format!("{}, so what it guards answers 503", fault.message);
        let field = (self.field_of)(field);
        self.reports.fault(self.owner, &field, &Fault { message, ..fault });
        Err(Reason::AccessControl)
    }

    fn header(&mut self, request: &TokenRequest<'_>) -> Result<HeaderName, Reason> {
        let Some(text) = request.header else { return Ok(header::AUTHORIZATION) };
        match HeaderName::try_from(text) {
            Ok(name) if name == header::AUTHORIZATION || !is_reserved(&name) => Ok(name),
            _ => {
                let message = format!("{text:?} is no header that can bring a token");
                self.fault(TokenField::Header, message, "name a header, such as Authorization or X-Token")
            }
        }
    }

    fn query_parameter(&mut self, request: &TokenRequest<'_>) -> Result<Option<Box<str>>, Reason> {
        match request.query_parameter {
            Some("") => {
                self.fault(TokenField::QueryParameter, "the name is empty", "name a parameter, such as access_token")
            }
            name => Ok(name.map(Into::into)),
        }
    }

    fn claims(
        &mut self,
        request: &TokenRequest<'_>,
        token_header: Option<&HeaderName>,
    ) -> Result<Box<[ClaimHeader]>, Reason> {
        let mut read: Vec<ClaimHeader> = Vec::new();
        let mut outcome = Ok(());
        for (index, (claim, text)) in request.claims.iter().enumerate() {
            let header =
                HeaderName::try_from(*text).ok().filter(|name| !is_reserved(name) && Some(name) != token_header);
            let header = header.filter(|name| read.iter().all(|known| known.header != *name));
            match header {
                Some(header) => read.push(ClaimHeader { claim: (*claim).into(), header }),
                None => {
                    let message = format!("claim {claim:?} can't become the header {text:?}");
                    let remedy = "name a header of your own, each once, such as X-User";
                    outcome = self.fault(TokenField::Claim(index), message, remedy);
                }
            }
        }
        outcome.map(|()| read.into())
    }
}

/// Whether a header is written by HTTP or the gateway.
fn is_reserved(name: &HeaderName) -> bool {
    RESERVED_HEADERS.iter().any(|reserved| match reserved.strip_suffix('-') {
        Some(_) => name.as_str().starts_with(reserved),
        None => name.as_str() == *reserved,
    }) || name.as_str().starts_with("x-steadygate-")
}

/// The key set in a Secret or ConfigMap.
fn key_set(lookup: &Lookup<'_>, object: &ObjectRef, key: &str) -> Result<KeySet, Fault> {
    let (namespace, name) = (object.namespace(), object.name());
    let (reason, value) = if object.kind == Kind::Secret {
        let secret = lookup.secret(namespace, name);
        (Reason::SecretNotFound, secret.map(|secret| secret_value(secret, key)))
    } else {
        let map = lookup.config_map(namespace, name);
        let value = map.map(|map| map.data.as_ref().and_then(|data| Some(data.get(key)?.as_bytes())));
        (Reason::ConfigMapNotFound, value)
    };
    let remedy = "put the issuer's keys there, as a JSON Web Key Set (RFC 7517)".to_owned();
    let Some(value) = value else {
        return Err(Fault { reason, part: ".name", message: format!("there is no {object}"), remedy });
    };
    let unusable = |message: String| Fault { reason: Reason::InvalidKeySet, part: ".key", message, remedy };
    let Some(value) = value else { return Err(unusable(format!("{object} has no {key}"))) };
    KeySet::parse(value).map_err(|error| unusable(format!("{object}, {key}: {error}")))
}

/// The URL of a key set: the rules for backends hold for it, since the gateway connects to it.
fn key_url(text: &str, namespace: &str, options: &Options) -> Result<KeyUrl, Fault> {
    let fault = |reason, message: String, remedy: &str| Fault { reason, part: "", message, remedy: remedy.to_owned() };
    let url = KeyUrl::parse(text).map_err(|error| {
        // A URL may hold a password, which is not repeated.
        fault(Reason::InvalidValue, format!("the URL can't be used: {error}"), "write https://HOST/PATH")
    })?;
    let is_private = match url.ip() {
        Some(ip) => {
            if let Some(kind) = options.addresses.forbids((ip, url.port()).into()) {
                let message = format!("{ip} can't be asked for keys: it is {kind}");
                return Err(fault(Reason::RefNotPermitted, message, "name another host"));
            }
            ip.is_loopback()
        }
        None => {
            let host = name::read(url.host(), namespace, options).map_err(|refused| {
                fault(refused.reason, format!("{:?} {}", url.host(), refused.problem), refused.remedy)
            })?;
            host == "localhost" || name::is_of_cluster(&host, options)
        }
    };
    if !url.is_https() && !is_private {
        let message = "keys would come in clear text, and whoever is on the way could replace them".to_owned();
        return Err(fault(Reason::InvalidValue, message, "write https, or a Service of this namespace"));
    }
    Ok(url)
}
