//! The `vault` provider against OpenBao, the product itself: KV v1 and v2, namespaces, AppRole, and, where there is a
//! PostgreSQL, dynamic credentials.

#![cfg(feature = "vault")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

mod vault;

use std::time::Duration;

use lockstep_core::{Encoding, ErrorKind, Payload, Provider, Retry, SecretName, Selector, VersionState};
use lockstep_providers::Credential;
use lockstep_providers::vault::VaultAuth;
use lockstep_testkit::contract::{self, Harness, Shape};
use lockstep_testkit::require;
use lockstep_testkit::servers::{self, unique};
use serde_json::{Value, json};

use self::vault::{Bao, Kv};

#[tokio::test]
async fn kv_2_keeps_the_contract() {
    let kv = Kv::new(Bao::at(require!(servers::openbao())), true).await;
    let ran = contract::run(&kv).await;
    for section in ["values", "spellings", "missing", "deleted", "by id", "previous", "versions", "describe", "list"] {
        assert!(ran.contains(&section), "{section} in {ran:?}");
    }
}

#[tokio::test]
async fn kv_2_keeps_the_contract_in_a_namespace() {
    let mut bao = Bao::at(require!(servers::openbao()));
    let namespace = unique("ns");
    bao.admin("POST", &format!("sys/namespaces/{namespace}"), json!({})).await;
    bao.namespace = Some(namespace);
    let kv = Kv::new(bao, true).await;
    contract::run(&kv).await;
    assert_eq!(kv.provider.scope().parts().namespace, kv.bao.namespace.clone().unwrap());
}

#[tokio::test]
async fn kv_1_is_found_out_and_read_without_versions() {
    let kv = Kv::new(Bao::at(require!(servers::openbao())), false).await;
    let name = kv.name("a");
    kv.bao.admin("POST", &kv.path(&name), json!({ "a": "b", "n": 1, "ttl": "30s" })).await;
    let secret = kv.provider.get(&kv.call(), &name, &Selector::Current).await.unwrap();
    let Payload::Fields(fields) = &secret.payload else { panic!("fields") };
    assert_eq!((fields["n"].value.expose(), fields["n"].encoding), (&b"1"[..], Encoding::Json));
    assert_eq!(secret.version, None);
    let now = lockstep_core::Clock::wall(&*kv.bao.clock);
    assert_eq!(secret.expires, Some(now.plus(Duration::from_secs(30))));
    for selector in [Selector::Previous, Selector::Id("1".into())] {
        let error = kv.provider.get(&kv.call(), &name, &selector).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
    let kind = kv.delete(&name).await;
    assert_eq!(kv.provider.get(&kv.call(), &name, &Selector::Current).await.unwrap_err().kind(), kind);
    assert_eq!(kv.bao.asked(&format!("ui/mounts/{name}")), 1, "a mount is asked for once");
}

#[tokio::test]
async fn deleted_destroyed_and_undeleted_versions_are_told_apart() {
    let kv = Kv::new(Bao::at(require!(servers::openbao())), true).await;
    let name = kv.name("a");
    let path = |verb: &str| kv.path(&name).replace("/data/", &format!("/{verb}/"));
    for text in ["1", "2", "3"] {
        kv.put(&name, &Shape::Fields.payload(text.as_bytes())).await;
    }
    kv.bao.admin("POST", &path("destroy"), json!({ "versions": [1] })).await;
    kv.bao.admin("POST", &path("delete"), json!({ "versions": [2, 3] })).await;
    let kind = async |selector: Selector| match kv.provider.get(&kv.call(), &name, &selector).await {
        Ok(secret) => Ok(secret.version.unwrap().order),
        Err(error) => Err(error.kind()),
    };
    assert_eq!(kind(Selector::Id("1".into())).await, Err(ErrorKind::Destroyed));
    assert_eq!(kind(Selector::Previous).await, Err(ErrorKind::Deleted));
    assert_eq!(kind(Selector::Current).await, Err(ErrorKind::Deleted));
    assert_eq!(kind(Selector::Id("4".into())).await, Err(ErrorKind::VersionNotFound));
    kv.bao.admin("POST", &path("undelete"), json!({ "versions": [2] })).await;
    assert_eq!(kind(Selector::Previous).await, Ok(Some(2)));

    let page = lockstep_core::Page::default();
    // The clock of the test stands still; deletions happened after it was set.
    kv.bao.clock.advance(Duration::from_mins(1));
    let versions = kv.provider.versions(&kv.call(), &name, page).await.unwrap();
    let states: Vec<_> = versions.items.iter().map(|info| (info.version.order.unwrap(), info.state)).collect();
    let expected = [(3, VersionState::Deleted), (2, VersionState::Enabled), (1, VersionState::Destroyed)];
    assert_eq!(states, expected);
    assert!(kv.provider.describe(&kv.call(), &name).await.unwrap().deleted.is_some());
}

#[tokio::test]
async fn an_approle_login_is_shared_renewed_and_made_again() {
    let bao = Bao::at(require!(servers::openbao()));
    let (mount, auth, role) = (bao.mount("kv 2").await, unique("approle"), unique("role"));
    bao.admin("POST", &format!("{mount}/data/open"), json!({ "data": { "a": "b" } })).await;
    bao.admin("POST", &format!("{mount}/data/closed"), json!({ "data": { "a": "b" } })).await;
    bao.admin("POST", &format!("sys/auth/{auth}"), json!({ "type": "approle" })).await;
    let policy = format!("path \"{mount}/data/open\" {{ capabilities = [\"read\"] }}");
    bao.admin("POST", &format!("sys/policies/acl/{role}"), json!({ "policy": policy })).await;
    let role_path = format!("auth/{auth}/role/{role}");
    bao.admin("POST", &role_path, json!({ "token_ttl": "60s", "token_max_ttl": "1h", "policies": role })).await;
    let role_id = bao.admin("GET", &format!("{role_path}/role-id"), Value::Null).await["data"]["role_id"].take();
    let secret_id = bao.admin("POST", &format!("{role_path}/secret-id"), json!({})).await["data"]["secret_id"].take();
    bao.env.set("SECRET_ID", secret_id.as_str().unwrap());
    let provider = bao.provider(VaultAuth::AppRole {
        mount: auth.clone(),
        role_id: role_id.as_str().unwrap().to_owned(),
        secret_id: Some(Credential::Env("SECRET_ID".into()).into()),
    });
    let login = format!("auth/{auth}/login");
    let name = |text: &str| SecretName::parse(&format!("{mount}/{text}")).unwrap();
    let read = async |text: &str| provider.get(&bao.call(), &name(text), &Selector::Current).await;

    let (open, closed) = tokio::join!(read("open"), read("closed"));
    assert!(open.is_ok(), "{open:?}");
    assert_eq!(closed.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(bao.asked(&login), 1, "both reads share one login");

    bao.clock.advance(Duration::from_secs(41));
    assert!(read("open").await.is_ok());
    assert_eq!((bao.asked("auth/token/renew-self"), bao.asked(&login)), (1, 1), "past two thirds it is renewed");

    // Every token of the role is over at once.
    bao.admin("PUT", &format!("sys/leases/revoke-prefix/auth/{auth}"), json!({})).await;
    bao.clock.advance(Duration::from_secs(10));
    let error = read("open").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials));
    assert!(read("open").await.is_ok());
    assert_eq!(bao.asked(&login), 2);

    bao.clock.advance(Duration::from_mins(10));
    assert!(read("open").await.is_ok());
    assert_eq!((bao.asked("auth/token/renew-self"), bao.asked(&login)), (1, 3), "past its end a new login is made");

    bao.env.set("SECRET_ID", "wrong");
    bao.clock.advance(Duration::from_mins(10));
    let error = read("open").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
}

