//! Logins within a request.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

fn inline(auth: VaultAuth, script: impl FnMut(&http::Request<bytes::Bytes>) -> Reply + Send + 'static) -> World {
    World::of(auth, FakeTransport::by(script), |settings| settings.inline = true)
}

fn jwt() -> VaultAuth {
    VaultAuth::Jwt {
        mount: "ci/jwt".into(),
        role: Some("app".into()),
        jwt: Credential::File(std::path::Path::new("/jwt").into()),
    }
}

fn parameters(request: &http::Request<bytes::Bytes>) -> BTreeMap<String, String> {
    let named =
        request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-vault-inline-auth-parameter-"));
    named
        .map(|(_, value)| {
            assert!(value.is_sensitive());
            let json: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value.as_bytes()).unwrap()).unwrap();
            (json["key"].as_str().unwrap().to_owned(), json["value"].as_str().unwrap().to_owned())
        })
        .collect()
}

/// Break: any header in `inline::headers`, `set_sensitive` there, or read the credential once alone.
#[tokio::test]
async fn each_request_logs_in_by_itself_with_the_credential_of_that_moment() {
    let world = inline(jwt(), |_| kv2("x"));
    for token in ["j.1", "j.2"] {
        world.files.write("/jwt", token);
        world.current("kv2/a").await.unwrap();
        let request = world.transport.requests().pop().unwrap();
        assert_eq!(request.headers()["x-vault-inline-auth-path"], "auth/ci/jwt/login");
        assert_eq!(request.headers()["x-vault-inline-auth-operation"], "update");
        assert_eq!(request.headers()["x-vault-inline-auth-namespace"], "team/prod");
        assert!(!request.headers().contains_key("x-vault-token"));
        let expected = [("jwt", token), ("role", "app")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(parameters(&request), BTreeMap::from(expected));
        assert!(!format!("{request:?}").contains("ai4x"), "a sensitive header hides");
        let who = request.headers().iter().filter(|(name, _)| name.as_str().starts_with("x-vault-inline-auth-"));
        assert_eq!(who.filter(|(_, value)| value.is_sensitive()).count(), 5, "all of them say who asks");
    }
    assert_eq!(world.transport.count(), 2, "no login of its own, no look-up");
}

/// Break: `judged` in `inline`.
#[tokio::test]
async fn a_login_that_failed_within_a_request_is_told_from_a_refusal_of_the_secret() {
    for (status, flag, kind, operation) in [
        (400, true, ErrorKind::Unauthenticated, lockstep_core::Operation::Login),
        (403, true, ErrorKind::Unauthenticated, lockstep_core::Operation::Login),
        (404, true, ErrorKind::Config, lockstep_core::Operation::Login),
        (429, true, ErrorKind::Throttled, lockstep_core::Operation::Login),
        (503, true, ErrorKind::Unavailable, lockstep_core::Operation::Login),
        (500, true, ErrorKind::Unavailable, lockstep_core::Operation::Login),
        (403, false, ErrorKind::Denied, lockstep_core::Operation::Get),
        (404, false, ErrorKind::NotFound, lockstep_core::Operation::Get),
    ] {
        let world = inline(jwt(), move |_| {
            let reply = Reply::json(status, &json!({ "errors": ["c4n4ry"] }));
            if flag { reply.header("x-vault-inline-auth-failed", "true") } else { reply }
        });
        world.files.write("/jwt", "j.c4n4ry");
        let error = world.current("kv2/a").await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(operation)), "{status} {flag}");
        assert!(!format!("{error} {error:?} {:?}", world.provider).contains("c4n4ry"), "{error:?}");
        assert_eq!(world.transport.count(), 1, "{status}: nothing is asked again");
    }
}

/// OpenBao 2.7 sets no header where Kubernetes refuses. Break: `says_inline_failed`.
#[tokio::test]
async fn a_login_that_failed_in_words_alone_is_one_too() {
    for (status, kind) in [(403, ErrorKind::Unauthenticated), (500, ErrorKind::Unavailable)] {
        let says = "failed to perform inline authentication: permission denied";
        let world = inline(jwt(), move |_| Reply::json(status, &json!({ "errors": [says] })));
        world.files.write("/jwt", "j.1");
        let error = world.current("kv2/a").await.unwrap_err();
        assert_eq!((error.kind(), error.operation()), (kind, Some(lockstep_core::Operation::Login)));
        assert_eq!(
            world.provider.check(&call(&world.clock)).await.unwrap_err().kind(),
            kind,
            "also when it is checked"
        );
    }
}

/// Break: the check in `VaultProvider::credential`.
#[tokio::test]
async fn what_has_a_lease_is_refused_before_anything_is_sent() {
    let world = inline(jwt(), |_| Reply::json(200, &json!({ "data": { "password": "x", "ttl": 9 } })));
    world.files.write("/jwt", "j.1");
    let error = world.current("db/creds/app").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("`inline`"));
    assert_eq!(world.transport.count(), 0);
    world.current("db/static-creds/app").await.unwrap();
}

#[tokio::test]
async fn only_methods_that_can_and_only_with_mounts() {
    let ports = || Ports {
        random: TestRandom::seeded(7),
        signer: Arc::new(TestSigner),
        exec: Arc::new(lockstep_core::NoExec),
        transport: FakeTransport::in_order([]),
        env: TestEnv::of(&[]),
        files: TestFiles::new(),
        clock: ManualClock::new(),
    };
    let settings = |auth, mounts: &[(&str, MountKind)]| VaultSettings {
        addresses: vec!["https://v".into()],
        namespace: None,
        auth,
        inline: true,
        forward_stale: false,
        mounts: mounts.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect(),
        members: MAX_MEMBERS,
        environment: String::new(),
    };
    let kv = [("kv", MountKind::Kv2)];
    let token = VaultAuth::Token(Credential::Env("TOKEN".into()).into());
    let cert = VaultAuth::Cert { mount: "cert".into(), name: None, certificate: std::path::Path::new("/c").into() };
    for (auth, mounts) in [(token, &kv[..]), (cert, &kv[..]), (jwt(), &[])] {
        let error = VaultProvider::new(settings(auth, mounts), ports()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("`inline`"), "{error}");
    }
    assert!(VaultProvider::new(settings(jwt(), &kv), ports()).is_ok());
}
