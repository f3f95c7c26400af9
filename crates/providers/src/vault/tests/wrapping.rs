//! Wrapping tokens are opened once, whatever comes of it.

use super::super::{Handed, Wrapping};
use super::*;

const PATH: &str = "auth/approle/role/app/secret-id";

fn wrapped(env: &str, creation_path: Option<&str>) -> Handed {
    let wrapping = Wrapping { creation_path: creation_path.map(str::to_owned) };
    Handed { from: Credential::Env(env.into()), wrapped: Some(wrapping) }
}

fn approle(creation_path: Option<&str>) -> VaultAuth {
    VaultAuth::AppRole {
        mount: "approle".into(),
        role_id: "role".into(),
        secret_id: Some(wrapped("SECRET_ID", creation_path)),
    }
}

fn secret_id() -> Reply {
    Reply::json(200, &json!({ "data": { "secret_id": "opened-c4n4ry", "secret_id_ttl": 0 } }))
}

/// Logins give tokens of a minute that can't be renewed; what opens and looks does as it is told.
fn world(auth: VaultAuth, mut open: impl FnMut() -> Reply + Send + 'static, look: fn() -> Reply) -> World {
    World::new(
        auth,
        FakeTransport::by(move |request| match request.uri().path() {
            "/v1/sys/wrapping/unwrap" => open(),
            "/v1/sys/wrapping/lookup" => look(),
            "/v1/auth/approle/login" => {
                Reply::json(200, &json!({ "auth": { "client_token": "t", "lease_duration": 60, "renewable": false } }))
            }
            "/v1/auth/token/lookup-self" => token_is_good(),
            _ => kv2("x"),
        }),
    )
}

fn never() -> Reply {
    panic!("nobody asked for it")
}

