//! What is done to samples by those who mean harm: cut off, blown up, or made of anything at all.

use http::HeaderMap;
use lockstep_core::{Change, ChangedName};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::aws::label_updated;
use super::{Accepted, NOW, Reason, SourceKind, decoded_by, reasons};
use crate::decode::MAX_BYTES;

/// One good delivery of each kind.
fn samples() -> Vec<(SourceKind, Value)> {
    let event = label_updated();
    vec![
        (SourceKind::EventBridge, event.clone()),
        (SourceKind::Sqs, json!({ "Records": [{ "messageId": "m", "body": event.to_string() }] })),
        (
            SourceKind::Sns,
            json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:t", "Message": event.to_string() }),
        ),
        (
            SourceKind::PubSub,
            json!({ "message": { "messageId": "1", "attributes": {
                "eventType": "SECRET_VERSION_ADD", "secretId": "projects/1/secrets/a",
                "versionId": "projects/1/secrets/a/versions/2",
            } }, "subscription": "projects/p/subscriptions/s" }),
        ),
        (
            SourceKind::EventGrid,
            json!([{ "eventType": "Microsoft.KeyVault.SecretNewVersionCreated", "id": "1", "topic": "t",
                "data": { "Id": "https://kv.vault.azure.net/secrets/a/ee059b2bb5bc48398a53b168c6cdcb10" } }]),
        ),
        (
            SourceKind::Vault,
            json!({ "id": "1", "data": {
                "event_type": "kv-v2/data-write", "plugin_info": { "mount_path": "secret/" },
                "event": { "metadata": { "data_path": "secret/data/a", "current_version": "1" } },
            } }),
        ),
        (SourceKind::GitHub, ours()),
        (SourceKind::StandardWebhooks, ours()),
    ]
}

fn ours() -> Value {
    json!({ "changes": [{ "provider": "vault", "name": "a", "kind": "rotated", "id": "1" }] })
}

fn anything(source: SourceKind, body: &[u8]) -> crate::decode::Decoded {
    decoded_by(source, &HeaderMap::new(), body, &Accepted::anything())
}

/// What no Change may be, whoever sent it.
fn is_sound(change: &Change) -> bool {
    let texts = [change.label.as_deref(), change.version.as_deref()].into_iter().flatten();
    matches!(&change.name, ChangedName::One(name) if !name.is_empty() && name.len() <= 2048)
        && (1..=200).contains(&change.id.len())
        && change.id.bytes().all(|byte| byte.is_ascii_graphic())
        && texts.into_iter().all(|text| (1..=256).contains(&text.len()))
        && change.at <= NOW
        && !change.source.provider.is_empty()
}

#[test]
fn every_sample_is_a_change_before_anything_is_done_to_it() {
    for (source, sample) in samples() {
        let found = anything(source, sample.to_string().as_bytes());
        assert_eq!((found.changes.len(), found.ignored.len()), (1, 0), "{source}: {found:?}");
        assert!(is_sound(&found.changes[0]), "{found:?}");
        assert_eq!(source.as_str().parse(), Ok(source));
        // Both webhooks have one body.
        let guessed = if source == SourceKind::StandardWebhooks { SourceKind::GitHub } else { source };
        assert_eq!(SourceKind::guess(sample.to_string().as_bytes()), Some(guessed));
    }
    let error = "webhook".parse::<SourceKind>().unwrap_err().to_string();
    assert!(SourceKind::ALL.iter().all(|kind| error.contains(&format!("`{kind}`"))), "{error}");
    assert_eq!(SourceKind::guess(b"{}"), None);
}

/// Break: `serde_json::from_slice` for a reader that takes the beginning of a text.
#[test]
fn a_notification_that_is_cut_off_means_nothing() {
    for (source, sample) in samples() {
        let whole = sample.to_string();
        for end in 0..whole.len() {
            assert_eq!(reasons(&anything(source, &whole.as_bytes()[..end])), [Reason::NotJson], "{source} {end}");
        }
    }
}

