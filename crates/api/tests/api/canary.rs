//! M1: a canary value walks the route table. It may stand in the body of a released secret, and nowhere else: no header,
//! no problem, no audit record, no metric. A new route that gives out values fails here until it is listed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use lockstep_api::{TABLE, Where};
use lockstep_core::{Error, ErrorKind, Payload};

use crate::house::{House, house, method_of, path_of, request};

const CANARY: &str = "C4nary\"\\/<v4lue>\n%2F~secret~";

/// The routes that were looked at and may hold a value.
const RELEASING: [Where; 6] =
    [Where::SecretsManager, Where::ParameterStore, Where::PathStyle, Where::Secret, Where::Secrets, Where::Batch];

#[test]
fn every_route_that_gives_out_values_is_known_here() {
    for row in TABLE {
        assert_eq!(row.value, RELEASING.contains(&row.to), "{row:?}");
    }
}

/// Every shape in which the canary could show up.
fn shapes() -> Vec<String> {
    let bytes = CANARY.as_bytes();
    let each = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<Vec<_>>().concat();
    let json = serde_json::to_string(CANARY).unwrap();
    let (first, second) = CANARY.split_at(CANARY.len() / 2);
    let mut shapes = vec![each(|b| format!("{b:02x}")), each(|b| format!("{b:02X}")), each(|b| format!("%{b:02X}"))];
    shapes.push(format!("{CANARY:?}"));
    shapes.extend([STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes), CANARY.to_owned(), json]);
    shapes.extend([first.to_owned(), second.to_owned(), "C4nary".to_owned(), "v4lue".to_owned()]);
    shapes
}

fn assert_clean(text: &str, what: &str) {
    for shape in shapes() {
        assert!(!text.contains(&shape), "{what} holds the canary as {shape:?}: {text}");
    }
}

fn assert_trail_clean(house: &House, what: &str) {
    for record in house.audit() {
        assert_clean(&record.to_json(), what);
        assert_clean(&format!("{record:?}"), what);
    }
    assert_clean(&house.metrics.render(), what);
}

async fn walk(house: &House, what: &str, released: bool) {
    for row in TABLE {
        let path = path_of(row);
        let said = if row.to == Where::Batch {
            house.post(&path, r#"{"secrets":[{"name":"db/creds"},{"name":"db/creds","key":"nope"}]}"#).await
        } else {
            house.send(request(method_of(row), &path)).await
        };
        let what = format!("{what} {path}");
        assert_clean(&format!("{:?}", said.headers), &what);
        // The list route gives a value only with `?name=`, which is walked below.
        if !(released && row.value && row.to != Where::Secrets) {
            assert_clean(&said.body, &what);
        }
    }
    let said = house.get("/api/v1/secrets?name=db/creds&key=nope").await;
    assert_clean(&said.body, what);
    assert_trail_clean(house, what);
}

/// Break: write the value into the audit record as its version, in `Ledger::released` (core).
#[tokio::test]
async fn m1_a_released_value_stands_in_its_body_alone() {
    for payload in [
        || Payload::text(CANARY),
        || Payload::binary(CANARY.as_bytes()),
        || Payload::text(format!("{{\"a\":{}}}", serde_json::to_string(CANARY).unwrap())),
    ] {
        let house = house();
        house.shelf.put("db/creds", payload, |secret| {
            secret.version = Some(lockstep_core::Version::number(1));
        });
        let said = house.get("/v1/db/creds").await;
        assert!(
            said.status == 200 && (said.body.contains("C4nary") || said.body.contains("QzRuYXJ5")),
            "{}",
            said.body
        );
        walk(&house, "released", true).await;
    }
}

/// A provider that keeps the value in the cause of its error; the cause is never answered.
#[derive(Debug)]
struct Leaky;

impl std::fmt::Display for Leaky {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(CANARY)
    }
}

impl std::error::Error for Leaky {}

/// Break: write the source of the error instead of its message in `write_error`.
#[tokio::test]
async fn m1_no_failure_tells_the_value_on_any_route() {
    for kind in ErrorKind::ALL {
        let house = house();
        house.shelf.fail("db/creds", Error::new(kind, "what failed; what to do").because(Leaky).upstream("X", 500));
        walk(&house, kind.code(), false).await;
    }
}

/// A value or token that stands by mistake where a parameter, header or body should.
/// Break: write the parser's own message in `native::body`.
#[tokio::test]
async fn m1_a_refusal_repeats_no_value_that_was_sent() {
    let house = house();
    for target in [
        "/v1/x?refreshNow=C4nary",
        "/secretsmanager/get?secretId=x&foo=C4nary",
        "/v1/x?roleArn=C4nary",
        "/systemsmanager/parameters/get?name=x&version=C4nary",
        "/systemsmanager/parameters/get?name=x&withDecryption=C4nary",
        "/api/v1/secrets/x?provider=C4nary",
        "/api/v1/secrets/x?version=C4nary%0A",
        "/api/v1/secrets?limit=C4nary",
        "/api/v1/secrets?prefix=C4nary//",
    ] {
        let said = house.get(target).await;
        assert!(said.status >= 400, "{target}");
        assert_clean(&said.body, target);
    }
    for body in ["C4nary", r#"{"secrets":"C4nary"}"#, r#"{"C4nary":1}"#, r#"{"secrets":[{"name":"x","C4nary":1}]}"#] {
        assert_clean(&house.post("/api/v1/secrets:batch", body).await.body, body);
    }
    for header in ["x-vault-token", "authorization", "x-request-id", "host", "traceparent"] {
        let mut sent = request(Method::GET, "/v1/x");
        sent.headers_mut().insert(header, "C4nary/v4lue".parse().unwrap());
        let said = house.send(sent).await;
        assert_clean(&format!("{:?}{}", said.headers, said.body), header);
    }
    assert_trail_clean(&house, "refusals");
}
