//! The public keys of an issuer (JSON Web Key Set, RFC 7517), and the algorithms that each may be used with.

use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

/// The most keys that a set may have.
const MAX_KEYS: usize = 100;
/// The shortest modulus of an RSA key, in bits: NIST SP 800-131A asks for it, and nothing shorter is verified.
const MIN_RSA_BITS: usize = 2048;

/// The keys of a set that tokens can be verified with. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Box<[VerificationKey]>);

/// A public key, and what it may be used for.
#[derive(Clone)]
pub struct VerificationKey {
    id: Option<Box<str>>,
    /// The issuer that Entra names for the key; other issuers name none.
    issuer: Option<Box<str>>,
    /// The algorithms that the key's type has, or the one of them that the key itself names.
    algorithms: Vec<Algorithm>,
    parameters: AlgorithmParameters,
    key: DecodingKey,
}

/// Why a text has no keys for tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is no JSON, or no key set.
    #[error("it is not a JSON Web Key Set: {0}")]
    Malformed(String),
    /// There are too many keys in it.
    #[error("it has {0} keys, and at most {MAX_KEYS} are read")]
    TooMany(usize),
    /// None of its keys can be used.
    #[error(
        "none of its {0} keys can verify tokens: expected an RSA key of at least {MIN_RSA_BITS} bits, an EC key (P-256, P-384) or an \
         Ed25519 key, for signatures"
    )]
    NoKey(usize),
}

#[derive(Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct KeyIssuer {
    #[serde(default)]
    issuer: Option<Box<str>>,
}

impl KeySet {
    /// Reads a key set. Keys that can't verify a signature, such as those for encryption and those with a secret, are left out.
    ///
    /// # Errors
    /// The text is no key set, or no key of it can be used.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let listed: Listed<'_> =
            serde_json::from_slice(json).map_err(|error| KeySetError::Malformed(error.to_string()))?;
        let count = listed.keys.len();
        if count > MAX_KEYS {
            return Err(KeySetError::TooMany(count));
        }
        let keys: Box<[VerificationKey]> =
            listed.keys.iter().filter_map(|key| VerificationKey::parse(key.get())).collect();
        if keys.is_empty() { Err(KeySetError::NoKey(count)) } else { Ok(Self(keys)) }
    }

    /// The keys that a token may have been signed with: those with the id that it names, or all where it names none.
    pub fn candidates<'k, 'i>(
        &'k self,
        id: Option<&'i str>,
    ) -> impl Iterator<Item = &'k VerificationKey> + use<'k, 'i> {
        self.0.iter().filter(move |key| id.is_none() || key.id.as_deref() == id)
    }
}

impl VerificationKey {
    fn parse(json: &str) -> Option<Self> {
        let jwk: Jwk = serde_json::from_str(json).ok()?;
        let KeyIssuer { issuer } = serde_json::from_str(json).ok()?;
        let common = &jwk.common;
        let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !for_signatures {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => AlgorithmFamily::Rsa.algorithms().to_vec(),
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            // A secret is never a public key: with it, whoever knows the key could sign.
            _ => return None,
        };
        if let Some(named) = common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == named);
        }
        let key = DecodingKey::from_jwk(&jwk).ok()?;
        if algorithms.is_empty() || !has_right_size(&key, &jwk.algorithm) {
            return None;
        }
        let id = jwk.common.key_id.map(String::into_boxed_str);
        Some(Self { id, issuer, algorithms, parameters: jwk.algorithm, key })
    }

    /// The algorithms of signatures that it may verify, all of one family. None of them has a secret.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The key itself.
    pub fn key(&self) -> &DecodingKey {
        &self.key
    }

    /// Whether it signs tokens of a tenant of Entra. Keys of many tenants are in one set, and some are for one alone.
    pub fn signs_for(&self, tenant: &str) -> bool {
        self.issuer.as_ref().is_none_or(|issuer| {
            let names = |part: &str| part.eq_ignore_ascii_case(tenant) || part.eq_ignore_ascii_case("{tenantid}");
            issuer.split('/').any(names)
        })
    }
}

/// Whether the parts of a key have the size that its type asks for.
fn has_right_size(key: &DecodingKey, parameters: &AlgorithmParameters) -> bool {
    use jsonwebtoken::DecodingKeyKind::{RsaModulusExponent, SecretOrDer};
    match (key.kind(), parameters) {
        (RsaModulusExponent { n, .. }, _) => {
            let leading = n.iter().position(|byte| *byte != 0).unwrap_or(n.len());
            (n.len() - leading) * 8 >= MIN_RSA_BITS
        }
        (SecretOrDer(point), AlgorithmParameters::EllipticCurve(key)) => {
            point.len() == if key.curve == EllipticCurve::P256 { 65 } else { 97 }
        }
        (SecretOrDer(point), _) => point.len() == 32,
    }
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        // The key itself is made of the parameters.
        let Self { id, issuer, algorithms, parameters, key: _ } = self;
        *id == other.id && *issuer == other.issuer && *algorithms == other.algorithms && *parameters == other.parameters
    }
}

