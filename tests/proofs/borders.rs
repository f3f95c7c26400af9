//! The borders that a caller or an operator can push against, from outside: cache keys, hits without a token,
//! references that want to say more than a name, providers that nobody enabled, and numbers that are out of range.

use lockstep_stories::{Lockstep, Upstream};
use lockstep_testkit::fake::Action;

use crate::backends::{VAULT_LOGIN, aws_secret, vault, vault_token, vault_value};

const MOCK: &str = "[providers.m]\ntype = \"mock\"\n[providers.m.secrets.a]\nversions = [\"first\", \"second\"]\n";

fn kv_a(value: &str) -> Upstream {
    let upstream = Upstream::start();
    upstream.on("GET /v1/auth/token/lookup-self", [vault_token()]).on("GET /v1/kv/data/a", [vault_value(value)]);
    upstream
}

/// Break: leave the alias, the name or the selector out of `Spelling`, or the endpoint or namespace out of `Scope`.
#[test]
fn c1_c12_what_differs_in_one_part_is_another_entry() {
    let (one, two) = (kv_a("one"), kv_a("two"));
    one.on("GET /v1/kv/data/a%23b", [vault_value("name")]);
    let config = format!(
        "{}\n{}{MOCK}[providers.n]\ntype = \"mock\"\n[providers.n.secrets.a]\nversions = [\"other\"]\n",
        vault(&one.url(), ""),
        vault(&two.url(), "").replace("providers.vault", "providers.vault2"),
    );
    let running = Lockstep::serve(config.as_str(), &VAULT_LOGIN);
    let asked = [
        ("/kv/a?provider=vault&key=value", "one"),
        ("/kv/a?provider=vault2&key=value", "two"),
        ("?name=kv/a%23b&provider=vault&key=value", "name"),
        ("/a?provider=m", "second"),
        ("/a?provider=m&version=1", "first"),
        ("/a?provider=m&version=2", "second"),
        ("/a?provider=m&version=previous", "first"),
        ("/a?provider=n", "other"),
        ("/a?provider=n&version=1", "other"),
    ];
    for _ in 0..2 {
        for (path, value) in asked {
            let answer = running.get(&format!("/api/v1/secrets{path}"));
            assert_eq!(answer.member("/value"), value, "{path} {}", answer.text());
        }
    }
    // Nothing of it was answered by the provider twice.
    assert_eq!((one.count("GET /v1/kv/data/a"), two.count("GET /v1/kv/data/a")), (1, 1));
    let missing = running.get("/api/v1/secrets/a?provider=n&version=2");
    assert_eq!((missing.status, missing.member("/code").as_str()), (404, "version_not_found"));
}

