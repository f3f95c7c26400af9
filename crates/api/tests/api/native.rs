//! The native API: values, entity tags, batches, lists, control, health, problem documents.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use lockstep_api::problem_of;
use lockstep_core::{Error, ErrorKind, MemoryJournal, Outcome, Payload, Retry};

use crate::house::{House, alias, bare, build, house, journaled, request};

const CREDS: &str = concat!(
    r#"{"name":"db/creds","id":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:db/creds-AbCdEf","#,
    r#""provider":"aws","value":"{\"user\":\"app\",\"password\":\"hun\\\"ter2\"}","encoding":"utf-8","#,
    r#""version":"0cd9f0b6-1111-2222-3333-444455556666","labels":["AWSCURRENT"],"created":"2019-09-26T21:53:09.046Z"}"#
);

async fn get_with(house: &House, target: &str, header: (&'static str, &str)) -> crate::house::Said {
    let mut sent = request(Method::GET, target);
    sent.headers_mut().insert(header.0, header.1.parse().unwrap());
    house.send(sent).await
}

#[tokio::test]
async fn a_secret_by_path_and_by_name() {
    for target in
        ["/api/v1/secrets/db/creds", "/api/v1/secrets?name=db%2Fcreds", "/api/v1/secrets/db/creds?provider=aws"]
    {
        let said = house().get(target).await;
        assert_eq!((said.status, &*said.body), (200, CREDS), "{target}");
        assert_eq!(said.header("content-type"), Some("application/json"));
        assert_eq!(said.header("cache-control"), Some("no-store"));
        assert_eq!(said.header("cache-status"), Some("lockstep; fwd=miss"));
        assert_eq!(said.header("age"), Some("0"));
        assert!(said.header("x-request-id").is_some());
    }
}

#[tokio::test]
async fn a_key_reads_a_part_and_bytes_come_as_base64() {
    let house = house();
    let part = house.get("/api/v1/secrets/db/creds?key=password").await.json();
    assert_eq!((&part["value"], &part["key"]), (&"hun\"ter2".into(), &"password".into()));
    let bin = house.get("/api/v1/secrets/bin").await.json();
    assert_eq!((&bin["value"], &bin["encoding"]), (&"AP8B".into(), &"base64".into()));
    let said = house.get("/api/v1/secrets/db/creds?key=nope").await;
    assert_eq!((said.status, &said.json()["code"]), (404, &"version_not_found".into()));
}

#[tokio::test]
async fn age_grows_and_no_cache_asks_the_provider() {
    let house = house();
    house.get("/api/v1/secrets/plain").await;
    house.clock.advance(Duration::from_secs(7));
    let said = house.get("/api/v1/secrets/plain").await;
    assert_eq!((said.header("age"), said.header("cache-status")), (Some("7"), Some("lockstep; hit")));
    let said = get_with(&house, "/api/v1/secrets/plain", ("cache-control", "no-cache")).await;
    assert_eq!((said.header("age"), said.header("cache-status")), (Some("0"), Some("lockstep; fwd=miss")));
    assert_eq!(house.calls(), 2);
}

#[tokio::test]
async fn a_stale_answer_says_so_and_why() {
    let house = house();
    house.get("/api/v1/secrets/plain").await;
    house.shelf.fail("plain", Error::new(ErrorKind::Unavailable, "down"));
    house.clock.advance(Duration::from_secs(301));
    for target in ["/api/v1/secrets/plain", "/v1/plain"] {
        let said = house.get(target).await;
        assert_eq!(said.header("cache-status"), Some("lockstep; hit; detail=stale-unavailable"), "{target}");
    }
}

#[tokio::test]
async fn if_none_match_is_304_after_authorization_and_audit() {
    let house = house();
    let target = "/api/v1/secrets/db/creds";
    let tag = house.get(target).await.header("etag").unwrap().to_owned();
    let said = get_with(&house, target, ("if-none-match", &tag)).await;
    assert_eq!((said.status, &*said.body), (304, ""));
    assert_eq!(said.header("etag"), Some(&*tag));
    let released = house.audit().iter().filter(|record| record.outcome == Outcome::Released).count();
    assert_eq!(released, 2, "a 304 is an access like any other");
    assert_eq!(get_with(&house, target, ("if-none-match", "\"other\"")).await.status, 200);
    assert_eq!(get_with(&house, "/api/v1/secrets/forbidden/x", ("if-none-match", "*")).await.status, 403);
    assert!(house.get("/api/v1/secrets/plain").await.header("etag").is_none(), "no version, no tag");
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let said = house().send(request(Method::HEAD, "/api/v1/secrets/db/creds")).await;
    assert_eq!((said.status, &*said.body), (200, ""));
    assert_eq!(said.header("content-length"), Some(&*CREDS.len().to_string()));
}

#[tokio::test]
async fn bad_parameters_are_problems_that_reach_nobody() {
    let long = "x".repeat(300);
    for (target, code) in [
        ("/api/v1/secrets/", "invalid_parameter"),
        ("/api/v1/secrets/a?name=b", "invalid_parameter"),
        ("/api/v1/secrets/a?foo=1", "invalid_parameter"),
        ("/api/v1/secrets/a?key=x&key=y", "invalid_parameter"),
        ("/api/v1/secrets?name=a&prefix=b", "invalid_parameter"),
        ("/api/v1/secrets?limit=0", "invalid_parameter"),
        ("/api/v1/secrets?limit=99999", "invalid_parameter"),
        ("/api/v1/secrets?tag=", "invalid_parameter"),
        ("/api/v1/metadata", "invalid_parameter"),
        ("/api/v1/secrets/a/../b", "invalid_target"),
        ("/api/v1/secrets?name=a//b", "invalid_name"),
        ("/api/v1/secrets?prefix=../x", "invalid_name"),
        ("/api/v1/secrets/a?provider=https://evil", "invalid_reference"),
        ("/api/v1/secrets/a?provider=nobody", "invalid_reference"),
        ("/api/v1/secrets/a?key=", "invalid_reference"),
        ("/api/v1/secrets/a?version=", "invalid_reference"),
        (&*format!("/api/v1/secrets/a?version={long}"), "invalid_reference"),
    ] {
        let house = house();
        let said = house.get(target).await;
        assert_eq!((said.status, &said.json()["code"]), (400, &code.into()), "{target}");
        assert_eq!(said.header("content-type"), Some("application/problem+json"));
        assert_eq!(house.calls(), 0, "{target}");
    }
}

#[tokio::test]
async fn every_failure_of_a_provider_has_its_status_and_document() {
    for kind in ErrorKind::ALL {
        let house = house();
        let error = Error::new(kind, "what failed; what to do").retry(Retry::After(Some(Duration::from_secs(9))));
        house.shelf.fail("x", error.clone());
        let said = house.get("/api/v1/secrets/x").await;
        let expected = problem_of(&error.from_provider(&alias("aws")));
        let json = said.json();
        assert_eq!(said.status, expected.status.as_u16(), "{kind:?}");
        assert_eq!(json["code"], expected.code, "{kind:?}");
        assert_eq!(json["type"], format!("urn:lockstep:problem:{}", expected.code));
        assert_eq!((&json["name"], &json["provider"]), (&"x".into(), &"aws".into()), "{kind:?}");
        assert_eq!(json["request_id"].as_str(), said.header("x-request-id"));
        assert_eq!(said.header("retry-after"), (said.status == 503).then_some("9"), "{kind:?}");
    }
}

#[tokio::test]
async fn our_own_refusal_is_403_and_asks_nobody() {
    let house = house();
    for target in ["/api/v1/secrets/forbidden/x", "/api/v1/metadata/forbidden/x", "/api/v1/versions/forbidden/x"] {
        let said = house.get(target).await;
        assert_eq!((said.status, &said.json()["code"]), (403, &"denied".into()), "{target}");
    }
    let said = house.post("/api/v1/rotate/forbidden/x", "").await;
    assert_eq!(said.status, 403);
    let said = house.post("/api/v1/invalidate", r#"{"name":"forbidden/x"}"#).await;
    assert_eq!(said.status, 403);
    assert_eq!(house.calls(), 0);
}

#[tokio::test]
async fn a_batch_answers_each_item_in_its_order() {
    let house = house();
    let body = r#"{"secrets":[{"name":"plain"},{"name":"no/such"},{"name":"a//b"},{"name":"forbidden/x"},
        {"name":"db/creds","key":"user","provider":"aws"},{"name":"db/creds","key":"nope"}]}"#;
    let said = house.post("/api/v1/secrets:batch", body).await;
    assert_eq!(said.status, 200, "{}", said.body);
    let json = said.json();
    let results = json["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    assert_eq!(results[0]["secret"]["value"], "just text");
    assert_eq!(results[0]["cache"], "miss");
    assert_eq!((&results[1]["name"], &results[1]["error"]["code"]), (&"no/such".into(), &"not_found".into()));
    assert_eq!((&results[2]["error"]["code"], &results[2]["error"]["status"]), (&"invalid_name".into(), &400.into()));
    assert_eq!(results[3]["error"]["code"], "denied");
    assert_eq!(results[4]["secret"]["value"], "app");
    assert_eq!(results[5]["error"]["code"], "version_not_found");
    let again = house.post("/api/v1/secrets:batch", r#"{"secrets":[{"name":"plain"}]}"#).await;
    assert_eq!(again.json()["results"][0]["cache"], "hit");
}

#[tokio::test]
async fn a_batch_of_another_shape_or_size_is_refused() {
    let many = format!(r#"{{"secrets":[{}]}}"#, vec![r#"{"name":"plain"}"#; 101].join(","));
    for body in [
        "",
        "x",
        "[]",
        r#"{"secrets":[]}"#,
        r#"{"secrets":[{}]}"#,
        r#"{"secrets":[{"name":"a","foo":1}]}"#,
        r#"{"secrets":[{"name":"a","name":"b"}]}"#,
        &many,
    ] {
        let house = house();
        let said = house.post("/api/v1/secrets:batch", body).await;
        assert_eq!((said.status, &said.json()["code"]), (400, &"invalid_parameter".into()), "{body:.40}");
        assert_eq!(house.calls(), 0);
    }
}

#[tokio::test]
async fn lists_metadata_and_versions_hold_names_and_no_value() {
    let house = house();
    let list = house.get("/api/v1/secrets?prefix=db/&provider=aws&limit=5").await;
    assert_eq!(
        list.body,
        r#"{"secrets":[{"name":"db/creds","id":"db/creds","provider":"aws","type":"aws-secrets-manager","tags":{}}],"next":"5"}"#
    );
    let metadata = house.get("/api/v1/metadata/db/creds").await.json();
    assert_eq!((&metadata["name"], &metadata["tags"]["team"]), (&"db/creds".into(), &"payments".into()));
    assert_eq!(metadata["created"], "2019-09-26T21:53:09.046Z");
    let versions = house.get("/api/v1/versions?name=db/creds&page=p").await.json();
    assert_eq!((&versions["versions"][0]["state"], &versions["next"]), (&"enabled".into(), &"p".into()));
    let empty = house.get("/api/v1/secrets?provider=aws&tag=env%3Dprod&tag=team").await;
    assert_eq!(empty.body, r#"{"secrets":[]}"#);
}

#[tokio::test]
async fn a_rotation_is_asked_for_and_the_cache_forgets() {
    let house = house();
    house.get("/api/v1/secrets/plain").await;
    let said = house.post("/api/v1/rotate/plain", "").await;
    assert_eq!((said.status, &*said.body), (200, r#"{"name":"plain","version":"8","order":8}"#));
    let said = house.get("/api/v1/secrets/plain").await;
    assert_eq!(said.header("cache-status"), Some("lockstep; fwd=miss"));
    assert_eq!(house.post("/api/v1/rotate/plain", "{}").await.status, 400);
}

#[tokio::test]
async fn an_invalidation_drops_by_name_and_by_prefix() {
    let house = house();
    house.get("/api/v1/secrets/db/creds").await;
    let said = house.post("/api/v1/invalidate", r#"{"prefix":"db"}"#).await;
    assert_eq!((said.status, &*said.body), (200, r#"{"invalidated":1}"#));
    let said = house.get("/api/v1/secrets/db/creds").await;
    assert_eq!(said.header("cache-status"), Some("lockstep; fwd=miss"));
    for body in ["", "{}", r#"{"name":"a","prefix":"b"}"#, r#"{"name":"../x"}"#, r#"{"name":"a","x":1}"#] {
        assert_eq!(house.post("/api/v1/invalidate", body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn health_says_whether_and_asks_the_providers_rarely() {
    let house = house();
    assert_eq!(house.send(bare(Method::GET, "/health/live")).await.body, r#"{"status":"live"}"#);
    let ready = r#"{"status":"ready","providers":2,"failing":0}"#;
    for _ in 0..3 {
        assert_eq!(house.send(bare(Method::GET, "/health/ready")).await.body, ready);
    }
    assert_eq!(house.calls(), 2, "one check of two providers");
    for shelf in [&house.shelf, &house.sealed] {
        shelf.put("down", || Payload::text(""), |_| {});
    }
    house.clock.advance(Duration::from_secs(5));
    let said = house.send(bare(Method::GET, "/health/ready")).await;
    assert_eq!((said.status, &*said.body), (503, r#"{"status":"unavailable","providers":2,"failing":2}"#));
}

/// It needs no token, so it must not be a lever on the providers. Break: ask whenever nothing is known yet.
#[tokio::test]
async fn while_the_first_check_runs_nobody_else_asks_the_providers() {
    let house = house();
    let ask = || house.send(bare(Method::GET, "/health/ready"));
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    assert_eq!((first.status, second.status, third.status), (200, 503, 503));
    assert_eq!(house.calls(), 2, "one check of two providers");
    assert_eq!(ask().await.status, 200);
}

#[tokio::test]
async fn metrics_need_the_token_and_may_be_off() {
    let house = house();
    house.get("/v1/plain").await;
    house.get("/v1/plain").await;
    let said = house.get("/metrics").await;
    assert_eq!(said.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(said.body.contains("secrets_cache_hits_total{provider=\"aws\"} 1\n"), "{}", said.body);
    let lost = said.body.strip_prefix(&house.metrics.render()).unwrap_or_default();
    assert!(lost.ends_with("\nlockstep_audit_lost_total 0\n"), "{}", said.body);
    assert_eq!(build(|parts| parts.metrics = None).get("/metrics").await.status, 404);
}

#[tokio::test]
async fn id_and_trace_of_the_caller_travel_to_the_provider() {
    let house = house();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let mut sent = request(Method::GET, "/api/v1/secrets/plain");
    sent.headers_mut().insert("traceparent", trace.parse().unwrap());
    sent.headers_mut().insert("x-request-id", "req-7".parse().unwrap());
    assert_eq!(house.send(sent).await.header("x-request-id"), Some("req-7"));
    let (id, seen, _) = house.shelf.seen.lock().unwrap().clone();
    assert_eq!((&*id, seen.0.as_deref()), ("req-7", Some(trace)));
}

/// Break: take the header over in `Exchange::call` whatever `trace` says.
#[tokio::test]
async fn a_trace_that_is_switched_off_goes_no_further() {
    let house = build(|parts| parts.trace = false);
    let mut sent = request(Method::GET, "/api/v1/secrets/plain");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    sent.headers_mut().insert("traceparent", trace.parse().unwrap());
    assert_eq!(house.send(sent).await.status, 200);
    assert_eq!(house.shelf.seen.lock().unwrap().1.0, None);
}

/// Break: leave `through` out of `Api::hops`, or `hops` out of `Exchange::call`.
#[tokio::test]
async fn endpoints_that_ask_each_other_in_a_circle_are_told_so_and_nobody_is_asked() {
    let house = house();
    let with = |hops: &'static str| {
        let mut sent = request(Method::GET, "/api/v1/secrets/plain");
        sent.headers_mut().insert("lockstep-hops", hops.parse().unwrap());
        sent
    };
    assert_eq!(house.send(with("a1 b2")).await.status, 200);
    let travelled = house.shelf.seen.lock().unwrap().2.as_str().to_owned();
    let this = travelled.strip_prefix("a1 b2 ").unwrap().to_owned();
    assert_eq!(this.len(), 16, "this endpoint has added itself");

    let before = house.calls();
    for around in [travelled, format!("{this} c3")] {
        let said = house.send(with(around.leak())).await;
        assert_eq!((said.status, said.json()["code"].as_str()), (508, Some("circle")), "{}", said.body);
    }
    for bad in ["a,b", "a  b", &"x ".repeat(20)] {
        assert_eq!(house.send(with(bad.to_owned().leak())).await.status, 400, "{bad}");
    }
    let mut twice = with("a1");
    twice.headers_mut().append("lockstep-hops", "b2".parse().unwrap());
    assert_eq!(house.send(twice).await.status, 400);
    assert_eq!(house.calls(), before);
    assert!(house.audit().iter().any(|record| record.policy.as_deref() == Some("circle")));
}

#[tokio::test]
async fn an_answer_names_the_cursor_it_was_checked_against() {
    let house = journaled(Arc::new(MemoryJournal::new(4, 10)));
    let said = house.get("/api/v1/secrets/plain").await;
    assert_eq!((said.status, said.header("lockstep-cursor")), (200, Some("4.0")), "{}", said.body);
    let without = crate::house::house().get("/api/v1/secrets/plain").await;
    assert_eq!(without.header("lockstep-cursor"), None);
}