/// Break: the lock in `Secret::read`, or keep nothing in `State`.
#[tokio::test]
async fn a_wrapping_token_is_opened_once_for_a_thousand_reads_and_for_every_later_login() {
    let world = world(approle(None), secret_id, never);
    let answers = futures_util::future::join_all((0..1000).map(|_| world.current("kv2/a"))).await;
    assert!(answers.iter().all(Result::is_ok));
    // Whoever handed it over has taken it away.
    world.env.unset("SECRET_ID");
    for _ in 0..3 {
        world.clock.advance(MINUTE * 2);
        world.current("kv2/a").await.unwrap();
    }
    assert_eq!((world.sent("/unwrap"), world.sent("/login")), (1, 4));
    let requests = world.transport.requests();
    let unwrap = requests.iter().find(|request| request.uri().path().ends_with("unwrap")).unwrap();
    assert_eq!(unwrap.headers()["x-vault-token"], "s3cret");
    assert_eq!(&unwrap.body()[..], b"{}", "in the body too it would be burnt");
    let login = requests.iter().find(|request| request.uri().path().ends_with("login")).unwrap();
    assert_eq!(&login.body()[..], br#"{"role_id":"role","secret_id":"opened-c4n4ry"}"#);
    // Another one is opened in its turn.
    world.env.set("SECRET_ID", "next");
    world.clock.advance(MINUTE * 2);
    world.current("kv2/a").await.unwrap();
    assert_eq!(world.sent("/unwrap"), 2);
}

/// Also where each request logs in by itself, so that no lock around logins helps. Break: the lock in `Secret::read`.
#[tokio::test]
async fn requests_that_log_in_by_themselves_open_it_once_too() {
    let gate = Gate::new();
    let held = gate.clone();
    let transport = FakeTransport::by(move |request| match request.uri().path() {
        "/v1/sys/wrapping/unwrap" => secret_id().behind(&held),
        _ => kv2("x"),
    });
    let world = World::of(approle(None), transport, |settings| settings.inline = true);
    let many = futures_util::future::join_all((0..50).map(|_| world.current("kv2/a")));
    let (answers, ()) = tokio::join!(many, async {
        world.transport.until_sent(1).await;
        gate.open();
    });
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!((world.sent("/unwrap"), world.transport.count()), (1, 51));
}

/// M1. Break: `Used` in `Opening::run`, the first row of `UNWRAP`, or the answer of `Secret::read` to a missing variable.
#[tokio::test]
async fn m1_a_wrapping_token_that_is_used_up_is_an_alarm_and_is_never_tried_again() {
    for reply in [
        (|| Reply::json(400, &json!({ "errors": ["wrapping token is not valid or does not exist c4n4ry"] })))
            as fn() -> Reply,
        || Reply::json(403, &json!({ "errors": ["c4n4ry"] })),
        || Reply::new(500, "c4n4ry"),
        || Reply::new(200, "{ c4n4ry"),
        || Reply::json(200, &json!({ "data": { "other": "c4n4ry" } })),
        || Reply::Fail(Error::new(ErrorKind::Network, "the connection broke; it may have been sent")),
        || Reply::Fail(Error::new(ErrorKind::Timeout, "no answer")),
    ] {
        let world = world(approle(None), reply, never);
        world.env.set("SECRET_ID", "wrapping-c4n4ry");
        let mut messages = Vec::new();
        for round in 0..3 {
            if round == 2 {
                // Whoever handed it over has taken it away, and the alarm stays.
                world.env.unset("SECRET_ID");
            }
            let error = world.current("kv2/a").await.unwrap_err();
            assert_eq!(error.retry_hint(), Retry::Never, "{error:?}");
            let source = std::error::Error::source(&error).map(ToString::to_string);
            assert!(!format!("{error} {error:?} {source:?} {:?}", world.provider).contains("c4n4ry"), "{error:?}");
            messages.push((error.kind(), error.message().to_owned()));
        }
        assert_eq!(world.sent("/unwrap"), 1, "{messages:?}");
        assert_eq!(world.sent("/login"), 0);
        assert!(messages.iter().all(|message| *message == messages[0]));
    }
    let world = world(approle(None), || Reply::new(400, ""), never);
    let error = world.current("kv2/a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated);
    assert!(error.message().contains("somebody else has what was in it"), "{error}");
}

/// Break: `Untouched` in `refused` and `open`.
#[tokio::test]
async fn what_nobody_has_looked_at_may_be_opened_later() {
    for first in [
        (|| Reply::Fail(Error::new(ErrorKind::Network, "no connection").unsent())) as fn() -> Reply,
        || Reply::new(503, ""),
        || Reply::new(429, ""),
        || Reply::new(412, ""),
    ] {
        let mut tries = 0;
        let open = move || {
            tries += 1;
            if tries == 1 { first() } else { secret_id() }
        };
        let world = world(approle(None), open, never);
        let error = world.current("kv2/a").await.unwrap_err();
        assert!(error.is_transient() && error.retry_hint() != Retry::Never, "{error:?}");
        world.current("kv2/a").await.unwrap();
        assert_eq!(world.sent("/unwrap"), 2);
    }
}

/// Break: the comparison in `Opening::look`.
#[tokio::test]
async fn where_it_comes_from_is_looked_up_before_it_is_opened() {
    fn from(path: &str) -> Reply {
        Reply::json(200, &json!({ "data": { "creation_path": path, "creation_ttl": 60 } }))
    }
    let good = world(approle(Some(PATH)), secret_id, || from(PATH));
    good.current("kv2/a").await.unwrap();
    assert_eq!((good.sent("/lookup"), good.sent("/unwrap")), (1, 1));
    let look = good.transport.requests().remove(0);
    assert_eq!(&look.body()[..], br#"{"token":"s3cret"}"#);
    assert!(!look.headers().contains_key("x-vault-token"), "who looks does not use it");

    let foreign = world(approle(Some(PATH)), never, || from("sys/wrapping/wrap"));
    for _ in 0..2 {
        let error = foreign.current("kv2/a").await.unwrap_err();
        assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
        assert!(error.message().contains("`creation_path`"), "{error}");
    }
    assert_eq!((foreign.sent("/lookup"), foreign.sent("/unwrap")), (1, 0));
}

#[tokio::test]
async fn a_wrapped_token_is_the_token_of_the_login_in_it() {
    let open = || Reply::json(200, &json!({ "data": null, "auth": { "client_token": "inner", "lease_duration": 60 } }));
    let world = world(VaultAuth::Token(wrapped("TOKEN", None)), open, never);
    world.current("kv2/a").await.unwrap();
    let tokens: Vec<_> =
        world.transport.requests().iter().map(|request| request.headers()["x-vault-token"].clone()).collect();
    assert_eq!(tokens, ["t0ken", "inner", "inner"], "opened, looked up, read");
}

/// Whoever began may leave: what is opened can't be opened again. Break: open it in the caller's own future.
#[tokio::test]
async fn an_opening_goes_on_when_its_caller_has_gone() {
    let gate = Gate::new();
    let held = gate.clone();
    let world = world(approle(None), move || secret_id().behind(&held), never);
    {
        let read = world.current("kv2/a");
        tokio::pin!(read);
        tokio::select! {
            biased;
            _ = &mut read => panic!("it waits"),
            () = world.transport.until_sent(1) => {}
        }
    }
    gate.open();
    world.current("kv2/a").await.unwrap();
    assert_eq!(world.sent("/unwrap"), 1);
}
