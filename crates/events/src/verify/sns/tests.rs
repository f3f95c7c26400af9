//! Deliveries that ring has signed, or openssl where it is SHA-1, and what forgers make of them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::{Clock as _, Error, ErrorKind, UnixMillis};
use lockstep_testkit::{FakeTransport, ManualClock, RSA_KEY, Reply};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use super::{SnsSettings, SnsVerifier, is_kept_there};
use crate::decode::{Accepted, Delivery, Handshake, SnsEnvelope, SourceKind, decode};
use crate::intake::{Intake, Sender};
use crate::verify::Refusal;

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const HOST: &str = "sns.us-west-2.amazonaws.com";
const FILE: &str = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-010a507c1833636cd94bdb98bd93083a.pem";
/// `openssl dgst -sha1 -sign`, over the text that AWS documents.
const SHA1: &str = "2y2ZxXqacyej0J55xez7kdagG9SH5J4JB/Y1bJ0/ReSgkSmazeQhf0aA/CNVXGLeRDlb3EPP/He+1sw01AypfOA/Ia5knSO1\
                    +b0FbbnZnGRpZibA3stq58I7PT48uVny0CbPYV25+eiE5Hzga/4UM4so3e1Uq1wUMuArsN8xd5XLRTAW8xvj1rp6SIfWbDTO\
                    a3zK630MSzItmww5L6wuAc4kf/BTqlEApAx0XRkLH6Fmb9jkRPnl47QckQxAETNmlsa9IoH6mts9eYVUBsCixDDCEp5C/jcN\
                    xjOxLcaJ5ssHV5Dn3BeWeTCZfSAVHBxf/fxGJXRitOd4T4KUU/u7/w==";

fn notification() -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
        "Subject": "My First Message", "Message": "hello", "Timestamp": "2025-12-31T23:59:00.000Z",
        "SignatureVersion": "2", "SigningCertURL": FILE, "UnsubscribeURL": "https://example.invalid/",
    })
}

fn confirmation() -> Value {
    json!({
        "Type": "SubscriptionConfirmation", "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b", "Token": "2336412f37",
        "TopicArn": TOPIC, "Message": "You have chosen to subscribe", "Timestamp": "2025-12-31T23:59:00.000Z",
        "SubscribeURL": "http://169.254.169.254/", "SignatureVersion": "2", "SigningCertURL": FILE,
    })
}

/// Signs what AWS documents, written down here once more.
fn signed(mut envelope: Value) -> Value {
    let names: &[&str] = match envelope["Type"].as_str() {
        Some("Notification") => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        _ => &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
    };
    let mut text = String::new();
    for name in names.iter().filter(|name| envelope[**name].is_string()) {
        text.extend([*name, "\n", envelope[*name].as_str().unwrap(), "\n"]);
    }
    let der: String = RSA_KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(der).unwrap()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    envelope["Signature"] = STANDARD.encode(signature).into();
    envelope
}

