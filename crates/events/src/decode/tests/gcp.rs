//! Pub/Sub's notifications of Secret Manager.

use http::HeaderMap;
use lockstep_core::{Source, UnixMillis};
use serde_json::{Value, json};

use super::{Accepted, SourceKind, decoded, decoded_by, lines, with};

const SUBSCRIPTION: &str = "projects/acme-prod/subscriptions/lockstep";

fn message(event: &str) -> Value {
    json!({
        "attributes": {
            "eventType": event, "dataFormat": "JSON_API_V1", "secretId": "projects/123456/secrets/db",
            "versionId": "projects/123456/secrets/db/versions/7", "timestamp": "2026-05-01T10:00:00.5Z",
        },
        "data": "eyJuYW1lIjoiIn0=", "messageId": "2070443601311540", "message_id": "2070443601311540",
        "publishTime": "2026-05-01T10:00:01Z", "publish_time": "2026-05-01T10:00:01Z",
    })
}

fn pushed(message: Value) -> Value {
    json!({ "message": message, "subscription": SUBSCRIPTION, "deliveryAttempt": 1 })
}

/// Break: any row of `notification`.
#[test]
fn each_event_type_of_secret_manager_means_what_it_does_to_reads() {
    let of = "of gcp-secret-manager 123456";
    for (event, expected) in [
        ("SECRET_VERSION_ADD", format!("updated db -> 7 {of}")),
        ("SECRET_VERSION_ENABLE", format!("unknown db {of}")),
        ("SECRET_VERSION_DISABLE", format!("deleted db -> 7 {of}")),
        ("SECRET_VERSION_DESTROY_SCHEDULED", format!("deleted db -> 7 {of}")),
        ("SECRET_VERSION_DESTROY", format!("destroyed db -> 7 {of}")),
        ("SECRET_DELETE", format!("destroyed db {of}")),
        ("SECRET_CREATE", format!("unknown db {of}")),
        ("SECRET_UPDATE", format!("unknown db {of}")),
        ("SECRET_ROTATE", "no_news".to_owned()),
        ("TOPIC_CONFIGURED", "test".to_owned()),
        ("SOMETHING_NEW", "unknown_event".to_owned()),
    ] {
        assert_eq!(lines(&decoded(SourceKind::PubSub, &pushed(message(event)))), [expected], "{event}");
    }
    // A test of the topic has nothing but its type.
    let test = json!({ "attributes": { "eventType": "TOPIC_CONFIGURED" }, "messageId": "1" });
    assert_eq!(lines(&decoded(SourceKind::PubSub, &pushed(test))), ["test"]);
    let found = decoded(SourceKind::PubSub, &pushed(message("SECRET_VERSION_ADD")));
    assert_eq!(found.changes[0].at, UnixMillis::from_rfc3339("2026-05-01T10:00:00.5Z").unwrap());
    assert!(found.changes[0].id.starts_with("gcp-2070443601311540-"), "{}", found.changes[0].id);
}

/// Break: `Place::parse`, `number`, or the look at the version.
#[test]
fn a_secret_is_of_its_projects_number_and_its_location() {
    let named = |secret: &str, version: &str| {
        let sample = with(&message("SECRET_VERSION_ADD"), "/attributes/secretId", json!(secret));
        pushed(with(&sample, "/attributes/versionId", json!(version)))
    };
    for (secret, version, expected) in [
        (
            "projects/123456/locations/europe-west3/secrets/db",
            "projects/123456/locations/europe-west3/secrets/db/versions/12",
            "updated db -> 12 of gcp-secret-manager 123456 europe-west3",
        ),
        // No secret that is held goes by a project's id.
        (
            "projects/acme-prod/secrets/db",
            "projects/acme-prod/secrets/db/versions/7",
            "updated db -> 7 of gcp-secret-manager",
        ),
        ("projects/123456/secrets/db", "projects/123456/secrets/db/versions/latest", "malformed"),
        ("projects/123456/secrets/db", "projects/123456/secrets/db/versions/07", "malformed"),
        ("projects/123456/secrets/db", "7", "malformed"),
        ("projects//secrets/db", "projects/1/secrets/db/versions/7", "malformed"),
        ("db", "projects/1/secrets/db/versions/7", "malformed"),
        ("projects/1/secrets/db/versions/7", "projects/1/secrets/db/versions/7", "malformed"),
    ] {
        assert_eq!(lines(&decoded(SourceKind::PubSub, &named(secret, version))), [expected], "{secret} {version}");
    }
}

#[test]
fn a_pull_has_many_messages_and_names_each_by_its_ack_id() {
    let received = |ack: &str, message: Value| json!({ "ackId": ack, "message": message, "deliveryAttempt": 2 });
    let again = with(&message("SECRET_VERSION_ADD"), "/publishTime", json!("2026-05-01T10:00:09Z"));
    let body = json!({ "receivedMessages": [
        received("a-1", message("SECRET_VERSION_ADD")),
        received("a-2", again),
        received("a-3", json!({ "messageId": "2" })),
        json!({ "ackId": "a-4" }),
    ] });
    let found = decoded(SourceKind::PubSub, &body);
    assert_eq!(
        lines(&found),
        ["updated db -> 7 of gcp-secret-manager 123456", "duplicate", "unknown_shape", "malformed"]
    );
    assert_eq!(found.item_failures(), ["a-3", "a-4"]);
}

/// Break: the look at `expects_subscription`, or at `knows`.
#[test]
fn e8_another_project_and_a_subscription_that_nobody_expects_are_ignored_and_counted() {
    let body = pushed(message("SECRET_VERSION_ADD")).to_string();
    let means = |accepted: &Accepted, body: &str| {
        lines(&decoded_by(SourceKind::PubSub, &HeaderMap::new(), body.as_bytes(), accepted))
    };
    let subscribed = |name: &str| Accepted { subscriptions: Some(vec![name.to_owned()]), ..Accepted::default() };
    assert_eq!(means(&subscribed(SUBSCRIPTION), &body).len(), 1);
    assert_ne!(means(&subscribed(SUBSCRIPTION), &body), ["unexpected"]);
    assert_eq!(means(&subscribed("projects/evil/subscriptions/lockstep"), &body), ["unexpected"]);
    let unnamed = with(&pushed(message("SECRET_VERSION_ADD")), "/subscription", Value::Null).to_string();
    assert_eq!(means(&subscribed(SUBSCRIPTION), &unnamed), ["unexpected"]);
    let project = |account: &str| Accepted {
        sources: Some(vec![Source {
            provider: "gcp-secret-manager".into(),
            account: account.into(),
            region: String::new(),
        }]),
        ..Accepted::default()
    };
    assert_eq!(means(&project("654321"), &body), ["foreign"]);
    let by_id = body.replace("projects/123456/", "projects/evil/");
    assert_eq!(means(&project("acme-prod"), &by_id), ["foreign"]);
    assert_eq!(means(&project("evil"), &by_id), ["updated db -> 7 of gcp-secret-manager"]);
}
