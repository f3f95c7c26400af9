//! What is refused, in which order, with which words, and that nobody was asked (L1, L3, L4, L6, L7,
//! M5, M6).

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use lockstep_api::{TABLE, Where};
use lockstep_core::{FrontDoor, Outcome, Peer};
use proptest::prelude::*;

use crate::house::{House, TOKEN, bare, build, house, method_of, path_of, request, said, with};

type Header = (&'static str, &'static str);

/// Nobody was asked, and the refusal stands in the audit.
fn assert_untouched(house: &House, case: &str) {
    assert_eq!(house.calls(), 0, "{case}: a provider was called");
    let audit = house.audit();
    assert!(!audit.is_empty(), "{case}: no audit record");
    for record in audit {
        assert!(record.outcome != Outcome::Released && record.version.is_none(), "{case}: {record:?}");
    }
}

/// Break: `check_token` answers Ok, or a row has `token: false`.
#[tokio::test]
async fn l1_every_route_but_ping_and_health_needs_the_one_right_token() {
    let cases: &[(&str, &[Header], &str)] = &[
        ("no token", &[], ""),
        ("an empty token", &[("x-aws-parameters-secrets-token", "")], ""),
        ("a wrong token", &[("x-aws-parameters-secrets-token", "wrong")], ""),
        ("a prefix of the token", &[("x-vault-token", "the-local-toke")], ""),
        ("a longer token", &[("x-vault-token", "the-local-token ")], ""),
        ("a wrong bearer", &[("authorization", "Bearer wrong")], ""),
        ("the token without its scheme", &[("authorization", TOKEN)], ""),
        ("a token in the query", &[], "X-Aws-Parameters-Secrets-Token=the-local-token"),
        ("two tokens of one header", &[("x-vault-token", TOKEN), ("x-vault-token", "wrong")], ""),
        ("the right token twice", &[("x-vault-token", TOKEN), ("x-vault-token", TOKEN)], ""),
        ("two token headers", &[("x-vault-token", TOKEN), ("x-aws-parameters-secrets-token", TOKEN)], ""),
        ("a token header and a bearer", &[("x-vault-token", TOKEN), ("authorization", "Bearer the-local-token")], ""),
    ];
    for row in TABLE.iter().filter(|row| row.token) {
        for (case, headers, query) in cases {
            let house = house();
            let path = path_of(row);
            let target = match *query {
                "" => path.clone(),
                query => format!("{path}{}{query}", if path.contains('?') { "&" } else { "?" }),
            };
            let said = house.send(with(bare(method_of(row), &target), headers)).await;
            assert_eq!(said.status, 403, "{path}: {case}");
            if row.aws {
                assert_eq!(said.body, "Bad Token", "{path}: {case}");
            } else {
                assert_eq!(said.json()["code"], "bad_token", "{path}: {case}");
            }
            assert_untouched(&house, case);
            assert_eq!(house.audit()[0].action, "login");
        }
    }
}

/// Break: in `Api::admit`, ask for the token only where there is a route (`is_some_and`).
#[tokio::test]
async fn l1_an_unknown_path_needs_the_token_too() {
    for path in ["/", "/nowhere", "/api/v1/nowhere", "/v1/%2e%2e/ping", "/ping/", "/health/live/x"] {
        assert_eq!(house().send(bare(Method::GET, path)).await.status, 403, "{path}");
    }
}

/// The other side of L1: each way to send the token works, so the refusals above are about the token.
#[tokio::test]
async fn the_right_token_is_accepted_in_each_header() {
    for header in [
        ("x-aws-parameters-secrets-token", TOKEN),
        ("x-vault-token", TOKEN),
        ("authorization", "Bearer the-local-token"),
    ] {
        let said = house().send(with(bare(Method::GET, "/v1/db/creds"), &[header])).await;
        assert_eq!(said.status, 200, "{header:?}");
    }
}

#[tokio::test]
async fn without_a_token_in_the_configuration_nobody_comes_in_by_tcp() {
    let house = build(|parts| parts.callers.token = None);
    assert_eq!(house.get("/v1/db/creds").await.status, 403);
}

