//! Why a request has no valid token, and the answer to it (RFC 6750 section 3). The texts say nothing that is in the token.

use http::HeaderValue;

use crate::proxy::request::refusal::{Refusal, RefusalReason};

/// Seconds after which a client may ask again, if there are no keys.
const RETRY_SECONDS: u32 = 5;

/// Why a request has no valid token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenFault {
    /// It has none.
    Missing,
    /// It has more than one.
    Repeated,
    /// The token is longer than any that is read.
    TooLong,
    /// The token is no JWT.
    Malformed,
    /// Its algorithm is not one of those that its key has.
    Algorithm,
    /// Nobody knows the key that it names.
    UnknownKey,
    /// The key has not signed it.
    Signature,
    /// Another has issued it.
    Issuer,
    /// It is meant for others.
    Audience,
    /// It does not say when it ends.
    NoEnd,
    /// It has ended.
    Expired,
    /// It does not hold yet.
    NotYetValid,
    /// It does not say whose it is (Entra's claim `oid`).
    NoIdentity,
    /// There are no keys to verify it with.
    NoKeys,
}

impl TokenFault {
    /// What is wrong, as a sentence about the token. It is shown to clients, in quotes: it has none itself.
    fn text(self) -> &'static str {
        match self {
            Self::Missing => "this route asks for a token (JWT), and the request has none",
            Self::Repeated => "the request has more than one token",
            Self::TooLong => "the token is too long",
            Self::Malformed => "the token is not a signed JWT",
            Self::Algorithm => "the token is signed in a way that its key does not allow",
            Self::UnknownKey => "the token is signed with an unknown key",
            Self::Signature => "the token's signature is wrong",
            Self::Issuer => "the token is of another issuer",
            Self::Audience => "the token is meant for another audience",
            Self::NoEnd => "the token does not say when it expires",
            Self::Expired => "the token has expired",
            Self::NotYetValid => "the token is not valid yet",
            Self::NoIdentity => "the token does not say whose it is (claim oid)",
            Self::NoKeys => "there are no keys to verify tokens with: the issuer could not be reached",
        }
    }
}

impl From<TokenFault> for Refusal {
    fn from(fault: TokenFault) -> Self {
        let text = fault.text();
        let challenge = |error: &str| {
            let challenge = format!("Bearer error=\"{error}\", error_description=\"{text}\"");
            HeaderValue::from_str(&challenge).expect("the texts are ASCII")
        };
        match fault {
            // A client that has shown nothing is told no error (RFC 6750 section 3.1).
            TokenFault::Missing => {
                Self::new(RefusalReason::TokenMissing, text).with_challenge(HeaderValue::from_static("Bearer"))
            }
            TokenFault::NoIdentity => {
                Self::new(RefusalReason::TokenIncomplete, text).with_challenge(challenge("insufficient_scope"))
            }
            TokenFault::NoKeys => Self::new(RefusalReason::TokenKeysUnavailable, text).retry_after(RETRY_SECONDS),
            TokenFault::Repeated
            | TokenFault::TooLong
            | TokenFault::Malformed
            | TokenFault::Algorithm
            | TokenFault::UnknownKey
            | TokenFault::Signature
            | TokenFault::Issuer
            | TokenFault::Audience
            | TokenFault::NoEnd
            | TokenFault::Expired
            | TokenFault::NotYetValid => {
                Self::new(RefusalReason::TokenInvalid, text).with_challenge(challenge("invalid_token"))
            }
        }
    }
}
