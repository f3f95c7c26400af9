//! The local listener from outside: who is answered at all. Every refusal is counted at the
//! provider, which must never hear of it.

use http::Method;
use lockstep_api::{Methods, Spelling, TABLE, Where};
use lockstep_stories::{Lockstep, Running, TOKEN, Upstream};

use crate::fake_aws::{self, ROUTE};

/// The value that nobody without the token may see.
const CANARY: &str = "canary-7f3e9b";
const HEADER: &str = "x-aws-parameters-secrets-token";

/// Secrets Manager and Parameter Store, both at the hostile server.
fn serve(upstream: &Upstream, more: &str) -> Running {
    upstream.on(ROUTE, [fake_aws::value("db/creds", CANARY)]);
    let store = "\n[providers.ssm]\ntype = \"aws-parameter-store\"\nregion = \"us-east-1\"\nendpoint = ";
    let store = format!("{store}\"{}\"\n", upstream.url());
    let routes = "[[routes]]\nmatch = \"**\"\nproviders = [\"aws\"]\n";
    let config = format!("{}{store}{routes}", crate::aws_account::config(&upstream.url(), more));
    Lockstep::serve(config.as_str(), &fake_aws::ENV)
}

/// A path of this row that would reach the provider.
fn path(spelling: Spelling) -> String {
    match spelling {
        Spelling::Exact("/secretsmanager/get") => "/secretsmanager/get?secretId=db/creds".to_owned(),
        Spelling::Exact(path) if path.starts_with("/systemsmanager") => format!("{path}?name=db/creds"),
        Spelling::Exact(path @ ("/api/v1/secrets" | "/api/v1/metadata" | "/api/v1/versions" | "/api/v1/rotate")) => {
            format!("{path}?name=db/creds")
        }
        Spelling::Exact(path) => path.to_owned(),
        Spelling::Rest(start) => format!("{start}db/creds"),
        Spelling::Prefix => "/v1/db/creds".to_owned(),
    }
}

fn method(methods: Methods) -> &'static str {
    if methods.allow(&Method::POST) { "POST" } else { "GET" }
}

fn body(to: Where) -> &'static [u8] {
    match to {
        Where::Batch => br#"{"secrets":[{"name":"db/creds"}]}"#,
        Where::Invalidate => br#"{"name":"db/creds"}"#,
        _ => b"",
    }
}

// Break: `token: false` on a row of the route table, or `Once::Many` as a token in the guard.
#[test]
fn l1_c2_without_exactly_one_right_token_no_route_answers_and_no_provider_is_asked() {
    let upstream = Upstream::start();
    let running = serve(&upstream, "");
    let longer = format!("{TOKEN}x");
    let bearer = format!("Bearer {}", &TOKEN[1..]);
    let wrong: [&[(&str, &str)]; 10] = [
        &[],
        &[(HEADER, "")],
        &[(HEADER, "wrong")],
        &[(HEADER, &TOKEN[..TOKEN.len() - 1])],
        &[(HEADER, &longer)],
        &[(HEADER, TOKEN), (HEADER, TOKEN)],
        &[(HEADER, TOKEN), ("x-vault-token", TOKEN)],
        &[(HEADER, TOKEN), ("authorization", "Bearer wrong")],
        &[("authorization", &bearer)],
        &[("cookie", TOKEN)],
    ];
    for warm in [false, true] {
        if warm {
            // From here on there is something to hit.
            assert_eq!(running.value("db/creds"), CANARY);
            assert_eq!(running.get("/api/v1/secrets/db/creds").header("cache-status"), "lockstep; hit");
        }
        // Whoever asks whether it is ready makes it look, token or not, and learns a word.
        for row in TABLE.iter().filter(|row| !row.token) {
            for headers in wrong {
                let answer = running.bare("GET", &path(row.path), headers, b"");
                assert!(answer.status == 200 && !answer.text().contains(CANARY), "{row:?}: {answer:?}");
            }
        }
        let calls = upstream.total();
        for row in TABLE.iter().filter(|row| row.token) {
            let path = path(row.path);
            for headers in wrong {
                let answer = running.bare(method(row.methods), &path, headers, body(row.to));
                assert_eq!(answer.status, 403, "{path} {headers:?}: {answer:?}");
                assert!(!format!("{:?} {}", answer.headers, answer.text()).contains(CANARY), "{path} {headers:?}");
            }
            let mark = if path.contains('?') { '&' } else { '?' };
            for name in ["token", HEADER, "X-Vault-Token"] {
                let path = format!("{path}{mark}{name}={TOKEN}");
                assert_eq!(running.bare(method(row.methods), &path, &[], body(row.to)).status, 403, "{path}");
            }
        }
        // What is no route is no news to who has no token.
        assert_eq!(running.bare("GET", "/api/v2/x", &[], b"").status, 403);
        assert_eq!(upstream.total(), calls, "warm: {warm}");
    }
}