#[tokio::test]
async fn a_listed_user_of_the_unix_socket_needs_no_token() {
    let peer = |uid| Peer { uid: Some(uid), ..Peer::default() };
    let house = house();
    assert_eq!(house.send_from(&peer(1000), bare(Method::GET, "/v1/db/creds")).await.status, 200);
    assert_eq!(&*house.audit()[0].principal, "uid:1000");
    assert_eq!(house.send_from(&peer(1001), bare(Method::GET, "/v1/db/creds")).await.status, 403);
    let wrong = with(bare(Method::GET, "/v1/db/creds"), &[("x-vault-token", "wrong")]);
    assert_eq!(house.send_from(&peer(1000), wrong).await.status, 403);
}

/// Break: drop a name from the last arms of `Guard::read`, or check the token before it.
#[tokio::test]
async fn l3_forwarded_headers_are_refused_before_the_token_is_looked_at() {
    let headers = [
        ("x-forwarded-for", "1.2.3.4"),
        ("X-Forwarded-For", ""),
        ("x-forwarded-host", "a"),
        ("x-forwarded-proto", "https"),
        ("X-FORWARDED-ANYTHING", "a"),
        ("forwarded", "for=1.2.3.4"),
        ("x-real-ip", "1.2.3.4"),
        ("via", "1.1 proxy"),
        ("upgrade", "h2c"),
    ];
    for path in ["/v1/db/creds", "/secretsmanager/get?secretId=db/creds", "/ping", "/nowhere"] {
        for header in headers {
            for (case, sent) in [("with token", request(Method::GET, path)), ("without", bare(Method::GET, path))] {
                for repeated in [vec![header], vec![header, header]] {
                    let house = house();
                    let said = house.send(with(sent.clone(), &repeated)).await;
                    assert_eq!((said.status, &*said.body), (400, "Forwarded"), "{path} {header:?} {case}");
                    assert_untouched(&house, header.0);
                }
            }
        }
    }
}

/// Where not only this machine calls, a proxy may stand in front: what it adds is ignored, and the peer is still the
/// socket's. Break: `self.local` in `check_origin`, or take an address out of a header.
#[tokio::test]
async fn m5_beyond_this_machine_forwarding_headers_are_ignored_and_never_believed() {
    let peer = Peer { address: Some("192.0.2.7:5000".into()), ..Peer::default() };
    for header in [("x-forwarded-for", "1.2.3.4"), ("forwarded", "for=1.2.3.4"), ("x-real-ip", "1.2.3.4"), ("via", "1")]
    {
        let house = build(|parts| parts.local = false);
        let said = house.send_from(&peer, with(request(Method::GET, "/api/v1/secrets/db/creds"), &[header])).await;
        assert_eq!(said.status, 200, "{header:?}");
        assert_eq!(house.audit()[0].peer.as_deref(), Some("192.0.2.7:5000"));
        let upgrade = with(request(Method::GET, "/api/v1/secrets/db/creds"), &[("upgrade", "h2c")]);
        assert_eq!(house.send_from(&peer, upgrade).await.status, 400);
    }
}

/// Break: either half of `proxied` at the top of `Guard::read`.
#[tokio::test]
async fn l3_proxy_targets_are_refused() {
    for (method, target) in [
        (Method::GET, "http://127.0.0.1:2773/v1/db/creds"),
        (Method::GET, "http://169.254.169.254/latest"),
        (Method::GET, "127.0.0.1:2773"),
        (Method::CONNECT, "127.0.0.1:2773"),
        (Method::CONNECT, "/v1/db/creds"),
    ] {
        let house = house();
        let said = house.send(request(method, target)).await;
        assert_eq!((said.status, &*said.body), (400, "Forwarded"), "{target}");
        assert_untouched(&house, target);
    }
}

/// Break: leave out `forwarded_headers` in `Guard::read`.
#[tokio::test]
async fn l3_headers_of_the_operator_are_refused_like_the_built_in_ones() {
    let house = build(|parts| parts.forwarded_headers = vec![HeaderName::from_static("cf-connecting-ip")]);
    let said = house.send(with(request(Method::GET, "/v1/db/creds"), &[("cf-connecting-ip", "1.2.3.4")])).await;
    assert_eq!(said.status, 400);
}

