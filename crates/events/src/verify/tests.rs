//! Webhooks: what is signed with another key, over other bytes or at another time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use lockstep_core::{ErrorKind, SecretValue, UnixMillis, hex};
use proptest::prelude::*;
use ring::hmac;

use super::{GitHubVerifier, MAX_KEYS, Refusal, StandardWebhooksVerifier};

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const OLD: &[u8] = b"an old secret of 24 byte";
const NEW: &[u8] = b"a new secret of 24 bytes";
const BODY: &[u8] = br#"{"changes": []}"#;

fn sign(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn github() -> GitHubVerifier {
    GitHubVerifier::new(vec![SecretValue::from(OLD), SecretValue::from(NEW)]).unwrap()
}

fn standard() -> StandardWebhooksVerifier {
    let secret = |key: &[u8]| SecretValue::from(format!("whsec_{}", STANDARD.encode(key)));
    StandardWebhooksVerifier::new(&[secret(OLD), secret(NEW)]).unwrap()
}

/// The headers of a delivery that was signed at this second.
fn delivery(key: &[u8], id: &str, second: &str, body: &[u8]) -> HeaderMap {
    let text = [id.as_bytes(), b".", second.as_bytes(), b".", body].concat();
    let signature = format!("v1,{}", STANDARD.encode(sign(key, &text)));
    headers(&[("webhook-id", id), ("webhook-timestamp", second), ("webhook-signature", &signature)])
}

/// Break: `made`, or read one key alone.
#[test]
fn e5_githubs_signature_is_of_the_raw_body_with_either_key_while_they_change() {
    let name = "x-hub-signature-256";
    let given = |key: &[u8], body: &[u8]| headers(&[(name, &format!("sha256={}", hex::text(&sign(key, body))))]);
    let verify = |headers: &HeaderMap, body: &[u8]| github().verify(headers, body);
    assert_eq!(verify(&given(OLD, BODY), BODY), Ok(()));
    assert_eq!(verify(&given(NEW, BODY), BODY), Ok(()));
    let capitals = format!("sha256={}", hex::text(&sign(NEW, BODY)).to_uppercase());
    assert_eq!(verify(&headers(&[(name, &capitals)]), BODY), Ok(()));
    // The same JSON, written anew.
    assert_eq!(verify(&given(NEW, BODY), br#"{"changes":[]}"#), Err(Refusal::Mismatch));
    assert_eq!(verify(&given(b"another secret of 24 byt", BODY), BODY), Err(Refusal::Mismatch));
    assert_eq!(verify(&given(b"", BODY), BODY), Err(Refusal::Mismatch));
    assert_eq!(verify(&HeaderMap::new(), BODY), Err(Refusal::Missing));
    // The old header of GitHub, with SHA-1, is none.
    assert_eq!(verify(&headers(&[("x-hub-signature", "sha1=x")]), BODY), Err(Refusal::Missing));
    let good = format!("sha256={}", hex::text(&sign(NEW, BODY)));
    assert_eq!(verify(&headers(&[(name, "sha256=00"), (name, &good)]), BODY), Err(Refusal::Doubled));
    let digits = hex::text(&sign(NEW, BODY));
    for text in [
        "",
        "sha256=",
        &digits,
        &format!("sha1={digits}"),
        &format!("sha256={digits}0"),
        &format!("sha256= {}", &digits[1..]),
    ] {
        assert_eq!(verify(&headers(&[(name, text)]), BODY), Err(Refusal::Malformed), "{text}");
    }
    let half = format!("sha256={}{}", &digits[..32], "0".repeat(32));
    assert_eq!(verify(&headers(&[(name, &half)]), BODY), Err(Refusal::Mismatch));
}

/// Break: any part of the signed text, either bound of `fresh`, or one of the keys.
#[test]
fn e5_standard_webhooks_are_of_the_raw_body_and_of_late() {
    let verify = |headers: &HeaderMap, body: &[u8]| standard().verify(headers, body, NOW);
    let at = "1800000000";
    assert_eq!(verify(&delivery(OLD, "msg_1", at, BODY), BODY), Ok(()));
    assert_eq!(verify(&delivery(NEW, "msg_1", at, BODY), BODY), Ok(()));
    assert_eq!(verify(&delivery(NEW, "msg_1", at, BODY), br#"{"changes":[]}"#), Err(Refusal::Mismatch));
    assert_eq!(verify(&delivery(b"another secret of 24 byt", "msg_1", at, BODY), BODY), Err(Refusal::Mismatch));
    for (second, expected) in [
        ("1799999700", Ok(())),
        ("1799999699", Err(Refusal::TooOld)),
        ("1800000300", Ok(())),
        ("1800000301", Err(Refusal::NotYet)),
        ("0", Err(Refusal::TooOld)),
        ("999999999999", Err(Refusal::NotYet)),
        ("1800000000000", Err(Refusal::Malformed)),
        ("-1800000000", Err(Refusal::Malformed)),
        ("+1800000000", Err(Refusal::Malformed)),
        ("1800000000.0", Err(Refusal::Malformed)),
        ("", Err(Refusal::Malformed)),
    ] {
        assert_eq!(verify(&delivery(NEW, "msg_1", second, BODY), BODY), expected, "{second}");
    }
    // The id and the time are signed, and where one ends is no matter of opinion.
    let moved = |name: &'static str, value: &str| {
        let mut headers = delivery(NEW, "msg_1", at, BODY);
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        verify(&headers, BODY)
    };
    assert_eq!(moved("webhook-id", "msg_2"), Err(Refusal::Mismatch));
    assert_eq!(moved("webhook-timestamp", "1800000001"), Err(Refusal::Mismatch));
    assert_eq!(moved("webhook-id", "msg_1.1800000000"), Err(Refusal::Malformed));
    assert_eq!(moved("webhook-id", ""), Err(Refusal::Malformed));
    assert_eq!(moved("webhook-id", &"x".repeat(256)), Err(Refusal::Mismatch));
    assert_eq!(moved("webhook-id", &"x".repeat(257)), Err(Refusal::Malformed));
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let mut headers = delivery(NEW, "msg_1", at, BODY);
        let value = headers.remove(name).unwrap();
        assert_eq!(verify(&headers, BODY), Err(Refusal::Missing), "{name}");
        headers.append(name, value.clone());
        headers.append(name, value);
        assert_eq!(verify(&headers, BODY), Err(Refusal::Doubled), "{name}");
    }
}

/// Break: take the first signature alone, or count without an end.
#[test]
fn of_several_signatures_one_has_to_be_right() {
    let good = delivery(NEW, "msg_1", "1800000000", BODY);
    let signature = good["webhook-signature"].to_str().unwrap().to_owned();
    let other = format!("v1,{}", STANDARD.encode([7; 32]));
    let verify = |text: &str| {
        let mut headers = good.clone();
        headers.insert("webhook-signature", HeaderValue::from_str(text).unwrap());
        standard().verify(&headers, BODY, NOW)
    };
    assert_eq!(verify(&format!("{other} {signature}")), Ok(()));
    assert_eq!(verify(&format!("v1a,xyz v2,x {signature}")), Ok(()));
    assert_eq!(verify(&other), Err(Refusal::Mismatch));
    assert_eq!(verify(&format!("{} {signature}", [other.as_str(); 8].join(" "))), Err(Refusal::Mismatch));
    for none in ["", "v1,", "v1", "v1a,x", &signature.replace("v1,", "v2,"), &signature.replace("v1,", "")] {
        assert_eq!(verify(none), Err(Refusal::Malformed), "{none}");
    }
}

/// Break: any check of `Keys::new`.
#[test]
fn e5_an_empty_or_short_secret_is_refused_before_anything_starts() {
    let secrets = |texts: &[&str]| texts.iter().map(|text| SecretValue::from(*text)).collect::<Vec<_>>();
    let long = "a secret that is long enough";
    for (texts, good) in [
        (&[][..], false),
        (&[""], false),
        (&["short"], false),
        (&[long, ""], false),
        (&[long], true),
        (&[long; MAX_KEYS], true),
        (&[long; MAX_KEYS + 1], false),
    ] {
        let made = GitHubVerifier::new(secrets(texts));
        assert_eq!(
            made.as_ref().map_err(lockstep_core::Error::kind).err(),
            (!good).then_some(ErrorKind::Config),
            "{texts:?}"
        );
        let said = made.map_or_else(|error| error.to_string(), |verifier| format!("{verifier:?}"));
        assert!(!said.contains("long enough"), "{said}");
    }
    for text in ["", "whsec_", "whsec_c2hvcnQ=", "whsec_not base64", "é"] {
        let error = StandardWebhooksVerifier::new(&secrets(&[text])).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config, "{text}");
    }
    // As it stands in a file, or without its prefix.
    let key = STANDARD.encode(NEW);
    for text in [format!("whsec_{key}\n"), key] {
        let verifier = StandardWebhooksVerifier::new(&[SecretValue::from(text)]).unwrap();
        assert_eq!(verifier.verify(&delivery(NEW, "m", "1800000000", BODY), BODY, NOW), Ok(()));
    }
}

proptest! {
    #[test]
    fn no_header_breaks_it_and_none_verifies(id in "[ -~]{0,20}", time in "[0-9]{0,14}", signature in "(v1,)?[ -~]{0,60}") {
        let pairs = [("webhook-id", &*id), ("webhook-timestamp", &*time), ("webhook-signature", &*signature)];
        prop_assert!(standard().verify(&headers(&pairs), BODY, NOW).is_err());
        prop_assert!(github().verify(&headers(&[("x-hub-signature-256", &signature)]), BODY).is_err());
    }
}
