//! Webhooks with our own body.

use http::HeaderMap;
use lockstep_core::{Source, UnixMillis};
use serde_json::{Value, json};

use super::{Accepted, SourceKind, decoded, decoded_by, lines, with};

fn record() -> Value {
    json!({ "provider": "vault", "name": "secret/db", "kind": "rotated", "version": "7", "at": "2026-05-01T10:00:00Z" })
}

fn body(records: &[Value]) -> Value {
    json!({ "changes": records })
}

/// Break: `deny_unknown_fields`, the look at the provider's word, or that at the time.
#[test]
fn a_record_says_what_changed_and_nothing_else() {
    let whole = json!({
        "id": "r-1", "provider": "gcp-secret-manager", "account": "123", "region": "europe-west3", "name": "db",
        "label": "blue", "version": "7", "kind": "updated", "at": "2026-05-01T10:00:00Z",
    });
    let found = decoded(SourceKind::GitHub, &body(&[record(), whole]));
    assert_eq!(
        lines(&found),
        ["rotated secret/db -> 7 of vault", "updated db blue -> 7 of gcp-secret-manager 123 europe-west3"]
    );
    assert_eq!(found.changes[0].at, UnixMillis::from_rfc3339("2026-05-01T10:00:00Z").unwrap());
    assert!(found.changes[1].id.starts_with("webhook-r-1-"), "{}", found.changes[1].id);
    for (pointer, value, reason) in [
        ("/value", json!("hunter2"), "malformed"),
        ("/provider", Value::Null, "malformed"),
        ("/provider", json!("Vault ../"), "malformed"),
        ("/name", Value::Null, "malformed"),
        ("/name", json!(["*"]), "malformed"),
        ("/name", json!("a/../b"), "invalid_name"),
        ("/kind", json!("exploded"), "malformed"),
        ("/kind", Value::Null, "malformed"),
        ("/at", json!("yesterday"), "malformed"),
        ("/version", json!(7), "malformed"),
        ("/version", json!(""), "malformed"),
    ] {
        let found = decoded(SourceKind::GitHub, &body(&[with(&record(), pointer, value.clone()), record()]));
        assert_eq!(lines(&found), ["rotated secret/db -> 7 of vault", reason], "{pointer} {value}");
    }
    assert_eq!(lines(&decoded(SourceKind::GitHub, &record())), ["unknown_shape"]);
    assert_eq!(lines(&decoded(SourceKind::GitHub, &json!({ "changes": "all" }))), ["unknown_shape"]);
}

/// Break: take `*` for every secret.
#[test]
fn e7_no_notification_means_every_secret() {
    let star = with(&record(), "/name", json!("*"));
    // A secret that is called so, and no other.
    assert_eq!(lines(&decoded(SourceKind::GitHub, &body(&[star]))), ["rotated * -> 7 of vault"]);
}

/// Break: give `delivered` the headers of GitHub's deliveries.
#[test]
fn e5_only_a_signed_id_is_an_id_and_a_delivery_that_comes_again_has_the_same() {
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "msg_1".parse().unwrap());
    headers.insert("x-github-delivery", "guid-1".parse().unwrap());
    let ids = |source, headers: &HeaderMap, body: &Value| {
        let found = decoded_by(source, headers, body.to_string().as_bytes(), &Accepted::anything());
        found.changes.into_iter().map(|change| change.id).collect::<Vec<_>>()
    };
    let two = body(&[record(), with(&record(), "/name", json!("secret/other"))]);
    let signed = ids(SourceKind::StandardWebhooks, &headers, &two);
    assert!(signed.iter().all(|id| id.starts_with("webhook-msg_1-")), "{signed:?}");
    assert_eq!(signed.len(), 2);
    assert_eq!(signed, ids(SourceKind::StandardWebhooks, &headers, &two));
    // GitHub signs no header: whoever has seen a delivery can send it again under another one.
    let plain = ids(SourceKind::GitHub, &headers, &two);
    assert_eq!(plain, ids(SourceKind::GitHub, &HeaderMap::new(), &two));
}

/// Break: `Unidentified` in `take`, or the filter of the record's own id.
#[test]
fn e5_what_github_signs_without_an_id_and_a_time_is_refused_since_it_could_be_sent_again() {
    let undated = with(&record(), "/at", Value::Null);
    let twice = || decoded(SourceKind::GitHub, &body(&[record()])).changes;
    assert_eq!(twice(), twice(), "with a time it is the same change, whenever it comes");
    assert_eq!(lines(&decoded(SourceKind::GitHub, &body(std::slice::from_ref(&undated)))), ["unidentified"]);
    let named = with(&undated, "/id", json!("r-1"));
    assert_eq!(lines(&decoded(SourceKind::GitHub, &body(&[named]))), ["rotated secret/db -> 7 of vault"]);
    let empty = with(&undated, "/id", json!(""));
    assert_eq!(lines(&decoded(SourceKind::GitHub, &body(std::slice::from_ref(&empty)))), ["unidentified"]);
    // A signed id is one.
    let mut headers = HeaderMap::new();
    headers.insert("webhook-id", "msg_1".parse().unwrap());
    for record in [undated, empty] {
        let text = body(&[record]).to_string();
        let found = decoded_by(SourceKind::StandardWebhooks, &headers, text.as_bytes(), &Accepted::anything());
        assert_eq!(lines(&found), ["rotated secret/db -> 7 of vault"]);
    }
}

#[test]
fn e8_a_provider_that_is_not_configured_is_foreign() {
    let accepted = Accepted {
        sources: Some(vec![Source { provider: "vault".into(), ..Source::default() }]),
        ..Accepted::default()
    };
    let body = body(&[record(), with(&record(), "/provider", json!("azure-key-vault"))]).to_string();
    let found = decoded_by(SourceKind::GitHub, &HeaderMap::new(), body.as_bytes(), &accepted);
    assert_eq!(lines(&found), ["rotated secret/db -> 7 of vault", "foreign"]);
}