/// Break: ask the resolver before `check_token` in `Api::answer`.
#[test]
fn c2_a_hit_needs_the_token_like_a_miss() {
    let upstream = kv_a("warm-value");
    let running = Lockstep::serve(vault(&upstream.url(), "").as_str(), &VAULT_LOGIN);
    assert_eq!(running.value("kv/a?key=value"), "warm-value");
    let calls = upstream.total();
    let token = running.token.clone();
    let longer = format!("{token}x");
    let shorter = &token[1..];
    for path in
        ["/api/v1/secrets/kv/a", "/secretsmanager/get?secretId=kv%2Fa", "/v1/kv/a", "/api/v1/metadata/kv/a", "/metrics"]
    {
        for headers in [
            &[][..],
            &[("x-aws-parameters-secrets-token", "")],
            &[("x-aws-parameters-secrets-token", longer.as_str())],
            &[("x-aws-parameters-secrets-token", shorter)],
            &[("x-vault-token", "token-of-the-proofs")],
            &[("authorization", "Basic x"), ("cookie", token.as_str())],
            &[("x-aws-parameters-secrets-token", token.as_str()), ("x-vault-token", token.as_str())],
        ] {
            let response = running.bare("GET", path, headers, b"");
            assert_eq!(response.status, 403, "{path} {headers:?}");
            assert!(!response.text().contains("warm-value"), "{path}");
        }
    }
    assert_eq!(upstream.total(), calls);
    let said = running.stop().stderr;
    // The first of them at once, the others as counts.
    let refused = said.lines().filter(|line| line.contains(r#""outcome":"refused""#));
    let counts =
        refused.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["count"].as_u64().unwrap());
    assert_eq!(counts.sum::<u64>(), 5 * 7, "{said}");
    assert!(!said.contains(r#""cached":true"#), "{said}");
}

/// Break: saturate in `Period`, or drop a range in `checks`.
#[test]
fn t3_no_ttl_is_negative_huge_or_endless() {
    for key in [
        "cache.ttl",
        "cache.ttl_with_journal",
        "cache.negative_ttl",
        "cache.max_stale",
        "cache.refresh_ahead",
        "cache.pin_recheck",
        "providers.m.ttl",
        "routes.0.ttl",
        "routes.0.max_staleness",
        "freshness.max_staleness",
    ] {
        for text in [
            "\"-1s\"",
            "-1",
            "\"18446744073709551615s\"",
            "\"18446744073709551616s\"",
            "\"1e99s\"",
            "\"10y\"",
            "\"31d\"",
            "\"9999999999999999999999h\"",
            "\"inf\"",
            "\"NaN\"",
            "\"never\"",
            "\"\"",
            "\"5\"",
            "300",
            "1e99",
            "true",
            "[]",
        ] {
            let (table, last) = key.rsplit_once('.').unwrap();
            let setting = match table {
                "routes.0" => format!("[[routes]]\nmatch = \"**\"\nproviders = [\"m\"]\n{last} = {text}\n{MOCK}"),
                "providers.m" => MOCK.replace("type = \"mock\"\n", &format!("type = \"mock\"\n{last} = {text}\n")),
                _ => format!("[{table}]\n{last} = {text}\n{MOCK}"),
            };
            let output = Lockstep::new(setting.as_str(), &[]).run(&["config", "check"]);
            assert_eq!(output.code, Some(2), "{key} = {text}");
            let line = output.stderr.lines().next().unwrap();
            assert!(line.starts_with("error: lockstep.toml:") && line.contains(&format!("`{key}`")), "{text}: {line}");
            assert!(line.contains("write"), "{key} = {text}: {line}");
        }
    }
    // A day is the most for a TTL, nothing is the least: then nothing is cached.
    for (ttl, fine) in [("0s", true), ("24h", true), ("86401s", false)] {
        let output = Lockstep::new(format!("[cache]\nttl = \"{ttl}\"\n{MOCK}").as_str(), &[]).run(&["config", "check"]);
        assert_eq!(output.code == Some(0), fine, "{ttl}: {output:?}");
    }
    let home = Lockstep::new(MOCK, &[("LOCKSTEP__CACHE__TTL", "10y")]);
    let output = home.run(&["get", "a"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.starts_with("error: variable LOCKSTEP__CACHE__TTL: `cache.ttl`: "), "{output:?}");
}

/// Break: allow `?` in `SecretRef::parse`, or drop a row of `PARAMETERS` or `SCHEMES`.
#[test]
fn r1_a_reference_says_which_secret_and_nothing_else() {
    let evil = Upstream::start();
    let good = kv_a("x");
    let home = Lockstep::new(vault(&good.url(), "").as_str(), &VAULT_LOGIN);
    let address = evil.url();
    for reference in [
        format!("kv/a?address={address}"),
        format!("vault://kv/a?address={address}&proto=http"),
        "kv/a?role=admin".to_owned(),
        format!("vault+{address}/kv/a"),
        format!("{address}/kv/a"),
        "https://vault.internal/v1/kv/data/a".to_owned(),
        "address=http://127.0.0.1/".to_owned(),
        "token_file=/etc/passwd".to_owned(),
        "kv/a&token_file=/etc/passwd".to_owned(),
        "role_arn=arn:aws:iam::123456789012:role/x".to_owned(),
        "kv/a;profile=prod".to_owned(),
        "token=x".to_owned(),
        "kv/../sys/raw".to_owned(),
        "kv/%2e%2e/sys/raw".to_owned(),
        "vault://".to_owned(),
        String::new(),
    ] {
        let output = home.run(&["get", &reference]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{reference}");
        assert!(output.stderr.starts_with("error: at byte "), "{reference}: {}", output.stderr);
        assert!(output.stderr.contains("next: "), "{reference}: {}", output.stderr);
        // It may be a secret, written in the wrong place.
        assert!(reference.is_empty() || !output.stderr.contains(&reference), "{}", output.stderr);
    }
    assert_eq!((evil.total(), good.total()), (0, 0));
    assert_eq!(home.run(&["get", "vault://kv/a#value"]).stdout, "x\n");
}

/// Break: add a variant to `Provider` of config's settings that runs, fetches or reads what a caller names.
#[test]
fn r2_nothing_is_asked_that_the_configuration_does_not_name() {
    for kind in ["exec", "command", "http", "https", "env", "environment", "plugin", "wasm", "File", ""] {
        let config = format!("[providers.p]\ntype = \"{kind}\"\ncommand = \"id\"\npath = \"/etc/hostname\"\n");
        let output = Lockstep::new(config.as_str(), &[]).run(&["get", "p://id"]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{kind}");
        assert!(
            output.stderr.starts_with("error: lockstep.toml:2:8: `providers.p.type`: "),
            "{kind}: {}",
            output.stderr
        );
        assert!(
            output.stderr.contains("`file`") || output.stderr.contains("did you mean"),
            "{kind}: {}",
            output.stderr
        );
    }
    // What this build has is still off until a table says otherwise.
    let home = Lockstep::new(MOCK, &[("SECRET", "in the environment")]);
    home.file("secrets.yaml", "a: in a file\n");
    for reference in
        ["file://a", "file://secrets.yaml", "env://SECRET", "exec://id", "http://a", "aws://a", "vault://a", "ssm://a"]
    {
        let output = home.run(&["get", reference]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{reference}");
        assert!(output.stderr.contains("no provider") || output.stderr.contains("not an address"), "{}", output.stderr);
    }
}

/// Where it stands, what is wrong, and what to write instead: one line for each mistake, all of them at once.
///
/// Break: stop at the first problem in `Config::load`.
#[test]
fn a_bad_configuration_is_told_line_by_line() {
    let config = r#"
[cache]
tll = "5m"
max_entries = 0
[freshness]
on_outage = "server"
[listen]
address = "0.0.0.0:2773"
[providers.vualt]
type = "vault"
address = "http://vault.internal:8200"
auth = { method = "token", token = "hvs.hunter2" }
[[routes]]
match = "db**"
providers = ["vault"]
"#;
    let home = Lockstep::new(config, &[]);
    let expected = [
        "error: lockstep.toml:3:1: `cache.tll`: there is no such key; did you mean `ttl`?",
        "error: lockstep.toml:4:15: `cache.max_entries`: 0 is out of range; write from 1 to 1000000",
        "error: lockstep.toml:6:13: `freshness.on_outage`: `server` is not known; did you mean `serve`?",
        "error: lockstep.toml:8:11: `listen.address`: 0.0.0.0 can be reached from other machines; write `127.0.0.1:2773`, or `allow_remote = true` with `tls`",
    ];
    for verb in [&["config", "check"][..], &["get", "a"], &["serve"], &["list"]] {
        let output = home.run(verb);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{verb:?}");
        for line in expected {
            assert!(output.stderr.lines().any(|said| said == line), "{line}\n{}", output.stderr);
        }
        for key in ["`providers.vualt.auth", "`providers.vualt.address`", "`routes.0.match`"] {
            assert!(output.stderr.contains(key), "{key}\n{}", output.stderr);
        }
        assert!(!output.stderr.contains("hunter2"), "{}", output.stderr);
    }
}

/// Break: `Envelope` without its limits, or answer from an entry whose name is another one's.
#[test]
fn c1_an_answer_about_another_secret_is_not_kept_under_the_name_asked_for() {
    let upstream = Upstream::start();
    let two = [aws_secret("one", "first"), aws_secret("two", "second")].map(|secret| Action::json(200, &secret));
    upstream.on("POST /", two);
    let config = crate::backends::aws("secrets-manager", &upstream.url(), "");
    let running = Lockstep::serve(config.as_str(), &crate::backends::AWS_LOGIN);
    assert_eq!((running.value("one"), running.value("two")), ("first".to_owned(), "second".to_owned()));
    assert_eq!((running.value("one"), running.value("two")), ("first".to_owned(), "second".to_owned()));
    assert_eq!(upstream.count("POST /"), 2);
}