/// Break: either bound in `json`.
#[test]
fn e6_an_enormous_notification_is_refused_before_it_is_parsed() {
    for (source, sample) in samples() {
        let sample = sample.to_string();
        let largest = format!("{sample}{}", " ".repeat(MAX_BYTES - sample.len()));
        assert_eq!(anything(source, largest.as_bytes()).changes.len(), 1, "{source}");
        let padded = format!("{largest} ");
        assert_eq!(reasons(&anything(source, padded.as_bytes())), [Reason::TooLarge], "{source}");
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(reasons(&anything(source, deep.as_bytes())), [Reason::TooLarge], "{source}");
        let wide = format!("[{}0]", "0,".repeat(300_000));
        assert_eq!(reasons(&anything(source, wide.as_bytes())), [Reason::TooLarge], "{source}");
    }
    // The text in an envelope has bounds of its own.
    let inner = format!("[{}0]", "0,".repeat(6_000));
    let enveloped = json!({ "Records": [{ "messageId": "m", "body": inner }] }).to_string();
    assert_eq!(reasons(&anything(SourceKind::Sqs, enveloped.as_bytes())), [Reason::TooLarge]);
    // A list of labels is no way to more Changes than a version has labels.
    let labels: Vec<_> = (0..1000).map(|at| format!("label-{at}")).collect();
    let mut sample = label_updated();
    sample["detail"]["labelUpdated"] = json!(labels);
    let found = anything(SourceKind::EventBridge, sample.to_string().as_bytes());
    assert_eq!(found.changes.len(), 20);
    assert_eq!(found.ignored.iter().map(|ignored| ignored.reason).collect::<Vec<_>>(), [Reason::TooMany]);
    // Nor is a list of labels of somebody else's secret a way to more.
    let nobodys = Accepted { sources: Some(Vec::new()), ..Accepted::default() };
    let found = decoded_by(SourceKind::EventBridge, &HeaderMap::new(), sample.to_string().as_bytes(), &nobodys);
    assert_eq!((found.changes.len(), found.ignored.len()), (0, 21));
}

/// Break: put a name into `Reason`.
#[test]
fn what_is_said_of_what_was_ignored_holds_nothing_of_it() {
    let body = r#"{"detail-type":"canary-1f6e","source":"canary-1f6e","id":"canary-1f6e"}"#;
    for source in SourceKind::ALL {
        let said = format!("{:?}", anything(source, body.as_bytes()).ignored);
        assert!(!said.contains("canary"), "{said}");
    }
    let words: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    let sentences: std::collections::BTreeSet<_> = Reason::ALL.iter().map(ToString::to_string).collect();
    assert_eq!((words.len(), sentences.len()), (Reason::ALL.len(), Reason::ALL.len()));
}

/// Any JSON at all, with the members that decoders look for among it.
fn json_like() -> impl Strategy<Value = Value> {
    let names = "(Records|Messages|body|Body|Sns|Type|TopicArn|Message|Token|detail|detail-type|source|id|resources|\
                 name|labelUpdated|versionId|message|attributes|eventType|secretId|data|Id|topic|type|changes|provider|\
                 kind|event_type|plugin_info|mount_path|event|metadata|path|receivedMessages|[a-z]{0,3})";
    let texts = prop_oneof![
        "\\PC{0,12}",
        "(AWS API Call via CloudTrail|Secret Label Updated|Parameter Store Change|Notification|aws\\.ssm|aws\\.secretsmanager|\
         SubscriptionConfirmation|SECRET_VERSION_ADD|projects/1/secrets/a|kv-v2/data-write|secret/|Microsoft\\.KeyVault\\.SecretNewVersionCreated)",
        "arn:aws:(secretsmanager|sns|ssm):[a-z0-9-]{0,9}:[0-9]{12}:(secret:)?[a-zA-Z-]{0,9}",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        texts.prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 60, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names, inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200), which in 0..8_usize) {
        let found = anything(SourceKind::ALL[which], &bytes);
        prop_assert!(found.changes.iter().all(is_sound));
        let _ = SourceKind::guess(&bytes);
    }

    #[test]
    fn no_json_breaks_it_and_what_comes_out_is_sound(value in json_like(), which in 0..8_usize) {
        let text = value.to_string();
        for body in [&value, &json!([&value]), &json!({ "Records": [{ "messageId": "m", "body": text }] })] {
            let found = anything(SourceKind::ALL[which], body.to_string().as_bytes());
            prop_assert!(found.changes.iter().all(is_sound), "{found:?}");
            // Something comes of every delivery but an empty batch.
            let is_empty = found.changes.is_empty() && found.ignored.is_empty() && found.confirm.is_none();
            prop_assert!(!is_empty || body.to_string().contains("[]"), "{body}");
        }
    }

    /// A sample in which one text was replaced by another: it may mean another Change, and never an unsound one.
    #[test]
    fn a_sample_with_any_text_in_any_place_is_sound(which in 0..8_usize, at: prop::sample::Index, text in "\\PC{0,40}") {
        let (source, sample) = samples().swap_remove(which);
        let mut places = Vec::new();
        texts_of(&sample, String::new(), &mut places);
        let mut sample = sample;
        let place: &String = at.get(&places);
        *sample.pointer_mut(place).unwrap() = Value::from(text);
        let found = anything(source, sample.to_string().as_bytes());
        prop_assert!(found.changes.iter().all(is_sound), "{found:?}");
        prop_assert!(found.changes.len() + found.ignored.len() > 0);
    }
}

/// The places of all texts.
fn texts_of(value: &Value, at: String, places: &mut Vec<String>) {
    let inside: Vec<(String, &Value)> = match value {
        Value::Array(items) => items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Object(members) => members.iter().map(|(name, item)| (name.clone(), item)).collect(),
        Value::String(_) => return places.push(at),
        _ => return,
    };
    for (name, item) in inside {
        texts_of(item, format!("{at}/{name}"), places);
    }
}
