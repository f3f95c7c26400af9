//! Register, INVOKE, SHUTDOWN, and what can go wrong at the start.

use std::process::Command;
use std::time::Duration;

use lockstep_stories::{Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::transport::Gate;
use serde_json::json;

use crate::sandbox::{Sandbox, Told, program};
use crate::secrets_manager;

const A_MOMENT: Told = Told::Invoke(Duration::from_secs(3));

/// Break: write the audit at every hit, or at SHUTDOWN alone.
#[test]
fn lambda_cached_hits_are_one_audit_line_per_invocation_and_shutdown_is_clean() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one")]);
    let mut sandbox = Sandbox::start(&[("AWS_ENDPOINT_URL", &aws.url())], &[A_MOMENT, A_MOMENT, Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.app(), "one");
    for hits in [5, 3] {
        sandbox.tell();
        for _ in 0..hits {
            assert_eq!(sandbox.app(), "one");
        }
    }
    let status = sandbox.shut_down();

    assert_eq!(status.code(), Some(0), "{}", sandbox.log());
    assert_eq!(aws.count("POST /"), 1);
    let log = sandbox.log();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let hits: Vec<_> = lines.iter().filter(|line| line["cached"] == true).map(|line| line["count"].clone()).collect();
    assert_eq!(hits, [5, 3], "{log}");
    assert!(log.contains(r#""message":"stopped","reason":"spindown""#), "{log}");
    assert!(log.contains("there is no journal, so there is no promise"), "{log}");
    assert!(!log.contains(r#""one""#), "{log}");
}

/// Break: register for INVOKE whatever the variable says; or leave the second attempt out.
#[test]
fn lambda_managed_instances_are_registered_for_shutdown_alone() {
    let kind = [("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances")];
    let mut sandbox = Sandbox::start(&kind, &[Told::Shutdown]);
    assert_eq!(sandbox.shut_down().code(), Some(0));
    let wishes: Vec<_> = sandbox.reported("register").iter().map(|seen| wish(&seen.body)).collect();
    assert_eq!(wishes, [json!(["SHUTDOWN"])]);

    // Without the variable, the API's own refusal says it.
    let refusal = json!({ "errorType": "Extension.InvalidEventType", "errorMessage": "INVOKE is not supported" });
    let accepted = Action::with_headers(200, &[("Lambda-Extension-Identifier", "second")], "{}");
    let mut sandbox = Sandbox::start_on(&[], &[Told::Shutdown], [Action::json(403, &refusal), accepted]);
    assert_eq!(sandbox.shut_down().code(), Some(0));
    let wishes: Vec<_> = sandbox.reported("register").iter().map(|seen| wish(&seen.body)).collect();
    assert_eq!(wishes, [json!(["INVOKE", "SHUTDOWN"]), json!(["SHUTDOWN"])]);
}

fn wish(body: &[u8]) -> serde_json::Value {
    serde_json::from_slice::<serde_json::Value>(body).unwrap()["events"].clone()
}

/// Break: end without `init/error`.
#[test]
fn lambda_a_wrong_configuration_is_told_to_lambda_with_its_place() {
    let content = [("LOCKSTEP_CONFIG_CONTENT", "[cache]\ntll = \"5m\"\n")];
    let mut sandbox = Sandbox::start(&content, &[]);
    assert_eq!(sandbox.ended().code(), Some(2));
    let reported = sandbox.reported("init/error");
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].header("lambda-extension-function-error-type"), Some("Extension.Config"));
    assert!(reported[0].header("lambda-extension-identifier").is_some());
    let body: serde_json::Value = serde_json::from_slice(&reported[0].body).unwrap();
    let message = body["errorMessage"].as_str().unwrap();
    assert!(message.contains("LOCKSTEP_CONFIG_CONTENT:2:1: `cache.tll`"), "{message}");
    assert!(message.contains("did you mean `ttl`"), "{message}");
    assert_eq!(body["errorType"], "Extension.Config");
    assert!(sandbox.log().contains("cache.tll"), "{}", sandbox.log());
}

/// Break: build the extension with the feature `callers` of lockstep-config.
#[test]
fn lambda_the_extension_lets_nobody_log_in_and_says_so() {
    for key in [
        "[auth.jwt.x]\ntype = \"oidc\"",
        "[auth.keys.x]\nhashes = []",
        "[auth.aws_iam]\naccounts = []",
        "[auth]\npolicies = []",
    ] {
        let mut sandbox = Sandbox::start(&[("LOCKSTEP_CONFIG_CONTENT", key)], &[]);
        assert_eq!(sandbox.ended().code(), Some(2), "{key}");
        assert!(sandbox.log().contains("callers of its own machine alone"), "{}", sandbox.log());
    }
}

/// A made token could be known to nobody but the log. Break: accept `TokenOrigin::Made`.
#[test]
fn lambda_without_a_token_that_the_function_knows_nothing_is_served() {
    let mut sandbox = Sandbox::start(&[("AWS_SESSION_TOKEN", "")], &[]);
    assert_eq!(sandbox.ended().code(), Some(2));
    assert!(sandbox.log().contains("set AWS_TOKEN"), "{}", sandbox.log());
}

/// Break: return the prefetch's error, or wait for it before the next event is asked for.
#[test]
fn lambda_a_provider_that_is_down_during_prefetch_keeps_nothing_from_starting() {
    let aws = Upstream::start();
    aws.on("POST /", [Action::stall()]);
    let env = [("AWS_ENDPOINT_URL", &*aws.url()), ("LOCKSTEP_PREFETCH", "app")];
    let mut sandbox = Sandbox::start(&env, &[A_MOMENT, Told::Shutdown]);
    sandbox.asks_for_next();
    until("a prefetch", || (aws.count("POST /") > 0).then_some(()));
    assert_eq!(sandbox.get("/ping").status, 200);
    sandbox.tell();
    assert_eq!(sandbox.shut_down().code(), Some(0), "{}", sandbox.log());
}

/// Break: leave `door.begin()` out.
#[test]
fn lambda_what_is_prefetched_is_there_before_anybody_asks() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("early"), Action::close()]);
    let env = [("AWS_ENDPOINT_URL", &*aws.url()), ("LOCKSTEP_PREFETCH", "app")];
    let mut sandbox = Sandbox::start(&env, &[A_MOMENT, Told::Shutdown]);
    until("a prefetch", || (aws.count("POST /") > 0).then_some(()));
    sandbox.tell();
    assert_eq!(sandbox.app(), "early");
    assert_eq!(aws.count("POST /"), 1);
    assert_eq!(sandbox.shut_down().code(), Some(0));
}