// The other half of L1: the same requests with the token do reach the provider, so a count of 0 above says something.
#[test]
fn with_the_token_every_route_of_a_secret_reaches_the_provider() {
    for row in TABLE.iter().filter(|row| row.value) {
        let upstream = Upstream::start();
        let running = serve(&upstream, "");
        running.send(method(row.methods), &path(row.path), &[], body(row.to));
        assert!(upstream.total() > 0, "{row:?}");
    }
}

// Break: a name in `Guard::read`'s list of forwarding headers, or the order of the guard's checks (token first).
#[test]
fn l3_what_was_passed_on_is_refused_before_the_token_is_looked_at() {
    let upstream = Upstream::start();
    let running = serve(&upstream, "");
    let authority = running.address.to_string();
    for name in ["X-Forwarded-For", "Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via", "Upgrade"]
    {
        for name in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
            for values in [&["203.0.113.7"][..], &[""], &["a", "b"]] {
                for token in [TOKEN, "wrong"] {
                    let mut headers: Vec<_> = values.iter().map(|value| (name.as_str(), *value)).collect();
                    headers.push((HEADER, token));
                    for path in ["/api/v1/secrets/db/creds", "/secretsmanager/get?secretId=db/creds", "/ping"] {
                        let answer = running.bare("GET", path, &headers, b"");
                        assert_eq!(answer.status, 400, "{headers:?} {path}: {answer:?}");
                    }
                }
            }
        }
    }
    for line in [
        format!("GET http://{authority}/v1/db/creds HTTP/1.1"),
        "GET http://evil.test/v1/db/creds HTTP/1.1".to_owned(),
        format!("CONNECT {authority} HTTP/1.1"),
        "CONNECT 169.254.169.254:80 HTTP/1.1".to_owned(),
    ] {
        let request = format!("{line}\r\nhost: {authority}\r\n{HEADER}: {TOKEN}\r\nconnection: close\r\n\r\n");
        let answer = running.raw(request);
        assert!((400..=403).contains(&answer.status), "{line}: {answer:?}");
    }
    assert_eq!(upstream.total(), 0);
    // M5: the audit record holds the socket's peer.
    let said = running.stop().stderr;
    assert!(said.contains("\"peer\":\"127.0.0.1:") && !said.contains("203.0.113.7"), "M5");
}

// Break: the host or the browser check of `Guard::check_origin`.
#[test]
fn l4_a_foreign_host_and_a_browsers_request_are_refused() {
    let upstream = Upstream::start();
    let running = serve(&upstream, "[listen]\nallowed_hosts = [\"lockstep.internal\"]\n");
    let port = running.address.port();
    let ask = |version: &str, headers: &str| {
        running
            .raw(format!("GET /v1/db/creds HTTP/{version}\r\n{HEADER}: {TOKEN}\r\nconnection: close\r\n{headers}\r\n"))
    };
    let own = format!("host: 127.0.0.1:{port}\r\n");
    for headers in [
        "host: evil.test\r\n".to_owned(),
        "host: 127.0.0.1.evil.test\r\n".to_owned(),
        format!("host: localhost.:{port}\r\n"),
        format!("host: evil.test:{port}\r\n"),
        "host: 127.0.0.1@evil.test\r\n".to_owned(),
        "host: 0.0.0.0\r\n".to_owned(),
        "host: \r\n".to_owned(),
        String::new(),
        format!("{own}host: evil.test\r\n"),
        format!("{own}{own}"),
        format!("{own}origin: http://x\r\n"),
        format!("{own}origin: null\r\n"),
        format!("{own}origin: http://127.0.0.1:{port}\r\n"),
        format!("{own}sec-fetch-site: cross-site\r\n"),
        format!("{own}Sec-Fetch-Site: same-origin\r\n"),
    ] {
        let answer = ask("1.1", &headers);
        assert!([400, 403].contains(&answer.status), "{headers:?}: {answer:?}");
        assert!(!answer.text().contains(CANARY));
    }
    assert_eq!(ask("1.0", "").status, 403);
    assert_eq!(upstream.total(), 0);
    for headers in [own, format!("host: LOCALHOST:{port}\r\n"), "host: lockstep.internal\r\n".to_owned()] {
        assert_eq!(ask("1.1", &headers).status, 200, "{headers:?}");
    }
}

// Break: the loopback check of `listen.address` in config, or of `Socket::tcp`.
#[test]
fn l5_only_loopback_is_listened_on() {
    let mock = "[providers.m]\ntype = \"mock\"\n";
    for listen in
        ["address = \"0.0.0.0:0\"", "address = \"[::]:0\"", "address = \"192.0.2.1:0\"", "allow_remote = true"]
    {
        let lockstep = Lockstep::new(format!("[listen]\n{listen}\n{mock}").as_str(), &[]);
        let output = lockstep.run(&["serve"]);
        assert_eq!(output.code, Some(2), "{listen}: {output:?}");
        assert!(output.stderr.contains("lockstep.toml:2:"), "{listen}: {output:?}");
    }
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let output = Lockstep::new(mock, &[]).run(&["serve", "--listen", address]);
        assert_eq!(output.code, Some(2), "{address}: {output:?}");
    }
    assert!(Lockstep::serve(mock, &[]).address.ip().is_loopback());
}