/// Break: `allows_host` answers true.
#[tokio::test]
async fn l4_a_foreign_or_missing_or_doubled_host_is_refused() {
    for hosts in [
        &[][..],
        &[""],
        &["evil.test"],
        &["127.0.0.1.evil.test"],
        &["127.0.0.1.evil.test:2773"],
        &["evil.test:127.0.0.1"],
        &["127.0.0.1@evil.test"],
        &["localhost."],
        &["127.0.0.1:2773", "127.0.0.1:2773"],
        &["127.0.0.1", "evil.test"],
    ] {
        let mut sent = request(Method::GET, "/v1/db/creds");
        sent.headers_mut().remove("host");
        for host in hosts {
            sent.headers_mut().append("host", HeaderValue::from_static(host));
        }
        let house = house();
        let said = house.send(sent).await;
        assert_eq!((said.status, &*said.body), (403, "Forbidden host"), "{hosts:?}");
        assert_untouched(&house, "host");
    }
    for good in ["127.0.0.1", "127.0.0.1:2773", "localhost:1", "LOCALHOST", "[::1]:2773", "[::1]"] {
        let mut sent = request(Method::GET, "/v1/db/creds");
        sent.headers_mut().insert("host", HeaderValue::from_static(good));
        assert_eq!(house().send(sent).await.status, 200, "{good}");
    }
}

/// Where a platform decides which names lead here, the one counts that it routed by; a list that is written counts alone.
/// Break: the look at `allowed_hosts` in `allows_host`, or let the platform's name count beside a list.
#[tokio::test]
async fn l4_the_host_that_a_platform_routed_by_counts_where_none_is_listed() {
    let peer = Peer { host: Some("id.example".into()), ..Peer::default() };
    for (listed, host, expected) in [
        (None, "id.example", 200),
        (None, "ID.EXAMPLE:443", 200),
        (None, "127.0.0.1", 403),
        (None, "id.example.evil.test", 403),
        (Some("secrets.acme"), "secrets.acme", 200),
        (Some("secrets.acme"), "id.example", 403),
    ] {
        let house = build(|parts| parts.allowed_hosts = listed.map(Into::into).into_iter().collect());
        let mut sent = request(Method::GET, "/v1/db/creds");
        sent.headers_mut().insert("host", HeaderValue::from_static(host));
        assert_eq!(house.send_from(&peer, sent).await.status, expected, "{listed:?} {host}");
    }
    // A socket of ours routes by no name: where none is listed, none counts.
    let house = build(|parts| parts.allowed_hosts.clear());
    assert_eq!(house.send(request(Method::GET, "/v1/db/creds")).await.status, 403);
}

/// Break: leave `head.browser` out of `check_origin`.
#[tokio::test]
async fn l4_what_a_web_page_sends_is_refused() {
    for header in
        [("origin", "http://x"), ("origin", "null"), ("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none")]
    {
        let house = house();
        let said = house.send(with(request(Method::GET, "/v1/db/creds"), &[header])).await;
        assert_eq!((said.status, &*said.body), (403, "Forbidden origin"), "{header:?}");
        assert_untouched(&house, header.0);
    }
}

/// Break: `Methods::allow` answers true.
#[tokio::test]
async fn l6_other_methods_are_405_on_every_route() {
    let all = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "BREW"];
    for row in TABLE {
        for method in all {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            if row.methods.allow(&method) {
                continue;
            }
            let house = house();
            let said = house.send(request(method.clone(), &path_of(row))).await;
            assert_eq!(said.status, 405, "{method} {}", path_of(row));
            assert_eq!(said.header("allow"), Some(row.methods.header()));
            if row.aws && method != Method::HEAD {
                assert_eq!(said.body, "Not allowed");
            }
            assert_untouched(&house, method.as_str());
        }
    }
    assert_eq!(house().send(request(Method::HEAD, "/v1/db/creds")).await.status, 405);
    assert_eq!(house().send(request(Method::POST, "/nowhere")).await.status, 405);
}

