//! Reads, refusals and lists over the fake vault, in process. Logins are in `logins`, the error tables in `tables`.

mod elsewhere;
mod lists;
mod logins;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use lockstep_core::{
    Clock as _, Error, ErrorKind, Filter, MAX_MEMBERS, Metadata, Page, Payload, Provider, Retry, Secret, SecretName,
    Selector, VersionState,
};
use lockstep_native::RingSigner;
use lockstep_testkit::fake::azure::{AzureVault, CLIENT_ID, CLIENT_SECRET, Right, Route, TENANT};
use lockstep_testkit::{FakeTransport, Gate, ManualClock, Reply, TestEnv, TestFiles, TestRandom, call};
use serde_json::{Value, json};

use super::{AzureAuth, AzureKeyVault, AzureSettings, Cloud};
use crate::{Credential, Ports};

const MINUTE: Duration = Duration::from_mins(1);

struct World {
    vault: Arc<AzureVault>,
    transport: Arc<FakeTransport>,
    clock: Arc<ManualClock>,
    env: Arc<TestEnv>,
    files: Arc<TestFiles>,
    /// Logins wait for it.
    gate: Gate,
    auth: AzureAuth,
    provider: AzureKeyVault,
}

fn client_secret() -> AzureAuth {
    AzureAuth::ClientSecret {
        tenant: TENANT.into(),
        client_id: CLIENT_ID.into(),
        secret: Credential::Env("SECRET".into()),
    }
}

fn settings(auth: AzureAuth) -> AzureSettings {
    AzureSettings {
        address: "https://kv.vault.azure.net".into(),
        cloud: Cloud::Public,
        auth,
        insecure: false,
        members: MAX_MEMBERS,
        environment: String::new(),
    }
}

impl World {
    fn new() -> Self {
        Self::with(client_secret(), &[])
    }

    fn with(auth: AzureAuth, variables: &[(&str, &str)]) -> Self {
        let clock = ManualClock::new();
        let vault = AzureVault::new(clock.clone());
        let gate = Gate::new();
        gate.open();
        let transport = FakeTransport::by({
            let (vault, gate) = (Arc::clone(&vault), gate.clone());
            move |request| {
                let is_login = request.uri().path().ends_with("/token");
                let reply = Reply::Answer(vault.answer(request.clone()));
                if is_login { reply.behind(&gate) } else { reply }
            }
        });
        let env = TestEnv::of(&[("SECRET", CLIENT_SECRET)]);
        for (name, value) in variables {
            env.set(name, value);
        }
        let files = TestFiles::new();
        let ports = Ports {
            transport: transport.clone(),
            env: env.clone(),
            files: files.clone(),
            clock: clock.clone(),
            random: TestRandom::seeded(7),
            signer: Arc::new(RingSigner),
            exec: Arc::new(lockstep_core::NoExec),
        };
        let provider = AzureKeyVault::new(settings(auth.clone()), ports).unwrap();
        Self { vault, transport, clock, env, files, gate, auth, provider }
    }

    async fn get(&self, name: &str, selector: Selector) -> Result<Secret, Error> {
        let name = SecretName::parse(name).unwrap();
        self.provider.get(&call(&self.clock), &name, &selector).await
    }

    async fn current(&self, name: &str) -> Result<Secret, Error> {
        self.get(name, Selector::Current).await
    }

    async fn describe(&self, name: &str) -> Result<Metadata, Error> {
        self.provider.describe(&call(&self.clock), &SecretName::parse(name).unwrap()).await
    }

    /// All names that begin like this, and how many pages they took.
    async fn list(&self, prefix: &str, filter: &Filter, limit: u16) -> (Vec<String>, usize) {
        let (mut names, mut token) = (Vec::new(), None);
        for pages in 1.. {
            let page = Page { token: token.take(), limit: Some(limit) };
            let part = self.provider.list(&call(&self.clock), prefix, filter, page).await.unwrap();
            assert!(part.items.len() <= usize::from(limit));
            names.extend(part.items.into_iter().map(|item| item.name.as_str().to_owned()));
            token = part.next;
            if token.is_none() {
                return (names, pages);
            }
        }
        unreachable!()
    }

    fn put(&self, name: &str, value: &str) -> String {
        self.vault.put(name, &json!({ "value": value }))
    }

