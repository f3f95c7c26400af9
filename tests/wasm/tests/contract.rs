//! The contract suite as a module of wasm in Node, with `fetch` as the way out: against the fakes on a socket, and the
//! real servers of the gate. It has to go through the sections that it goes through natively, over the same harness.

#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Clock as _, Pem, TlsProfile, Transports as _};
use lockstep_native::{HttpTransports, LocalFiles, SystemClock, TransportSettings};
use lockstep_testkit::clock::START;
use lockstep_testkit::fake::Served;
use lockstep_testkit::fake::azure::{AzureVault, CLIENT_ID, CLIENT_SECRET, Right, Route, TENANT};
use lockstep_testkit::fake::gcp::{Google, PROJECT};
use lockstep_testkit::servers::{self, OPENBAO_ROOT, SigningServer, unique};
use lockstep_testkit::{ManualClock, TestEnv, TokioSpawn, require};
use lockstep_wasm_contract::world::{Backend, Host, World};

/// What every provider goes through.
const ALWAYS: [&str; 9] =
    ["current", "values", "many", "spellings", "missing", "deleted", "unsupported", "selectors", "check"];
/// What those go through that have versions, and list.
const MORE: [&str; 6] = ["by id", "previous", "versions", "describe", "list", "list by prefix"];

/// What the run over the transport that is shipped goes through; it trusts this root too.
async fn natively(world: World, ca: Option<&Path>) -> Vec<String> {
    let (clock, files) = (Arc::new(SystemClock::new()), Arc::new(LocalFiles));
    let transports = HttpTransports::new(clock, files, &*TestEnv::of(&[]), TransportSettings::default());
    let profile = TlsProfile { ca: ca.map(|path| Pem::File(path.into())), client: None };
    let transport = transports.build(&profile).unwrap();
    let ran = world.sections(Host { transport, spawn: Arc::new(TokioSpawn) }).await;
    ran.into_iter().map(str::to_owned).collect()
}

/// What Node's run goes through, or what Node says of a broken promise.
async fn in_node(module: &Path, world: &World, ca: Option<&Path>) -> Result<Vec<String>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("contract.mjs");
    let mut node = tokio::process::Command::new("node");
    if let Some(ca) = ca {
        node.env("NODE_EXTRA_CA_CERTS", ca);
    }
    let node = node
        .arg(script)
        .arg(module.join("lockstep_wasm_contract.js"))
        .arg(serde_json::to_string(world).unwrap())
        // No proxy stands between this and loopback, and nobody's options.
        .env_remove("NODE_USE_ENV_PROXY")
        .env_remove("NODE_OPTIONS")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap_or_else(|error| panic!("Node 18 or newer has to be on the PATH: {error}"));
    if !node.status.success() {
        return Err(String::from_utf8_lossy(&node.stderr).into_owned());
    }
    Ok(serde_json::from_slice(&node.stdout).unwrap())
}

/// Natively and in Node, each in a world of its own, the suite goes through these sections.
async fn both(module: &Path, world: impl Fn() -> World, ca: Option<&Path>, expected: &[&str]) {
    assert_eq!(natively(world(), ca).await, expected, "natively");
    assert_eq!(in_node(module, &world(), ca).await.unwrap(), expected, "in Node");
}

/// The real time, which real servers have.
fn now() -> u64 {
    SystemClock::new().wall().0
}

/// A vault that is served, and what a run has to know of it.
async fn azure() -> (Arc<AzureVault>, Served, World) {
    let vault = AzureVault::new(ManualClock::new());
    let served = Served::plain(vault.served()).await;
    vault.at(&served.url());
    let provider = Backend::Azure {
        url: served.url(),
        tenant: TENANT.into(),
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.into(),
    };
    (vault, served, World { now: START.0, provider })
}

/// Break: a request's body or an answer's status in `fetch.rs`.
#[tokio::test]
async fn wasm_azure_key_vault_keeps_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let (_vault, _served, world) = azure().await;
    let expected = natively(world, None).await;
    assert_eq!(expected, [&ALWAYS[..], &MORE[..]].concat());
    let (vault, _served, world) = azure().await;
    assert_eq!(in_node(&module, &world, None).await.unwrap(), expected);
    assert_eq!(vault.count(Route::Login), 2, "one login of the operator, one for all of the suite");
    assert_eq!(vault.strays(), Vec::<String>::new());
}

