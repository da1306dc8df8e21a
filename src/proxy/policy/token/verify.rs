//! The verification of one token: its signature by the issuer's keys (RFC 7515), then its claims (RFC 7519).
//!
//! The key says which algorithms it may be used with, never the token (RFC 8725 section 3.1): a token without a signature, and one that
//! is signed with the public key as if it were a secret, are refused before anything is computed.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode, decode_header};

use super::ENTRA_IDENTITY;
use super::claims::Claims;
use super::fault::TokenFault;
use crate::model::{KeySet, TokenIssuer, TokenPolicy, VerificationKey};

/// The most keys that are tried for a token that does not name its own.
const MAX_KEYS_TRIED: usize = 8;

/// A token that was found valid.
#[derive(Debug)]
pub(super) struct VerifiedToken {
    /// When it ends, in seconds since 1970, with the time by which clocks may differ.
    pub(super) end: u64,
    /// What the backend is told of it.
    pub(super) headers: Box<[(HeaderName, HeaderValue)]>,
}

/// Verifies a token at the time `now`, in seconds since 1970.
pub(super) fn verify(policy: &TokenPolicy, keys: &KeySet, token: &str, now: u64) -> Result<VerifiedToken, TokenFault> {
    let (claims, key) = verify_signature(keys, token)?;
    let tenant = verify_issuer(policy, &claims, key)?;
    if !claims.is_for(&policy.audiences) {
        return Err(TokenFault::Audience);
    }
    let end = verify_time(&claims, policy.clock_skew.as_secs(), now)?;
    let mut headers = Vec::new();
    if let Some(tenant) = tenant {
        let identity = claims.text("oid").map(|oid| HeaderValue::from_str(&format!("{tenant}:{oid}")));
        let Some(Ok(identity)) = identity else { return Err(TokenFault::NoIdentity) };
        headers.push((ENTRA_IDENTITY, identity));
    }
    let told = policy.claim_headers.iter().filter_map(|told| Some((told.header.clone(), claims.header(&told.claim)?)));
    headers.extend(told);
    Ok(VerifiedToken { end, headers: headers.into() })
}

/// The claims of a token, and the key that has signed it.
fn verify_signature<'k>(keys: &'k KeySet, token: &str) -> Result<(Claims, &'k VerificationKey), TokenFault> {
    // `none` is no name of an algorithm, and is refused here.
    let header = decode_header(token).map_err(|_| TokenFault::Malformed)?;
    let mut fault = TokenFault::UnknownKey;
    for key in keys.candidates(header.kid.as_deref()).take(MAX_KEYS_TRIED) {
        if !key.algorithms().contains(&header.alg) {
            fault = TokenFault::Algorithm;
            continue;
        }
        match decode::<Claims>(token, key.key(), &signature_alone(key)) {
            Ok(verified) => return Ok((verified.claims, key)),
            Err(error) => match error.kind() {
                ErrorKind::InvalidSignature => fault = TokenFault::Signature,
                _ => return Err(TokenFault::Malformed),
            },
        }
    }
    Err(fault)
}

/// The checks that the library makes: those of the signature. What it says of claims is looser than the rules here.
fn signature_alone(key: &VerificationKey) -> Validation {
    Validation {
        algorithms: key.algorithms().to_vec(),
        required_spec_claims: HashSet::new(),
        validate_exp: false,
        validate_nbf: false,
        validate_aud: false,
        ..Validation::default()
    }
}

/// Verifies who has issued a token. Gives the tenant, where that is Entra.
fn verify_issuer<'c>(
    policy: &TokenPolicy,
    claims: &'c Claims,
    key: &VerificationKey,
) -> Result<Option<&'c str>, TokenFault> {
    let issuer = claims.text("iss").ok_or(TokenFault::Issuer)?;
    match &policy.issuer {
        TokenIssuer::Named(name) if **name == *issuer => Ok(None),
        TokenIssuer::Named(_) => Err(TokenFault::Issuer),
        TokenIssuer::Entra(accepted) => {
            let tenant = claims.text("tid").ok_or(TokenFault::Issuer)?;
            let is_accepted = accepted.accepts(issuer, tenant) && key.signs_for(tenant);
            if is_accepted { Ok(Some(tenant)) } else { Err(TokenFault::Issuer) }
        }
    }
}

/// Verifies that a token holds at the time `now`. Gives the end, `skew` later than the token has it.
fn verify_time(claims: &Claims, skew: u64, now: u64) -> Result<u64, TokenFault> {
    let end = claims.time("exp").ok_or(TokenFault::NoEnd)?.saturating_add(skew);
    if now >= end {
        return Err(TokenFault::Expired);
    }
    // A beginning that can't be read might be in the future.
    let begins = if claims.has("nbf") { claims.time("nbf").ok_or(TokenFault::Malformed)? } else { 0 };
    if begins > now.saturating_add(skew) {
        return Err(TokenFault::NotYetValid);
    }
    Ok(end)
}

#[cfg(test)]
pub(super) mod tests;
