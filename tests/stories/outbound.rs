//! Calls to a provider that is hostile, through the real transport: redirects, bombs, bodies without end, lies, and what
//! its error bodies say.

use lockstep_stories::{Lockstep, Running, Upstream, until};
use lockstep_testkit::fake::{Action, gzip_bomb};
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::fake_aws;

const CANARY: &str = "canary-51d7c0";
const VAULT_TOKEN: &str = "vault-token-0123456789";

/// Secrets Manager and a Vault whose mount is told, both at the hostile server, one attempt each.
fn serve(upstream: &Upstream, limits: &str, more: &str, env: &[(&str, &str)]) -> Running {
    let breaker = if limits.contains("breaker_reset") { "breaker_failures = 5" } else { "breaker_failures = 0" };
    let limits = format!("{breaker}\n{limits}");
    let config = format!(
        "{}[providers.aws.upstream]\n{limits}\n[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\n\
         mounts = {{ secret = \"kv2\" }}\n{more}\n[providers.vault.upstream]\n{limits}\n",
        crate::aws_account::config(&upstream.url(), "[log]\nlevel = \"trace\"\n[cache]\nnegative_ttl = \"0\"\n"),
        upstream.url()
    );
    let mut all = fake_aws::ENV.to_vec();
    all.push(("VAULT_TOKEN", VAULT_TOKEN));
    all.retain(|(name, _)| !env.iter().any(|(given, _)| given == name));
    all.extend(env);
    Lockstep::serve(config.as_str(), &all)
}

const ONE_ATTEMPT: &str = "attempts = 1\nthrottled_attempts = 1\ntimeout = \"2s\"\n";
const READS: [&str; 2] = ["/api/v1/secrets/secret/creds?provider=vault", "/api/v1/secrets/secret/creds?provider=aws"];

// Break: follow `Location` in `native/transport.rs`.
#[test]
fn o2_a_redirect_is_not_followed_and_no_credential_goes_anywhere_else() {
    let (upstream, target) = (Upstream::start(), Upstream::start());
    target.on("*", [fake_aws::value("secret/creds", CANARY)]);
    let running = serve(&upstream, ONE_ATTEMPT, "", &[]);
    let other_port = format!("{}/v1/secret/data/creds", target.url());
    let other_scheme = other_port.replace("http:", "https:");
    let other_host = other_port.replace("127.0.0.1", "localhost");
    let relative = format!("//{}/v1/secret/data/creds", target.address());
    for status in [301, 302, 303, 307, 308] {
        for to in [&other_port, &other_scheme, &other_host, &relative] {
            upstream.on("*", [Action::redirect(status, to)]);
            for path in READS {
                let answer = running.get(path);
                assert!((500..600).contains(&answer.status), "{status} {to} {path}: {answer:?}");
            }
        }
    }
    assert_eq!((target.total(), target.connections()), (0, 0));
    assert!(upstream.total() >= 40);
}

