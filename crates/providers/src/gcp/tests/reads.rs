use lockstep_core::{Encoding, ErrorKind, Filter, Page, Payload, Provider, Retry, SecretName, Selector, VersionState};
use lockstep_testkit::fake::gcp::{NUMBER, PROJECT, State};
use lockstep_testkit::{FakeTransport, Reply, call};
use serde_json::{Value, json};

use super::super::{GcpSecretManager, GcpSettings};
use super::{World, id, label, machine, number};

/// Break: take the number from the selector, or the account from the settings.
#[tokio::test]
async fn an_answers_identity_is_the_number_of_its_project_and_of_its_version() {
    let world = World::new();
    world.google.put("db", b"two");
    world.google.alias("db", "blue", 1);
    let provider = world.provider(&machine());
    for (selector, expected) in [(Selector::Current, 2), (id("1"), 1), (label("blue"), 1), (Selector::Previous, 1)] {
        let secret = world.get(&provider, "db", selector.clone()).await.unwrap();
        assert_eq!(number(&secret), expected, "{selector:?}");
        assert_eq!((secret.id.name.as_str(), secret.name.as_str()), ("db", "db"));
        assert_eq!(secret.id.scope.parts().account, NUMBER);
        let blue: Vec<Box<str>> = if selector == label("blue") { vec!["blue".into()] } else { vec![] };
        assert_eq!(secret.labels, blue);
    }
    assert_eq!(provider.scope().parts().account, "acme-prod");
}

/// Break: send the token in the clear, or another path.
#[tokio::test]
async fn requests_carry_the_token_and_an_encoded_path() {
    let world = World::new();
    let provider = world.provider(&machine());
    world.current(&provider, "db").await.unwrap();
    let request = world.transport.requests().pop().unwrap();
    let expected = "https://secretmanager.googleapis.com/v1/projects/acme-prod/secrets/db/versions/latest:access";
    assert_eq!(request.uri(), expected);
    assert_eq!(request.headers()["authorization"], "Bearer ya29.c4n4ry-1");
    assert!(request.headers()["authorization"].is_sensitive());
    let asked = Page { token: Some("a b&c".into()), limit: Some(7) };
    let name = SecretName::parse("db").unwrap();
    let _ = provider.versions(&call(&world.clock), &name, asked).await;
    let request = world.transport.requests().pop().unwrap();
    assert_eq!(request.uri().query(), Some("pageSize=7&pageToken=a%20b%26c"));
}

/// Break: ask for `latest` whatever the selector is.
#[tokio::test]
async fn while_latest_lags_a_read_by_number_has_the_new_value_and_says_so() {
    let world = World::new();
    let provider = world.provider(&machine());
    world.google.lag();
    world.google.put("db", b"two");
    assert_eq!(number(&world.current(&provider, "db").await.unwrap()), 1);
    let fresh = world.get(&provider, "db", id("2")).await.unwrap();
    assert_eq!((number(&fresh), fresh.payload), (2, Payload::text("two")));
    world.google.settle();
    assert_eq!(number(&world.current(&provider, "db").await.unwrap()), 2);
}

/// Break: `previous`, anywhere.
#[tokio::test]
async fn previous_is_the_newest_enabled_version_below_the_current_one() {
    for (versions, off, expected, lists) in [
        (1, &[][..], None, 0),
        (2, &[][..], Some(1), 0),
        (4, &[3, 2][..], Some(1), 0),
        (3, &[2, 1][..], None, 0),
        (9, &[8, 7, 6, 5, 4][..], Some(3), 1),
        (6, &[5, 4, 3, 2, 1][..], None, 1),
        // The newest is off: its number is unknown, and the list alone can tell.
        (3, &[3][..], Some(2), 1),
        (2, &[2, 1][..], None, 1),
    ] {
        let world = World::new();
        for version in 2..=versions {
            world.google.put("db", format!("value {version}").as_bytes());
        }
        for version in off {
            let state = if version % 2 == 0 { State::Destroyed } else { State::Disabled };
            world.google.set_state("db", *version, state);
        }
        let provider = world.provider(&machine());
        let found = world.get(&provider, "db", Selector::Previous).await;
        let context = format!("{versions} {off:?}");
        match (found, expected) {
            (Ok(secret), Some(expected)) => assert_eq!(number(&secret), expected, "{context}"),
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::VersionNotFound, "{context}"),
            (found, _) => panic!("{context}: {found:?}"),
        }
        assert_eq!(world.google.count("versions"), lists, "{context}");
    }
}

