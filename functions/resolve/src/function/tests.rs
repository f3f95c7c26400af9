//! Invocations by a clock that is moved by hand.

use std::path::Path;
use std::pin::pin;

use futures_util::future::{Either, pending, select};
use lockstep_config::{Document, Format};
use lockstep_testkit::{ManualClock, TestEnv};
use serde_json::{Value, json};

use super::*;

const TOKEN: &str = "token-of-the-callers-0123456789abcdef";
const SECOND: Duration = Duration::from_secs(1);

fn host(clock: Arc<ManualClock>, env: Arc<TestEnv>) -> Arc<Host> {
    Arc::new(Host { clock, env, ..Host::new(tokio::runtime::Handle::current()) })
}

fn function(more: &str, secret: &str) -> (Arc<ManualClock>, Function) {
    let text = format!(
        "{more}[audit]\nsink = \"none\"\n[providers.m]\ntype = \"mock\"\n[providers.m.secrets.app]\nversions = [\"one\"]\n\
         {secret}"
    );
    let (clock, env) = (ManualClock::new(), TestEnv::of(&[("CALLERS", TOKEN)]));
    let document = Document { name: "lockstep.toml", format: Format::Toml, text: &text, folder: Path::new("") };
    let names = ["LOCKSTEP__LISTEN__TOKEN__ENV".to_owned()];
    env.set(&names[0], "CALLERS");
    let config = Config::load(Some(document), &*env, &names).unwrap();
    let host = host(clock.clone(), env);
    let function = Function::start(&host, &config).unwrap();
    (clock, function)
}

/// A function URL's event.
fn event(method: &str, path: &str, token: &str, body: &str) -> String {
    let headers = json!({ "host": "id.lambda-url.eu-west-1.on.aws", "authorization": format!("Bearer {token}") });
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": headers, "body": body,
        "requestContext": {
            "apiId": "id", "domainName": "id.lambda-url.eu-west-1.on.aws", "stage": "$default",
            "http": { "method": method, "sourceIp": "192.0.2.3" },
        },
    })
    .to_string()
}

fn get(path: &str) -> String {
    event("GET", path, TOKEN, "")
}

fn invocation(deadline: UnixMillis) -> Invocation {
    Invocation { id: "invocation-1".to_owned(), deadline, trace: None }
}

async fn invoke(function: &Function, event: &str, deadline: UnixMillis) -> (Value, Value) {
    let answer = function.respond(event, &invocation(deadline)).await.unwrap();
    let answer: Value = serde_json::from_str(answer.get()).unwrap();
    let body = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap_or_default();
    (answer, body)
}

/// Does the work while the clock is moved.
async fn beside<T>(work: impl Future<Output = T>, moving: impl Future<Output = ()>) -> T {
    let moving = async {
        moving.await;
        pending().await
    };
    match select(pin!(work), pin!(moving)).await {
        Either::Left((done, _)) | Either::Right((done, _)) => done,
    }
}

/// Ends whatever still sleeps once everybody had a turn, so that a test which is broken fails and does not hang.
async fn later(clock: &ManualClock) {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_mins(1));
}

fn in_time(clock: &ManualClock) -> UnixMillis {
    clock_after(clock, SECOND * 3)
}

fn clock_after(clock: &ManualClock, time: Duration) -> UnixMillis {
    use lockstep_core::Clock as _;
    UnixMillis(clock.wall().0 + millis(time))
}

/// Break: leave `over` out of `answer`, or `MARGIN` out of `time`.
#[tokio::test]
async fn the_function_says_itself_that_its_time_is_over() {
    let (clock, function) = function("", "delay = \"20s\"\n");
    let event = get("/api/v1/secrets/app");
    let asked = invoke(&function, &event, in_time(&clock));
    let waiting = async {
        clock.until_sleeping(2).await;
        clock.advance((SECOND * 3).saturating_sub(MARGIN));
        later(&clock).await;
    };
    let (answer, body) = beside(asked, waiting).await;
    assert_eq!((&answer["statusCode"], &body["code"]), (&json!(504), &json!("timeout")));
    assert_eq!(body["detail"], "the function's time is over; raise its timeout, or look at the provider");
    assert_eq!(body["request_id"], "invocation-1");
}

/// An emulator sends no deadline. Break: take one that is over for no time.
#[tokio::test]
async fn a_deadline_that_is_over_already_bounds_nothing() {
    for deadline in [0, 1] {
        let (clock, function) = function("", "delay = \"1s\"\n");
        let event = get("/api/v1/secrets/app");
        let asked = invoke(&function, &event, UnixMillis(deadline));
        let waiting = async {
            clock.until_sleeping(1).await;
            clock.advance(SECOND);
        };
        let (answer, _) = beside(asked, waiting).await;
        assert_eq!(answer["statusCode"], 200);
    }
}

