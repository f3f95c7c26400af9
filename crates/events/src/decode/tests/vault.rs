//! Vault Enterprise's events.

use http::HeaderMap;
use lockstep_core::{ScopeParts, Source, UnixMillis};
use serde_json::{Value, json};

use super::{Accepted, SourceKind, decoded, decoded_by, lines, with};

/// The sample of HashiCorp's documentation.
fn event(kind: &str, path: &str) -> Value {
    json!({
        "id": "a3be9fb1-b514-519f-5b25-b6f144a8c1ce", "source": "vault://mycluster", "specversion": "1.0", "type": "*",
        "datacontentype": "application/cloudevents", "time": "2025-06-12T15:19:49.394915-07:00",
        "data": {
            "event": {
                "id": "a3be9fb1-b514-519f-5b25-b6f144a8c1ce",
                "metadata": {
                    "current_version": "1", "data_path": "secret/data/foo", "modified": "true", "oldest_version": "0",
                    "operation": "data-write", "path": path, "vault_index": "djE6",
                },
            },
            "event_type": kind,
            "plugin_info": {
                "mount_class": "secret", "mount_accessor": "kv_5dc4d18e", "mount_path": "secret/", "plugin": "kv",
            },
        },
    })
}

/// Break: any row of the table in `vault::event`.
#[test]
fn each_type_of_kv_means_what_it_does_to_reads() {
    for (kind, expected) in [
        ("kv-v2/data-write", "updated secret/foo -> 1 of vault"),
        ("kv-v2/data-patch", "updated secret/foo -> 1 of vault"),
        ("kv-v2/data-delete", "deleted secret/foo -> 1 of vault"),
        ("kv-v2/delete", "unknown secret/foo of vault"),
        ("kv-v2/undelete", "unknown secret/foo of vault"),
        ("kv-v2/destroy", "unknown secret/foo of vault"),
        ("kv-v2/metadata-delete", "destroyed secret/foo of vault"),
        ("kv-v2/metadata-write", "no_news"),
        ("kv-v2/metadata-patch", "no_news"),
        ("kv-v2/config-write", "no_news"),
        ("kv-v2/something-new", "unknown_event"),
        ("database/creds-create", "not_a_secret"),
    ] {
        assert_eq!(lines(&decoded(SourceKind::Vault, &event(kind, "secret/data/foo"))), [expected], "{kind}");
    }
    let v1 = with(&event("kv-v1/write", "secret/foo"), "/data/event/metadata/data_path", Value::Null);
    assert_eq!(lines(&decoded(SourceKind::Vault, &v1)), ["updated secret/foo of vault"]);
    let v1 = with(&v1, "/data/event_type", json!("kv-v1/delete"));
    assert_eq!(lines(&decoded(SourceKind::Vault, &v1)), ["destroyed secret/foo of vault"]);
    let found = decoded(SourceKind::Vault, &event("kv-v2/data-write", "secret/data/foo"));
    assert_eq!(found.changes[0].at, UnixMillis::from_rfc3339("2025-06-12T22:19:49.394Z").unwrap());
    assert!(found.changes[0].id.starts_with("vault-a3be9fb1-b514-519f-5b25-b6f144a8c1ce-"));
}

#[test]
fn older_servers_and_deletions_are_read_too() {
    let older = with(&event("kv-v2/data-write", "data/foo"), "/data/event/metadata/data_path", Value::Null);
    let older = with(&older, "/source", json!("https://vaultproject.io/"));
    assert_eq!(lines(&decoded(SourceKind::Vault, &older)), ["updated secret/foo -> 1 of vault"]);
    let deleted =
        with(&event("kv-v2/metadata-delete", "secret/metadata/foo"), "/data/event/metadata/data_path", Value::Null);
    assert_eq!(lines(&decoded(SourceKind::Vault, &deleted)), ["destroyed secret/foo of vault"]);
    let unchanged = with(&event("kv-v2/data-write", "x"), "/data/event/metadata/modified", json!("false"));
    assert_eq!(lines(&decoded(SourceKind::Vault, &unchanged)), ["no_news"]);
    for (pointer, expected) in [
        ("/data/event_type", "unknown_shape"),
        ("/data/plugin_info", "unknown_shape"),
        ("/data/event/metadata", "malformed"),
    ] {
        let broken = with(&event("kv-v2/data-write", "x"), pointer, Value::Null);
        assert_eq!(lines(&decoded(SourceKind::Vault, &broken)), [expected], "{pointer}");
    }
}

/// Break: the look at `expects_namespace`, or take who sends from the event.
#[test]
fn e8_an_event_is_of_the_vault_that_was_subscribed_to_and_of_its_namespaces() {
    let scope = ScopeParts { provider: "vault".into(), namespace: "team/a".into(), ..ScopeParts::default() };
    let whose = Source { provider: String::new(), account: "https://vault.internal".into(), region: "team/a".into() };
    let accepted = Accepted { vault: whose, ..Accepted::of([&scope]) };
    let means = |namespace: &str| {
        let event = with(&event("kv-v2/data-write", "x"), "/data/namespace", json!(namespace));
        lines(&decoded_by(SourceKind::Vault, &HeaderMap::new(), event.to_string().as_bytes(), &accepted))
    };
    assert_eq!(means("team/a/"), ["updated secret/foo -> 1 of vault https://vault.internal team/a"]);
    assert_eq!(means("team/b/"), ["foreign"]);
    assert_eq!(means("team/"), ["foreign"]);
}