    fn disable(&self, name: &str, version: &str) {
        let body = json!({ "attributes": { "enabled": false } });
        self.vault.operate(Method::PATCH, &format!("/secrets/{name}/{version}"), &body);
    }

    fn logins(&self) -> usize {
        self.vault.count(Route::Login) + self.vault.count(Route::Imds) + self.vault.count(Route::AppService)
    }
}

fn value(secret: &Secret) -> &str {
    let Payload::Whole(field) = &secret.payload else { panic!("a whole value") };
    field.value.expose_text().unwrap()
}

fn kind<T>(outcome: Result<T, Error>) -> Option<ErrorKind> {
    outcome.err().map(|error| error.kind())
}

#[tokio::test]
async fn requests_are_the_documented_ones_and_the_token_is_marked() {
    let world = World::new();
    let id = world.put("db", "v");
    world.current("db").await.unwrap();
    world.get("db", Selector::Id(id.clone().into())).await.unwrap();
    world.provider.check(&call(&world.clock)).await.unwrap();
    assert_eq!(
        world.transport.lines(),
        [
            format!("POST /{TENANT}/oauth2/v2.0/token"),
            "GET /secrets/db?api-version=7.4".into(),
            format!("GET /secrets/db/{id}?api-version=7.4"),
            "GET /secrets?api-version=7.4&maxresults=1".into(),
        ]
    );
    let requests = world.transport.requests();
    assert_eq!(
        requests[0].body(),
        &format!(
            "grant_type=client_credentials&client_id={CLIENT_ID}&scope=https%3A%2F%2Fvault.azure.net%2F.default\
             &client_secret={CLIENT_SECRET}"
        )
    );
    assert!(requests[1].headers()["authorization"].is_sensitive());
    assert_eq!(world.vault.strays(), Vec::<String>::new());
}

/// Break: leave `to_ascii_lowercase` out of `id`.
#[tokio::test]
async fn names_that_differ_in_case_are_one_secret_with_the_name_as_it_was_written() {
    let world = World::new();
    let id = world.put("Db-Creds", "v");
    for name in ["db-creds", "DB-CREDS", "Db-Creds"] {
        let secret = world.current(name).await.unwrap();
        assert_eq!((value(&secret), secret.name.as_str(), secret.id.name.as_str()), ("v", "Db-Creds", "db-creds"));
        assert_eq!(secret.version.unwrap().id.to_string(), id);
    }
    let upper = world.provider.selector(&id.to_uppercase()).unwrap();
    assert_eq!(upper, Selector::Id(id.into()));
}

/// Break: `checked`, or call it after the request.
#[tokio::test]
async fn a_name_that_the_vault_can_not_have_says_what_to_write() {
    let world = World::new();
    let long = "a".repeat(128);
    for (name, instead) in [("db/creds", "`db-creds`"), ("/a_b", "`a-b`"), ("é", "`-`"), (&long, &long[1..])] {
        for error in [world.current(name).await.unwrap_err(), world.describe(name).await.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::InvalidName, "{name}");
            assert!(error.message().contains(instead), "{error}");
        }
    }
    assert_eq!(world.transport.count(), 0);
}

/// Break: the `filter` of `expires` in `value`, or leave `nbf` out.
#[tokio::test]
async fn times_of_a_version_are_told_and_bind_nobody() {
    let world = World::new();
    let now = world.clock.wall();
    let at = |minutes: u64| now.plus(MINUTE * u32::try_from(minutes).unwrap());
    for (name, nbf, exp) in [("early", Some(10), None), ("ends", None, Some(10)), ("plain", None, None)] {
        let attributes = json!({ "nbf": nbf.map(|m| at(m).seconds()), "exp": exp.map(|m| at(m).seconds()) });
        world.vault.put(name, &json!({ "value": name, "attributes": attributes, "contentType": "text/plain" }));
        let secret = world.current(name).await.unwrap();
        assert_eq!(value(&secret), name);
        assert_eq!(secret.expires, exp.map(at), "{name}");
        assert_eq!(secret.attributes.get("nbf").map(|text| &**text), nbf.map(|m| at(m).to_rfc3339()).as_deref());
        assert_eq!(&*secret.attributes["contentType"], "text/plain");
    }
    world.clock.advance(MINUTE * 11);
    let secret = world.current("ends").await.unwrap();
    assert_eq!((secret.expires, &*secret.attributes["exp"]), (None, at(10).to_rfc3339().as_str()));
}

