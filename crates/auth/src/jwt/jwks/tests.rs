use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jwt::tests::forge::{Signers, part};

fn set(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({"keys": keys}).to_string().as_bytes())
}

fn with(key: &Value, name: &str, value: impl Into<Value>) -> Value {
    let mut key = key.clone();
    key[name] = value.into();
    key
}

/// E9. Break: any condition of `usable`, or of the constructors of `PublicKey`.
#[test]
fn e9_a_key_that_is_not_one_for_signatures_is_passed_over() {
    let signers = Signers::new();
    let (rsa, p256) = (signers.jwk(Algorithm::Rs256, "k"), signers.jwk(Algorithm::Es256, "k"));
    let (p384, ed25519) = (signers.jwk(Algorithm::Es384, "k"), signers.jwk(Algorithm::EdDsa, "k"));
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    let long = |bits: usize| part([&[0x80][..], &vec![0; bits / 8 - 2], &[1]].concat());
    let identity = part([&[1][..], &[0; 31]].concat());
    // The same point, cut at another place.
    let shifted = {
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(&p256, name)).unwrap();
        let point = [bytes("x"), bytes("y")].concat();
        with(&with(&p256, "x", part(&point[..31])), "y", part(&point[31..]))
    };
    let bad = [
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "k"}),
        json!({"kty": "oct", "k": "c2VjcmV0", "alg": "RS256", "n": rsa["n"], "e": "AQAB", "kid": "k"}),
        json!("a text"),
        json!(null),
        json!({}),
        with(&rsa, "kty", "rsa"),
        with(&rsa, "kty", json!(["RSA"])),
        with(&rsa, "use", "enc"),
        with(&rsa, "use", json!(null)),
        with(&rsa, "key_ops", json!(["encrypt"])),
        with(&rsa, "key_ops", json!([])),
        with(&rsa, "key_ops", "verify"),
        with(&rsa, "alg", "RSA-OAEP"),
        with(&rsa, "alg", "HS256"),
        with(&rsa, "alg", "none"),
        with(&rsa, "alg", "ES256"),
        with(&rsa, "alg", json!(1)),
        with(&rsa, "kid", json!(1)),
        with(&rsa, "kid", "k".repeat(257)),
        with(&rsa, "n", long(1024)),
        with(&rsa, "n", long(2040)),
        with(&rsa, "n", long(8200)),
        with(&rsa, "n", part([0xfe; 256])),
        with(&rsa, "n", ""),
        with(&rsa, "n", format!("{}=", text(&rsa, "n"))),
        with(&rsa, "e", ""),
        with(&rsa, "e", "AQ"),
        with(&rsa, "e", "AAAAAQ"),
        with(&rsa, "e", "Ag"),
        with(&rsa, "e", "AQAA"),
        with(&rsa, "e", part([1; 9])),
        with(&p256, "crv", "P-384"),
        with(&p256, "crv", "secp256k1"),
        with(&p256, "crv", json!(null)),
        with(&p256, "x", p256["y"].clone()),
        with(&p256, "x", part([0; 32])),
        with(&p256, "y", part([0xff; 32])),
        with(&p256, "y", format!("AA{}", text(&p256, "y"))),
        shifted,
        with(&p256, "alg", "ES384"),
        with(&p384, "crv", "P-256"),
        with(&p384, "crv", "P-521"),
        with(&ed25519, "crv", "X25519"),
        with(&ed25519, "crv", "Ed448"),
        with(&ed25519, "x", part([2; 31])),
        with(&ed25519, "x", identity),
        with(&ed25519, "x", part([0; 32])),
    ];
    for key in bad {
        assert_eq!(set(std::slice::from_ref(&key)).err(), Some(KeySetError::Unusable), "{key}");
        assert!(set(&[key.clone(), p256.clone()]).is_ok(), "beside a good one: {key}");
    }
    for key in [&rsa, &p256, &p384, &ed25519] {
        assert!(set(std::slice::from_ref(key)).is_ok(), "{key}");
    }
    for good in [
        with(&rsa, "n", long(2048)),
        with(&rsa, "n", long(8192)),
        with(&rsa, "e", "Aw"),
        with(&rsa, "key_ops", json!(["sign", "verify"])),
        with(&rsa, "x5c", json!(["MII"])),
        with(&p256, "alg", "ES256"),
    ] {
        assert!(set(std::slice::from_ref(&good)).is_ok(), "{good}");
    }
}

