//! Tokens (JWT): a request brings a valid one, or is refused (RFC 6750). Who has sent it is told to the backend in headers.
//!
//! A token that has been verified is remembered by its hash until it ends, so that a client's next request costs one hash. Nothing here
//! logs a token, keeps its text, or gives any part of it to an answer.

mod bearer;
mod cache;
mod claims;
mod fault;
mod verify;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{CONNECTION, Entry, HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use self::bearer::Bearer;
use self::cache::CachedToken;
use self::fault::TokenFault;
use self::verify::VerifiedToken;
use crate::jwks::FetchedKeys;
use crate::model::{KeySet, KeySource, SessionAtTokenEnd, TokenPolicy, Unauthorized};
use crate::proxy::request::context::ConnectionContext;
use crate::proxy::request::refusal::Refusal;
use crate::proxy::request::target::RequestTarget;

/// How long a request waits for keys that have to be fetched first.
const KEYS_TIMEOUT: Duration = Duration::from_secs(5);

/// The header in which the backend reads who has sent a request, as Azure's gateway writes it: `TENANT:OID`.
const ENTRA_IDENTITY: HeaderName = HeaderName::from_static("x-msft-entra-identity");

/// Lets a request through if its token is valid. Headers that only the gateway may write are the gateway's afterwards, whatever the
/// client has sent. Gives the moment at which a session that the token admits has to end, if it has to.
///
/// # Errors
/// The request has no valid token, or nobody can tell: 401, 403 or 503.
pub(super) async fn admit(
    policy: &Arc<TokenPolicy>,
    context: &ConnectionContext,
    headers: &mut HeaderMap,
    requested: &mut RequestTarget,
) -> Result<Option<Instant>, Refusal> {
    let presented = bearer::take(policy, headers, requested);
    remove_own(policy, headers);
    let admitted = match presented {
        Ok(bearer) => verified(policy, context, &bearer).await,
        Err(fault) => Err(fault),
    };
    match admitted {
        Ok(token) => {
            headers.extend(token.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
            Ok((policy.session_end == SessionAtTokenEnd::Close).then(|| moment(token.end)))
        }
        Err(_) if policy.unauthorized == Unauthorized::Allow => Ok(None),
        Err(fault) => Err(fault.into()),
    }
}

/// Removes the headers that only the gateway may write, and their names from `Connection`: by these, a client would have the gateway remove
/// its own headers as hop-by-hop before the backend gets them (RFC 9110 section 7.6.1).
fn remove_own(policy: &TokenPolicy, headers: &mut HeaderMap) {
    let is_own = |name: &str| {
        let claims = policy.claim_headers.iter().map(|claim| &claim.header);
        claims.chain([&ENTRA_IDENTITY]).any(|own| name.trim().eq_ignore_ascii_case(own.as_str()))
    };
    headers.remove(ENTRA_IDENTITY);
    for claim in &policy.claim_headers {
        headers.remove(&claim.header);
    }
    let Entry::Occupied(mut connection) = headers.entry(CONNECTION) else { return };
    for value in connection.iter_mut() {
        let Ok(text) = value.to_str() else { continue };
        if text.split(',').any(is_own) {
            let rest: Vec<&str> = text.split(',').filter(|name| !is_own(name)).collect();
            *value = HeaderValue::from_str(&rest.join(",")).unwrap_or(HeaderValue::from_static("close"));
        }
    }
}

/// Verifies a token, or finds that it has been verified.
async fn verified(
    policy: &Arc<TokenPolicy>,
    context: &ConnectionContext,
    bearer: &Bearer,
) -> Result<Arc<VerifiedToken>, TokenFault> {
    let digest = bearer.digest();
    let now = seconds_since_epoch();
    if let Some(token) = cache::find(policy, &digest, now) {
        return Ok(token);
    }
    let (token, origin) = match &policy.keys {
        KeySource::Static(keys) => (verify::verify(policy, keys, bearer.token(), now)?, None),
        KeySource::Url(url) => {
            let fetched = context.state.key_sets.of(url).ok_or(TokenFault::NoKeys)?;
            let (token, keys) = verify_by(policy, &fetched, bearer, now).await?;
            (token, Some((fetched, keys)))
        }
    };
    let token = Arc::new(token);
    cache::insert(&digest, CachedToken { policy: Arc::clone(policy), origin, token: Arc::clone(&token) });
    Ok(token)
}

/// Verifies a token by keys that are fetched. If its key is not among them, they may have been replaced: they are fetched again, once.
async fn verify_by(
    policy: &TokenPolicy,
    fetched: &FetchedKeys,
    bearer: &Bearer,
    now: u64,
) -> Result<(VerifiedToken, Arc<KeySet>), TokenFault> {
    let keys = fetched.current();
    let known = match &keys {
        Some(keys) => verify::verify(policy, keys, bearer.token(), now),
        None => Err(TokenFault::NoKeys),
    };
    match (known, keys) {
        (Ok(token), Some(keys)) => Ok((token, keys)),
        (Err(TokenFault::UnknownKey | TokenFault::NoKeys), _) => {
            let keys = fetched.renewed(KEYS_TIMEOUT).await.ok_or(TokenFault::NoKeys)?;
            Ok((verify::verify(policy, &keys, bearer.token(), now)?, keys))
        }
        (Err(fault), _) => Err(fault),
        (Ok(_), None) => Err(TokenFault::NoKeys),
    }
}

/// The time, as tokens have it (RFC 7519 section 2, NumericDate).
fn seconds_since_epoch() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The moment of a time in the future. One that is too far away for the clock never comes: it is as far away as can be told.
fn moment(seconds: u64) -> Instant {
    const FARTHEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant::now() + Duration::from_secs(seconds).saturating_sub(since_epoch).min(FARTHEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ClaimHeader;

    #[test]
    fn a_client_neither_writes_the_headers_of_the_gateway_nor_has_them_removed() {
        let told = ClaimHeader { claim: "sub".into(), header: HeaderName::from_static("x-user") };
        let policy = TokenPolicy { claim_headers: [told].into(), ..verify::tests::policy() };
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-user", "root"),
            ("x-user", "admin"),
            ("x-msft-entra-identity", "root"),
            ("x-other", "stays"),
            ("connection", "Upgrade, X-User"),
            ("connection", "x-other,X-MSFT-Entra-Identity"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        remove_own(&policy, &mut headers);
        let left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(left, [("x-other", &b"stays"[..]), ("connection", b"Upgrade"), ("connection", b"x-other")]);
    }
}
