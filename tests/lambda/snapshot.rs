//! SnapStart: what stands in memory at the end of init may live for days, in many copies.

use std::time::Duration;

use lockstep_stories::Upstream;

use crate::sandbox::{Sandbox, Told};
use crate::secrets_manager;

const SNAP_START: (&str, &str) = ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start");

/// Break: open the door at the start, or prefetch before the first INVOKE.
#[test]
fn lambda_c6_before_the_first_invoke_nothing_is_kept_for_a_snapshot() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one")]);
    let env = [SNAP_START, ("AWS_ENDPOINT_URL", &*aws.url()), ("LOCKSTEP_PREFETCH", "app")];
    let events = [Told::Invoke(Duration::from_secs(3)), Told::Shutdown];
    let mut sandbox = Sandbox::start(&env, &events);
    sandbox.asks_for_next();
    assert_eq!(aws.count("POST /"), 0, "a prefetch would go into the snapshot");

    // Init may read, but each read is a new one on a new connection.
    for reads in 1..=3 {
        assert_eq!(sandbox.app(), "one");
        assert_eq!(aws.count("POST /"), reads);
        assert_eq!(aws.connections(), reads);
    }

    // Restored: from here on it is a cache like any other.
    sandbox.tell();
    lockstep_stories::until("the prefetch after the restore", || (aws.count("POST /") == 4).then_some(()));
    for _ in 0..3 {
        assert_eq!(sandbox.app(), "one");
    }
    assert_eq!(aws.count("POST /"), 4);
    assert_eq!(sandbox.shut_down().code(), Some(0), "{}", sandbox.log());
}

/// The local token is read anew for each request and after the restore, and no old one is accepted. Break: make the
/// instance once and keep it.
#[test]
fn lambda_c6_a_token_of_before_the_snapshot_is_worth_nothing_after_it() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, crate::sandbox::TOKEN).unwrap();
    let named = format!("file://{}", file.display());
    let env = [SNAP_START, ("AWS_ENDPOINT_URL", &*aws.url()), ("AWS_TOKEN", named.as_str())];
    let mut sandbox = Sandbox::start(&env, &[Told::Invoke(Duration::from_secs(3)), Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.app(), "one");
    std::fs::write(&file, "another-token-0123456789abcdef0123456789").unwrap();
    assert_eq!(sandbox.get("/secretsmanager/get?secretId=app").status, 403);
    sandbox.tell();
    assert_eq!(sandbox.get("/secretsmanager/get?secretId=app").status, 403);
    assert_eq!(aws.count("POST /"), 1);
    assert_eq!(sandbox.shut_down().code(), Some(0));
}