/// The deadline is a clock from outside, for when those here stood still. Break: leave `at_least` out.
#[tokio::test]
async fn what_is_cached_ages_by_the_deadlines_too() {
    let (clock, function) = function("", "");
    let cache = async |deadline| {
        let (answer, _) = invoke(&function, &get("/api/v1/secrets/app"), deadline).await;
        answer["headers"]["cache-status"].as_str().unwrap().contains("hit")
    };
    assert!(!cache(in_time(&clock)).await);
    assert!(cache(in_time(&clock)).await);
    let an_hour_later = clock_after(&clock, Duration::from_hours(1) + MAX_FUNCTION_TIME);
    assert!(!cache(an_hour_later).await);
}

/// Break: leave `thawed` out of `invoked`, or the comparison out of it.
#[tokio::test]
async fn what_a_freeze_may_have_cut_off_is_given_up() {
    let (clock, function) = function("", "");
    for (paused, ends) in [(LOST_AFTER, false), (LOST_AFTER + SECOND, true)] {
        function.host.background.spawn(Box::pin(pending()));
        function.ended.store(clock_after(&clock, Duration::ZERO).0, Ordering::Relaxed);
        clock.advance(paused);
        invoke(&function, &get("/health/live"), in_time(&clock)).await;
        let limit = if ends { Duration::from_mins(1) } else { Duration::from_millis(1) };
        assert_eq!(function.host.background.finished(limit).await, ends, "{paused:?}");
    }
}

/// Break: give the prefetch a call without an end.
#[tokio::test]
async fn a_prefetch_that_does_not_end_keeps_nobody_waiting() {
    let (clock, function) = function("prefetch = [\"app\"]\n", "delay = \"20s\"\n");
    let waiting = async {
        clock.until_sleeping(2).await;
        clock.advance(PREFETCH_TIME);
        later(&clock).await;
    };
    let begun = clock_after(&clock, Duration::ZERO);
    let warm = async {
        function.warm_up().await;
        clock_after(&clock, Duration::ZERO).saturating_since(begun)
    };
    assert_eq!(beside(warm, waiting).await, PREFETCH_TIME);
    let (answer, _) = invoke(&function, &get("/health/live"), in_time(&clock)).await;
    assert_eq!(answer["statusCode"], 200);
}

/// L8. Break: leave the look at `max_body_bytes` out, or take it before the refusals.
#[tokio::test]
async fn l8_a_body_over_the_cap_is_refused_after_its_head_was_let_in() {
    let (clock, function) = function("[listen]\nmax_body_bytes = \"1KiB\"\n", "");
    let batch = r#"{"secrets":[{"name":"app"}]}"#;
    let padded = format!("{batch}{}", " ".repeat(1024 - batch.len()));
    for (token, body, status) in
        [(TOKEN, padded.as_str(), 200), (TOKEN, &format!("{padded} "), 413), ("wrong", &format!("{padded} "), 403)]
    {
        let event = event("POST", "/api/v1/secrets:batch", token, body);
        assert_eq!(invoke(&function, &event, in_time(&clock)).await.0["statusCode"], status, "{token} {}", body.len());
    }
}

/// Break: leave the header out, or write over one that is there.
#[tokio::test]
async fn a_request_without_an_id_of_its_own_goes_by_lambdas() {
    let (clock, function) = function("", "");
    let (answer, body) = invoke(&function, &get("/api/v1/secrets/gone"), in_time(&clock)).await;
    assert_eq!(
        (&answer["headers"]["x-request-id"], &body["request_id"]),
        (&json!("invocation-1"), &json!("invocation-1"))
    );
    let named = get("/api/v1/secrets/gone").replace(r#""host""#, r#""x-request-id":"of-the-caller","host""#);
    assert_eq!(invoke(&function, &named, in_time(&clock)).await.1["request_id"], "of-the-caller");
}

/// M1: what a panic says may hold a value. Break: leave `catch_unwind` out of `kept_to`.
#[tokio::test]
async fn m1_a_panic_is_an_answer_that_says_nothing_of_it() {
    let (clock, function) = function("", "");
    let panicking = async { panic!("canary-{}", 4711) };
    let answer = function.kept_to(panicking, &invocation(in_time(&clock))).await;
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((answer.status().as_u16(), &body["code"]), (500, &json!("internal")));
    assert!(!body.to_string().contains("canary"), "{body}");
}

#[test]
fn settings_of_a_listener_are_refused_where_lambda_takes_requests_in() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let env = TestEnv::of(&[("CALLERS", TOKEN), ("AWS_REGION", "eu-west-1")]);
    let host = host(ManualClock::new(), env.clone());
    for listen in ["unix_socket = \"s\"", "tls = { cert_file = \"c\", key_file = \"k\" }"] {
        let text = format!("[listen]\ntoken = {{ env = \"CALLERS\" }}\n{listen}\n");
        let document = Document { name: "lockstep.toml", format: Format::Toml, text: &text, folder: Path::new("") };
        let config = Config::load(Some(document), &*env, &[]).unwrap();
        let refused = Function::start(&host, &config).err().unwrap();
        assert!(refused.to_string().contains("Lambda takes the requests in"), "{refused}");
    }
}