#[tokio::test]
async fn a_bad_token_and_a_hidden_mount_say_what_to_do() {
    let bao = Bao::at(require!(servers::openbao()));
    let name = SecretName::parse("secret/a").unwrap();
    bao.env.set("BAD", "hvs.c4n4ry");
    let bad = bao.provider(VaultAuth::Token(Credential::Env("BAD".into()).into()));
    let error = bad.get(&bao.call(), &name, &Selector::Current).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
    assert!(!format!("{error} {error:?} {bad:?}").contains("c4n4ry"));
    assert_eq!(bad.check(&bao.call()).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    let hidden = SecretName::parse("nothing-is-mounted-here/a").unwrap();
    let error = bao.root().get(&bao.call(), &hidden, &Selector::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("`mounts`"));
}

#[tokio::test]
async fn a_dynamic_credential_is_made_once_renewed_and_revoked() {
    let bao = Bao::at(require!(servers::openbao()));
    let postgres = require!(servers::postgres());
    let mount = bao.mount("database").await;
    let connection =
        json!({ "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": postgres });
    bao.admin("POST", &format!("{mount}/config/pg"), connection).await;
    let create = "CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'";
    let role = json!({ "db_name": "pg", "creation_statements": [create], "default_ttl": "10m", "max_ttl": "1h" });
    bao.admin("POST", &format!("{mount}/roles/app"), role).await;
    let provider = bao.root();
    let name = SecretName::parse(&format!("{mount}/creds/app")).unwrap();
    let secret = provider.get(&bao.call(), &name, &Selector::Current).await.unwrap();
    assert_eq!(bao.asked("/creds/app"), 2, "one look for the mount, one read");
    let Payload::Fields(fields) = &secret.payload else { panic!("fields") };
    assert!(!fields["password"].value.is_empty());
    let lease = secret.lease.unwrap();
    assert_eq!((lease.duration, lease.renewable), (Duration::from_mins(10), true));
    let renewed = provider.renew(&bao.call(), &lease).await.unwrap();
    assert!(renewed.duration > Duration::from_mins(9) && renewed.id == lease.id);
    provider.revoke(&bao.call(), &lease).await.unwrap();
    assert_eq!(provider.renew(&bao.call(), &lease).await.unwrap_err().kind(), ErrorKind::NotFound);
}
