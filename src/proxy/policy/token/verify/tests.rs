use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::model::{
    ClaimHeader, EntraTenant, KeySource, Kind, ObjectRef, PolicyOrigin, SessionAtTokenEnd, Unauthorized,
};

/// The time at which tokens are verified here.
const NOW: u64 = 1_800_000_000;
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// A key that signs.
struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    jwk: Value,
}

impl Signer {
    fn new(algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("made");
                EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("encodes").as_ref())
            }
            Algorithm::ES384 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).expect("made");
                EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("encodes").as_ref())
            }
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate().expect("made");
                EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("encodes").as_ref())
            }
            _ => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("made");
                // PKCS #8 has the key (PKCS #1) behind a header of 26 bytes.
                EncodingKey::from_rsa_der(&pair.as_der().expect("encodes").as_ref()[26..])
            }
        };
        let jwk = serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).expect("a public key")).expect("JSON");
        Self { algorithm, key, jwk }
    }

    /// The public key, with these members.
    fn public(&self, members: &Value) -> Value {
        let mut jwk = self.jwk.clone();
        let object = jwk.as_object_mut().expect("an object");
        object.remove("alg");
        object.extend(members.as_object().cloned().expect("an object"));
        jwk
    }

    fn sign(&self, id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).expect("signs")
    }
}

fn key_set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("a key set")
}

pub(in crate::proxy::policy::token) fn policy() -> TokenPolicy {
    let keys = key_set(&[json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})]);
    TokenPolicy {
        origin: PolicyOrigin { owner: Arc::new(ObjectRef::new(Kind::Ingress, "default", "site")), field: "".into() },
        issuer: TokenIssuer::Named("https://issuer.example".into()),
        audiences: ["app".into()].into(),
        keys: KeySource::Static(Arc::new(keys)),
        clock_skew: Duration::from_secs(60),
        header: AUTHORIZATION,
        query_parameter: None,
        claim_headers: Box::default(),
        unauthorized: Unauthorized::Deny,
        session_end: SessionAtTokenEnd::Close,
    }
}

/// Claims that are valid, with changes. A change to null takes the claim away.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({"iss": "https://issuer.example", "aud": "app", "exp": NOW + 600, "sub": "u1"});
    let object = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(object.remove(name)),
            value => drop(object.insert(name.clone(), value.clone())),
        }
    }
    claims
}

fn part(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

#[test]
fn each_algorithm_with_a_public_key_is_verified() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    for algorithm in [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA] {
        let signer = Signer::new(algorithm);
        let keys = key_set(&[signer.public(&json!({"kid": "k1"}))]);
        for id in [Some("k1"), None] {
            let token = signer.sign(id, &claims(&json!({})));
            let verified = verify(&policy(), &keys, &token, NOW).map(|verified| verified.end);
            assert_eq!(verified, Ok(NOW + 660), "{algorithm:?} {id:?}");
        }
        let forged = Signer::new(algorithm).sign(Some("k1"), &claims(&json!({})));
        assert_eq!(verify(&policy(), &keys, &forged, NOW).err(), Some(TokenFault::Signature), "{algorithm:?}");
    }
}

#[test]
fn a_token_is_verified_by_the_key_that_it_names_or_by_none() {
    let (one, other) = (Signer::new(Algorithm::ES256), Signer::new(Algorithm::ES256));
    let keys = key_set(&[one.public(&json!({"kid": "a"})), other.public(&json!({"kid": "b"}))]);
    let fault = |signer: &Signer, id| verify(&policy(), &keys, &signer.sign(id, &claims(&json!({}))), NOW).err();
    assert_eq!(fault(&one, Some("a")), None);
    assert_eq!(fault(&other, Some("b")), None);
    assert_eq!(fault(&other, None), None);
    assert_eq!(fault(&one, Some("b")), Some(TokenFault::Signature));
    assert_eq!(fault(&one, Some("c")), Some(TokenFault::UnknownKey));
}

