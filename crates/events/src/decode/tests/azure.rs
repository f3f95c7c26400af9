//! Event Grid's events of Key Vault, in both schemas, and its two ways to validate a subscription.

use http::{HeaderMap, HeaderValue};
use lockstep_core::{ScopeParts, UnixMillis};
use serde_json::{Value, json};

use super::{Accepted, SourceKind, decoded, decoded_by, lines, with};
use crate::decode::{Handshake, Reason, event_grid_options};

const TOPIC: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/sample-kv";
const FOUND: &str =
    "updated newsecret -> ee059b2bb5bc48398a53b168c6cdcb10 of azure-key-vault  sample-kv.vault.azure.net";

fn data() -> Value {
    json!({
        "Id": "https://sample-kv.vault.azure.net/secrets/newsecret/ee059b2bb5bc48398a53b168c6cdcb10",
        "VaultName": "sample-kv", "ObjectType": "Secret", "ObjectName": "newsecret",
        "Version": "ee059b2bb5bc48398a53b168c6cdcb10", "NBF": 1_559_081_980, "EXP": 1_559_082_102,
    })
}

/// Event Grid's own schema.
fn event(kind: &str, data: Value) -> Value {
    json!({
        "id": "00eccf70-95a7-4e7c-8299-2eb17ee9ad64", "topic": TOPIC, "subject": "newsecret", "eventType": kind,
        "eventTime": "2019-07-25T01:08:33.1036736Z", "data": data, "dataVersion": "1", "metadataVersion": "1",
    })
}

/// The same as a CloudEvent.
fn cloud_event(kind: &str) -> Value {
    json!({
        "id": "00eccf70-95a7-4e7c-8299-2eb17ee9ad64", "source": TOPIC, "subject": "newsecret", "type": kind,
        "time": "2019-07-25T01:08:33.1036736Z", "data": data(), "specversion": "1.0",
    })
}

const CREATED: &str = "Microsoft.KeyVault.SecretNewVersionCreated";

