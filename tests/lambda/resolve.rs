//! The endpoint as a function: asked through a function URL, an HTTP API and a REST API, under AWS's own emulator.

use lockstep_stories::{Collector, Upstream, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::{require, servers};
use serde_json::{Value, json};

use crate::function::{Asked, FRONTS, Front, Function};
use crate::secrets_manager;

/// The callers' token.
const TOKEN: &str = "token-of-the-callers-0123456789abcdef";
const VALUE: &str = "the-canary-value";

const CONFIG: &str = "[listen]\ntoken = { env = \"CALLERS\" }\n[providers.m]\ntype = \"mock\"\n\
                      [providers.m.secrets.\"db/creds\"]\nversions = [\"the-canary-value\"]\n";

/// What a function has of Lambda, and its settings.
fn with<'a>(config: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let lambda = [
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "story"),
        ("AWS_SESSION_TOKEN", "session-of-the-function-0123456789abcd"),
        ("CALLERS", TOKEN),
        ("LOCKSTEP_CONFIG_CONTENT", config),
    ];
    [&lambda, more].concat()
}

/// L1, L7, M1. Break: a form's path, its headers, or where the token is looked for.
#[test]
fn resolve_answers_all_three_fronts_and_refuses_who_shows_no_token() {
    let emulator = require!(servers::lambda_emulator());
    let function = Function::deploy(&emulator, &with(CONFIG, &[]));
    let batch = r#"{"secrets":[{"name":"db/creds"},{"name":"gone"}]}"#;
    // The same as base64.
    let encoded = "eyJzZWNyZXRzIjpbeyJuYW1lIjoiZGIvY3JlZHMifSx7Im5hbWUiOiJnb25lIn1dfQ==";
    for front in FRONTS {
        let get = |path, token| function.ask(front, Asked::get(path, token));
        let (status, secret) = get("/api/v1/secrets/db/creds", TOKEN);
        assert_eq!((status, &secret["value"]), (200, &json!(VALUE)), "{front:?} {secret}");
        let (status, problem) = get("/api/v1/secrets/gone", TOKEN);
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{front:?}");
        // The id is the one of Lambda's own log.
        assert!(function.log().contains(&format!("START RequestId: {}", problem["request_id"].as_str().unwrap())));

        let by_name = Asked { query: &[("name", "db/creds")], ..Asked::get("/api/v1/secrets", TOKEN) };
        assert_eq!(function.ask(front, by_name).1["value"], VALUE, "{front:?}");

        for (body, is_base64) in [(batch, false), (encoded, true)] {
            let post =
                Asked { method: "POST", body: Some(body), is_base64, ..Asked::get("/api/v1/secrets:batch", TOKEN) };
            let (status, answer) = function.ask(front, post);
            assert_eq!((status, &answer["results"][0]["secret"]["value"]), (200, &json!(VALUE)), "{front:?} {answer}");
            assert_eq!(answer["results"][1]["error"]["status"], 404, "{answer}");
        }

        for token in [None, Some("wrong"), Some("session-of-the-function-0123456789abcd"), Some("")] {
            let (status, problem) = function.ask(front, Asked { token, ..Asked::get("/api/v1/secrets/db/creds", "") });
            assert_eq!(status, 403, "{front:?} {token:?} {problem}");
        }
        for path in ["/api/v1/secrets/db/../creds", "/api/v1/secrets/db%252Fcreds", "/api/v1/secrets/db;creds"] {
            assert_eq!(get(path, TOKEN).0, 400, "{front:?} {path}");
        }
        assert_eq!(get("/health/live", "").0, 200, "{front:?}");
        assert_eq!(get("/elsewhere", TOKEN).0, 404, "{front:?}");
    }
    let log = function.log();
    assert!(!log.contains(VALUE) && !log.contains(TOKEN), "{log}");
    let reads = function.audited();
    let reads: Vec<_> = reads.iter().filter(|line| line["action"] == "get" && line["outcome"] == "released").collect();
    assert!(reads.iter().all(|line| line["peer"] == "192.0.2.3"), "{reads:?}");
    assert!(!reads.is_empty(), "{log}");
}