#[tokio::test]
async fn disabled_deleted_missing_and_the_missing_version_are_told_apart() {
    for are_404 in [false, true] {
        let world = World::new();
        world.vault.missing_versions_are_404(are_404);
        let first = world.put("off", "1");
        let newest = world.put("off", "2");
        world.disable("off", &newest);
        let gone = world.put("gone", "x");
        world.vault.operate(Method::DELETE, "/secrets/gone", &Value::Null);
        world.put("there", "x");
        let nowhere = Selector::Id("0".repeat(32).into());
        for (name, selector, expected) in [
            ("off", Selector::Current, ErrorKind::Disabled),
            ("off", Selector::Id(newest.clone().into()), ErrorKind::Disabled),
            ("off", nowhere.clone(), ErrorKind::VersionNotFound),
            ("gone", Selector::Current, ErrorKind::Deleted),
            ("gone", Selector::Previous, ErrorKind::Deleted),
            ("gone", Selector::Id(gone.clone().into()), ErrorKind::Deleted),
            ("none", Selector::Current, ErrorKind::NotFound),
            ("none", Selector::Previous, ErrorKind::NotFound),
            ("none", nowhere.clone(), ErrorKind::NotFound),
            ("there", nowhere, ErrorKind::VersionNotFound),
            ("there", Selector::Id("../../deletedsecrets".into()), ErrorKind::VersionNotFound),
            ("there", Selector::Previous, ErrorKind::VersionNotFound),
            ("there", Selector::Label("blue".into()), ErrorKind::Unsupported),
        ] {
            assert_eq!(kind(world.get(name, selector.clone()).await), Some(expected), "{name} {selector:?}");
        }
        let secret = world.get("off", Selector::Previous).await.unwrap();
        assert_eq!(secret.version.unwrap().id.to_string(), first, "the newest is off, the one before is not");
        let purged = |name: &str| world.vault.operate(Method::DELETE, &format!("/deletedsecrets/{name}"), &Value::Null);
        purged("gone");
        assert_eq!(kind(world.current("gone").await), Some(ErrorKind::NotFound));
    }
}

/// Break: give `NotFound` where the look failed, in `gone`, or leave `blind` out.
#[tokio::test]
async fn who_may_not_look_at_deleted_secrets_is_told_not_found_and_asked_no_more_for_a_while() {
    let world = World::new();
    world.put("gone", "x");
    world.vault.operate(Method::DELETE, "/secrets/gone", &Value::Null);
    world.vault.next(Route::Deleted, 503, &[], "");
    assert_eq!(kind(world.current("gone").await), Some(ErrorKind::Unavailable), "nobody guesses");
    world.vault.deny(Right::Deleted, "ForbiddenByRbac");
    for _ in 0..3 {
        assert_eq!(kind(world.current("gone").await), Some(ErrorKind::NotFound));
    }
    assert_eq!(world.vault.count(Route::Deleted), 2);
    world.vault.allow(Right::Deleted);
    world.clock.advance(MINUTE * 6);
    assert_eq!(kind(world.current("gone").await), Some(ErrorKind::Deleted));
}

/// Break: `sort_by_key` in `all_versions`, or the check for `created(2)` in `previous`.
#[tokio::test]
async fn previous_is_the_second_newest_and_never_a_guess() {
    let world = World::new();
    let ids: Vec<String> = (0..60).map(|number| world.put("db", &number.to_string())).collect();
    let secret = world.get("db", Selector::Previous).await.unwrap();
    assert_eq!((value(&secret), secret.version.as_ref().unwrap().id.to_string()), ("58", ids[58].clone()));
    assert_eq!(world.vault.count(Route::Versions), 3, "all pages are read: they are in no order");

    world.vault.same_second(true);
    // Both orders of two ids that nothing but a read tells apart.
    for name in ["t1", "t2", "t3", "t4", "t5", "t6"] {
        world.put(name, "one");
        world.put(name, "two");
        assert_eq!(value(&world.get(name, Selector::Previous).await.unwrap()), "one", "{name}");
    }
    world.put("t1", "three");
    let error = world.get("t1", Selector::Previous).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("one second"), "{error}");
}