/// Break: leave the check of `head.body` out of `admit`.
#[tokio::test]
async fn l6_a_get_with_a_body_is_refused_before_the_body_is_read() {
    for header in [("content-length", "5"), ("transfer-encoding", "chunked")] {
        let house = house();
        let sent = with(request(Method::GET, "/v1/db/creds"), &[header]);
        let (head, _) = sent.into_parts();
        let refused = said(house.api.at_once(&Peer::default(), &head).unwrap());
        assert_eq!((refused.status, &*refused.body), (400, "body not allowed"), "{header:?}");
        assert_untouched(&house, header.0);
    }
    let empty = with(request(Method::GET, "/v1/db/creds"), &[("content-length", "0")]);
    assert_eq!(house().send(empty).await.status, 200);
}

#[tokio::test]
async fn a_body_is_let_in_only_with_a_good_head() {
    let house = house();
    let cases = [
        (request(Method::POST, "/api/v1/secrets:batch"), None),
        (request(Method::POST, "/api/v1/nowhere"), Some(405)),
        (request(Method::PUT, "/api/v1/secrets:batch"), Some(405)),
        (bare(Method::POST, "/api/v1/secrets:batch"), Some(403)),
    ];
    for (sent, expected) in cases {
        let (head, _) = with(sent, &[("content-length", "9")]).into_parts();
        let refused = house.api.at_once(&Peer::default(), &head).map(|response| response.status().as_u16());
        assert_eq!(refused, expected, "{head:?}");
    }
}

/// L1. Break: answer anything else when `admit` refuses in `Api::answer`.
#[tokio::test]
async fn l1_a_host_that_never_asks_at_once_loses_no_check() {
    for sent in [
        || bare(Method::GET, "/v1/db/creds"),
        || request(Method::PUT, "/v1/db/creds"),
        || request(Method::GET, "/v1/../ping"),
        || with(request(Method::GET, "/v1/db/creds"), &[("x-forwarded-for", "192.0.2.1")]),
        || with(request(Method::GET, "/v1/db/creds"), &[("origin", "http://evil.test")]),
        || with(request(Method::GET, "/v1/db/creds"), &[("content-length", "5")]),
    ] {
        let (house, peer) = (house(), Peer::default());
        let expected = house.send_from(&peer, sent()).await;
        let called = said(house.api.call(&peer, sent()).await);
        assert!(expected.status >= 400);
        assert_eq!((called.status, &*called.body), (expected.status, &*expected.body));
        assert_eq!(house.calls(), 0);
    }
}

/// L7. Break: route on the raw path, or decode twice.
#[tokio::test]
async fn l7_a_path_that_could_be_read_twice_is_400_and_reaches_nobody() {
    for path in [
        "/v1/%2e%2e/ping",
        "/v1/../ping",
        "/v1/a%2Fb",
        "/v1/a%5Cb",
        "/v1/a%252fb",
        "/v1/..;/x",
        "/v1/a;b",
        "/v1/a%3bb",
        "/v1/a%3Fb",
        "/v1/a%23b",
        "/v1/a%00",
        "/%76%31/..%2fping",
        "/api/v1/secrets/a%2Fb",
        "/api/v1/secrets/..%2f..",
        "/api/v1/secrets/a/../b",
        "/v1/a//b",
        "/v1/a/",
        "/v1/%EF%BC%8E%EF%BC%8E/x",
    ] {
        let house = house();
        let said = house.get(path).await;
        assert_eq!(said.status, 400, "{path}: {}", said.body);
        assert_untouched(&house, path);
    }
    assert_eq!(house().get("//v1/x").await.status, 404);
    // Decoded once, router and name agree: this is the path style with the name `db/creds`.
    assert_eq!(house().get("/%76%31/db/creds").await.status, 200);
}

#[tokio::test]
async fn a_parameter_twice_or_unknown_is_refused() {
    let cases = [
        ("/secretsmanager/get?secretId=a&secretId=db/creds", "duplicate parameter: secretId"),
        ("/secretsmanager/get?secretId=db/creds&foo=1", "unknown parameter: foo"),
        ("/v1/db/creds?secretId=x", "unknown parameter: secretId"),
        ("/v1/db/creds?foo=1", "unknown parameter: foo"),
        ("/secretsmanager/get?secretId=x&%3Cb%3E%0A=1", r"unknown parameter: \u{3c}b\u{3e}\u{a}"),
        ("/systemsmanager/parameters/get?name=x&foo=1", "unknown parameter: foo"),
    ];
    for (target, text) in cases {
        let house = house();
        let said = house.get(target).await;
        assert_eq!((said.status, &*said.body), (400, text), "{target}");
        assert_untouched(&house, target);
    }
}