/// The most memory that the process has had, in KiB.
fn peak(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

// Break: `max_members` of either provider in config's `assembly/providers.rs`, or the `check` in `exchange`.
#[test]
fn o3_an_answer_of_more_keys_than_are_allowed_is_told_with_its_place() {
    let upstream = Upstream::start();
    let table = format!("{}max_members = 1000\n", crate::aws_account::config(&upstream.url(), ""));
    let config = format!(
        "{table}[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\nmounts = {{ secret = \"kv1\" }}\n\
         max_members = 1000\n",
        upstream.url()
    );
    let mut env = fake_aws::ENV.to_vec();
    env.push(("VAULT_TOKEN", VAULT_TOKEN));
    let running = Lockstep::serve(config.as_str(), &env);
    let answer = |keys: usize| {
        let keys: Vec<_> = (0..keys).map(|key| format!("\"{key}\":\"{CANARY}\"")).collect();
        let keys = keys.join(",");
        let aws = r#""ARN":"arn:aws:secretsmanager:us-east-1:123456789012:secret:secret/creds-AbCdEf","Name":"secret/creds","SecretString":"x","VersionId":"v","VersionStages":["AWSCURRENT"]"#;
        Action::answer(200, format!("{{{aws},\"data\":{{{keys}}}}}"))
    };
    upstream.on("GET /v1/auth/token/lookup-self", [Action::answer(200, r#"{"data":{"ttl":0,"renewable":false}}"#)]);
    for path in READS {
        for (keys, status) in [(900, 200), (1100, 502)] {
            upstream.on("*", [answer(keys)]);
            let answer = running.get_with(path, &[("cache-control", "no-cache")]);
            assert_eq!(answer.status, status, "{path}: {answer:?}");
        }
        let refused = running.get_with(path, &[("cache-control", "no-cache")]);
        assert_eq!(refused.member("/code"), "too_large", "{refused:?}");
        let detail = refused.member("/detail");
        let told =
            detail.contains("more than 1000 keys and items (line 1, column ") && detail.contains("`max_members`");
        assert!(told && !refused.text().contains(CANARY), "{refused:?}");
    }
}

// Break: the count of bytes in `HttpTransport::read`, the refusal of a `Content-Encoding`, or serde_json's depth limit.
#[test]
fn o3_bombs_endless_answers_and_lies_are_errors_and_cost_little_memory() {
    let upstream = Upstream::start();
    let running = serve(&upstream, ONE_ATTEMPT, "", &[]);
    let gzip = |name: &str| Action::with_headers(200, &[("content-encoding", name)], gzip_bomb(512 << 20));
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
    let wide = format!("{{{}}}", (0..600_000).map(|key| format!("\"{key}\":1")).collect::<Vec<_>>().join(","));
    let actions = [
        ("gzip bomb", gzip("gzip")),
        ("bomb that says deflate", gzip("deflate")),
        ("bomb that says br", gzip("br")),
        ("bomb that says zstd", gzip("zstd")),
        ("endless chunks", Action::endless(200)),
        ("endless error", Action::endless(500)),
        ("endless headers", Action::endless_headers()),
        ("1 TiB announced", Action::lying(200, 1 << 40, "{}")),
        ("more announced than sent", Action::lying(200, 500, "{\"SecretString\":\"x\"}")),
        ("less announced than sent", Action::lying(200, 3, "{\"data\":{\"data\":{}}}")),
        ("deep lists", Action::answer(200, deep("[", "]"))),
        ("deep objects", Action::answer(200, deep("{\"data\":", "}"))),
        ("many keys", Action::answer(200, wide)),
        ("cut", fake_aws::value("secret/creds", CANARY).cut_after(150)),
        ("stalled", fake_aws::value("secret/creds", CANARY).stall_after(150)),
        ("not HTTP", Action::nonsense("SSH-2.0-OpenSSH_9.2\r\n\r\n")),
        ("malformed JSON", Action::answer(200, format!("{{\"SecretString\":\"{CANARY}\""))),
        ("another shape", Action::answer(200, format!("[\"{CANARY}\"]"))),
        ("a null", Action::answer(200, "null")),
        ("no body", Action::answer(200, "")),
        ("not UTF-8", Action::answer(200, b"{\"SecretString\":\"\xff\xfe\"}")),
    ];
    // A bound that is broken ends this process, and not the machine.
    let id = i32::try_from(running.id()).ok().and_then(Pid::from_raw);
    let most = Rlimit { current: Some(4 << 30), maximum: Some(4 << 30) };
    prlimit(id, Resource::As, most).unwrap();
    let before = peak(&running);
    for (what, action) in actions {
        upstream.on("*", [action]);
        for path in READS {
            let answer = running.get(path);
            assert!((500..600).contains(&answer.status), "{what} {path}: {answer:?}");
            assert!(!answer.text().contains(CANARY), "{what} {path}");
            upstream.drop_connections();
        }
    }
    let grown = peak(&running) - before;
    assert!(grown < 64 << 10, "it took {grown} KiB more");
    // It is none the worse for it. One POST may still meet the connection that was dropped just now: with one attempt
    // that is an error.
    upstream.on("*", [fake_aws::value("secret/creds", "value")]);
    until("a healthy answer", || (running.get(READS[1]).member("/value") == "value").then_some(()));
    assert!(!running.stop().stderr.contains(CANARY));
}

// Break: the check of `namespace` in the Vault provider's settings, or of its token's characters.
#[test]
fn o4_a_line_break_in_a_namespace_or_token_is_refused_and_never_sent() {
    let upstream = Upstream::start();
    let config = |more: &str| {
        format!(
            "[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\nmounts = {{ secret = \"kv2\" }}\n{more}\n",
            upstream.url()
        )
    };
    for namespace in ["a\\r\\nX-Evil: y", "a\\nb", "a\\u0000b"] {
        let config = config(&format!("namespace = \"{namespace}\""));
        let lockstep = Lockstep::new(config.as_str(), &[("VAULT_TOKEN", VAULT_TOKEN)]);
        let output = lockstep.try_start().expect_err("it must not start");
        assert_eq!(output.code, Some(2), "{namespace}: {output:?}");
    }
    for token in ["a\r\nX-Evil: y", "a\nb"] {
        let lockstep = Lockstep::new(config("").as_str(), &[("VAULT_TOKEN", token)]);
        match lockstep.try_start() {
            Ok(running) => assert!(running.get("/api/v1/secrets/secret/creds").status >= 500, "{token:?}"),
            Err(output) => assert!(output.code == Some(2) && !output.stderr.contains("X-Evil"), "{output:?}"),
        }
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("x-evil").is_none()));
    // A caller's `?version=` goes into a path or body, never into a head.
    let running = serve(&upstream, ONE_ATTEMPT, "", &[]);
    for path in READS {
        running.get(&format!("{path}&version=a%0d%0aX-Evil:%20y"));
        running.get_with(path, &[("traceparent", "00-evil"), ("x-request-id", "a b\tc")]);
    }
    assert!(upstream.seen().iter().all(|seen| seen.header("x-evil").is_none()));
}

// Break: put a text of the answer into an error in `aws/errors.rs` or `vault/status.rs`.
#[test]
fn o6_what_a_provider_says_in_an_error_reaches_neither_the_caller_nor_the_log() {
    let upstream = Upstream::start();
    let running = serve(&upstream, ONE_ATTEMPT, "", &[]);
    for status in [400, 401, 403, 404, 405, 409, 412, 413, 418, 429, 500, 502, 503] {
        for body in [
            format!("{{\"__type\":\"InternalFailure\",\"message\":\"{CANARY}\"}}"),
            format!("{{\"__type\":\"{CANARY}\",\"Message\":\"{CANARY}\"}}"),
            format!("{{\"__type\":\"ResourceNotFoundException\",\"message\":\"{CANARY}\"}}"),
            format!("{{\"__type\":\"AccessDeniedException\",\"message\":\"{CANARY} not authorized\"}}"),
            format!("{{\"errors\":[\"{CANARY}\"],\"warnings\":[\"{CANARY}\"]}}"),
            format!("<html>{CANARY}</html>"),
        ] {
            upstream
                .on("*", [Action::with_headers(status, &[("x-amzn-errortype", CANARY), ("x-note", CANARY)], &body)]);
            for path in READS {
                let answer = running.get(path);
                assert!(answer.status >= 400, "{status} {body}");
                let text = format!("{:?} {}", answer.headers, answer.text());
                assert!(!text.contains(CANARY), "{status} {body} {path}: {text}");
            }
            let drop_in = running.get("/secretsmanager/get?secretId=secret/creds");
            assert!(!format!("{:?} {}", drop_in.headers, drop_in.text()).contains(CANARY), "{status} {body}");
        }
    }
    let output = running.stop();
    assert!(!output.stderr.contains(CANARY) && !output.stdout.contains(CANARY), "{}", output.stderr);
    assert!(!output.stderr.contains(VAULT_TOKEN));
}

// Break: `Retries::spend`, or the count of attempts in `Retries::pause`.
#[test]
fn o7_a_storm_of_429_is_bounded_by_the_attempts_and_by_the_budget() {
    let upstream = Upstream::start();
    upstream.on("*", [Action::answer(429, "{\"errors\":[]}")]);
    let patient = "throttled_attempts = 3\nthrottled_backoff = \"1ms\"\nmax_backoff = \"1ms\"\nretry_budget = 1000\n";
    let running = serve(&upstream, patient, "", &[]);
    let read = |running: &Running, index: usize| running.get(&format!("/api/v1/secrets/secret/{index}?provider=vault"));
    assert_eq!(read(&running, 0).member("/code"), "throttled");
    assert_eq!(upstream.total(), 3, "attempts of one read");

    let upstream = Upstream::start();
    upstream.on("*", [Action::answer(429, "{\"errors\":[]}")]);
    let poor = "throttled_attempts = 5\nthrottled_backoff = \"1ms\"\nmax_backoff = \"1ms\"\nretry_budget = 7\n";
    let running = serve(&upstream, poor, "", &[]);
    for index in 0..30 {
        assert_eq!(read(&running, index).status, 503);
    }
    assert_eq!(upstream.total(), 30 + 7, "one call per read, and the budget");

    // With the breaker on, a storm ends in silence.
    let upstream = Upstream::start();
    upstream.on("*", [Action::answer(503, "{\"errors\":[]}")]);
    let running = serve(&upstream, "attempts = 1\nbreaker_reset = \"1h\"\n", "", &[]);
    let codes: Vec<_> = (0..30).map(|index| read(&running, index).member("/code")).collect();
    assert_eq!(codes.last().map(String::as_str), Some("circuit_open"));
    assert_eq!(upstream.total(), 5);
}

// Break: the hint in `Retries::pause`, or its comparison with the call's deadline.
#[test]
fn o7_retry_after_is_waited_for_and_told_to_the_caller_and_other_4xx_are_not_retried() {
    let upstream = Upstream::start();
    let eager = "attempts = 5\nthrottled_attempts = 5\nthrottled_backoff = \"1ms\"\nbackoff = \"1ms\"\n";
    let running = serve(&upstream, eager, "", &[]);
    // Longer than the request may take: the first answer is the last, and the caller hears for how long.
    for status in [429, 503] {
        upstream.on("*", [Action::retry_after(status, 50)]);
        let before = upstream.total();
        let answer = running.get(READS[0]);
        assert_eq!((answer.status, answer.header("retry-after")), (503, "50"), "{status}");
        assert_eq!(upstream.total(), before + 1, "{status}");
    }
    for status in [400, 404, 405, 409, 413, 418] {
        upstream.on("*", [Action::answer(status, "{\"errors\":[]}")]);
        for path in READS {
            let before = upstream.total();
            assert!(running.get(path).status >= 400);
            assert_eq!(upstream.total(), before + 1, "{status} {path}");
        }
    }
    // A short one is waited for.
    upstream.on("*", [Action::retry_after(429, 1), fake_aws::value("secret/creds", "value")]);
    let before = upstream.total();
    assert_eq!(running.get(READS[1]).member("/value"), "value");
    assert_eq!(upstream.total(), before + 2);
}