#[tokio::test]
async fn a_secret_is_described_without_its_value_deleted_ones_too() {
    let world = World::new();
    world.vault.put("Db", &json!({ "value": "c4n4ry", "tags": { "team": "a" } }));
    let newest = world.vault.put("db", &json!({ "value": "c4n4ry", "tags": { "team": "b" } }));
    world.disable("db", &newest);
    let metadata = world.describe("db").await.unwrap();
    assert_eq!((metadata.name.as_str(), metadata.id.name.as_str()), ("Db", "db"));
    assert_eq!(metadata.version.unwrap().id.to_string(), newest);
    assert_eq!(metadata.tags["team"], "b");
    assert!(metadata.created < metadata.changed && metadata.deleted.is_none());
    world.vault.operate(Method::DELETE, "/secrets/db", &Value::Null);
    let metadata = world.describe("db").await.unwrap();
    assert_eq!(metadata.deleted, Some(lockstep_core::UnixMillis(world.clock.wall().seconds() * 1000)));
    world.vault.deny(Right::Deleted, "AccessDenied");
    assert_eq!(kind(world.describe("db").await), Some(ErrorKind::NotFound));
    assert_eq!(world.vault.count(Route::Get) + world.vault.count(Route::GetVersion), 0, "no value was read");
}

/// O2. Break: follow the `Location`.
#[tokio::test]
async fn o2_a_redirect_is_an_error_and_is_not_followed() {
    let world = World::new();
    world.vault.next(Route::Get, 307, &[("location", "https://evil.test/secrets/db")], "");
    assert_eq!(kind(world.current("db").await), Some(ErrorKind::Unavailable));
    assert_eq!(world.transport.count(), 2);
}

/// Break: the arm for denied lists in `check_inner`, or let it accept a firewall.
#[tokio::test]
async fn the_check_passes_who_may_not_list_and_no_network_that_is_refused() {
    let world = World::new();
    world.vault.deny(Right::List, "ForbiddenByRbac");
    world.provider.check(&call(&world.clock)).await.unwrap();
    world.vault.deny(Right::List, "ForbiddenByFirewall");
    assert_eq!(kind(world.provider.check(&call(&world.clock)).await), Some(ErrorKind::Denied));
}

