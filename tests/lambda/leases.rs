//! Secrets that are made for their reader: none is made twice, and none outlives the sandbox by our doing.

use std::time::Duration;

use lockstep_stories::{Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::transport::Gate;
use serde_json::json;

use crate::sandbox::{Sandbox, Told};

const MAKE: &str = "GET /v1/database/creds/app";
const REVOKE: &str = "/v1/sys/leases/revoke";
const READ: &str = "/api/v1/secrets/database/creds/app";

/// A Vault whose `database` mount makes a credential behind this gate, and what to configure for it.
fn vault(gate: &Gate, revoke: &Action) -> (Upstream, String) {
    let vault = Upstream::start();
    let token = json!({ "data": { "ttl": 0, "renewable": false } });
    vault.on("GET /v1/auth/token/lookup-self", [Action::json(200, &token)]);
    let lease = json!({
        "lease_id": "database/creds/app/l1", "lease_duration": 3600, "renewable": true,
        "data": { "username": "u", "password": "p" },
    });
    vault.on(MAKE, [Action::json(200, &lease).behind(gate)]);
    for method in ["PUT", "POST"] {
        vault.on(&format!("{method} {REVOKE}"), [revoke.clone()]);
    }
    let config = format!(
        "[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\nmounts = {{ database = \"dynamic\" }}\n",
        vault.url()
    );
    (vault, config)
}

fn revocations(vault: &Upstream) -> usize {
    vault.seen().iter().filter(|seen| seen.target == REVOKE).count()
}

/// Break: leave `resolver.shutdown` out of SHUTDOWN.
#[test]
fn lambda_shutdown_revokes_what_was_leased() {
    let gate = Gate::new();
    gate.open();
    let (vault, config) = vault(&gate, &Action::answer(204, ""));
    let env = [("LOCKSTEP_CONFIG_CONTENT", config.as_str()), ("VAULT_TOKEN", "root")];
    let mut sandbox = Sandbox::start(&env, &[Told::Invoke(Duration::from_secs(3)), Told::Shutdown]);
    sandbox.registered();
    let answer = sandbox.get(READ);
    assert_eq!(answer.status, 200, "{:?}", vault.seen());
    sandbox.tell();
    assert_eq!(sandbox.shut_down().code(), Some(0));
    assert_eq!(revocations(&vault), 1, "{:?}", vault.seen());
}

/// Break: wait for a revocation without a limit; Lambda would kill the process.
#[test]
fn lambda_shutdown_waits_for_no_provider_that_hangs() {
    let gate = Gate::new();
    gate.open();
    let (vault, config) = vault(&gate, &Action::stall());
    let env = [("LOCKSTEP_CONFIG_CONTENT", config.as_str()), ("VAULT_TOKEN", "root")];
    let mut sandbox = Sandbox::start(&env, &[Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.get(READ).status, 200);
    assert_eq!(sandbox.shut_down().code(), Some(0));
    assert_eq!(revocations(&vault), 1);
    assert!(sandbox.log().contains("not revoked"), "{}", sandbox.log());
    assert!(sandbox.log().contains(r#""message":"stopped""#), "{}", sandbox.log());
}

/// The function asks at INVOKE, and the provider takes longer than background work may hold the invocation back. Break:
/// cancel what is not done by then.
#[test]
fn lambda_a_secret_that_is_being_made_is_not_made_twice() {
    let gate = Gate::new();
    let (vault, config) = vault(&gate, &Action::answer(204, ""));
    let env = [("LOCKSTEP_CONFIG_CONTENT", config.as_str()), ("VAULT_TOKEN", "root")];
    let mut sandbox = Sandbox::start(&env, &[Told::Invoke(Duration::from_secs(3)), Told::Shutdown]);
    sandbox.asks_for_next();
    let function = sandbox.function();
    let reading = std::thread::spawn(move || function.get(READ));
    until("a call to make one", || (vault.count(MAKE) > 0).then_some(()));
    sandbox.tell();
    gate.open();
    let answer = reading.join().unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(vault.count(MAKE), 1);
    assert_eq!(sandbox.shut_down().code(), Some(0));
    assert_eq!(revocations(&vault), 1);
}
