//! What an event of AWS comes in: batches of SQS, SNS over HTTPS and in functions, and bare.

use http::HeaderMap;
use serde_json::{Value, json};

use super::aws::label_updated;
use super::{Accepted, Decoded, SourceKind, decoded, decoded_by, lines, with};
use crate::decode::{Handshake, Reason};

const TOPIC: &str = "arn:aws:sns:us-west-2:123456789012:MyTopic";
const FOUND: &str = "updated mySecret -> a1b2c3d4-5678-90ab-cdef-EXAMPLE11111 of aws-secrets-manager 012345678901 \
                     us-west-2";

/// As SNS posts it, signature left out.
fn notification(message: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": TOPIC,
        "Subject": "My First Message", "Message": message, "Timestamp": "2026-05-02T00:54:06.655Z",
        "SignatureVersion": "1", "Signature": "EXAMPLEw6JRN", "SigningCertURL": "https://example.invalid/",
        "UnsubscribeURL": "https://example.invalid/",
    })
}

fn confirmation() -> Value {
    json!({
        "Type": "SubscriptionConfirmation", "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b", "Token": "2336412f37",
        "TopicArn": TOPIC, "Message": "You have chosen to subscribe", "Timestamp": "2026-04-26T20:45:04.751Z",
        "SubscribeURL": "http://169.254.169.254/latest/meta-data/", "SignatureVersion": "1", "Signature": "x",
        "SigningCertURL": "https://example.invalid/",
    })
}

/// As Lambda hands a batch to a function.
fn batch(bodies: &[String]) -> Value {
    let record = |(at, body): (usize, &String)| {
        json!({
            "messageId": format!("m-{at}"), "receiptHandle": "AQEB", "body": body, "attributes": {},
            "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-west-2:123456789012:q", "awsRegion": "us-west-2",
        })
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

fn items(decoded: &Decoded) -> Vec<(usize, &str, &str)> {
    let ignored = decoded.ignored.iter();
    ignored.map(|one| (one.record, one.item.as_deref().unwrap_or_default(), one.reason.as_str())).collect()
}

/// Break: `each` of `sqs`, the id of an item, or `is_unreadable`.
#[test]
fn of_a_batch_what_could_not_be_read_is_reported_by_its_id_and_nothing_else_is() {
    let event = label_updated().to_string();
    let no_news = with(&label_updated(), "/source", json!("aws.ssm")).to_string();
    let bodies = [
        event.clone(),
        "not json".to_owned(),
        // The same event once more, as a queue may deliver it.
        event.clone(),
        no_news,
        notification(&event).to_string(),
        "[]".to_owned(),
        confirmation().to_string(),
    ];
    let found = decoded(SourceKind::Sqs, &batch(&bodies));
    assert_eq!(lines(&found)[0], FOUND);
    assert_eq!(found.changes.len(), 1);
    assert_eq!(
        items(&found),
        [
            (1, "m-1", "not_json"),
            (2, "m-2", "duplicate"),
            (3, "m-3", "unknown_event"),
            (4, "m-4", "duplicate"),
            (5, "m-5", "unknown_shape"),
            (6, "m-6", "no_news"),
        ]
    );
    assert_eq!(found.item_failures(), ["m-1", "m-5"]);
    assert_eq!(found.confirm, None, "a queue can't have a subscription confirmed");

    // As a queue is read from.
    let received =
        json!({ "Messages": [{ "MessageId": "r-1", "ReceiptHandle": "x", "Body": event }, { "MessageId": "r-2" }] });
    let found = decoded(SourceKind::Sqs, &received);
    assert_eq!((lines(&found), found.item_failures()), (vec![FOUND.to_owned(), "malformed".to_owned()], vec!["r-2"]));
    assert_eq!(lines(&decoded(SourceKind::Sqs, &label_updated())), ["unknown_shape"]);
}

#[test]
fn disorder_and_repetition_of_deliveries_give_the_same_ids() {
    let other = with(&label_updated(), "/id", json!("another")).to_string();
    let event = label_updated().to_string();
    let ids = |bodies: &[String]| {
        let mut ids: Vec<_> =
            decoded(SourceKind::Sqs, &batch(bodies)).changes.into_iter().map(|change| change.id).collect();
        ids.sort();
        ids
    };
    let in_order = ids(&[event.clone(), other.clone()]);
    assert_eq!(in_order.len(), 2);
    assert_eq!(in_order, ids(&[other.clone(), event.clone(), other, event.clone()]));
    // One event on two ways is one Change.
    let direct = decoded(SourceKind::EventBridge, &label_updated()).changes;
    let enveloped = decoded(SourceKind::Sns, &notification(&event)).changes;
    assert_eq!(direct, enveloped);
}

/// Break: `delivered` or `enveloped` of `sns`.
#[test]
fn sns_delivers_in_an_envelope_raw_and_to_functions() {
    let event = label_updated().to_string();
    let in_function = json!({ "Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": format!("{TOPIC}:x"),
        "Sns": with(&notification(&event), "/MessageAttributes", json!({})),
    }] });
    for body in [notification(&event), label_updated(), in_function] {
        assert_eq!(lines(&decoded(SourceKind::Sns, &body)), [FOUND], "{body}");
    }
    for (body, reason) in [
        (notification("Hello world!"), "not_json"),
        (notification("{}"), "unknown_shape"),
        (notification(&notification(&event).to_string()), "too_nested"),
        (with(&notification(&event), "/Message", json!({ "id": 1 })), "malformed"),
        (with(&notification(&event), "/TopicArn", Value::Null), "malformed"),
        (with(&confirmation(), "/Type", json!("UnsubscribeConfirmation")), "unsubscribed"),
        (json!({ "Records": [{}] }), "unknown_shape"),
    ] {
        assert_eq!(lines(&decoded(SourceKind::Sns, &body)), [reason], "{body}");
    }
}

