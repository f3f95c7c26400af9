//! Notifications that others have written and signed: Microsoft's client of Event Grid, Google's of Pub/Sub, the library of
//! Standard Webhooks, and moto's SNS, which signs with a certificate of its own.

#![cfg(feature = "sns")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::path::Path;
use std::process::Command;

use http::{HeaderMap, HeaderName, HeaderValue};
use lockstep_core::{ChangedName, Clock as _, SecretValue, UnixMillis};
use lockstep_events::decode::{Accepted, Decoded, Delivery, SourceKind, decode};
use lockstep_events::verify::{Refusal, SnsSettings, SnsVerifier, StandardWebhooksVerifier};
use lockstep_testkit::{FakeTransport, ManualClock, Reply, require, servers};
use serde_json::{Value, json};

const NOW: UnixMillis = UnixMillis(4_000_000_000_000);

/// Runs a part of `senders.py`.
fn send(python: &Path, part: &str, known: &Value) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/senders.py");
    let output = Command::new(python).args([script, part, &known.to_string()]).env("NO_PROXY", "*").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn decoded(source: SourceKind, headers: &HeaderMap, body: &str) -> Decoded {
    decode(&Delivery { source, headers, body: body.as_bytes() }, &Accepted::anything(), NOW)
}

/// What Microsoft's own client writes, is read.
///
/// Break: the names of either schema in `event_grid::one`.
#[test]
fn event_grid_as_microsofts_client_publishes_it() {
    let python = require!(servers::events_python());
    let id = "https://payments.vault.azure.net/secrets/db/ee059b2bb5bc48398a53b168c6cdcb10";
    let arrived = send(&python, "event_grid", &json!({ "topic": "/subscriptions/s", "id": id }));
    let bodies: Vec<_> = arrived.as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap()).collect();
    assert_eq!(bodies.len(), 3);
    for body in bodies {
        let found = decoded(SourceKind::EventGrid, &HeaderMap::new(), body);
        assert_eq!((found.changes.len(), found.ignored.len()), (1, 0), "{body}");
        let change = &found.changes[0];
        assert_eq!(change.name, ChangedName::One("db".into()));
        assert_eq!(change.version.as_deref(), Some("ee059b2bb5bc48398a53b168c6cdcb10"));
        assert_eq!(change.source.region, "payments.vault.azure.net");
        assert_ne!(change.at, NOW, "its time was read");
        assert_eq!(SourceKind::guess(body.as_bytes()), Some(SourceKind::EventGrid));
    }
}

/// Break: the name of any field in `pub_sub`.
#[test]
fn pub_sub_as_googles_library_writes_it() {
    let python = require!(servers::events_python());
    let secret = "projects/123456/secrets/db";
    let events =
        json!([["SECRET_VERSION_ADD", secret, "7"], ["SECRET_DELETE", secret, null], ["SECRET_ROTATE", secret, null]]);
    let known = json!({ "events": events, "subscription": "projects/acme-prod/subscriptions/lockstep" });
    let arrived = send(&python, "pub_sub", &known);
    let body = |name: &str| arrived[name].as_str().unwrap().to_owned();
    let pulled = decoded(SourceKind::PubSub, &HeaderMap::new(), &body("pulled"));
    let pushed = decoded(SourceKind::PubSub, &HeaderMap::new(), &body("pushed"));
    assert_eq!((pulled.changes.len(), pulled.ignored.len(), pushed.changes.len()), (2, 1, 1), "{pulled:?} {pushed:?}");
    assert_eq!(pulled.changes[0], pushed.changes[0]);
    let change = &pushed.changes[0];
    assert_eq!((&change.name, change.version.as_deref()), (&ChangedName::One("db".into()), Some("7")));
    assert_eq!(change.at, UnixMillis::from_rfc3339("2026-05-01T10:00:01Z").unwrap());
    assert_eq!(pulled.ignored[0].item.as_deref(), Some("ack-2"));
    assert_eq!(SourceKind::guess(body("pulled").as_bytes()), Some(SourceKind::PubSub));
}

