//! What every method has alike: one login for everybody, one life-cycle, credentials read anew, nothing shown.

use std::path::Path;

use super::super::{Handed, Wrapping};
use super::*;

const FILE: &str = "/run/credential";

fn file() -> Credential {
    Credential::File(Path::new(FILE).into())
}

/// Each method, where it is posted, and the field that its credential goes into.
fn methods() -> Vec<(VaultAuth, &'static str, Option<&'static str>)> {
    vec![
        (
            VaultAuth::AppRole { mount: "a".into(), role_id: "r".into(), secret_id: Some(file().into()) },
            "/v1/auth/a/login",
            Some("secret_id"),
        ),
        (
            VaultAuth::Kubernetes { mount: "k8s/".into(), role: "r".into(), jwt: file() },
            "/v1/auth/k8s/login",
            Some("jwt"),
        ),
        (VaultAuth::Jwt { mount: "ci/jwt".into(), role: None, jwt: file() }, "/v1/auth/ci/jwt/login", Some("jwt")),
        (
            VaultAuth::Userpass { mount: "u".into(), username: "a/../b".into(), password: file() },
            "/v1/auth/u/login/a%2F..%2Fb",
            Some("password"),
        ),
        (
            VaultAuth::Cert { mount: "cert".into(), name: Some("web".into()), certificate: Path::new("/c.pem").into() },
            "/v1/auth/cert/login",
            None,
        ),
    ]
}

fn sent(world: &World, path: &str) -> Vec<Value> {
    let requests = world.transport.requests();
    let logins = requests.iter().filter(|request| request.uri().path() == path);
    logins.map(|request| serde_json::from_slice(request.body()).unwrap()).collect()
}

/// A server whose logins give numbered tokens of ten minutes, and whose renewals do as they are told.
fn world(auth: VaultAuth, login_path: &'static str, renewal: fn() -> Reply, relogin: fn() -> Reply) -> World {
    let mut logins = 0;
    let world = World::new(
        auth,
        FakeTransport::by(move |request| match request.uri().path() {
            path if path == login_path => {
                logins += 1;
                if logins == 1 { login("t1", 600) } else { relogin() }
            }
            "/v1/auth/token/renew-self" => renewal(),
            "/v1/kv2/data/a" => kv2("x"),
            other => panic!("{other}"),
        }),
    );
    world.files.write(FILE, "c4n4ry.1\n");
    world
}

/// Break: the lock in `Login::token`.
#[tokio::test]
async fn a_thousand_reads_share_one_login_by_each_method() {
    for (auth, path, field) in methods() {
        let world = world(auth, path, || login("t1", 600), || panic!("a second login"));
        let answers = futures_util::future::join_all((0..1000).map(|_| world.current("kv2/a"))).await;
        assert!(answers.iter().all(Result::is_ok), "{path}");
        let logins = sent(&world, path);
        assert_eq!(logins.len(), 1, "{path}");
        if let Some(field) = field {
            assert_eq!(logins[0][field], "c4n4ry.1", "{path}");
        }
    }
}

/// Break: the arm for a renewal that is refused in `prolonged`, or read the credential once alone.
#[tokio::test]
async fn a_refused_renewal_is_a_new_login_with_the_credential_of_that_moment() {
    for (auth, path, field) in methods() {
        let world = world(auth, path, forbidden, || login("t2", 600));
        world.current("kv2/a").await.unwrap();
        world.files.write(FILE, "c4n4ry.2");
        world.clock.advance(Duration::from_secs(400));
        world.current("kv2/a").await.unwrap();
        let logins = sent(&world, path);
        assert_eq!((logins.len(), world.sent("/renew-self")), (2, 1), "{path}: at two thirds");
        if let Some(field) = field {
            assert_eq!(logins[1][field], "c4n4ry.2", "{path}: the file is read anew");
        }
        let token = world.transport.requests().pop().unwrap().headers()["x-vault-token"].clone();
        assert_eq!(token, "t2", "{path}");
    }
}

/// Break: return the error of the new login in `prolonged`.
#[tokio::test]
async fn a_refused_refresh_leaves_the_token_in_use_until_its_end_and_then_is_the_answer() {
    for (auth, path, _) in methods() {
        let refused = || Reply::json(400, &json!({ "errors": ["c4n4ry"] }));
        let world = world(auth, path, forbidden, refused);
        world.current("kv2/a").await.unwrap();
        world.clock.advance(Duration::from_secs(400));
        for _ in 0..5 {
            world.current("kv2/a").await.unwrap();
        }
        assert_eq!(sent(&world, path).len(), 2, "{path}: not tried at every read");
        world.clock.advance(Duration::from_secs(200));
        let error = world.current("kv2/a").await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never), "{path}");
        assert_eq!(error.operation(), Some(lockstep_core::Operation::Login), "{path}");
    }
}