/// A certificate of the test key for these names.
fn certificate(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> String {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_before = rcgen::date_time_ymd(2025, 12, 1);
    params.not_after = rcgen::date_time_ymd(2026, 2, 1);
    change(&mut params);
    params.self_signed(&KeyPair::from_pem(RSA_KEY).unwrap()).unwrap().pem()
}

fn genuine() -> String {
    certificate(&["sns.amazonaws.com"], |_| {})
}

struct World {
    verifier: SnsVerifier,
    transport: Arc<FakeTransport>,
    clock: Arc<ManualClock>,
}

impl World {
    fn with(settings: SnsSettings, reply: impl FnMut(&http::Request<bytes::Bytes>) -> Reply + Send + 'static) -> Self {
        let (transport, clock) = (FakeTransport::by(reply), ManualClock::new());
        let verifier = SnsVerifier::new(settings, transport.clone(), clock.clone()).unwrap();
        Self { verifier, transport, clock }
    }

    fn serving(file: String) -> Self {
        Self::with(settings(), move |_| Reply::new(200, file.clone()))
    }

    async fn verify(&self, envelope: &Value) -> Result<(), Refusal> {
        self.verifier.verify(envelope.to_string().as_bytes()).await
    }
}

fn settings() -> SnsSettings {
    SnsSettings { topics: vec![TOPIC.to_owned()], ..SnsSettings::default() }
}

/// Break: the order or the list of members in `signed`, or either digest.
#[tokio::test]
async fn both_versions_of_the_signature_verify_and_the_certificate_is_fetched_once() {
    let world = World::serving(genuine());
    let mut first = notification();
    first["SignatureVersion"] = "1".into();
    first["Signature"] = SHA1.into();
    assert_eq!(world.verify(&first).await, Ok(()));
    assert_eq!(world.verify(&signed(notification())).await, Ok(()));
    let mut plain = notification();
    plain.as_object_mut().unwrap().remove("Subject");
    assert_eq!(world.verify(&signed(plain)).await, Ok(()));
    assert_eq!(world.verify(&signed(confirmation())).await, Ok(()));
    let mut ended = confirmation();
    ended["Type"] = "UnsubscribeConfirmation".into();
    assert_eq!(world.verify(&signed(ended)).await, Ok(()));
    let asked: Vec<_> = world.transport.requests().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(asked, [FILE]);

    // Where SHA-1 is not accepted, its signature is not looked at.
    let world = World::with(SnsSettings { sha1: false, ..settings() }, |_| Reply::new(200, genuine()));
    assert_eq!(world.verify(&first).await, Err(Refusal::Version));
    assert_eq!((world.verify(&signed(notification())).await, world.transport.count()), (Ok(()), 1));
}

/// Break: the comparison of the address, of its region, or of the topic.
#[tokio::test]
async fn e1_a_certificate_from_elsewhere_or_another_topic_is_refused_and_nothing_is_asked() {
    let world = World::serving(genuine());
    let name = "SimpleNotificationService-010a507c1833636cd94bdb98bd93083a.pem";
    for address in [
        format!("https://sns.us-east-1.amazonaws.com.evil/{name}"),
        format!("https://sns.us-west-2.amazonaws.com.evil.test/{name}"),
        format!("https://sns.us-west-2.amazonaws.com@evil.test/{name}"),
        format!("https://evil.test@sns.us-west-2.amazonaws.com/{name}"),
        format!("https://sns.us-west-2.amazonaws.com:8443/{name}"),
        format!("https://sns.us-west-2.amazonaws.com:443/{name}"),
        format!("http://sns.us-west-2.amazonaws.com/{name}"),
        format!("HTTPS://sns.us-west-2.amazonaws.com/{name}"),
        format!("https://SNS.us-west-2.amazonaws.com/{name}"),
        format!("https://sns.eu-west-1.amazonaws.com/{name}"),
        format!("https://sns.us-west-2.amazonaws.com.cn/{name}"),
        format!("https://s3.amazonaws.com/evil/{name}"),
        format!("https://sns.us-west-2.amazonaws.com//{name}"),
        format!("https://sns.us-west-2.amazonaws.com/x/../{name}"),
        format!("https://sns.us-west-2.amazonaws.com/%2e%2e/{name}"),
        format!("https://sns.us-west-2.amazonaws.com/{name}?x=.pem"),
        format!("https://sns.us-west-2.amazonaws.com/{name}#.pem"),
        "https://sns.us-west-2.amazonaws.com/?Action=Publish&x=SimpleNotificationService.pem".to_owned(),
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-%2e%2e.pem".to_owned(),
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-.pem".to_owned(),
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-a-b.pem".to_owned(),
        "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-a.pem\n".to_owned(),
        format!("https://sns.us-west-2.amazonaws.com/SimpleNotificationService-{}.pem", "a".repeat(65)),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        let mut forged = notification();
        forged["SigningCertURL"] = address.clone().into();
        assert_eq!(world.verify(&signed(forged)).await, Err(Refusal::Address), "{address}");
    }
    for topic in [
        "arn:aws:sns:us-west-2:123456789012:Other",
        "arn:aws:sns:us-west-2:210987654321:MyTopic",
        "arn:aws:sns:us-west-2:123456789012:mytopic",
        "",
    ] {
        let mut other = notification();
        other["TopicArn"] = topic.into();
        assert_eq!(world.verify(&signed(other)).await, Err(Refusal::Topic), "{topic}");
    }
    assert_eq!(world.transport.count(), 0);
    assert!(is_kept_there(FILE, HOST));
    assert!(is_kept_there(&format!("https://{HOST}/SimpleNotificationService.pem"), HOST));
}

/// Break: `verifies`, or the length of a signature.
#[tokio::test]
async fn e1_a_field_that_was_tampered_with_is_refused() {
    let world = World::serving(genuine());
    for (member, value) in [
        ("Message", "hello!"),
        ("MessageId", "other"),
        ("Subject", "other"),
        ("Timestamp", "2025-12-31T23:59:01.000Z"),
        // A line of one member moved to another.
        ("Message", "hello\nMessageId\nother"),
    ] {
        let mut tampered = signed(notification());
        tampered[member] = value.into();
        assert_eq!(world.verify(&tampered).await, Err(Refusal::Mismatch), "{member}");
    }
    let mut tampered = signed(notification());
    tampered.as_object_mut().unwrap().remove("Subject");
    assert_eq!(world.verify(&tampered).await, Err(Refusal::Mismatch));
    for member in ["SubscribeURL", "Token"] {
        let mut tampered = signed(confirmation());
        tampered[member] = "http://evil.test/".into();
        assert_eq!(world.verify(&tampered).await, Err(Refusal::Mismatch), "{member}");
    }
    let good = signed(notification());
    let longer = [&[0][..], &STANDARD.decode(good["Signature"].as_str().unwrap()).unwrap()].concat();
    for (signature, refusal) in [
        (json!(STANDARD.encode(&longer)), Refusal::Mismatch),
        (json!(STANDARD.encode(&longer[2..])), Refusal::Mismatch),
        (json!(""), Refusal::Mismatch),
        (json!("AAAA"), Refusal::Mismatch),
        (json!("not base64!"), Refusal::Malformed),
        (json!("A".repeat(4000)), Refusal::Malformed),
        (json!(STANDARD.encode([0; 256])), Refusal::Mismatch),
        (json!(SHA1), Refusal::Mismatch),
        (json!(1), Refusal::Malformed),
    ] {
        let mut tampered = good.clone();
        tampered["Signature"] = signature.clone();
        assert_eq!(world.verify(&tampered).await, Err(refusal), "{signature}");
    }
    for (member, value, refusal) in [
        ("SignatureVersion", json!("3"), Refusal::Version),
        ("SignatureVersion", json!(2), Refusal::Version),
        ("SignatureVersion", json!("1"), Refusal::Mismatch),
        ("Type", json!("Other"), Refusal::Malformed),
        ("Timestamp", json!("yesterday"), Refusal::Malformed),
        ("Message", json!(null), Refusal::Malformed),
        ("SigningCertURL", json!(null), Refusal::Missing),
        ("TopicArn", json!(["x"]), Refusal::Missing),
    ] {
        let mut tampered = good.clone();
        tampered[member] = value.clone();
        assert_eq!(world.verify(&tampered).await, Err(refusal), "{member} {value}");
    }
    for body in ["", "[]", "\"hello\"", "{\"detail-type\":\"x\"}"] {
        assert_eq!(world.verifier.verify(body.as_bytes()).await, Err(Refusal::Missing), "{body}");
    }
}

/// Break: `fresh`, either of its bounds.
#[tokio::test]
async fn a_delivery_is_taken_within_its_window_alone() {
    let world = World::serving(genuine());
    let mut delivery = notification();
    for (time, expected) in [
        ("2025-12-31T23:00:00.000Z", Ok(())),
        ("2025-12-31T22:59:59.999Z", Err(Refusal::TooOld)),
        ("2026-01-01T00:05:00.000Z", Ok(())),
        ("2026-01-01T00:05:00.001Z", Err(Refusal::NotYet)),
    ] {
        delivery["Timestamp"] = time.into();
        assert_eq!(world.verify(&signed(delivery.clone())).await, expected, "{time}");
    }
}

/// Break: `is_named`, `is_ca`, `is_valid`, `RSA_BITS`, or the look at the kind of key.
#[tokio::test]
async fn e1_a_certificate_that_sns_would_not_sign_with_is_refused() {
    for names in [&["sns.amazonaws.com"][..], &[HOST], &["x.test", "SNS.amazonaws.com"]] {
        let world = World::serving(certificate(names, |_| {}));
        assert_eq!(world.verify(&signed(notification())).await, Ok(()), "{names:?}");
    }
    let called = |name: &str| certificate(&[], |params| params.distinguished_name.push(DnType::CommonName, name));
    assert_eq!(World::serving(called("sns.amazonaws.com")).verify(&signed(notification())).await, Ok(()));
    let elliptic = {
        let key = KeyPair::generate().unwrap();
        CertificateParams::new(["sns.amazonaws.com".to_owned()]).unwrap().self_signed(&key).unwrap().pem()
    };
    for (what, file) in [
        ("another name", certificate(&["sns.evil.test"], |_| {})),
        ("a name that begins alike", certificate(&["sns.amazonaws.com.evil.test"], |_| {})),
        ("another region's name", certificate(&["sns.eu-west-1.amazonaws.com"], |_| {})),
        ("China's name", certificate(&["sns.amazonaws.com.cn"], |_| {})),
        ("another common name", called("evil.test")),
        (
            "a common name beside other names",
            certificate(&["evil.test"], |params| {
                params.distinguished_name.push(DnType::CommonName, "sns.amazonaws.com");
            }),
        ),
        (
            "an authority",
            certificate(&["sns.amazonaws.com"], |params| {
                params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            }),
        ),
        ("over", certificate(&["sns.amazonaws.com"], |params| params.not_after = rcgen::date_time_ymd(2025, 12, 31))),
        ("not yet", certificate(&["sns.amazonaws.com"], |params| params.not_before = rcgen::date_time_ymd(2026, 1, 2))),
        ("another kind of key", elliptic),
        ("no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned()),
        ("nothing", String::new()),
        ("a key", RSA_KEY.to_owned()),
    ] {
        assert_eq!(World::serving(file).verify(&signed(notification())).await, Err(Refusal::Certificate), "{what}");
    }
}

/// Break: the pace, or keep what can't be used.
#[tokio::test]
async fn e1_e6_forged_certificate_names_cost_a_bounded_number_of_requests() {
    let world = World::with(settings(), |_| Reply::new(404, ""));
    for at in 0..1000 {
        let mut forged = notification();
        forged["SigningCertURL"] = format!("https://{HOST}/SimpleNotificationService-{at}.pem").into();
        forged["Signature"] = "AAAA".into();
        assert_eq!(world.verify(&forged).await, Err(Refusal::Unavailable));
    }
    assert_eq!(world.transport.count(), 5);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.verify(&signed(notification())).await, Err(Refusal::Unavailable));
    assert_eq!(world.transport.count(), 6);
    assert!(Refusal::Unavailable.is_transient() && !Refusal::Mismatch.is_transient());
}

#[tokio::test]
async fn what_is_not_a_plain_answer_is_unavailable_and_is_asked_for_again_later() {
    let mut replies = vec![
        Reply::new(301, ""),
        Reply::new(500, ""),
        Reply::Fail(Error::new(ErrorKind::Network, "no way there")),
        Reply::new(200, "x".repeat(65 << 10)),
        Reply::new(200, genuine()),
    ];
    replies.reverse();
    let world = World::with(settings(), move |_| replies.pop().unwrap());
    for _ in 0..4 {
        assert_eq!(world.verify(&signed(notification())).await, Err(Refusal::Unavailable));
    }
    assert_eq!(world.verify(&signed(notification())).await, Ok(()));
}

/// Break: `confirm` without its look at the topic, or with the delivery's own address.
#[tokio::test]
async fn e2_confirming_asks_amazon_alone() {
    let world = World::serving(genuine());
    let accepted = Accepted::anything();
    let confirmed = |envelope: &Value| {
        let body = envelope.to_string();
        let headers = http::HeaderMap::new();
        let delivery = Delivery { source: SourceKind::Sns, headers: &headers, body: body.as_bytes() };
        match decode(&delivery, &accepted, UnixMillis(0)).confirm {
            Some(Handshake::Sns(confirmation)) => confirmation,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(world.verifier.confirm(&confirmed(&confirmation())).await, Ok(()));
    let mut other = confirmation();
    other["TopicArn"] = "arn:aws:sns:us-west-2:123456789012:Other".into();
    assert_eq!(world.verifier.confirm(&confirmed(&other)).await, Err(Refusal::Topic));
    let asked: Vec<_> = world.transport.requests().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(asked, [format!("https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37")]);
}

/// The whole way of a delivery. Break: decode before `verify` in `Intake::take`, or confirm what was not verified.
#[tokio::test]
async fn e1_e2_an_intake_decodes_and_confirms_what_was_verified_and_asks_nobody_for_the_rest() {
    let World { verifier, transport, clock } = World::serving(genuine());
    let accepted = Accepted { topics: Some(vec![TOPIC.to_owned()]), ..Accepted::default() };
    let intake = Intake { sender: Sender::Sns(verifier), accepted };
    let take = async |envelope: &Value| {
        intake.take(&http::HeaderMap::new(), envelope.to_string().as_bytes(), clock.wall()).await
    };
    for forged in [notification(), confirmation()] {
        assert_eq!(take(&forged).await.err(), Some(Refusal::Malformed), "without a signature");
        let mut forged = signed(forged);
        forged["Message"] = "another".into();
        assert_eq!(take(&forged).await.err(), Some(Refusal::Mismatch));
    }
    let asked = transport.requests().len();
    let taken = take(&signed(confirmation())).await.unwrap();
    assert!(taken.changes.is_empty() && taken.confirm.is_some());
    let told = json!({ "id": "1", "detail-type": "Parameter Store Change", "source": "aws.ssm", "account": "123456789012",
                       "region": "us-west-2", "time": "2025-12-31T23:59:00Z",
                       "detail": { "operation": "Update", "name": "/db/password" } });
    let mut envelope = notification();
    envelope["Message"] = told.to_string().into();
    assert_eq!(take(&signed(envelope)).await.unwrap().changes.len(), 1);
    let asked: Vec<_> = transport.requests()[asked..].iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(asked, [format!("https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37")]);
}

/// What a function is called with has no place beside an envelope. Break: read `Records` whatever `Type` says.
#[tokio::test]
async fn e1_what_stands_beside_a_signed_envelope_is_not_read() {
    let World { verifier, clock, .. } = World::serving(genuine());
    let intake = Intake { sender: Sender::Sns(verifier), accepted: Accepted::anything() };
    let forged = json!({ "id": "1", "detail-type": "Parameter Store Change", "source": "aws.ssm",
                         "account": "123456789012", "region": "us-west-2", "time": "2025-12-31T23:59:00Z",
                         "detail": { "operation": "Update", "name": "/db/password" } });
    for genuine in [notification(), confirmation()] {
        let mut envelope = signed(genuine);
        envelope["Records"] = json!([{ "Sns": { "TopicArn": TOPIC, "Message": forged.to_string() } }]);
        let taken = intake.take(&http::HeaderMap::new(), envelope.to_string().as_bytes(), clock.wall()).await.unwrap();
        assert_eq!(taken.changes, []);
    }
}

#[test]
fn a_verifier_needs_a_topic() {
    for topics in
        [vec![], vec!["*".to_owned()], vec![TOPIC.to_owned(), "arn:aws:sqs:us-west-2:123456789012:q".to_owned()]]
    {
        let settings = SnsSettings { topics, ..SnsSettings::default() };
        let made = SnsVerifier::new(settings, FakeTransport::in_order([]), ManualClock::new());
        assert_eq!(made.err().unwrap().kind(), ErrorKind::Config);
    }
}

proptest! {
    /// Nothing that is no signature verifies, and nothing breaks it.
    #[test]
    fn no_bytes_are_a_delivery(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(SnsEnvelope::parse(&bytes).is_none_or(|value| SnsEnvelope(&value).signed().is_none()));
    }

    #[test]
    fn no_file_breaks_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let file = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(&bytes));
        prop_assert!(super::Certificate::of_sns(file.as_bytes(), HOST).is_none());
        prop_assert!(super::Certificate::of_sns(&bytes, HOST).is_none());
    }
}