/// The order of refusals: cap, forwarded, host, browser, token, method, route, parameters. Each step mends the first fault.
#[tokio::test]
async fn refusals_come_in_their_order() {
    let steps = [429, 400, 403, 403, 403, 405, 404];
    let texts = [
        "Connection limit exceeded",
        "Forwarded",
        "Forbidden host",
        "Forbidden origin",
        "Bad Token",
        "Not allowed",
        "Not found",
    ];
    for (mended, (status, text)) in steps.into_iter().zip(texts).enumerate() {
        let method = if mended > 5 { Method::GET } else { Method::PUT };
        let mut sent = Request::builder().method(method).uri("/nowhere?foo=1").body(Bytes::new()).unwrap();
        let faults: [(&'static str, &'static str, &'static str); 4] = [
            ("x-forwarded-for", "a", ""),
            ("host", "evil.test", "127.0.0.1"),
            ("origin", "http://x", ""),
            ("x-vault-token", "wrong", TOKEN),
        ];
        for (at, (name, bad, good)) in faults.into_iter().enumerate() {
            let value = if mended > at + 1 { good } else { bad };
            if !value.is_empty() {
                sent.headers_mut().insert(name, HeaderValue::from_static(value));
            }
        }
        let peer = Peer { crowded: mended == 0, ..Peer::default() };
        let said = house().send_from(&peer, sent).await;
        assert_eq!((said.status, &*said.body), (status, text), "step {mended}");
    }
}

#[tokio::test]
async fn ping_is_answered_over_the_cap_and_without_a_token() {
    let crowded = Peer { crowded: true, ..Peer::default() };
    let said = house().send_from(&crowded, bare(Method::GET, "/ping")).await;
    assert_eq!((said.status, &*said.body), (200, "healthy"));
    assert!(said.header("content-type").is_none());
    assert_eq!(house().send_from(&crowded, request(Method::GET, "/v1/db/creds")).await.status, 429);
    assert_eq!(house().send_from(&crowded, bare(Method::GET, "/health/live")).await.status, 429);
}

/// M5. Break: take the peer of an audit record from a header.
#[tokio::test]
async fn m5_the_audited_peer_is_the_socket() {
    let house = house();
    house.send(with(request(Method::GET, "/v1/db/creds"), &[("x-forwarded-for", "6.6.6.6")])).await;
    house.get("/v1/db/creds").await;
    for record in house.audit() {
        assert_eq!(record.peer.as_deref(), Some("127.0.0.1:50000"));
    }
}

/// M6. Break: write a name or header into an audit record, log or problem without its escape.
#[tokio::test]
async fn m6_names_and_ids_with_controls_stay_escaped_everywhere() {
    for target in [
        "/api/v1/secrets?name=a%0Ab%1B%5B31m",
        "/api/v1/secrets?name=%3Cscript%3E",
        "/secretsmanager/get?secretId=a%0d%0aX-Evil:%201",
        "/secretsmanager/get?secretId=x&a%0Ab=1",
        "/api/v1/secrets?name=x&%1b=1",
        "/api/v1/secrets?name=x&version=%0A",
        "/api/v1/secrets?name=x&provider=%0A",
        "/api/v1/secrets?name=plain&key=%1B",
    ] {
        let house = house();
        let said = house.get(target).await;
        assert!(said.status >= 400, "{target}");
        assert!(!said.body.chars().any(char::is_control), "{target}: {:?}", said.body);
        for record in house.audit() {
            let line = record.to_json();
            assert!(line.bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'<'), "{target}: {line}");
        }
    }
}