// Break: give a row of the route table another set of methods, or leave the refusal of a GET's body out of `admit`.
#[test]
fn l6_each_route_takes_its_methods_alone_and_a_get_has_no_body() {
    let upstream = Upstream::start();
    let running = serve(&upstream, "");
    for row in TABLE {
        for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get"] {
            if row.methods.allow(&Method::from_bytes(name.as_bytes()).unwrap()) {
                continue;
            }
            let answer = running.send(name, &path(row.path), &[], b"");
            assert_eq!(answer.status, 405, "{name} {:?}: {answer:?}", row.path);
        }
        if row.methods.allow(&Method::GET) {
            let answer = running.send("GET", &path(row.path), &[], b"{}");
            assert_eq!(answer.status, 400, "{:?}: {answer:?}", row.path);
        }
    }
    assert_eq!(upstream.total(), 0);
}

// Break: route on the raw path, or cut the name out of another spelling of it than the one that was routed.
#[test]
fn l7_a_path_is_one_thing_for_the_router_and_for_the_name_or_it_is_refused() {
    // The path, and the only name that the provider may be asked for.
    for (path, name) in [
        ("/v1/%2e%2e/ping", None),
        ("/v1/../ping", None),
        ("//v1/db/creds", None),
        ("/v1//db/creds", Some("/db/creds")),
        ("/v1/..;/x", None),
        ("/v1/a;b", None),
        ("/v1/a%3Bb", None),
        ("/v1/db%2Fcreds", Some("db/creds")),
        ("/v1/db%252Fcreds", None),
        ("/v1/a%5Cb", None),
        ("/v1/a%00b", None),
        ("/v1/a%3Fb", None),
        ("/v1/a%23b", None),
        ("/v1/./db/creds", None),
        ("/v1/db/creds/..", None),
        ("/%76%31/db/creds", Some("db/creds")),
        ("/api/v1/secrets/..%2f..%2f..%2fping", None),
        ("/api/v1/secrets/db%2fcreds", Some("db/creds")),
        ("/ping/../v1/db/creds", None),
        ("/secretsmanager/get/..;/x?secretId=db/creds", None),
    ] {
        let upstream = Upstream::start();
        let running = serve(&upstream, "");
        let answer = running.get(path);
        let asked: Vec<_> =
            upstream.seen().iter().map(|seen| String::from_utf8_lossy(&seen.body).into_owned()).collect();
        if let (Some(name), 200) = (name, answer.status) {
            assert!(asked.iter().all(|body| body.contains(&format!("\"SecretId\":\"{name}\""))), "{path}: {asked:?}");
        } else {
            assert!((400..405).contains(&answer.status), "{path}: {answer:?}");
            assert!(asked.is_empty(), "{path}: {asked:?}");
        }
        // Without the token, no spelling leads around it.
        let bare = running.bare("GET", path, &[], b"");
        assert!((400..405).contains(&bare.status) && !bare.text().contains("healthy"), "{path}: {bare:?}");
    }
}

// Break: a name as a label in the metrics, or a path after `/health/` that is routed on.
#[test]
fn l11_health_and_metrics_name_no_secret_and_open_no_other_path() {
    let upstream = Upstream::start();
    let running = serve(&upstream, "");
    assert_eq!(running.value("db/creds"), CANARY);
    running.get("/api/v1/secrets/other/missing");
    for (path, answer) in [
        ("/health/live", running.bare("GET", "/health/live", &[], b"")),
        ("/health/ready", running.bare("GET", "/health/ready", &[], b"")),
        ("/metrics", running.get("/metrics")),
    ] {
        assert_eq!(answer.status, 200, "{path}");
        let text = format!("{:?} {}", answer.headers, answer.text());
        for word in [CANARY, "creds", "missing", TOKEN, "arn:aws"] {
            assert!(!text.contains(word), "{path} holds {word}: {text}");
        }
    }
    let calls = upstream.total();
    for path in [
        "/health/../api/v1/secrets/db/creds",
        "/health/live/../../v1/db/creds",
        "/health/live/db/creds",
        "/health/%2e%2e/v1/db/creds",
        "/health//v1/db/creds",
        "/health/live%2f..%2f..%2fv1/db/creds",
        "/metrics/../v1/db/creds",
        "/metrics",
        "/health",
        "/health/",
    ] {
        let answer = running.bare("GET", path, &[], b"");
        assert!([400, 403, 404].contains(&answer.status), "{path}: {answer:?}");
        assert!(!answer.text().contains(CANARY), "{path}");
    }
    assert_eq!(upstream.total(), calls);
}

// Break: the age in `health::count`: whoever asks without a token could make us ask the providers without end.
#[test]
fn l11_asking_for_readiness_often_asks_the_providers_rarely() {
    let upstream = Upstream::start();
    let running = serve(&upstream, "");
    running.bare("GET", "/health/ready", &[], b"");
    let look = upstream.total();
    for _ in 0..200 {
        running.bare("GET", "/health/ready", &[], b"");
    }
    assert!(look > 0 && upstream.total() <= 10 * look, "{} calls", upstream.total());
}
