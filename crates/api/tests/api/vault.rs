//! The listener for Vault's clients: what it answers, and that it is another door of the same house (R7, T1).

mod refusals;

use bytes::Bytes;
use http::{Method, Request};
use lockstep_api::{Spelling, VAULT_TABLE, VaultRoute, Where};
use lockstep_auth::{ApiKeyHash, ApiKeySettings, ApiKeys};
use lockstep_core::{
    Encoding, Error, ErrorKind, Field, FrontDoor, Metadata, Outcome, Payload, Peer, SecretValue, UnixMillis, Version,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::house::{House, ID, Said, TOKEN, bare, build, house, name, request, said, with};

const LIST: &str = "LIST";

fn peer() -> Peer {
    Peer { address: Some("127.0.0.1:50000".into()), ..Peer::default() }
}

/// As a listener does it: what can be answered at once is.
async fn send(house: &House, sent: Request<Bytes>) -> Said {
    let door = house.api.vault_door().unwrap();
    let (head, body) = sent.into_parts();
    match door.at_once(&peer(), &head) {
        Some(answer) => said(answer),
        None => said(door.call(&peer(), Request::from_parts(head, body)).await),
    }
}

async fn get(house: &House, target: &str) -> Said {
    send(house, request(Method::GET, target)).await
}

async fn list(house: &House, target: &str) -> Said {
    send(house, request(LIST.parse().unwrap(), target)).await
}

/// A path of this row.
fn path_of(to: Where, path: Spelling) -> String {
    match (to, path) {
        (Where::Vault(VaultRoute::Kv), _) => "/v1/secret/data/db/creds".to_owned(),
        (_, Spelling::Exact(path)) => path.to_owned(),
        (_, Spelling::Rest(prefix)) => format!("{prefix}secret/db/creds"),
        (_, Spelling::Prefix) => unreachable!(),
    }
}

fn assert_untouched(house: &House, case: &str) {
    assert_eq!(house.calls(), 0, "{case}: a provider was called");
    let audit = house.audit();
    assert!(!audit.is_empty(), "{case}: no audit record");
    assert!(audit.iter().all(|record| record.outcome != Outcome::Released), "{case}");
}

/// `{"errors":[…]}` with one text, and nothing else.
fn error_of(said: &Said) -> String {
    let json = said.json();
    let errors = json["errors"].as_array().unwrap();
    assert!(json.as_object().unwrap().len() == 1 && errors.len() <= 1, "{}", said.body);
    assert_eq!(said.header("content-type"), Some("application/json"));
    errors.first().and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[tokio::test]
async fn kv_v2_is_read_in_vaults_envelope() {
    let house = house();
    house.shelf.put(
        "app/db",
        || Payload::text(r#"{"user":"app","n":1.50}"#),
        |secret| {
            secret.version = Some(Version::number(7));
            secret.created = Some(UnixMillis(1_569_534_789_046));
        },
    );
    for round in ["from the provider", "from the cache"] {
        let said = get(&house, "/v1/secret/data/app/db").await;
        assert_eq!(said.status, 200, "{round}: {}", said.body);
        assert!(said.body.contains(r#""n":1.50"#), "numbers stay as they are spelled: {}", said.body);
        let mut answer = said.json();
        assert!(!answer["request_id"].take().as_str().unwrap().is_empty());
        let expected = json!({
            "request_id": null, "lease_id": "", "renewable": false, "lease_duration": 0,
            "data": {
                "data": { "user": "app", "n": 1.5 },
                "metadata": {
                    "created_time": "2019-09-26T21:53:09.046Z", "custom_metadata": null, "deletion_time": "",
                    "destroyed": false, "version": 7,
                },
            },
            "wrap_info": null, "warnings": null, "auth": null,
        });
        assert_eq!(answer, expected, "{round}");
        assert_eq!(said.header("cache-control"), Some("no-store"));
        assert!(said.header("age").is_some() && said.header("cache-status").is_some());
    }
    assert_eq!(house.calls(), 1);
}

#[tokio::test]
async fn a_version_that_its_provider_does_not_number_is_one_and_says_its_id() {
    let house = house();
    let said = get(&house, "/v1/secret/data/db/creds").await.json();
    assert_eq!(said["data"]["metadata"]["version"], 1);
    assert_eq!(said["data"]["metadata"]["custom_metadata"], json!({ "version_id": ID }));
    assert_eq!(said["data"]["data"]["password"], "hun\"ter2");
}

#[tokio::test]
async fn a_version_is_asked_for_by_its_number_and_one_is_what_has_none() {
    let house = house();
    let version = |wanted: u64| {
        move |selector: &lockstep_core::Selector| match selector {
            lockstep_core::Selector::Id(id) if **id != *wanted.to_string() => {
                Err(Error::new(ErrorKind::VersionNotFound, "no such version"))
            }
            _ => {
                let id = lockstep_core::CanonicalId { scope: lockstep_core::Scope::default(), name: name("numbered") };
                let mut secret = lockstep_core::Secret::new(id, name("numbered"), Payload::text("x"));
                secret.version = Some(Version::number(wanted));
                Ok(secret)
            }
        }
    };
    house.shelf.put_with("numbered", version(3));
    for (target, status) in [
        ("/v1/secret/data/numbered?version=3", 200),
        ("/v1/secret/data/numbered?version=0", 200),
        ("/v1/secret/data/numbered", 200),
        ("/v1/secret/data/numbered?version=2", 404),
        // Its provider counts, and there is no first version any more.
        ("/v1/secret/data/numbered?version=1", 404),
    ] {
        let said = get(&house, target).await;
        assert_eq!(said.status, status, "{target}: {}", said.body);
        assert_eq!(said.json()["errors"], if status == 404 { json!([]) } else { Value::Null }, "{target}");
    }
    house.shelf.put_with("unnumbered", |selector| match selector {
        lockstep_core::Selector::Current => {
            let id = lockstep_core::CanonicalId { scope: lockstep_core::Scope::default(), name: name("unnumbered") };
            let mut secret = lockstep_core::Secret::new(id, name("unnumbered"), Payload::text("x"));
            secret.version = Some(Version::unordered(ID));
            Ok(secret)
        }
        _ => Err(Error::new(ErrorKind::VersionNotFound, "no such version")),
    });
    assert_eq!(get(&house, "/v1/secret/data/unnumbered?version=1").await.status, 200);
    assert_eq!(get(&house, "/v1/secret/data/unnumbered?version=2").await.status, 404);
}

#[tokio::test]
async fn kv_v1_answers_the_values_alone_and_when_to_ask_again() {
    let house = house();
    let said = get(&house, "/v1/team/one/creds").await;
    assert_eq!(said.status, 200, "{}", said.body);
    let said = said.json();
    assert_eq!(said["data"], json!({ "user": "app", "password": "hun\"ter2" }));
    assert_eq!(said["lease_duration"], 300);
    assert_eq!(get(&house, "/v1/team/one/creds?version=1").await.status, 400);
    // Below the prefix of the mount alone.
    assert_eq!(get(&house, "/v1/team/one/plain").await.status, 404);
}

#[tokio::test]
async fn text_and_bytes_that_are_no_object_are_a_value_of_their_own() {
    let house = house();
    assert_eq!(get(&house, "/v1/secret/data/plain").await.json()["data"]["data"], json!({ "value": "just text" }));
    let bytes = json!({ "value": "AP8B", "encoding": "base64" });
    assert_eq!(get(&house, "/v1/secret/data/bin").await.json()["data"]["data"], bytes);
    house.shelf.put(
        "fields",
        || {
            let field = |bytes: &[u8], encoding| Field { value: SecretValue::from(bytes), encoding };
            Payload::Fields(std::collections::BTreeMap::from([
                ("a".into(), field(b"text", Encoding::Text)),
                ("b".into(), field(&[0, 255, 1], Encoding::Binary)),
            ]))
        },
        |_| {},
    );
    let said = get(&house, "/v1/secret/data/fields").await.json();
    assert_eq!(said["data"]["data"], json!({ "a": "text", "b": "AP8B" }));
    assert_eq!(said["warnings"], json!(["these values are bytes and stand here in base64: b"]));
}

#[tokio::test]
async fn what_is_not_there_is_404_without_a_text() {
    for target in [
        "/v1/secret/data/none",
        "/v1/secret/metadata/none",
        "/v1/team/one/none",
        "/v1/secret/data/",
        "/v1/secret/metadata/",
        "/v1/team/one/",
    ] {
        let said = get(&house(), target).await;
        assert_eq!((said.status, &*said.body), (404, r#"{"errors":[]}"#), "{target}");
    }
}

/// As Vault has it, a client finds out from the body of the 404. Break: leave `history::gone` out of `secret::read`.
#[tokio::test]
async fn what_is_deleted_is_404_with_what_is_known_of_it() {
    let house = house();
    for (kind, destroyed) in [(ErrorKind::Deleted, false), (ErrorKind::Destroyed, true)] {
        house.shelf.fail("gone", Error::new(kind, "it is gone"));
        let state =
            if destroyed { lockstep_core::VersionState::Destroyed } else { lockstep_core::VersionState::Deleted };
        *house.shelf.told.lock().unwrap() = Some(Box::new(move |id| {
            let mut metadata = Metadata::new(id, name("gone"));
            metadata.version = Some(Version::number(2));
            metadata.deleted = (!destroyed).then_some(UnixMillis(1_600_000_000_000));
            (metadata, vec![(2, state), (1, lockstep_core::VersionState::Deleted)])
        }));
        for (target, version, deleted) in [
            ("/v1/secret/data/gone", 2, if destroyed { "" } else { "2020-09-13T12:26:40Z" }),
            ("/v1/secret/data/gone?version=1", 1, "2019-09-26T21:53:09.046Z"),
        ] {
            let said = send(&house, with(request(Method::GET, target), &[("cache-control", "no-cache")])).await;
            assert_eq!(said.status, 404, "{target}");
            let said = said.json();
            assert_eq!(said["data"]["data"], Value::Null, "{target}");
            let metadata = &said["data"]["metadata"];
            let expected = (json!(version), json!(deleted), json!(destroyed && version == 2));
            let seen = (&metadata["version"], &metadata["deletion_time"], &metadata["destroyed"]);
            assert_eq!(seen, (&expected.0, &expected.1, &expected.2), "{target}");
        }
    }
    // Nothing more is known: it is not there.
    *house.shelf.told.lock().unwrap() = None;
    let said = get(&house, "/v1/secret/data/gone").await;
    assert_eq!((said.status, &*said.body), (404, r#"{"errors":[]}"#));
}

#[tokio::test]
async fn the_versions_of_a_secret_are_told_without_a_value() {
    let house = house();
    let said = get(&house, "/v1/secret/metadata/db/creds").await;
    assert_eq!(said.status, 200, "{}", said.body);
    let data = &said.json()["data"];
    let version = json!({ "created_time": "2019-09-26T21:53:09.046Z", "deletion_time": "", "destroyed": false });
    assert_eq!(data["versions"], json!({ "1": version }));
    assert_eq!(data["current_version"], 1);
    assert_eq!(data["custom_metadata"], json!({ "team": "payments" }));
    assert!(!said.body.contains("hun"));
}

#[tokio::test]
async fn a_folder_is_listed_one_level_deep_by_method_or_parameter() {
    let house = house();
    for text in ["app/db/one", "app/db/two", "app/web", "app2"] {
        house.shelf.put(text, || Payload::text("x"), |_| {});
    }
    for (target, expected) in [
        ("/v1/secret/metadata", json!(["app/", "app2", "bin", "db/", "plain"])),
        ("/v1/secret/metadata/", json!(["app/", "app2", "bin", "db/", "plain"])),
        ("/v1/secret/metadata/app", json!(["db/", "web"])),
        ("/v1/secret/metadata/app/", json!(["db/", "web"])),
        ("/v1/secret/metadata/app/db", json!(["one", "two"])),
        ("/v1/secret/metadata?after=app2&limit=2", json!(["bin", "db/"])),
        ("/v1/team/one", json!(["creds"])),
        ("/v1/team/one/", json!(["creds"])),
    ] {
        let said = list(&house, target).await;
        assert_eq!((said.status, &said.json()["data"]["keys"]), (200, &expected), "{target}: {}", said.body);
        // hvac writes the word as Python does.
        for on in ["true", "True", "1"] {
            let by_parameter = format!("{target}{}list={on}", if target.contains('?') { "&" } else { "?" });
            assert_eq!(get(&house, &by_parameter).await.json()["data"]["keys"], expected, "{by_parameter}");
        }
    }
    for nothing in ["/v1/secret/metadata/none", "/v1/secret/metadata/app2", "/v1/secret/metadata?after=z"] {
        let said = list(&house, nothing).await;
        assert_eq!((said.status, &*said.body), (404, r#"{"errors":[]}"#), "{nothing}");
    }
    assert_eq!(list(&house, "/v1/secret/data/app").await.status, 405);
}

/// R7. Break: list past the resolver.
#[tokio::test]
async fn r7_a_list_shows_no_name_that_may_not_be_seen_and_no_folder_of_such_names_alone() {
    let house = house();
    house.shelf.put("app/seen", || Payload::text("x"), |_| {});
    house.shelf.put("forbidden/a", || Payload::text("x"), |_| {});
    let all = list(&house, "/v1/secret/metadata").await;
    assert_eq!(all.json()["data"]["keys"], json!(["app/", "bin", "db/", "plain"]));
    for target in ["/v1/secret/metadata/forbidden", "/v1/secret/metadata/forbidden/"] {
        let said = list(&house, target).await;
        assert_eq!(said.status, 403, "{target}");
        assert!(!said.body.contains("forbidden"));
    }
}

#[tokio::test]
async fn a_caller_who_may_not_is_told_so_as_vault_tells_it_and_a_provider_who_may_not_is_no_403() {
    let house = house();
    house.shelf.put("forbidden/a", || Payload::text("x"), |_| {});
    let denied = "1 error occurred:\n\t* permission denied\n\n";
    for target in ["/v1/secret/data/forbidden/a", "/v1/secret/metadata/forbidden/a"] {
        let said = get(&house, target).await;
        assert_eq!((said.status, &*error_of(&said)), (403, denied), "{target}");
    }
    assert_eq!(house.calls(), 0);
    for (kind, status, text) in [
        (ErrorKind::Denied, 502, "what failed"),
        (ErrorKind::Unavailable, 503, "what failed"),
        (ErrorKind::Timeout, 504, "what failed"),
        (ErrorKind::Disabled, 400, "what failed"),
        (ErrorKind::Unsupported, 405, "1 error occurred:\n\t* unsupported operation\n\n"),
    ] {
        house.shelf.fail("broken", Error::new(kind, "what failed"));
        let said = get(&house, "/v1/secret/data/broken").await;
        assert_eq!((said.status, &*error_of(&said)), (status, text), "{kind:?}");
        assert_eq!(said.header("retry-after").is_some(), status == 503);
    }
}

/// T1. Break: leave `told` out of `Api::answer_at`.
#[tokio::test]
async fn t1_where_what_is_denied_is_hidden_it_is_answered_as_what_is_not_there() {
    let house = build(|parts| parts.hide_denied = true);
    house.shelf.put("forbidden/a", || Payload::text("x"), |_| {});
    for (denied, missing) in [
        ("/v1/secret/data/forbidden/a", "/v1/secret/data/none/a"),
        ("/v1/secret/metadata/forbidden/a", "/v1/secret/metadata/none/a"),
        ("/v1/secret/metadata/forbidden?list=true", "/v1/secret/metadata/none?list=true"),
    ] {
        let (denied, missing) = (get(&house, denied).await, get(&house, missing).await);
        assert_eq!((denied.status, denied.body), (404, missing.body));
        assert_eq!(denied.headers.keys().collect::<Vec<_>>(), missing.headers.keys().collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_value_past_its_time_says_so_in_a_warning() {
    let house = house();
    assert_eq!(get(&house, "/v1/secret/data/plain").await.status, 200);
    house.shelf.fail("plain", Error::new(ErrorKind::Unavailable, "down"));
    house.clock.advance(std::time::Duration::from_secs(301));
    let said = get(&house, "/v1/secret/data/plain").await;
    assert_eq!(said.status, 200);
    assert!(said.json()["warnings"][0].as_str().unwrap().ends_with("failed: unavailable"), "{}", said.body);
    assert_eq!(said.header("cache-status"), Some("lockstep; hit; detail=stale-unavailable"));
}

#[tokio::test]
async fn the_servers_state_needs_no_token_and_holds_no_name() {
    let house = house();
    for path in
        ["/v1/sys/health", "/v1/sys/init", "/v1/sys/seal-status", "/v1/sys/leader", "/health/live", "/health/ready"]
    {
        let said = send(&house, bare(Method::GET, path)).await;
        assert_eq!(said.status, 200, "{path}");
        for word in ["secret", "team", "db/creds", "aws", TOKEN] {
            assert!(!said.body.contains(word), "{path} holds {word}: {}", said.body);
        }
        let head = send(&house, bare(Method::HEAD, path)).await;
        assert_eq!((head.status, &*head.body), (200, ""), "{path}");
    }
    let health = send(&house, bare(Method::GET, "/v1/sys/health?standbyok=true")).await.json();
    assert_eq!(
        (&health["initialized"], &health["sealed"], &health["standby"]),
        (&json!(true), &json!(false), &json!(false))
    );
}

#[tokio::test]
async fn the_mounts_and_the_caller_are_told_as_clients_ask_before_they_read() {
    let house = house();
    let all = get(&house, "/v1/sys/internal/ui/mounts").await.json();
    assert_eq!(all["data"]["secret"]["secret/"]["options"], json!({ "version": "2" }));
    assert_eq!(all["data"]["secret"]["team/one/"]["options"], json!({ "version": "1" }));
    for (path, mount, version) in
        [("secret", "secret/", "2"), ("secret/app/db", "secret/", "2"), ("team/one/x", "team/one/", "1")]
    {
        let said = get(&house, &format!("/v1/sys/internal/ui/mounts/{path}")).await.json();
        let data = &said["data"];
        let seen = (&data["path"], &data["options"]["version"], &data["type"]);
        assert_eq!(seen, (&json!(mount), &json!(version), &json!("kv")), "{path}");
    }
    let nowhere = get(&house, "/v1/sys/internal/ui/mounts/team/two").await;
    assert!(nowhere.status == 403 && error_of(&nowhere).starts_with("preflight capability check returned 403"));
    let me = get(&house, "/v1/auth/token/lookup-self").await;
    assert!(!me.body.contains(TOKEN));
    let me = me.json();
    assert_eq!((&me["data"]["display_name"], &me["data"]["id"]), (&json!("local"), &json!("")));
    assert_eq!((&me["data"]["renewable"], &me["data"]["ttl"]), (&json!(false), &json!(0)));
}