/// Break: any part of the text that `StandardWebhooksVerifier` takes for signed.
#[test]
fn standard_webhooks_as_their_own_library_signs_them() {
    let python = require!(servers::events_python());
    let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];
    let body = r#"{"changes": [{"provider": "vault", "name": "secret/db", "kind": "rotated", "version": "7"}]}"#;
    let at = UnixMillis(1_800_000_000_000);
    let known = |secret: &str| json!({ "second": 1_800_000_000, "secret": secret, "id": "msg_1", "body": body });
    let signed =
        |secret: &str| send(&python, "standard_webhooks", &known(secret))["signature"].as_str().unwrap().to_owned();
    let headers = |signature: &str| {
        let pairs = [("webhook-id", "msg_1"), ("webhook-timestamp", "1800000000"), ("webhook-signature", signature)];
        let pairs = pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        pairs.into_iter().collect::<HeaderMap>()
    };
    let both = StandardWebhooksVerifier::new(&secrets.map(SecretValue::from)).unwrap();
    let first = StandardWebhooksVerifier::new(&[SecretValue::from(secrets[0])]).unwrap();
    let [old, new] = secrets.map(signed);
    assert_eq!(both.verify(&headers(&old), body.as_bytes(), at), Ok(()));
    assert_eq!(both.verify(&headers(&new), body.as_bytes(), at), Ok(()));
    assert_eq!(first.verify(&headers(&new), body.as_bytes(), at), Err(Refusal::Mismatch));
    // A sender that changes its secret sends both.
    assert_eq!(first.verify(&headers(&format!("{new} {old}")), body.as_bytes(), at), Ok(()));
    assert_eq!(
        both.verify(&headers(&old), body.replace("secret/db", "secret/dc").as_bytes(), at),
        Err(Refusal::Mismatch)
    );

    let found = decoded(SourceKind::StandardWebhooks, &headers(&old), body);
    assert_eq!(found.changes.len(), 1);
    assert!(found.changes[0].id.starts_with("webhook-msg_1-"), "{}", found.changes[0].id);
}

/// Break: any part of the text that `StandardWebhooksVerifier::sign` signs, or its `v1,`.
#[test]
fn what_we_sign_is_taken_by_the_library_of_standard_webhooks() {
    let python = require!(servers::events_python());
    let (secret, body) = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", r#"{"type":"secret.rotated","data":{}}"#);
    let signer = StandardWebhooksVerifier::new(&[SecretValue::from(secret)]).unwrap();
    // The library looks at the clock.
    let now = lockstep_native::SystemClock::new().wall();
    let signature = signer.sign("lockstep_1", now, body.as_bytes()).unwrap();
    let headers = json!({ "webhook-id": "lockstep_1", "webhook-timestamp": (now.0 / 1000).to_string(),
        "webhook-signature": signature });
    let known = json!({ "secret": secret, "body": body, "headers": headers });
    assert_eq!(send(&python, "standard_webhooks_verify", &known)["read"]["type"], "secret.rotated");
}

/// moto signs as AWS documents it, with a key and a certificate that it has made.
///
/// Break: the signed text, the fall-back to the common name, or the comparison of the address.
#[tokio::test]
async fn e1_sns_as_moto_signs_it() {
    let python = require!(servers::python());
    let event = json!({
        "id": "6a7e8feb", "detail-type": "Parameter Store Change", "source": "aws.ssm", "account": "123456789012",
        "region": "us-west-2", "time": "2026-05-22T16:44:48Z", "detail": { "operation": "Update", "name": "/db/password" },
    });
    let sent = send(&python, "sns", &json!({ "message": event.to_string() }));
    let text = |name: &str| sent[name].as_str().unwrap().to_owned();
    let envelope: Value = serde_json::from_str(&text("body")).unwrap();
    let signed = UnixMillis::from_rfc3339(envelope["Timestamp"].as_str().unwrap()).unwrap();
    let certificate = text("certificate");
    let transport = FakeTransport::by(move |_| Reply::new(200, certificate.clone()));
    let settings = SnsSettings { topics: vec![text("topic")], ..SnsSettings::default() };
    // Its certificate begins with the whole second, its signature is of that second.
    let clock = ManualClock::at(UnixMillis(signed.0 + 1000));
    let verifier = SnsVerifier::new(settings, transport.clone(), clock).unwrap();
    assert_eq!(verifier.verify(text("body").as_bytes()).await, Ok(()));
    let asked: Vec<_> = transport.requests().iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(asked, [envelope["SigningCertURL"].as_str().unwrap()]);
    let mut tampered = envelope;
    tampered["Message"] = "{}".into();
    assert_eq!(verifier.verify(tampered.to_string().as_bytes()).await, Err(Refusal::Mismatch));

    let found = decoded(SourceKind::Sns, &HeaderMap::new(), &text("body"));
    assert_eq!(found.changes.len(), 1, "{found:?}");
    assert_eq!(found.changes[0].name, ChangedName::One("/db/password".into()));
}
