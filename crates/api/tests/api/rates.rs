//! Who asks too often, and more than can be waited for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use http::Method;
use lockstep_core::{FrontDoor as _, Pace, Peer};

use crate::house::{House, bare, build, request, said, with};

fn peer(address: &str) -> Peer {
    Peer { address: Some(address.into()), ..Peer::default() }
}

fn limited(address: Option<Pace>, caller: Option<Pace>) -> House {
    build(|parts| (parts.limits.address, parts.limits.caller) = (address, caller))
}

/// Break: in `at_once`, count what it lets in, or forget to count what it answers.
#[tokio::test]
async fn an_address_is_turned_away_before_its_login_and_every_request_counts_once() {
    let house = limited(Pace::new(1, 3), None);
    // The first read waits for the provider, the others are answered at once: each counts once.
    for _ in 0..3 {
        assert_eq!(house.send_from(&peer("192.0.2.7:1"), request(Method::GET, "/v1/db/creds")).await.status, 200);
    }
    for (port, sent) in [(2, request(Method::GET, "/v1/db/creds")), (3, bare(Method::GET, "/v1/db/creds"))] {
        let answer = house.send_from(&peer(&format!("192.0.2.7:{port}")), sent).await;
        assert_eq!((answer.status, &*answer.body), (429, "Rate exceeded"));
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let problem = house.send_from(&peer("192.0.2.7:4"), request(Method::GET, "/api/v1/secrets/db/creds")).await;
    assert_eq!((problem.status, &problem.json()["code"]), (429, &"rate_limited".into()));
    // Others are not to suffer for it, and neither is who looks whether it lives.
    assert_eq!(house.send_from(&peer("192.0.2.8:1"), request(Method::GET, "/v1/db/creds")).await.status, 200);
    for path in ["/ping", "/health/live"] {
        assert_eq!(house.send_from(&peer("192.0.2.7:5"), bare(Method::GET, path)).await.status, 200);
    }
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.send_from(&peer("192.0.2.7:6"), request(Method::GET, "/v1/db/creds")).await.status, 200);
    assert_eq!(house.send_from(&peer("192.0.2.7:7"), request(Method::GET, "/v1/db/creds")).await.status, 429);
}

/// Break: in `at_once`, count no refusals.
#[tokio::test]
async fn guesses_count_against_the_address_that_makes_them() {
    let house = limited(Pace::new(1, 5), None);
    let guess = |n: usize| with(bare(Method::GET, "/v1/db/creds"), &[("x-vault-token", &format!("guess-{n}"))]);
    let mut statuses = Vec::new();
    for n in 0..20 {
        statuses.push(house.send_from(&peer("192.0.2.7:1"), guess(n)).await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 15);
    assert_eq!(house.calls(), 0);
}

/// Break: the name that `check_caller` counts under.
#[tokio::test]
async fn a_caller_has_one_rate_from_wherever_it_calls() {
    let house = limited(None, Pace::new(1, 2));
    let socket = |uid| Peer { uid: Some(uid), ..Peer::default() };
    for (peer, sent, status) in [
        (peer("192.0.2.7:1"), request(Method::GET, "/v1/db/creds"), 200),
        (peer("192.0.2.8:1"), request(Method::GET, "/v1/db/creds"), 200),
        (peer("192.0.2.9:1"), request(Method::GET, "/v1/db/creds"), 429),
        // Who is not let in is not that caller.
        (peer("192.0.2.9:1"), bare(Method::GET, "/v1/db/creds"), 403),
        (socket(1000), bare(Method::GET, "/v1/db/creds"), 200),
    ] {
        let answer = house.send_from(&peer, sent).await;
        assert_eq!(answer.status, status, "{peer:?}");
    }
    let audit = house.audit();
    let turned = audit.iter().find(|record| record.policy.as_deref() == Some("rate_limited")).unwrap();
    assert_eq!((&*turned.principal, turned.action), ("local", "request"));
}

/// Break: leave `check_report` out of `report_stale`.
#[tokio::test]
async fn a_caller_has_so_many_reports_and_others_have_their_own() {
    let house = build(|parts| parts.callers.socket_users = vec![1000]);
    let report = |request: http::Request<bytes::Bytes>| request.map(|_| "{\"version\":\"1\"}".into());
    let path = "/api/v1/report-stale/db/creds";
    let mut statuses = Vec::new();
    for _ in 0..20 {
        let answer = house.send_from(&peer("192.0.2.7:1"), report(request(Method::POST, path))).await;
        if answer.status == 429 {
            assert_eq!((answer.header("retry-after"), &answer.json()["code"]), (Some("1"), &"rate_limited".into()));
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [[200; 10], [429; 10]].concat());
    let another = Peer { uid: Some(1000), ..Peer::default() };
    assert_eq!(house.send_from(&another, report(bare(Method::POST, path))).await.status, 200);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.send_from(&peer("192.0.2.7:1"), report(request(Method::POST, path))).await.status, 200);
    // Reading is not reporting.
    assert_eq!(house.get("/v1/db/creds").await.status, 200);
}

/// Break: never give a place back, or count what everybody may have.
#[tokio::test]
async fn more_than_can_be_waited_for_is_turned_away_and_what_is_at_hand_is_not() {
    let house = build(|parts| parts.limits.under_way = 2);
    assert_eq!(house.get("/v1/db/creds").await.status, 200);
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    *house.shelf.gate.lock().unwrap() = Some(gate.clone());
    let peer = peer("127.0.0.1:1");
    let mut waiting = Vec::new();
    for name in ["plain", "bin"] {
        let mut call = Box::pin(house.api.call(&peer, request(Method::GET, &format!("/v1/{name}"))));
        assert!((&mut call).now_or_never().is_none());
        waiting.push(call);
    }
    let turned = house.get("/v1/plain").await;
    assert_eq!((turned.status, &*turned.body, turned.header("retry-after")), (503, "Overloaded", Some("1")));
    assert_eq!(house.get("/v1/db/creds").await.status, 200, "it is cached");
    assert_eq!(house.send(bare(Method::GET, "/health/live")).await.status, 200);
    gate.add_permits(100);
    for call in waiting {
        assert_eq!(said(call.await).status, 200);
    }
    assert_eq!(house.get("/v1/plain").await.status, 200);
    assert!(house.audit().iter().any(|record| record.policy.as_deref() == Some("overloaded")));
    // A caller that goes away gives its place back too.
    gate.forget_permits(1000);
    for _ in 0..5 {
        let mut call = Box::pin(house.api.call(&peer, request(Method::GET, "/v1/db/creds?refreshNow=true")));
        assert!((&mut call).now_or_never().is_none());
    }
}