fn validation() -> Value {
    let data =
        json!({ "validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "http://169.254.169.254/" });
    with(&event("Microsoft.EventGrid.SubscriptionValidationEvent", data), "/subject", json!(""))
}

/// Break: `first` with one of the two names alone, or the single event of CloudEvents.
#[test]
fn a_new_version_is_the_same_change_in_both_schemas() {
    let own = decoded(SourceKind::EventGrid, &json!([event(CREATED, data())]));
    assert_eq!(lines(&own), [FOUND]);
    assert_eq!(own.changes[0].at, UnixMillis::from_rfc3339("2019-07-25T01:08:33.103Z").unwrap());
    assert!(own.changes[0].id.starts_with("azure-00eccf70-95a7-4e7c-8299-2eb17ee9ad64-"));
    assert_eq!(decoded(SourceKind::EventGrid, &cloud_event(CREATED)).changes, own.changes);
    assert_eq!(decoded(SourceKind::EventGrid, &json!([cloud_event(CREATED)])).changes, own.changes);
}

/// Microsoft's own sample has spaces in names and values, and numbers as text.
///
/// Break: the `trim`s and the case in `lenient`, the fallback to `ObjectName`, or `Object::parse`.
#[test]
fn data_is_read_however_it_is_spelled() {
    let sample = json!({
        "id": "https://Sample-KV.vault.azure.net/Secrets/NewSecret/EE059B2BB5BC48398A53B168C6CDCB10", "NBF": "1559081980",
    });
    let found = |data: Value| lines(&decoded(SourceKind::EventGrid, &json!([event(CREATED, data)])));
    assert_eq!(found(sample), [FOUND]);
    let nowhere = FOUND.replace(" of azure-key-vault  sample-kv.vault.azure.net", " of azure-key-vault");
    let fallback = json!({ "ObjectName ": "newsecret", "Version": " ee059b2bb5bc48398a53b168c6cdcb10", "Id": null });
    assert_eq!(found(fallback), [nowhere]);
    // A version that can't be one is none, and the secret has changed all the same.
    for version in ["latest", "ee059b2b", "zz059b2bb5bc48398a53b168c6cdcb10"] {
        let id = format!("https://sample-kv.vault.azure.net/secrets/newsecret/{version}");
        let found = found(with(&data(), "/Id", json!(id)));
        assert_eq!(found, ["updated newsecret of azure-key-vault  sample-kv.vault.azure.net"], "{version}");
    }
    for id in [
        "",
        "http://sample-kv.vault.azure.net/secrets/a",
        "https:///secrets/a",
        "https://kv/keys/a/b",
        "https://kv/secrets/a/b/c",
    ] {
        assert_eq!(found(json!({ "Id": id })), ["malformed"], "{id}");
    }
    assert_eq!(
        lines(&decoded(SourceKind::EventGrid, &with(&event(CREATED, data()), "/data", Value::Null))),
        ["malformed"]
    );
}

#[test]
fn what_changes_no_secret_is_no_news() {
    for (kind, expected) in [
        ("Microsoft.KeyVault.SecretNearExpiry", "no_news"),
        ("Microsoft.KeyVault.SecretExpired", "no_news"),
        ("Microsoft.KeyVault.SecretFrobnicated", "unknown_event"),
        ("Microsoft.KeyVault.KeyNewVersionCreated", "not_a_secret"),
        ("Microsoft.KeyVault.CertificateNearExpiry", "not_a_secret"),
        ("Microsoft.KeyVault.VaultAccessPolicyChanged", "not_a_secret"),
        ("Microsoft.Storage.BlobCreated", "not_a_secret"),
        ("Microsoft.EventGrid.SubscriptionDeletedEvent", "unsubscribed"),
    ] {
        assert_eq!(lines(&decoded(SourceKind::EventGrid, &json!([event(kind, data())]))), [expected], "{kind}");
    }
    // The secret beneath a certificate has its private key.
    let id = "https://sample-kv.vault.azure.net/certificates/tls/ee059b2bb5bc48398a53b168c6cdcb10";
    let certificate = event("Microsoft.KeyVault.CertificateNewVersionCreated", with(&data(), "/Id", json!(id)));
    let found = lines(&decoded(SourceKind::EventGrid, &json!([certificate])));
    assert_eq!(found, ["unknown tls of azure-key-vault  sample-kv.vault.azure.net"]);
}

/// Break: the look at `expects_azure`, or answer with the event's own address.
#[test]
fn e3_a_validation_is_answered_for_the_expected_topic_and_subscription_alone() {
    let accepted = Accepted {
        topics: Some(vec![TOPIC.to_ascii_uppercase()]),
        subscriptions: Some(vec!["LOCKSTEP".to_owned()]),
        ..Accepted::default()
    };
    let delivered = |body: &Value, subscription: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("aeg-event-type", HeaderValue::from_static("SubscriptionValidation"));
        headers.insert("aeg-subscription-name", subscription.parse().unwrap());
        decoded_by(SourceKind::EventGrid, &headers, body.to_string().as_bytes(), &accepted)
    };
    let found = delivered(&json!([validation()]), "lockstep");
    let answer = found.confirm.as_ref().and_then(Handshake::answer).unwrap();
    assert_eq!(answer, r#"{"validationResponse":"512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}"#);
    assert_eq!((found.changes.len(), found.ignored.len()), (0, 0));

    let elsewhere = with(&validation(), "/topic", json!("/subscriptions/s/resourceGroups/rg/evil"));
    for (body, subscription, reason) in [
        (&elsewhere, "lockstep", "unexpected"),
        (&with(&validation(), "/topic", Value::Null), "lockstep", "unexpected"),
        (&validation(), "other", "unexpected"),
        (&validation(), "", "unexpected"),
        (&with(&validation(), "/data", json!({})), "lockstep", "malformed"),
        (&with(&validation(), "/data/validationCode", json!("a b")), "lockstep", "malformed"),
    ] {
        let found = delivered(&json!([body]), subscription);
        assert_eq!((lines(&found), found.confirm), (vec![reason.to_owned()], None), "{body} {subscription}");
    }
    // Whatever the code is, it comes back as one JSON string.
    let quoted = with(&validation(), "/data/validationCode", json!("a\"},{"));
    let answer = delivered(&json!([quoted]), "lockstep").confirm.as_ref().and_then(Handshake::answer).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap(), json!({ "validationResponse": "a\"},{" }));
    assert_eq!(lines(&delivered(&json!([event(CREATED, data())]), "other")), ["unexpected"]);
    assert_eq!(lines(&delivered(&json!([event(CREATED, data())]), "lockstep")), [FOUND]);
}

/// Break: the look at the origin, or at a second one.
#[test]
fn e3_consent_to_cloud_events_is_given_to_the_expected_origin_alone() {
    let asked = |origins: &[&str], known: &[String]| {
        let mut headers = HeaderMap::new();
        for origin in origins {
            headers.append("webhook-request-origin", origin.parse().unwrap());
        }
        event_grid_options(&headers, known).map(|answer| {
            let text = |name: &str| answer[name].to_str().unwrap().to_owned();
            [text("webhook-allowed-origin"), text("webhook-allowed-rate"), text("allow")].join(" ")
        })
    };
    assert_eq!(asked(&["eventgrid.azure.net"], &[]), Ok("eventgrid.azure.net 120 POST".to_owned()));
    for origin in ["evil.test", "eventgrid.azure.net.evil.test", "*", ""] {
        assert_eq!(asked(&[origin], &[]), Err(Reason::Unexpected), "{origin}");
    }
    assert_eq!(asked(&["eventgrid.azure.net", "evil.test"], &[]), Err(Reason::UnknownShape));
    assert_eq!(asked(&[], &[]), Err(Reason::UnknownShape));
    let own = ["eventgrid.azure.us".to_owned()];
    assert!(asked(&["eventgrid.azure.us"], &own).is_ok() && asked(&["eventgrid.azure.net"], &own).is_err());
}

/// Break: the host that `Object` reads, or the region in `Accepted::of`.
#[test]
fn e8_another_vault_is_foreign() {
    let scope = |vault: &str| ScopeParts {
        provider: "azure-key-vault".into(),
        region: vault.into(),
        account: "tenant".into(),
        ..ScopeParts::default()
    };
    let body = json!([event(CREATED, data())]).to_string();
    let means = |scope: &ScopeParts| {
        let accepted = Accepted::of([scope]);
        lines(&decoded_by(SourceKind::EventGrid, &HeaderMap::new(), body.as_bytes(), &accepted))
    };
    assert_eq!(means(&scope("sample-kv.vault.azure.net")), [FOUND]);
    assert_eq!(means(&scope("other-kv.vault.azure.net")), ["foreign"]);
    assert_eq!(means(&ScopeParts::default()), ["foreign"]);
}