async fn gcp() -> (Arc<Google>, Served, World) {
    let google = Google::new(ManualClock::new());
    let served = Served::plain(google.served()).await;
    let provider = Backend::Gcp { url: served.url(), project: PROJECT.into() };
    (google, served, World { now: START.0, provider })
}

/// Break: the headers of requests or of answers in `fetch.rs`.
#[tokio::test]
async fn wasm_gcp_secret_manager_keeps_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let (_google, _served, world) = gcp().await;
    let expected = natively(world, None).await;
    assert_eq!(expected, [&ALWAYS[..], &MORE[..]].concat());
    let (google, _served, world) = gcp().await;
    assert_eq!(in_node(&module, &world, None).await.unwrap(), expected);
    assert_eq!(google.count("metadata"), 2, "one login of the operator, one for all of the suite");
}

/// The product itself: no imitation of it has versions and lists.
///
/// Break: as above.
#[tokio::test]
async fn wasm_vault_keeps_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let url = require!(servers::openbao());
    let world = || World {
        now: now(),
        provider: Backend::Vault { url: url.clone(), token: OPENBAO_ROOT.into(), mount: unique("wasm") },
    };
    both(&module, world, None, &[&ALWAYS[..], &MORE[..]].concat()).await;
}

/// Break: a header of a signature in `fetch.rs`.
#[tokio::test]
async fn wasm_aws_secrets_manager_keeps_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let SigningServer { url, key_id, secret_key } = require!(servers::ministack());
    let world = || {
        let (url, key_id, secret_key) = (url.clone(), key_id.clone(), secret_key.clone());
        World { now: now(), provider: Backend::AwsSecretsManager { url, key_id, secret_key, prefix: unique("wasm") } }
    };
    both(&module, world, None, &[&ALWAYS[..], &MORE[..]].concat()).await;
}

/// Break: as above.
#[tokio::test]
async fn wasm_aws_parameter_store_keeps_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let SigningServer { url, key_id, secret_key } = require!(servers::ministack());
    let world = || {
        let (url, key_id, secret_key) = (url.clone(), key_id.clone(), secret_key.clone());
        World { now: now(), provider: Backend::AwsParameterStore { url, key_id, secret_key, prefix: unique("wasm") } }
    };
    both(&module, world, None, &[&ALWAYS[..], &MORE[..]].concat()).await;
}

/// Break: as above.
#[tokio::test]
async fn wasm_kubernetes_keeps_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let cluster = require!(servers::kubernetes());
    let world = || {
        let (url, token) = (cluster.url.clone(), cluster.admin_token.clone());
        World { now: now(), provider: Backend::Kubernetes { url, token, namespace: unique("wasm") } }
    };
    both(&module, world, Some(&cluster.ca_file), &[&ALWAYS[..], &MORE[3..]].concat()).await;
}

/// Break: read a clock of the system in one of them.
#[tokio::test]
async fn wasm_the_providers_in_memory_keep_the_contract_in_node() {
    let module = require!(servers::wasm_contract());
    let mock = || World { now: START.0, provider: Backend::Mock };
    both(&module, mock, None, &[&ALWAYS[..], &MORE[..]].concat()).await;
    let file = || World { now: START.0, provider: Backend::File };
    both(&module, file, None, &[&ALWAYS[..], &MORE[3..]].concat()).await;
    let bindings = || World { now: START.0, provider: Backend::Bindings };
    both(&module, bindings, None, &[&ALWAYS[..], &MORE[4..]].concat()).await;
}

/// A promise that is broken in Node is a failure here, with the promise.
///
/// Break: the hook of panics, or the status that `contract.mjs` ends with.
#[tokio::test]
async fn wasm_a_broken_promise_is_told_by_node() {
    let module = require!(servers::wasm_contract());
    let (vault, _served, world) = azure().await;
    vault.deny(Right::List, "ForbiddenByRbac");
    let told = in_node(&module, &world, None).await.unwrap_err();
    assert!(told.contains("the first version has none before it"), "{told}");
}