/// M1. Break: print a credential in `identity`, or put the complaint of the server into the message.
#[tokio::test]
async fn m1_no_login_shows_its_credential_and_a_missing_way_in_is_no_missing_secret() {
    for status in [400, 401, 403, 404, 405, 500, 503] {
        for (auth, path, _) in methods() {
            let shown = format!("{auth:?}");
            let complaint =
                move |_: &http::Request<bytes::Bytes>| Reply::json(status, &json!({ "errors": ["c4n4ry"] }));
            let world = World::new(auth, FakeTransport::by(complaint));
            world.files.write(FILE, "c4n4ry");
            for name in ["kv2/a", "db/creds/app"] {
                let error = world.current(name).await.unwrap_err();
                let printed = format!("{error} {error:?} {shown} {:?} {:?}", world.provider, world.provider.scope());
                assert!(!printed.contains("c4n4ry"), "{path} {status}: {printed}");
                assert_ne!(error.kind(), ErrorKind::NotFound, "{path} {status}");
            }
        }
    }
}

#[tokio::test]
async fn a_login_that_wants_a_second_factor_says_so() {
    let auth = VaultAuth::Userpass { mount: "userpass".into(), username: "a".into(), password: file() };
    let answer = json!({ "auth": { "client_token": "", "lease_duration": 0,
        "mfa_requirement": { "mfa_request_id": "c4n4ry", "mfa_constraints": {} } } });
    let world = World::new(auth, FakeTransport::by(move |_| Reply::json(200, &answer)));
    world.files.write(FILE, "pw");
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
    assert!(error.message().contains("second factor") && !format!("{error:?}").contains("c4n4ry"), "{error:?}");
}

/// Break: write the fields of a login into JSON by hand.
#[tokio::test]
async fn a_credential_of_quotes_alone_arrives_as_it_is() {
    let auth = VaultAuth::Userpass { mount: "u".into(), username: "a".into(), password: file() };
    let world = world(auth, "/v1/auth/u/login/a", || panic!("renewed"), || panic!("again"));
    let password = "\"\\".repeat(30_000);
    world.files.write(FILE, &password);
    world.current("kv2/a").await.unwrap();
    assert_eq!(sent(&world, "/v1/auth/u/login/a")[0]["password"], password);
}

/// Two identities never share what is cached. Break: leave a field out of any `identity`.
#[test]
fn every_login_of_a_vault_has_a_scope_of_its_own() {
    let (env, other) = (Credential::Env("A".into()), Credential::Env("B".into()));
    let approle =
        |mount: &str, role: &str| VaultAuth::AppRole { mount: mount.into(), role_id: role.into(), secret_id: None };
    let kubernetes = |mount: &str, role: &str, jwt: &Credential| VaultAuth::Kubernetes {
        mount: mount.into(),
        role: role.into(),
        jwt: jwt.clone(),
    };
    let jwt = |mount: &str, role: Option<&str>, jwt: &Credential| VaultAuth::Jwt {
        mount: mount.into(),
        role: role.map(str::to_owned),
        jwt: jwt.clone(),
    };
    let cert = |mount: &str, name: Option<&str>, at: &str| VaultAuth::Cert {
        mount: mount.into(),
        name: name.map(str::to_owned),
        certificate: Path::new(at).into(),
    };
    let userpass = |mount: &str, name: &str| VaultAuth::Userpass {
        mount: mount.into(),
        username: name.into(),
        password: env.clone(),
    };
    let all = [
        VaultAuth::Token(env.clone().into()),
        VaultAuth::Token(other.clone().into()),
        VaultAuth::Token(Handed { from: env.clone(), wrapped: Some(Wrapping::default()) }),
        approle("a", "r"),
        approle("a", "s"),
        approle("b", "r"),
        kubernetes("a", "r", &env),
        kubernetes("b", "r", &env),
        kubernetes("a", "s", &env),
        kubernetes("a", "r", &other),
        jwt("a", Some("r"), &env),
        jwt("b", Some("r"), &env),
        jwt("a", None, &env),
        jwt("a", Some("r"), &other),
        cert("a", None, "/c"),
        cert("b", None, "/c"),
        cert("a", Some("n"), "/c"),
        cert("a", None, "/d"),
        userpass("a", "n"),
        userpass("b", "n"),
        userpass("a", "m"),
    ];
    let count = all.len();
    let scope = |auth| World::new(auth, FakeTransport::in_order([])).provider.scope().clone();
    let scopes: std::collections::HashSet<_> = all.into_iter().map(scope).collect();
    assert_eq!(scopes.len(), count);
}