/// Break: the check of `answered` or `is_asked` in `value`, or any `unexpected` of `wire.rs`.
#[tokio::test]
async fn m1_answers_that_are_none_are_malformed_and_show_no_value() {
    let ours = "https://kv.vault.azure.net/secrets/db/0123456789abcdef0123456789abcdef";
    let other = "https://kv.vault.azure.net/secrets/other/0123456789abcdef0123456789abcdef";
    for body in [
        "c4n4ry".to_owned(),
        r#"{"value":"c4n4ry""#.to_owned(),
        r#"{"value":"c4n4ry"}"#.to_owned(),
        json!({ "value": "c4n4ry", "id": other }).to_string(),
        json!({ "value": "c4n4ry", "id": "https://kv.vault.azure.net/secrets/db" }).to_string(),
        json!({ "value": "c4n4ry", "id": "https://kv.vault.azure.net/keys/db/0123456789abcdef0123456789abcdef" })
            .to_string(),
        json!({ "value": ["c4n4ry"], "id": ours }).to_string(),
        json!({ "id": ours, "tags": "c4n4ry" }).to_string(),
        json!({ "id": ours }).to_string(),
        json!({ "value": "c4n4ry", "id": ours, "attributes": { "exp": -1 } }).to_string(),
        format!(r#"{{"value":"\ud800c4n4ry","id":"{ours}"}}"#),
    ] {
        let world = World::new();
        world.vault.next(Route::Get, 200, &[], &body);
        let error = world.current("db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        let printed = format!("{error} {error:?} {:?}", world.provider);
        assert!(!printed.contains("c4n4ry"), "{printed}");
    }
    let world = World::new();
    let id = world.put("db", "v");
    world.vault.next(Route::GetVersion, 200, &[], &json!({ "value": "v", "id": ours }).to_string());
    assert_eq!(kind(world.get("db", Selector::Id(id.into())).await), Some(ErrorKind::Malformed), "another version");
}

/// M2. Break: hand the transport's bytes on as they are in `exchange`.
#[tokio::test]
async fn m2_what_the_vault_answered_is_wiped_by_its_last_reader() {
    let world = World::new();
    world.put("db", "v");
    let answer = world.provider.session.read(&call(&world.clock), "/secrets/db?api-version=7.4").await;
    assert!(answer.unwrap().into_body().try_into_mut().is_err(), "the bytes belong to what wipes them");
}

/// O7. Break: the `retry` of `refusal`.
#[tokio::test]
async fn o7_a_throttled_vault_says_how_long_to_wait_and_is_not_asked_again_here() {
    let world = World::new();
    world.vault.throttle(Route::Get, 7);
    let error = world.current("db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert_eq!(error.retry_hint(), Retry::After(Some(Duration::from_secs(7))));
    assert_eq!(world.vault.count(Route::Get), 1);
}

/// Break: the check of the host in `Session::new`.
#[test]
fn o5_a_vault_outside_of_its_cloud_gets_no_token_unless_told_so() {
    for (address, cloud, insecure, part) in [
        ("https://kv.vault.azure.net", Cloud::Public, false, ""),
        ("https://kv.vault.azure.cn", Cloud::China, false, ""),
        ("https://kv.vault.usgovcloudapi.net", Cloud::UsGovernment, false, ""),
        ("https://kv.vault.azure.cn", Cloud::Public, false, "`cloud = \"china\"`"),
        ("https://kv.vault.azure.net", Cloud::UsGovernment, false, "`cloud = \"public\"`"),
        ("https://vault.internal", Cloud::Public, false, "`insecure = true`"),
        ("https://kv.vault.azure.net.evil.test", Cloud::Public, false, "`insecure = true`"),
        ("https://evilvault.azure.net", Cloud::Public, false, "`insecure = true`"),
        ("https://vault.azure.net", Cloud::Public, false, "`insecure = true`"),
        ("http://kv.vault.azure.net", Cloud::Public, false, "plain http"),
        ("https://vault.internal", Cloud::Public, true, ""),
        ("http://127.0.0.1:1", Cloud::Public, false, ""),
    ] {
        let world = World::new();
        let settings = AzureSettings { address: address.into(), cloud, insecure, ..settings(client_secret()) };
        let made = AzureKeyVault::new(settings, world.ports());
        match made {
            Ok(_) => assert_eq!(part, "", "{address}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config);
                assert!(!part.is_empty() && error.message().contains(part), "{address}: {error}");
            }
        }
    }
}

/// K1. Break: leave `identity`, `account`, or both `endpoint` and `region` out of the scope.
#[test]
fn two_identities_or_vaults_never_share_a_scope() {
    let auth = |tenant: &str, client: &str| AzureAuth::ClientSecret {
        tenant: tenant.into(),
        client_id: client.into(),
        secret: Credential::Env("SECRET".into()),
    };
    let other = AzureSettings { address: "https://kv2.vault.azure.net".into(), ..settings(auth("t", "c")) };
    let tested = AzureSettings { environment: "test".into(), ..settings(auth("t", "c")) };
    let all = [
        settings(auth("t", "c")),
        settings(auth("t", "d")),
        settings(auth("u", "c")),
        settings(AzureAuth::ManagedIdentity(None)),
        settings(AzureAuth::ManagedIdentity(Some(super::Identity::Client("c".into())))),
        settings(AzureAuth::ManagedIdentity(Some(super::Identity::Object("c".into())))),
        other,
        tested,
    ];
    let count = all.len();
    let scopes = all.map(|settings| AzureKeyVault::new(settings, World::new().ports()).unwrap().scope().clone());
    assert_eq!(std::collections::BTreeSet::from(scopes).len(), count);
}

/// Break: leave `region` out of the scope.
#[test]
fn the_scope_says_which_vault_it_is_by_its_host() {
    let settings = settings(AzureAuth::ManagedIdentity(None));
    let settings = AzureSettings { address: "https://Payments.vault.azure.net:443/".into(), ..settings };
    let provider = AzureKeyVault::new(settings, World::new().ports()).unwrap();
    assert_eq!(provider.scope().parts().region, "payments.vault.azure.net");
}

impl World {
    fn ports(&self) -> Ports {
        Ports {
            transport: self.transport.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
            random: TestRandom::seeded(7),
            signer: Arc::new(RingSigner),
            exec: Arc::new(lockstep_core::NoExec),
        }
    }
}

/// Break: `respelled`.
#[tokio::test]
async fn t1_names_that_differ_in_case_alone_are_one() {
    let provider = World::new().provider;
    for (name, other) in [("DB-Prod", Some("db-prod")), ("db-prod", None)] {
        let respelled = provider.respelled(&SecretName::parse(name).unwrap());
        assert_eq!(respelled.as_ref().map(SecretName::as_str), other);
    }
}