#[test]
fn a_token_without_a_signature_and_one_signed_with_the_public_key_are_refused() {
    let signer = Signer::new(Algorithm::RS256);
    let public = signer.public(&json!({"kid": "k1"}));
    let keys = key_set(std::slice::from_ref(&public));
    let fault = |token: &str| verify(&policy(), &keys, token, NOW).err();
    let body = part(&claims(&json!({})));
    for algorithm in ["none", "None", "NONE", ""] {
        let unsigned = format!("{}.{body}.", part(&json!({"alg": algorithm, "kid": "k1"})));
        assert_eq!(fault(&unsigned), Some(TokenFault::Malformed), "{algorithm}");
    }
    // The attacker has the public key in each form in which a library might take it for a secret.
    let modulus = URL_SAFE_NO_PAD.decode(public["n"].as_str().expect("a modulus")).expect("base64");
    for secret in [modulus, public.to_string().into_bytes()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header { kid: Some("k1".to_owned()), ..Header::new(algorithm) };
            let key = EncodingKey::from_secret(&secret).expect("a secret");
            let confused = encode(&header, &claims(&json!({})), &key).expect("signs");
            assert_eq!(fault(&confused), Some(TokenFault::Algorithm));
        }
    }
    // A key that brings itself, and one that is said to be elsewhere, are not looked at.
    let attacker = Signer::new(Algorithm::RS256);
    let own = Header {
        jwk: serde_json::from_value(attacker.jwk.clone()).ok(),
        jku: Some("https://attacker.example/keys".to_owned()),
        ..Header::new(Algorithm::RS256)
    };
    assert_eq!(fault(&encode(&own, &claims(&json!({})), &attacker.key).expect("signs")), Some(TokenFault::Signature));
    let critical = Header { crit: Some(vec!["exp".to_owned()]), ..Header::new(Algorithm::RS256) };
    assert_eq!(
        fault(&encode(&critical, &claims(&json!({})), &signer.key).expect("signs")),
        Some(TokenFault::Malformed)
    );
}

#[test]
fn an_algorithm_that_the_key_excludes_is_refused() {
    let signer = Signer::new(Algorithm::RS256);
    let keys = key_set(&[signer.public(&json!({"kid": "k1", "alg": "PS256"}))]);
    let token = signer.sign(Some("k1"), &claims(&json!({})));
    assert_eq!(verify(&policy(), &keys, &token, NOW).err(), Some(TokenFault::Algorithm));
}

#[test]
fn garbage_is_refused() {
    let signer = Signer::new(Algorithm::ES256);
    let keys = key_set(&[signer.public(&json!({}))]);
    let token = signer.sign(None, &claims(&json!({})));
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let list = encode(&Header::new(Algorithm::ES256), &json!([1]), &signer.key).expect("signs");
    for garbage in [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "\u{e9}.\u{e9}.\u{e9}",
        &format!("{header}.{body}"),
        &format!("{header}.{body}.{signature}.{signature}"),
        &format!("{header}.{body}.{signature}="),
        &format!("{header}.{body}. {signature}"),
        &format!("{}.{body}.{signature}", part(&json!("ES256"))),
        &list,
    ] {
        assert_eq!(verify(&policy(), &keys, garbage, NOW).err(), Some(TokenFault::Malformed), "{garbage:?}");
    }
    for changed in [
        format!("{header}.{body}."),
        format!("{header}.{body}.AAAA"),
        format!("{header}.{}.{signature}", part(&claims(&json!({"sub": "admin"})))),
    ] {
        assert_eq!(verify(&policy(), &keys, &changed, NOW).err(), Some(TokenFault::Signature), "{changed}");
    }
}