impl Eq for VerificationKey {}

impl fmt::Display for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = match self.key.family() {
            AlgorithmFamily::Rsa => "RSA",
            AlgorithmFamily::Ec => "EC",
            AlgorithmFamily::Ed => "Ed25519",
            AlgorithmFamily::Hmac => "secret",
        };
        match &self.id {
            Some(id) => write!(f, "{family} {id:?}"),
            None => write!(f, "{family} without an id"),
        }
    }
}

impl fmt::Debug for VerificationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for KeySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P256: &str = r#""kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0""#;
    const ED25519: &str = r#""kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo""#;

    fn rsa(bits: usize) -> String {
        use base64::Engine as _;
        let modulus = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(vec![0xab; bits / 8]);
        format!(r#""kty":"RSA","e":"AQAB","n":"{modulus}""#)
    }

    fn algorithms(key: &str) -> Result<Vec<Algorithm>, KeySetError> {
        let set = KeySet::parse(format!(r#"{{"keys":[{{{key}}}]}}"#).as_bytes())?;
        Ok(set.candidates(None).flat_map(VerificationKey::algorithms).copied().collect())
    }

    #[test]
    fn a_key_is_for_the_algorithms_of_its_type_or_for_the_one_that_it_names() {
        assert_eq!(algorithms(P256), Ok(vec![Algorithm::ES256]));
        assert_eq!(algorithms(ED25519), Ok(vec![Algorithm::EdDSA]));
        assert_eq!(algorithms(&rsa(2048)).map(|all| all.len()), Ok(6));
        assert_eq!(algorithms(&format!(r#"{},"alg":"PS256""#, rsa(2048))), Ok(vec![Algorithm::PS256]));
    }

    #[test]
    fn a_key_that_can_not_verify_signatures_is_left_out() {
        for key in [
            r#""kty":"oct","k":"c2VjcmV0""#.to_owned(),
            format!(r#"{},"use":"enc""#, rsa(2048)),
            format!(r#"{},"key_ops":["sign"]"#, rsa(2048)),
            format!(r#"{},"alg":"HS256""#, rsa(2048)),
            format!(r#"{},"alg":"RSA-OAEP""#, rsa(2048)),
            format!(r#"{P256},"alg":"ES384""#),
            rsa(1024),
            P256.replace("P-256", "P-384"),
            P256.replace("P-256", "P-521"),
            r#""kty":"OKP","crv":"Ed25519","x":"AAAA""#.to_owned(),
            r#""kty":"RSA","e":"AQAB","n":"not base64!""#.to_owned(),
            r#""kty":"unheard of""#.to_owned(),
        ] {
            assert_eq!(algorithms(&key), Err(KeySetError::NoKey(1)), "{key}");
        }
        let both = format!(r#"{{"keys":[{{"kty":"oct","k":"c2VjcmV0"}},{{{P256},"kid":"a"}}]}}"#);
        let set = KeySet::parse(both.as_bytes()).expect("a key can be used");
        assert_eq!(serde_json::to_string(&set).expect("serialises"), r#"["EC \"a\""]"#);
    }

    #[test]
    fn a_text_that_is_no_key_set_is_told_so() {
        for text in ["", "{}", "[]", "<html>", r#"{"keys":{}}"#, r#"{"keys":["#] {
            assert!(matches!(KeySet::parse(text.as_bytes()), Err(KeySetError::Malformed(_))), "{text}");
        }
        assert_eq!(KeySet::parse(br#"{"keys":[]}"#), Err(KeySetError::NoKey(0)));
        let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; 101].join(","));
        assert_eq!(KeySet::parse(many.as_bytes()), Err(KeySetError::TooMany(101)));
    }

    #[test]
    fn a_token_chooses_its_key_by_id() {
        let json = format!(r#"{{"keys":[{{{P256},"kid":"a"}},{{{ED25519},"kid":"b"}},{{{ED25519}}}]}}"#);
        let set = KeySet::parse(json.as_bytes()).expect("keys");
        let count = |id| set.candidates(id).count();
        assert_eq!((count(Some("a")), count(Some("A")), count(None)), (1, 0, 3));
    }

    #[test]
    fn a_key_of_one_tenant_signs_for_no_other() {
        let issuer = |issuer: &str| {
            let json = format!(r#"{{"keys":[{{{P256},"issuer":"https://login.microsoftonline.com/{issuer}/v2.0"}}]}}"#);
            let set = KeySet::parse(json.as_bytes()).expect("a key");
            set.candidates(None).all(|key| key.signs_for("t1"))
        };
        assert!(issuer("t1") && issuer("{tenantid}") && !issuer("t2"));
    }
}