/// Break: list the versions first.
#[tokio::test]
async fn previous_needs_no_right_but_to_read_values() {
    let world = World::new();
    world.google.put("db", b"two");
    for right in ["secretmanager.versions.list", "secretmanager.secrets.get", "secretmanager.secrets.list"] {
        world.google.forbid(right);
    }
    let provider = world.provider(&machine());
    assert_eq!(number(&world.get(&provider, "db", Selector::Previous).await.unwrap()), 1);
    assert_eq!(world.get(&provider, "db", id("9")).await.unwrap_err().kind(), ErrorKind::VersionNotFound);
    assert!(provider.check(&call(&world.clock)).await.is_ok());
}

/// Break: the second look in `version`, or a row of the table.
#[tokio::test]
async fn missing_disabled_destroyed_and_the_missing_version_are_told_apart() {
    let world = World::new();
    for value in [&b"two"[..], b"three"] {
        world.google.put("db", value);
    }
    world.google.set_state("db", 2, State::Disabled);
    world.google.set_state("db", 3, State::Destroyed);
    world.google.create("empty", &[]);
    world.google.put("NOT_DISABLED", b"x");
    world.google.set_state("NOT_DISABLED", 1, State::Destroyed);
    let provider = world.provider(&machine());
    for (name, selector, expected) in [
        ("none", Selector::Current, ErrorKind::NotFound),
        ("none", id("2"), ErrorKind::NotFound),
        ("none", label("blue"), ErrorKind::NotFound),
        ("none", Selector::Previous, ErrorKind::NotFound),
        ("empty", Selector::Current, ErrorKind::NotFound),
        ("db", id("1"), ErrorKind::Internal),
        ("db", id("2"), ErrorKind::Disabled),
        ("db", id("3"), ErrorKind::Destroyed),
        ("db", Selector::Current, ErrorKind::Destroyed),
        ("db", id("4"), ErrorKind::VersionNotFound),
        ("db", id("0"), ErrorKind::VersionNotFound),
        ("db", id("01"), ErrorKind::VersionNotFound),
        ("db", id("99999999999999999999"), ErrorKind::VersionNotFound),
        ("db", label("blue"), ErrorKind::VersionNotFound),
        ("db", label("a/b"), ErrorKind::InvalidReference),
        ("NOT_DISABLED", Selector::Current, ErrorKind::Destroyed),
        ("a/b", Selector::Current, ErrorKind::InvalidName),
        ("projects/999/secrets/db", id("1"), ErrorKind::InvalidName),
    ] {
        match world.get(&provider, name, selector.clone()).await {
            Ok(_) => assert_eq!(expected, ErrorKind::Internal, "{name} {selector:?} is readable"),
            Err(error) => assert_eq!(error.kind(), expected, "{name} {selector:?}"),
        }
    }
}

/// Break: leave out the comparison in `payload`.
#[tokio::test]
async fn a_value_that_was_damaged_on_its_way_is_refused_and_may_be_asked_for_again() {
    let world = World::new();
    let provider = world.provider(&machine());
    world.google.corrupt(1);
    let error = world.current(&provider, "db").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Malformed, Retry::After(None)));
    assert!(!format!("{error:?}").contains("c4n4ry"));
    assert!(world.current(&provider, "db").await.is_ok());
}

#[tokio::test]
async fn bytes_are_text_where_they_can_be_and_empty_where_nothing_is_sent() {
    let world = World::new();
    let provider = world.provider(&machine());
    for (bytes, encoding) in
        [(&b""[..], Encoding::Text), ("Grüße\0".as_bytes(), Encoding::Text), (&[0xff, 0, 1][..], Encoding::Binary)]
    {
        world.google.put("kinds", bytes);
        let Payload::Whole(field) = world.current(&provider, "kinds").await.unwrap().payload else { panic!("whole") };
        assert_eq!((field.value.expose(), field.encoding), (bytes, encoding));
    }
}