/// Lambda waits for this: the sandbox is frozen until its first invocation, and what is cut off then is lost. Break: ask
/// for the next event at once.
#[test]
fn lambda_a_provisioned_sandbox_is_ready_once_its_prefetch_is_done() {
    let (aws, gate) = (Upstream::start(), Gate::new());
    aws.on("POST /", [secrets_manager("early").behind(&gate)]);
    let env = [
        ("AWS_ENDPOINT_URL", &*aws.url()),
        ("LOCKSTEP_PREFETCH", "app"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency"),
    ];
    let mut sandbox = Sandbox::start(&env, &[Told::Shutdown]);
    until("a prefetch", || (aws.count("POST /") > 0).then_some(()));
    assert_eq!(sandbox.get("/ping").status, 200);
    assert_eq!(sandbox.wishes(), 0);
    gate.open();
    assert_eq!(sandbox.shut_down().code(), Some(0));
}

/// Break: flush at INVOKE alone.
#[test]
fn lambda_where_no_invoke_comes_hits_are_written_by_the_clock() {
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one")]);
    let env = [
        ("AWS_ENDPOINT_URL", &*aws.url()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "lambda-managed-instances"),
        ("LOCKSTEP__AUDIT__FLUSH", "10ms"),
    ];
    let mut sandbox = Sandbox::start(&env, &[Told::Shutdown]);
    sandbox.registered();
    assert_eq!(sandbox.app(), "one");
    assert_eq!(sandbox.app(), "one");
    until("a line of the hit", || sandbox.log().contains(r#""cached":true"#).then_some(()));
    assert_eq!(sandbox.shut_down().code(), Some(0));
}

/// Break: leave `exit/error` out, or go on asking.
#[test]
fn lambda_an_api_that_refuses_ends_the_extension_with_a_report() {
    let mut sandbox = Sandbox::start(&[], &[Told::Refused]);
    assert_eq!(sandbox.shut_down().code(), Some(1));
    let reported = sandbox.reported("exit/error");
    assert_eq!(reported.len(), 1);
    assert_eq!(reported[0].header("lambda-extension-function-error-type"), Some("Extension.Internal"));
    let body: serde_json::Value = serde_json::from_slice(&reported[0].body).unwrap();
    let message = body["errorMessage"].as_str().unwrap();
    assert!(message.contains("Extension.UnknownExtensionIdentifier"), "{message}");
}

/// Break: take a missing variable for an empty address.
#[test]
fn lambda_outside_of_lambda_the_extension_says_what_it_is() {
    let output = Command::new(program()).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("AWS Lambda extension") && said.contains("lockstep serve"), "{said}");
}