/// Break: either half of `Key::fits`, the comparison of names, or that two keys are no choice.
#[test]
fn e9_a_token_gets_the_keys_that_it_names_and_that_are_for_its_algorithm() {
    let signers = Signers::new();
    let rsa = signers.jwk(Algorithm::Rs256, "one");
    let keys = set(&[
        with(&rsa, "alg", "RS256"),
        signers.jwk(Algorithm::Es256, "one"),
        signers.jwk(Algorithm::Es384, "other"),
        Signers::new().jwk(Algorithm::Es384, "third"),
    ])
    .unwrap();
    for (kid, algorithm, count) in [
        (Some("one"), Algorithm::Rs256, 1),
        (Some("one"), Algorithm::Rs512, 0),
        (Some("one"), Algorithm::Ps256, 0),
        (Some("one"), Algorithm::Es256, 1),
        (Some("one"), Algorithm::Es384, 0),
        (Some("ONE"), Algorithm::Es256, 0),
        (Some("other"), Algorithm::Es384, 1),
        (None, Algorithm::Rs256, 1),
        (None, Algorithm::Es256, 1),
        (None, Algorithm::Es384, 0),
        (None, Algorithm::EdDsa, 0),
    ] {
        assert_eq!(keys.named(kid, algorithm).len(), count, "{kid:?} {algorithm}");
    }
    let alike: Vec<_> = (0..9).map(|_| Signers::new().jwk(Algorithm::EdDsa, "k")).collect();
    assert_eq!(set(&alike).unwrap().named(Some("k"), Algorithm::EdDsa).len(), TRIES);
}

/// E10, O3. Break: any of the limits.
#[test]
fn e10_a_set_is_bounded_before_it_is_read() {
    let key = Signers::new().jwk(Algorithm::EdDsa, "k");
    assert!(set(&vec![key.clone(); MAX_KEYS]).is_ok());
    assert_eq!(set(&vec![key.clone(); MAX_KEYS + 1]).err(), Some(KeySetError::TooMany));
    let padded = |length: usize| {
        let text = json!({"keys": [key]}).to_string();
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    assert!(KeySet::parse(padded(MAX_SET_BYTES).as_bytes()).is_ok());
    assert_eq!(KeySet::parse(padded(MAX_SET_BYTES + 1).as_bytes()).err(), Some(KeySetError::TooLarge));
    let text = key.to_string();
    let deep = format!(r#"{{"keys":[{text}],"a":{}{}}}"#, "[".repeat(9), "]".repeat(9));
    let wide = format!(r#"{{"keys":[{text}],"a":[{}1]}}"#, "1,".repeat(10_000));
    let twice = format!(r#"{{"keys":[{text}],"keys":[{text}]}}"#);
    let doubled = format!(r#"{{"keys":[{}]}}"#, text.replacen('{', r#"{"kid":"a","#, 1));
    for bad in [&deep, &wide, &twice, &doubled, "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":null}"#, ""] {
        assert_eq!(KeySet::parse(bad.as_bytes()).err(), Some(KeySetError::Malformed), "{bad:.80}");
    }
}

proptest! {
    #[test]
    fn no_key_breaks_it(kty in "RSA|EC|OKP", crv in "P-256|P-384|Ed25519", bytes in proptest::collection::vec(any::<u8>(), 0..70), more in proptest::collection::vec(any::<u8>(), 0..50)) {
        let (one, other) = (part(&bytes), part(&more));
        let _ = set(&[json!({"kty": kty, "crv": crv, "n": one, "e": other, "x": one, "y": other})]);
        let _ = KeySet::parse(&bytes);
    }
}