/// A provider whose server answers this to every read; the machine's token is given.
fn answering(world: &World, body: Value) -> GcpSecretManager {
    let google = world.google.clone();
    let transport = FakeTransport::by(move |request| {
        if request.uri().path().ends_with(":access") {
            Reply::json(200, &body)
        } else {
            Reply::Answer(google.answer(request))
        }
    });
    let mut ports = world.ports();
    ports.transport = transport;
    GcpSecretManager::new(&machine(), ports).unwrap()
}

/// Break: `confirm`, the comparison of numbers in `access`, or how the checksum is read.
#[tokio::test]
async fn an_answer_that_is_not_about_what_was_asked_is_malformed() {
    let world = World::new();
    let named = |name: &str, payload: Value| json!({ "name": name, "payload": payload });
    let right = "projects/1/secrets/db/versions/7";
    for (body, kind) in [
        (named(right, json!({ "data": "b25l" })), None),
        (named(right, json!({ "data": "b25l", "dataCrc32c": "2458567423" })), Some(ErrorKind::Malformed)),
        (named(right, json!({ "data": "b25l", "dataCrc32c": null })), None),
        (named(right, json!({ "data": "c4n4ry!" })), Some(ErrorKind::Malformed)),
        (named(right, json!({ "data": "b25l", "dataCrc32c": "c4n4ry" })), Some(ErrorKind::Malformed)),
        (named(right, json!({ "data": 17 })), Some(ErrorKind::Malformed)),
        (named("projects/1/secrets/db/versions/8", json!({})), Some(ErrorKind::Malformed)),
        (named("projects/1/secrets/c4n4ry/versions/7", json!({})), Some(ErrorKind::Malformed)),
        (named("projects/1/secrets/db", json!({})), Some(ErrorKind::Malformed)),
        (json!({ "name": right }), Some(ErrorKind::Malformed)),
        (json!([]), Some(ErrorKind::Malformed)),
    ] {
        let provider = answering(&world, body.clone());
        let outcome = world.get(&provider, "db", id("7")).await;
        assert!(!format!("{:?}", outcome.as_ref().err()).contains("c4n4ry"), "{body}");
        assert_eq!(outcome.err().map(|error| error.kind()), kind, "{body}");
    }
}

#[tokio::test]
async fn regional_secrets_are_others_on_a_host_of_their_own() {
    let world = World::new();
    let settings = GcpSettings { location: Some("europe-west3".into()), ..machine() };
    let provider = world.provider(&settings);
    assert_eq!(world.current(&provider, "db").await.unwrap_err().kind(), ErrorKind::NotFound);
    world.google.at_location("europe-west3");
    world.google.put("db", b"regional");
    let secret = world.current(&provider, "db").await.unwrap();
    assert_eq!(secret.payload, Payload::text("regional"));
    assert_eq!(secret.id.scope.parts().region, "europe-west3");
    let host = world.transport.requests().pop().unwrap().uri().host().unwrap().to_owned();
    assert_eq!(host, "secretmanager.europe-west3.rep.googleapis.com");
    let global = world.current(&world.provider(&machine()), "db").await.unwrap();
    assert_ne!(global.id, secret.id);
}