/// C14. Break: write to the sink in `Api::refused`, past the ledger.
#[tokio::test]
async fn c14_a_flood_of_bad_tokens_is_two_records_and_the_right_number() {
    let mut resolver = None;
    let house = build(|parts| resolver = Some(parts.resolver.clone()));
    for port in 50000..50100 {
        let peer = Peer { address: Some(format!("127.0.0.1:{port}").into()), ..Peer::default() };
        assert_eq!(house.send_from(&peer, bare(Method::GET, &format!("/v1/{port}"))).await.status, 403);
    }
    resolver.unwrap().flush_audit();
    let records = house.audit();
    let seen: Vec<_> = records.iter().map(|r| (r.count, &*r.name, r.policy.as_deref(), r.peer.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (1, "/v1/50000", Some("bad_token"), Some("127.0.0.1:50000")),
            (99, "/v1/50099", Some("bad_token"), Some("127.0.0.1:50099")),
        ]
    );
}

#[tokio::test]
async fn a_refusal_is_counted_under_its_reason() {
    let house = house();
    house.send(bare(Method::GET, "/v1/db/creds")).await;
    let text = house.get("/metrics").await.body;
    assert!(text.contains("lockstep_refusals_total{reason=\"bad_token\"} 1\n"), "{text}");
}

/// Break: write a name into the answer of `health::live`.
#[tokio::test]
async fn l11_health_and_metrics_hold_no_name_and_no_value() {
    let house = house();
    house.get("/v1/db/creds").await;
    house.get("/v1/no/such").await;
    for row in TABLE.iter().filter(|row| matches!(row.to, Where::Live | Where::Ready | Where::Metrics | Where::Ping)) {
        let said = house.get(&path_of(row)).await;
        assert_eq!(said.status, 200);
        for word in ["db/creds", "db", "no/such", "hunter", TOKEN] {
            assert!(!said.body.contains(word), "{}: {word}", path_of(row));
        }
    }
}

/// C2. Break: look into the cache before `admit`.
#[tokio::test]
async fn c2_a_warm_cache_gives_nothing_without_the_token() {
    let house = house();
    house.get("/v1/db/creds").await;
    for row in TABLE.iter().filter(|row| row.value) {
        for sent in [
            bare(method_of(row), &path_of(row)),
            with(bare(method_of(row), &path_of(row)), &[("x-vault-token", "wrong")]),
            with(bare(method_of(row), &path_of(row)), &[("if-none-match", "*")]),
        ] {
            assert_eq!(house.send(sent).await.status, 403, "{}", path_of(row));
        }
    }
    assert_eq!(house.calls(), 1);
}

/// L9. Break: pass a caller's headers on, or open a route that writes.
#[tokio::test]
async fn l9_a_caller_cant_touch_the_upstream_login() {
    let house = house();
    house.send(with(request(Method::GET, "/v1/db/creds"), &[("x-vault-token-options", "revoke")])).await;
    for path in ["/v1/auth/token/revoke-self", "/v1/sys/leases/revoke"] {
        assert_eq!(house.send(request(Method::PUT, path)).await.status, 405);
        assert_eq!(house.send(request(Method::POST, path)).await.status, 405);
    }
    assert_eq!(house.get("/v1/db/creds?refreshNow=true").await.status, 200);
}

proptest! {
    /// L1 and L7: whatever the target looks like, without the token it reaches nobody, and only ping and health answer.
    /// Break: take the token off path style's row in the table of routes.
    #[test]
    fn l1_no_target_without_the_token_reaches_a_provider(
        start in prop::sample::select(vec!["/", "/v1/", "/api/v1/secrets/", "/secretsmanager/get", "/ping", "/health/", "//"]),
        rest in "[a-zA-Z0-9%./;:@?&=_~-]{0,24}",
    ) {
        let target = format!("{start}{rest}");
        prop_assume!(target.parse::<http::Uri>().is_ok_and(|uri| uri.authority().is_none()));
        let house = house();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let said = runtime.block_on(house.send(bare(Method::GET, &target)));
        let path = target.split('?').next().unwrap();
        let is_open = ["/ping", "/health/live", "/health/ready"].contains(&path);
        prop_assert_eq!(said.status, if is_open { 200 } else { 403 }, "{}", target);
        prop_assert!(is_open || house.calls() == 0);
    }
}