/// The process is frozen after an invocation, so its spans are sent before that; and who takes none holds up no answer.
///
/// Break: leave `send_spans` out of `Function::rest`, or send without a limit.
#[test]
fn resolve_sends_its_spans_at_the_end_of_an_invocation_and_no_answer_waits_for_it() {
    let (emulator, collector) = (require!(servers::lambda_emulator()), require!(Collector::start()));
    let url = collector.url();
    let function = Function::deploy(&emulator, &with(CONFIG, &[("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]));
    let get = || function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", TOKEN)).0;
    assert_eq!(get(), 200);
    // Nothing invokes it again.
    let names = |spans: &[Value]| spans.iter().map(|span| span["name"].to_string()).collect::<Vec<_>>();
    let spans = until("the spans", || Some(collector.spans()).filter(|spans| !spans.is_empty()));
    assert_eq!(names(&spans), ["\"mock get\"", "\"secrets.get\"", "\"GET /api/v1/secrets/{name}\""]);
    assert!(spans[2]["parent"] == "" && spans[0]["parent"] == spans[1]["span"]);

    collector.script(&json!(["hang"]));
    assert_eq!((get(), get()), (200, 200));
    collector.script(&json!([200]));
    assert_eq!(get(), 200);
    // What was not taken waits for the next invocation.
    until("all spans", || (collector.spans().len() >= 3 + 3 * 2).then_some(()));
}

/// Break: answer an event of another kind as if it were empty.
#[test]
fn resolve_tells_who_invokes_it_with_something_else_and_serves_nothing() {
    let emulator = require!(servers::lambda_emulator());
    let function = Function::deploy(&emulator, &with(CONFIG, &[]));
    for event in [
        json!({}),
        json!("canary-4711"),
        json!({ "version": "0", "source": "aws.secretsmanager", "detail": { "name": "canary-4711" } }),
        json!({ "Records": [{ "eventSource": "aws:sqs", "body": "canary-4711" }] }),
    ] {
        let answer = function.invoke(&event);
        assert_eq!(answer["errorType"], "Lockstep.NoRequest", "{answer}");
        let message = answer["errorMessage"].as_str().unwrap();
        assert!(message.contains("invoke the endpoint through one of them"), "{message}");
    }
    assert!(!function.log().contains("canary-4711"), "{}", function.log());
    // It goes on.
    assert_eq!(function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", TOKEN)).0, 200);
}

/// L1: the session of the function lets nobody in. Break: the branch of `Front::Platform` in `local_token`.
#[test]
fn resolve_does_not_start_where_nobody_could_call_and_says_so() {
    let emulator = require!(servers::lambda_emulator());
    let config = "[providers.m]\ntype = \"mock\"\n";
    for (config, more, said) in [
        (config, &[][..], "nobody could call: configure a login"),
        ("[listen]\ntoken = { env = \"CALLERS\" }\nallow_remote = true\n", &[], "listen.allow_remote"),
        (CONFIG, &[("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")], "switch SnapStart off"),
        ("[cache]\ntll = \"5m\"\n", &[], "LOCKSTEP_CONFIG_CONTENT:2:1: `cache.tll`"),
    ] {
        let function = Function::deploy(&emulator, &with(config, more));
        let answer = function.invoke(&Asked::get("/api/v1/secrets/db/creds", TOKEN).event(Front::Url));
        assert!(answer.get("statusCode").is_none(), "{answer}");
        let log = function.log();
        assert!(log.contains(said), "{said}: {answer}\n{log}");
    }
}

/// The function answers before Lambda ends it. Break: leave `over` out of `Function::answer`.
#[test]
fn resolve_answers_504_itself_before_its_time_is_over() {
    let emulator = require!(servers::lambda_emulator());
    let aws = Upstream::start();
    aws.on("POST /", [Action::stall()]);
    let config = "[listen]\ntoken = { env = \"CALLERS\" }\n[providers.aws]\ntype = \"aws-secrets-manager\"\n";
    let url = aws.url();
    let more = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_LAMBDA_FUNCTION_TIMEOUT", "2")];
    let function = Function::deploy(&emulator, &with(config, &more));
    let (status, problem) = function.ask(Front::Url, Asked::get("/api/v1/secrets/app", TOKEN));
    assert_eq!((status, &problem["code"]), (504, &json!("timeout")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("the function's time is over"), "{problem}");
}

/// Break: leave `warm_up` out.
#[test]
fn resolve_has_read_what_is_prefetched_before_its_first_invocation() {
    let emulator = require!(servers::lambda_emulator());
    let aws = Upstream::start();
    aws.on("POST /", [secrets_manager("one")]);
    let config = "prefetch = [\"aws://app\"]\n[listen]\ntoken = { env = \"CALLERS\" }\n\
                  [providers.aws]\ntype = \"aws-secrets-manager\"\n";
    let url = aws.url();
    let function = Function::deploy(&emulator, &with(config, &[("AWS_ENDPOINT_URL", &url)]));
    let (status, secret) = function.ask(Front::Url, Asked::get("/api/v1/secrets/app", TOKEN));
    assert_eq!((status, &secret["value"]), (200, &json!("one")), "{secret}");
    assert_eq!(aws.count("POST /"), 1, "it was read once, and before it was asked for");
    let hit = until("the record of a hit", || function.audited().into_iter().find(|line| line["cached"] == true));
    assert_eq!(hit["name"], "app");
}

/// Break: leave `LAMBDA_TASK_ROOT` out of `Host::config`.
#[test]
fn resolve_reads_the_configuration_that_lies_beside_its_program() {
    let emulator = require!(servers::lambda_emulator());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), CONFIG).unwrap();
    let variables = [("CALLERS", TOKEN), ("LAMBDA_TASK_ROOT", folder.path().to_str().unwrap())];
    let function = Function::deploy(&emulator, &variables);
    assert_eq!(function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", TOKEN)).0, 200);
}

/// A failing prefetch is no reason not to start.
#[test]
fn resolve_starts_when_a_prefetch_fails() {
    let emulator = require!(servers::lambda_emulator());
    let config = format!("prefetch = [\"m://gone\"]\n{CONFIG}");
    let function = Function::deploy(&emulator, &with(&config, &[]));
    assert_eq!(function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", TOKEN)).0, 200);
    assert!(function.log().contains("can't prefetch"), "{}", function.log());
}

/// A frozen process sends nothing. Break: leave `send_audit` out of `invoked`.
#[test]
fn resolve_has_sent_its_audit_when_the_answer_is_there() {
    let emulator = require!(servers::lambda_emulator());
    let receiver = Upstream::start();
    // The first batch is not taken, and sent again.
    receiver.on("POST /audit", [Action::answer(503, ""), Action::answer(204, "")]);
    let config = format!("[audit]\nsink = {{ http = \"{}/audit\" }}\n{CONFIG}", receiver.url());
    let function = Function::deploy(&emulator, &with(&config, &[]));
    for _ in 0..2 {
        let before = receiver.count("POST /audit");
        assert_eq!(function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", TOKEN)).0, 200);
        assert!(receiver.count("POST /audit") > before);
        let last = receiver.seen().pop().unwrap();
        assert!(String::from_utf8_lossy(&last.body).contains(r#""name":"db/creds""#));
    }
}

/// What Lambda would not take is said, and not lost. Break: leave `MAX_BYTES` out of `answer::write`.
#[test]
fn resolve_says_that_an_answer_is_larger_than_lambda_takes() {
    let emulator = require!(servers::lambda_emulator());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secrets.json");
    std::fs::write(&file, json!({ "large": "x".repeat(60_000) }).to_string()).unwrap();
    let config = format!(
        "[listen]\ntoken = {{ env = \"CALLERS\" }}\nmax_batch_items = 200\n[providers.f]\ntype = \"file\"\npath = {:?}\ninsecure_permissions = true\n",
        file.to_str().unwrap()
    );
    let function = Function::deploy(&emulator, &with(&config, &[]));
    let batch = |count: usize| json!({ "secrets": vec![json!({ "name": "large" }); count] }).to_string();
    let post = |body: &str| {
        let asked = Asked { method: "POST", body: Some(body), ..Asked::get("/api/v1/secrets:batch", TOKEN) };
        function.ask(Front::HttpApi, asked)
    };
    let (status, problem) = post(&batch(150));
    assert_eq!((status, &problem["code"]), (502, &json!("too_large")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("ask for fewer secrets at once"), "{problem}");
    // It goes on.
    assert_eq!(function.ask(Front::HttpApi, Asked::get("/health/live", "")).0, 200);
}

/// Break: leave `write_metrics` out of `rest`, or write the whole counts each time.
#[test]
fn resolve_writes_its_numbers_as_lines_that_cloudwatch_adds_up() {
    let emulator = require!(servers::lambda_emulator());
    let config = format!("{CONFIG}[metrics]\ncloudwatch_namespace = \"Acme/Lockstep\"\n");
    let function = Function::deploy(&emulator, &with(&config, &[]));
    for _ in 0..3 {
        assert_eq!(function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", TOKEN)).0, 200);
    }
    assert_eq!(function.ask(Front::Url, Asked::get("/api/v1/secrets/db/creds", "wrong")).0, 403);
    let sum = |name: &str, labels: &[(&str, &str)]| -> u64 {
        let log = function.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Acme/Lockstep");
        let lines = lines.filter(|line| labels.iter().all(|(label, value)| line[label] == *value));
        lines.filter_map(|line| line[name].as_u64()).sum()
    };
    // The last line comes after the last answer.
    until("the refusal is written", || (sum("lockstep_refusals_total", &[("reason", "bad_token")]) == 1).then_some(()));
    let reads = [("provider", "m"), ("operation", "get"), ("status", "success")];
    assert_eq!(sum("secrets_requests_total", &reads), 3);
    assert_eq!(sum("secrets_provider_calls_total", &reads), 1);
    assert_eq!(sum("secrets_cache_hits_total", &[("provider", "m")]), 2);
    let log = function.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("_aws")).collect();
    assert!(lines.iter().all(|line| !line.contains("db/creds") && !line.contains(VALUE)), "{lines:?}");
}

#[test]
fn resolve_takes_no_namespace_that_cloudwatch_would_not() {
    let emulator = require!(servers::lambda_emulator());
    for (metrics, expected) in [
        ("cloudwatch_namespace = \"AWS/Lockstep\"", "AWS's own"),
        ("cloudwatch_namespace = \"\"", "1 to 255 letters"),
        ("cloudwatch_namespace = \"a\"\nenabled = false", "nothing is counted"),
    ] {
        let config = format!("{CONFIG}[metrics]\n{metrics}\n");
        let function = Function::deploy(&emulator, &with(&config, &[]));
        let answer = function.invoke(&Asked::get("/health/live", "").event(Front::Url)).to_string();
        let all = answer + &function.log();
        assert!(all.contains("metrics.cloudwatch_namespace") && all.contains(expected), "{all}");
    }
}
