//! Google's own client and google-auth judge our fake project: what they make of it, and what it makes of them.

#![cfg(feature = "gcp-secret-manager")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::sync::Arc;

use lockstep_core::Clock as _;
use lockstep_native::SystemClock;
use lockstep_testkit::fake::Served;
use lockstep_testkit::fake::gcp::{AUDIENCE, Google, IMPERSONATED, PROJECT};
use lockstep_testkit::{ManualClock, require, servers};
use serde_json::json;

/// Runs a part of `gcp_sdk.py` with what it has to know. It fails with what the script prints.
async fn run(part: &str, google: &Arc<Google>) {
    let python = require!(servers::gcp_python());
    let (tls, plain) = (Served::tls(google.served()).await, Served::plain(google.served()).await);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.pem"), tls.ca_pem()).unwrap();
    std::fs::write(path("subject"), "subject-c4n4ry").unwrap();
    let known = json!({
        "url": tls.url(),
        "plain": plain.url(),
        "project": PROJECT,
        "token": google.admin_token(),
        "key": serde_json::from_str::<serde_json::Value>(&Google::key_file(None)).unwrap(),
        "audience": AUDIENCE,
        "impersonated": IMPERSONATED,
        "subject": path("subject"),
    });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/gcp_sdk.py");
    let output = tokio::process::Command::new(python)
        .args([script, part, &known.to_string()])
        .env("REQUESTS_CA_BUNDLE", path("ca.pem"))
        .env("GCE_METADATA_HOST", plain.url().trim_start_matches("http://"))
        .env("NO_PROXY", "*")
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all parts hold"), "{said}\n{complained}");
}

/// A project whose clock stands at the real time: google-auth has no other.
fn project() -> Arc<Google> {
    Google::new(ManualClock::at(SystemClock::new().wall()))
}

/// Break: any route of the fake, such as the order of versions or what `latest` is.
#[tokio::test]
async fn googles_client_writes_and_reads_our_fake_as_it_does_google() {
    let google = project();
    run("client", &google).await;
}

/// Break: the host of regional secrets.
#[tokio::test]
async fn googles_client_reads_regional_secrets_of_our_fake() {
    let google = project();
    google.at_location("europe-west3");
    run("regional", &google).await;
}

/// Break: any check of the endpoints that give tokens, or of a token that its bearer has signed.
#[tokio::test]
async fn google_auth_logs_in_at_our_fake_by_key_pool_machine_and_impersonation() {
    let google = project();
    google.put("db", b"one");
    run("logins", &google).await;
    if servers::gcp_python().is_ok() {
        for (route, least) in [("oauth2", 1), ("sts", 2), ("impersonate", 1), ("metadata", 1), ("access", 5)] {
            assert!(google.count(route) >= least, "{route}: {}", google.count(route));
        }
    }
}