/// Break: the `retain` of `list_inner`, or a term of `search`.
#[tokio::test]
async fn a_list_is_by_prefix_and_labels_whatever_the_server_makes_of_them() {
    let world = World::new();
    for (name, team) in [("app-a", "blue"), ("app-b", "green"), ("old-app-c", "blue"), ("acme-prod", "blue")] {
        world.google.create(name, &[("team", team)]);
    }
    let provider = world.provider(&machine());
    let tag = |key: &str, value: Option<&str>| Filter { tags: vec![(key.into(), value.map(str::to_owned))] };
    for (prefix, filter, expected, sent) in [
        ("app-", Filter::default(), "app-a app-b", "name:app-"),
        // In every resource name, since the project has it.
        ("acme-", Filter::default(), "acme-prod", "name:acme-"),
        ("app-", tag("team", Some("blue")), "app-a", "name:app- AND labels.team=blue"),
        ("", tag("team", None), "acme-prod app-a app-b old-app-c", "labels.team:*"),
        ("", tag("Team\" OR x", Some("blue")), "", ""),
        ("", tag("team", Some("Blue) OR (")), "", ""),
    ] {
        let page = Page { token: None, limit: Some(50) };
        let listed = provider.list(&call(&world.clock), prefix, &filter, page).await.unwrap();
        let names: Vec<&str> = listed.items.iter().map(|item| item.name.as_str()).collect();
        assert_eq!(names.join(" "), expected, "{prefix} {filter:?}");
        let query = world.transport.requests().pop().unwrap().uri().query().unwrap().to_owned();
        let encoded = sent.replace(':', "%3A").replace(' ', "%20").replace('=', "%3D").replace('*', "%2A");
        let expected = if sent.is_empty() { "pageSize=50".to_owned() } else { format!("pageSize=50&filter={encoded}") };
        assert_eq!(query, expected);
    }
    let error = provider.list(&call(&world.clock), "a/", &Filter::default(), Page::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidName);
}

#[tokio::test]
async fn metadata_and_states_are_told_without_the_value() {
    let world = World::new();
    world.google.put("db", b"two");
    world.google.put("db", b"three");
    world.google.set_state("db", 1, State::Destroyed);
    world.google.set_state("db", 2, State::Disabled);
    let provider = world.provider(&machine());
    let name = SecretName::parse("projects/123456789012/secrets/db").unwrap();
    let metadata = provider.describe(&call(&world.clock), &name).await.unwrap();
    assert_eq!((metadata.name.as_str(), metadata.rotation_enabled), ("db", Some(false)));
    assert_eq!(metadata.created, Some(lockstep_testkit::clock::START));
    let versions = provider.versions(&call(&world.clock), &name, Page::default()).await.unwrap();
    let states: Vec<_> = versions.items.iter().map(|info| (info.version.order.unwrap(), info.state)).collect();
    assert_eq!(states, [(3, VersionState::Enabled), (2, VersionState::Disabled), (1, VersionState::Destroyed)]);
    assert_eq!(world.google.count("access"), 0, "no value is fetched for either");
}

#[tokio::test]
async fn when_a_secret_is_rotated_next_is_told() {
    let world = World::new();
    let body = json!({ "name": "projects/1/secrets/db", "createTime": "2026-01-01T00:00:00Z", "labels": { "team": "blue" },
        "rotation": { "nextRotationTime": "2026-02-01T00:00:00Z", "rotationPeriod": "3600s" } });
    let google = world.google.clone();
    let mut ports = world.ports();
    ports.transport = FakeTransport::by(move |request| {
        let is_secret = request.uri().path().ends_with("/secrets/db");
        if is_secret { Reply::json(200, &body) } else { Reply::Answer(google.answer(request)) }
    });
    let provider = GcpSecretManager::new(&machine(), ports).unwrap();
    let metadata = provider.describe(&call(&world.clock), &SecretName::parse("db").unwrap()).await.unwrap();
    let next = lockstep_core::UnixMillis::from_rfc3339("2026-02-01T00:00:00Z");
    assert_eq!((metadata.next_rotation, metadata.rotation_enabled), (next, Some(true)));
    assert_eq!(metadata.tags["team"], "blue");
}

/// Break: `respelled`.
#[tokio::test]
async fn t1_the_whole_name_of_a_secret_is_its_short_one() {
    let world = World::new();
    let provider = world.provider(&machine());
    let whole = format!("projects/{PROJECT}/secrets/db");
    for (name, other) in [(&*whole, Some("db")), ("projects/elsewhere/secrets/db", None), ("db", None)] {
        let respelled = provider.respelled(&SecretName::parse(name).unwrap());
        assert_eq!(respelled.as_ref().map(SecretName::as_str), other);
    }
}