#[test]
fn each_wrong_claim_is_refused() {
    let signer = Signer::new(Algorithm::ES256);
    let keys = key_set(&[signer.public(&json!({}))]);
    for (changes, expected) in [
        (json!({}), None),
        (json!({"iss": null}), Some(TokenFault::Issuer)),
        (json!({"iss": "https://issuer.example/"}), Some(TokenFault::Issuer)),
        (json!({"iss": ["https://issuer.example"]}), Some(TokenFault::Issuer)),
        (json!({"aud": null}), Some(TokenFault::Audience)),
        (json!({"aud": "other"}), Some(TokenFault::Audience)),
        (json!({"aud": ["other", "app"]}), None),
        (json!({"exp": null}), Some(TokenFault::NoEnd)),
        (json!({"exp": "tomorrow"}), Some(TokenFault::NoEnd)),
        (json!({"exp": NOW - 59}), None),
        (json!({"exp": NOW - 60}), Some(TokenFault::Expired)),
        (json!({"exp": -1}), Some(TokenFault::Expired)),
        (json!({"exp": u64::MAX}), None),
        (json!({"nbf": NOW + 60}), None),
        (json!({"nbf": NOW + 61}), Some(TokenFault::NotYetValid)),
        (json!({"nbf": "now"}), Some(TokenFault::Malformed)),
    ] {
        let token = signer.sign(None, &claims(&changes));
        assert_eq!(verify(&policy(), &keys, &token, NOW).err(), expected, "{changes}");
    }
}

#[test]
fn entra_tells_tenant_and_user_and_a_token_without_a_user_is_incomplete() {
    let signer = Signer::new(Algorithm::RS256);
    let keys = key_set(&[signer.public(&json!({"kid": "k1"}))]);
    let policy = |tenant| TokenPolicy { issuer: TokenIssuer::Entra(tenant), ..policy() };
    let one = policy(EntraTenant::Id(TENANT.into()));
    let token = |changes: &Value| {
        let mut all =
            json!({"iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"), "tid": TENANT, "oid": "o1"});
        all.as_object_mut().expect("an object").extend(changes.as_object().cloned().expect("an object"));
        signer.sign(Some("k1"), &claims(&all))
    };
    let identity = |changes: &Value| {
        let verified = verify(&one, &keys, &token(changes), NOW)?;
        let [(name, value)] = &*verified.headers else { panic!("one header") };
        assert_eq!(*name, "x-msft-entra-identity");
        Ok(value.to_str().expect("text").to_owned())
    };
    let expected = format!("{TENANT}:o1");
    assert_eq!(identity(&json!({})).as_ref(), Ok(&expected));
    assert_eq!(identity(&json!({"iss": format!("https://sts.windows.net/{TENANT}/")})).as_ref(), Ok(&expected));
    assert_eq!(identity(&json!({"tid": null})), Err(TokenFault::Issuer));
    assert_eq!(identity(&json!({"tid": "00000000-0000-0000-0000-000000000001"})), Err(TokenFault::Issuer));
    assert_eq!(identity(&json!({"iss": "https://issuer.example"})), Err(TokenFault::Issuer));
    for oid in [json!(null), json!(5), json!("a\r\nb")] {
        assert_eq!(identity(&json!({ "oid": oid })), Err(TokenFault::NoIdentity), "{oid}");
    }
    // With keys of many tenants, one that Entra gives to another tenant does not sign for this one.
    let of_other = "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000001/v2.0";
    let keys = key_set(&[signer.public(&json!({"kid": "k1", "issuer": of_other}))]);
    let common = policy(EntraTenant::Common);
    assert_eq!(verify(&common, &keys, &token(&json!({})), NOW).err(), Some(TokenFault::Issuer));
}

#[test]
fn claims_become_headers() {
    let signer = Signer::new(Algorithm::ES256);
    let keys = key_set(&[signer.public(&json!({}))]);
    let told = |claim: &str, header| ClaimHeader { claim: claim.into(), header: HeaderName::from_static(header) };
    let claim_headers = [told("sub", "x-user"), told("roles", "x-roles"), told("absent", "x-absent")].into();
    let policy = TokenPolicy { claim_headers, ..policy() };
    let token = signer.sign(None, &claims(&json!({"roles": ["a", "b"]})));
    let verified = verify(&policy, &keys, &token, NOW).expect("valid");
    let headers: Vec<_> = verified.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(headers, [("x-user", &b"u1"[..]), ("x-roles", b"a,b")]);
}