/// Break: make the address of `SubscribeURL`, or leave a look at `expects_topic` out.
#[test]
fn e2_a_subscription_is_confirmed_at_amazon_alone_and_for_an_expected_topic_alone() {
    let listed = |topic: &str| Accepted { topics: Some(vec![topic.to_owned()]), ..Accepted::default() };
    let confirm = |body: &Value, accepted: &Accepted| {
        decoded_by(SourceKind::Sns, &HeaderMap::new(), body.to_string().as_bytes(), accepted)
    };
    let found = confirm(&confirmation(), &listed(TOPIC));
    let Some(Handshake::Sns(subscription)) = &found.confirm else { panic!("{found:?}") };
    assert_eq!(
        subscription.uri.to_string(),
        "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription\
         &TopicArn=arn:aws:sns:us-west-2:123456789012:MyTopic&Token=2336412f37"
    );
    let other = confirm(&confirmation(), &listed("arn:aws:sns:us-west-2:123456789012:Other"));
    assert_eq!((lines(&other), other.confirm), (vec!["unexpected".to_owned()], None));
    let notified = notification(&label_updated().to_string());
    assert_eq!(lines(&confirm(&notified, &listed("arn:aws:sns:us-west-2:123456789012:Other"))), ["unexpected"]);
    for (pointer, value) in [
        ("/Token", json!("a&Action=DeleteTopic")),
        ("/Token", json!("a b")),
        ("/Token", json!("x".repeat(2000))),
        ("/Token", Value::Null),
        ("/TopicArn", json!("arn:aws:sns:us-west-2.evil.test/:123456789012:MyTopic")),
        ("/TopicArn", json!("arn:aws:sns:us-west-2:123456789012:My Topic&Action=x")),
        ("/TopicArn", json!("arn:aws:sqs:us-west-2:123456789012:MyTopic")),
        ("/TopicArn", json!("169.254.169.254")),
    ] {
        let found = confirm(&with(&confirmation(), pointer, value.clone()), &Accepted::anything());
        assert_eq!((lines(&found), found.confirm), (vec!["malformed".to_owned()], None), "{value}");
    }
    let china = with(&confirmation(), "/TopicArn", json!("arn:aws-cn:sns:cn-north-1:123456789012:t"));
    let Some(Handshake::Sns(subscription)) = confirm(&china, &Accepted::anything()).confirm else { panic!() };
    assert_eq!(subscription.uri.host(), Some("sns.cn-north-1.amazonaws.com.cn"));
    assert_eq!(Handshake::Sns(subscription).answer(), None);
}

#[test]
fn a_batch_has_an_end() {
    let bodies: Vec<_> = (0..10_001).map(|_| "0".to_owned()).collect();
    let found = decoded(SourceKind::Sqs, &batch(&bodies));
    assert_eq!(found.ignored.len(), 10_001);
    assert_eq!(found.ignored.last().unwrap().reason, Reason::TooMany);
}
