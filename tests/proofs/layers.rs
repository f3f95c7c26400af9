//! Every layer of the default assembly, on and off by its documented key, and what a caller of `lockstep serve` and the
//! server behind it see of the difference.
//!
//! [`LAYERS`] names the layers as the table in `config`'s settings does, and [`KEYS`] says to which one each key belongs:
//! a layer without a proof and a key without a layer both fail.

use lockstep_stories::{Collector, Connection, Lockstep, Response, Running, TOKEN, Upstream, until};
use lockstep_testkit::Gate;
use lockstep_testkit::fake::Action;
use lockstep_testkit::require;

use crate::backends::{BARE, VAULT_LOGIN, vault, vault_token, vault_value};

/// Each layer, as `config` calls it, and the tests that show it.
const LAYERS: [(&str, &[&str]); 16] = [
    ("audit", &["audit_writes_a_record_of_each_access"]),
    ("metrics", &["metrics_count_accesses_and_every_attempt"]),
    ("trace", &["trace_is_taken_over_into_the_log"]),
    ("spans", &["spans_are_sent_to_a_collector"]),
    ("plan", &["plan_takes_a_name_to_the_providers_of_its_route"]),
    ("authorize", &["authorize_refuses_before_any_call"]),
    ("freshness", &["freshness_ends_a_changed_value_before_its_ttl"]),
    ("cache", &["cache_answers_the_second_read"]),
    (
        "refresh ahead, stale values, remembered misses",
        &["stale_values_stand_in_for_a_provider_that_is_down", "a_miss_is_remembered"],
    ),
    ("single flight, jitter", &["single_flight_makes_one_call_of_many"]),
    ("breaker", &["breaker_leaves_a_failing_provider_alone"]),
    ("retry", &["retry_tries_again_what_may_pass"]),
    ("rate limit", &["rate_limit_holds_calls_back"]),
    ("timeout per attempt", &["timeout_cuts_an_attempt_and_leaves_time_for_the_next"]),
    ("AWS surface", &["aws_surface_answers_clients_of_aws"]),
    ("Vault surface", &["vault_surface_answers_clients_of_vault"]),
];

/// The layer of each key. A key that ends in `.` stands for all under it.
const KEYS: [(&str, &str); 24] = [
    ("audit.", "audit"),
    ("metrics.", "metrics"),
    ("trace.", "trace"),
    ("telemetry.", "spans"),
    ("routes", "plan"),
    ("auth.", "authorize"),
    ("freshness.", "freshness"),
    ("cache.ttl", "cache"),
    ("cache.ttl_with_journal", "cache"),
    ("cache.max_entries", "cache"),
    ("cache.max_bytes", "cache"),
    ("cache.pin_recheck", "cache"),
    ("cache.report_pause", "cache"),
    ("cache.refresh_ahead", "refresh ahead, stale values, remembered misses"),
    ("cache.max_stale", "refresh ahead, stale values, remembered misses"),
    ("cache.negative_ttl", "refresh ahead, stale values, remembered misses"),
    ("cache.single_flight", "single flight, jitter"),
    ("cache.jitter", "single flight, jitter"),
    ("upstream.breaker_", "breaker"),
    ("upstream.attempts", "retry"),
    ("upstream.rate_", "rate limit"),
    ("upstream.timeout", "timeout per attempt"),
    ("aws.", "AWS surface"),
    ("vault.", "Vault surface"),
];

/// Keys of the retry layer beside its switch.
const RETRY_KEYS: [&str; 5] = ["throttled_attempts", "backoff", "throttled_backoff", "max_backoff", "retry_budget"];
/// What is no layer: who listens, what is said, who is asked, and what is read ahead.
const NO_LAYER: [&str; 4] = ["listen", "log", "prefetch", "providers"];

const SECRET: &str = "/api/v1/secrets/kv/a";
/// The same name, and the one field of its value.
const VALUE: &str = "kv/a?key=value";
const AT_VAULT: &str = "GET /v1/kv/data/a";

/// A Vault that answers `kv/a` in this way.
fn upstream(actions: impl IntoIterator<Item = Action>) -> Upstream {
    let upstream = Upstream::start();
    upstream.on("GET /v1/auth/token/lookup-self", [vault_token()]).on(AT_VAULT, actions);
    upstream
}

/// `lockstep serve` before it, with these keys of the upstream stack and these tables.
fn serve(upstream: &Upstream, stack: &str, tables: &str) -> Running {
    Lockstep::serve(format!("{}{tables}", vault(&upstream.url(), stack)).as_str(), &VAULT_LOGIN)
}

fn code(response: &Response) -> String {
    response.member("/code")
}

/// Break: add a row to the table in `crates/config/src/settings.rs`.
#[test]
fn every_layer_that_config_names_is_shown_here() {
    let table = include_str!("../../crates/config/src/settings.rs");
    let rows = table.lines().filter_map(|line| line.strip_prefix("//! | "));
    let named: Vec<_> = rows.filter_map(|row| row.split(" | ").next()).filter(|layer| *layer != "layer").collect();
    let shown: Vec<_> = LAYERS.iter().map(|(layer, _)| *layer).collect();
    assert_eq!(
        {
            let mut named = named;
            named.sort_unstable();
            named
        },
        {
            let mut shown = shown;
            shown.sort_unstable();
            shown
        }
    );
    let tests = include_str!("layers.rs");
    for test in LAYERS.iter().flat_map(|(_, tests)| *tests) {
        assert!(tests.contains(&format!("#[test]\nfn {test}()")), "{test} is gone");
    }
}

/// Break: add a key to `Cache` or `Upstream` of config's settings.
#[test]
fn every_key_of_the_configuration_belongs_to_a_layer_that_is_shown() {
    let home = Lockstep::new("[providers.m]\ntype = \"mock\"\n", &[]);
    let shown: serde_json::Value = serde_json::from_str(&home.run(&["config", "show", "--json"]).stdout).unwrap();
    let mut keys = Vec::new();
    for (table, content) in shown.as_object().unwrap() {
        match content.as_object() {
            _ if NO_LAYER.contains(&table.as_str()) => {}
            Some(content) => keys.extend(content.keys().map(|key| format!("{table}.{key}"))),
            None => keys.push(table.clone()),
        }
    }
    let stack = shown.pointer("/providers/m/upstream").and_then(serde_json::Value::as_object).unwrap();
    keys.extend(stack.keys().filter(|key| !RETRY_KEYS.contains(&key.as_str())).map(|key| format!("upstream.{key}")));
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        let layer =
            KEYS.iter().find(|(known, _)| key == *known || (known.ends_with(['.', '_']) && key.starts_with(known)));
        let (_, layer) = layer.unwrap_or_else(|| panic!("`{key}` belongs to no layer"));
        assert!(LAYERS.iter().any(|(known, _)| known == layer), "{layer} is not shown");
    }
}

/// Break: drop `ledger.release` in the resolver's `get`.
#[test]
fn audit_writes_a_record_of_each_access() {
    for (sink, expected) in [("stderr", true), ("none", false)] {
        let vault = upstream([vault_value("x")]);
        let running = serve(&vault, "", &format!("[audit]\nsink = \"{sink}\"\nhits = \"full\"\n"));
        assert_eq!((running.get(SECRET).status, running.get(SECRET).status), (200, 200));
        assert_eq!(running.bare("GET", SECRET, &[], b"").status, 403);
        let said = running.stop().stderr;
        let count = |what: &str| said.matches(what).count();
        assert_eq!(count(r#""name":"kv/a","version":"1","outcome":"released""#), 2 * usize::from(expected), "{said}");
        assert_eq!(count(r#""cached":true"#), usize::from(expected), "{said}");
        assert_eq!(count(r#""policy":"bad_token""#), usize::from(expected), "{said}");
        assert_eq!(said.contains("audit records go nowhere"), !expected, "{said}");
    }
}

/// Both metrics layers: accesses outside the access stack, attempts inside the upstream stack.
///
/// Break: drop `count` in the resolver's `get`, or `meter.call` in `Upstream::run`.
#[test]
fn metrics_count_accesses_and_every_attempt() {
    for enabled in [true, false] {
        let vault = upstream([Action::answer(500, ""), vault_value("x")]);
        let tables = format!("[metrics]\nenabled = {enabled}\n");
        let running = serve(&vault, "backoff = \"1ms\"\n", &tables);
        assert_eq!((running.value(VALUE), running.value(VALUE)), ("x".to_owned(), "x".to_owned()));
        let metrics = running.get("/metrics");
        assert_eq!(metrics.status, if enabled { 200 } else { 404 });
        let text = metrics.text();
        for line in [
            r#"secrets_requests_total{provider="vault",operation="get",status="success"} 2"#,
            r#"secrets_cache_hits_total{provider="vault"} 1"#,
            r#"secrets_provider_calls_total{provider="vault",operation="get",status="error"} 1"#,
            r#"secrets_provider_calls_total{provider="vault",operation="get",status="success"} 1"#,
            r#"secrets_breaker_open{provider="vault"} 0"#,
        ] {
            assert_eq!(text.lines().any(|have| have == line), enabled, "{line}\n{text}");
        }
    }
}

/// Break: drop `trace` from the event in `Upstream::run`.
#[test]
fn trace_is_taken_over_into_the_log() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for enabled in [true, false] {
        let vault = upstream([Action::answer(404, "")]);
        let running = serve(&vault, BARE, &format!("[trace]\nenabled = {enabled}\n[log]\nlevel = \"debug\"\n"));
        assert_eq!(running.get_with(SECRET, &[("traceparent", TRACE)]).status, 404);
        let said = running.stop().stderr;
        assert!(said.contains("a provider refused"), "{said}");
        assert_eq!(said.contains(TRACE), enabled, "{said}");
    }
}

/// Break: drop `request_span` in `Api::at_once_at`, or the check of `telemetry.enabled` in `Config::telemetry`.
#[test]
fn spans_are_sent_to_a_collector() {
    let collector = require!(Collector::start());
    for enabled in [true, false] {
        let before = collector.spans().len();
        let vault = upstream([vault_value("x")]);
        let telemetry = format!("[telemetry]\nendpoint = \"{}\"\nenabled = {enabled}\n", collector.url());
        let running = serve(&vault, "", &telemetry);
        assert_eq!((running.value(VALUE), running.get(SECRET).status), ("x".to_owned(), 200));
        let said = running.get("/metrics").text();
        assert_eq!(said.contains("lockstep_spans_total"), enabled, "{said}");
        running.stop();
        // Two requests, two reads, one call; and the request for the numbers.
        assert_eq!(collector.spans().len() - before, if enabled { 6 } else { 0 });
    }
}

/// Break: ask every mount for every name in `Planner::mounts_for`.
#[test]
fn plan_takes_a_name_to_the_providers_of_its_route() {
    const OTHER: &str =
        "[providers.other]\ntype = \"mock\"\n[providers.other.secrets.\"kv/a\"]\nversions = [\"other\"]\n";
    const ROUTES: &str = "[[routes]]\nmatch = \"kv/**\"\nproviders = [\"vault\", \"other\"]\n";
    let vault = upstream([Action::answer(404, r#"{"errors":[]}"#)]);
    let running = serve(&vault, "", &format!("{OTHER}{ROUTES}"));
    assert_eq!((running.value("kv/a").as_str(), vault.count(AT_VAULT)), ("other", 1));
    let running = serve(&vault, "", OTHER);
    let refused = running.get(SECRET);
    assert_eq!((refused.status, code(&refused).as_str()), (400, "invalid_reference"));
    assert!(refused.member("/detail").contains("no route matches"), "{refused:?}");
    assert_eq!(vault.count(AT_VAULT), 1);
}

/// Break: drop `plan_allowed` in the resolver's `get`.
#[test]
fn authorize_refuses_before_any_call() {
    for (allow, status, calls) in
        [("**", 200, 1), ("db/**", 403, 0), ("vault://db/**", 403, 0), ("vault://kv/*", 200, 1)]
    {
        let vault = upstream([vault_value("x")]);
        let running = serve(&vault, "", &format!("[auth]\nallow = [\"{allow}\"]\n"));
        assert_eq!((running.get(SECRET).status, vault.count(AT_VAULT)), (status, calls), "{allow}");
    }
}

/// Break: drop `Freshness::ensure` in the resolver's `standing`.
#[test]
fn freshness_ends_a_changed_value_before_its_ttl() {
    let provider = |path: &str| {
        format!("[providers.file]\ntype = \"file\"\npath = \"{path}\"\npoll = \"20ms\"\n[cache]\nttl = \"24h\"\n")
    };
    let watched = Lockstep::new(
        format!(
            "{}ttl_with_journal = \"24h\"\n[freshness]\njournal = \"memory://\"\nmax_staleness = \"100ms\"\n",
            provider("s.yaml")
        )
        .as_str(),
        &[],
    );
    watched.file("s.yaml", "a: before\n");
    let path = watched.folder().join("s.yaml");
    let unwatched = Lockstep::serve(provider(path.to_str().unwrap()).as_str(), &[]);
    let watched = watched.start();
    assert_eq!((watched.value("a"), unwatched.value("a")), ("before".to_owned(), "before".to_owned()));
    watched.home().file("s.yaml", "a: after it\n");
    until("the new value", || (watched.value("a") == "after it").then_some(()));
    let old = unwatched.get("/api/v1/secrets/a");
    assert_eq!((old.member("/value").as_str(), old.header("lockstep-cursor")), ("before", ""));
    assert!(!watched.get("/api/v1/secrets/a").header("lockstep-cursor").is_empty());
    assert!(unwatched.stop().stderr.contains("there is no journal, so there is no promise"));
}

/// Break: drop the `Usable` arm of `candidate`.
#[test]
fn cache_answers_the_second_read() {
    for (cache, calls, status) in
        [("", 1, "lockstep; hit"), ("[cache]\nttl = \"0s\"\nttl_with_journal = \"0s\"\n", 2, "lockstep; fwd=")]
    {
        let vault = upstream([vault_value("x")]);
        let running = serve(&vault, "", cache);
        assert_eq!((running.value(VALUE), running.get(SECRET).status), ("x".to_owned(), 200));
        assert_eq!(vault.count(AT_VAULT), calls);
        let last = running.get(SECRET);
        assert!(last.header("cache-status").starts_with(status), "{last:?}");
    }
}

/// Break: the `is_transient` arm of `candidate`.
#[test]
fn stale_values_stand_in_for_a_provider_that_is_down() {
    for (max_stale, status) in [("1h", 200), ("0s", 503)] {
        let vault = upstream([vault_value("x"), Action::answer(500, "")]);
        let running = serve(&vault, BARE, &format!("[cache]\nttl = \"1ms\"\nmax_stale = \"{max_stale}\"\n"));
        assert_eq!(running.value(VALUE), "x");
        // Until the first value has run out.
        let response = until("a call that fails", || Some(running.get(SECRET)).filter(|_| vault.count(AT_VAULT) > 1));
        assert_eq!(response.status, status, "{response:?}");
        assert_eq!(response.header("cache-status").contains("stale"), status == 200, "{response:?}");
    }
}

/// Break: the `miss` arm of `held`.
#[test]
fn a_miss_is_remembered() {
    for (negative_ttl, calls) in [("1h", 1), ("0s", 2)] {
        let vault = upstream([Action::answer(404, r#"{"errors":[]}"#)]);
        let running = serve(&vault, "", &format!("[cache]\nnegative_ttl = \"{negative_ttl}\"\n"));
        assert_eq!((running.get(SECRET).status, running.get(SECRET).status), (404, 404));
        assert_eq!(vault.count(AT_VAULT), calls, "{negative_ttl}");
    }
}

/// Break: let every caller lead in `cache::flight`.
#[test]
fn single_flight_makes_one_call_of_many() {
    const CALLERS: usize = 8;
    for single_flight in [true, false] {
        let gate = Gate::new();
        let vault = upstream([vault_value("x").behind(&gate)]);
        let running = serve(&vault, "", &format!("[cache]\nsingle_flight = {single_flight}\n"));
        let values: Vec<_> = std::thread::scope(|scope| {
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(|| running.value(VALUE))).collect();
            // The look-up of the token, and the reads that are to be out at the same time.
            vault.until_seen(1 + if single_flight { 1 } else { CALLERS });
            gate.open();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        assert_eq!(values, vec!["x"; CALLERS]);
        assert_eq!(vault.count(AT_VAULT), if single_flight { 1 } else { CALLERS });
    }
}

/// Break: `State::Open` in the breaker's `record`.
#[test]
fn breaker_leaves_a_failing_provider_alone() {
    for (failures, calls, last) in [(2, 2, "circuit_open"), (0, 4, "unavailable")] {
        let vault = upstream([Action::answer(503, "")]);
        let stack = format!("attempts = 1\nbreaker_failures = {failures}\nbreaker_reset = \"1h\"\n");
        let running = serve(&vault, &stack, "");
        let codes: Vec<_> = (0..4).map(|_| code(&running.get(SECRET))).collect();
        assert_eq!((codes[1].as_str(), codes[3].as_str(), vault.count(AT_VAULT)), ("unavailable", last, calls));
        let open = format!("secrets_breaker_open{{provider=\"vault\"}} {}", u8::from(failures > 0));
        assert!(running.get("/metrics").text().contains(&open), "{open}");
    }
}

/// Break: return the first error in `Retries::run`.
#[test]
fn retry_tries_again_what_may_pass() {
    for (attempts, status, calls) in [(3, 200, 2), (0, 503, 1)] {
        let vault = upstream([Action::answer(502, ""), vault_value("x")]);
        let running = serve(&vault, &format!("attempts = {attempts}\nbackoff = \"1ms\"\n"), "");
        assert_eq!((running.get(SECRET).status, vault.count(AT_VAULT)), (status, calls), "{attempts}");
    }
}

/// Four calls at once, one allowed per second, half a second of time each: the last one's turn comes too late.
///
/// Break: drop `rate.wait` in `Upstream::run`.
#[test]
fn rate_limit_holds_calls_back() {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    for (per_second, refused) in [(1, true), (0, false)] {
        let secrets = NAMES.map(|name| format!("[providers.m.secrets.{name}]\nversions = [\"x\"]\n")).concat();
        let config = format!(
            "[listen]\nrequest_timeout = \"500ms\"\n[providers.m]\ntype = \"mock\"\n[providers.m.upstream]\n\
             throttled_attempts = 1\nrate_per_second = {per_second}\nrate_burst = 1\n{secrets}"
        );
        let running = Lockstep::serve(config.as_str(), &[]);
        let answers: Vec<_> = std::thread::scope(|scope| {
            let read = |name: &str| running.get(&format!("/api/v1/secrets/{name}"));
            let callers: Vec<_> = NAMES.map(|name| scope.spawn(move || read(name))).into();
            callers.into_iter().map(|caller| caller.join().unwrap()).collect()
        });
        let late: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
        assert_eq!(!late.is_empty(), refused, "{late:?}");
        assert!(late.iter().all(|answer| answer.status == 503 && answer.text().contains("own rate limit")), "{late:?}");
    }
}

/// Break: drop `bounded` in `Upstream::run`.
#[test]
fn timeout_cuts_an_attempt_and_leaves_time_for_the_next() {
    for (timeout, status, calls) in [("100ms", 200, 2), ("0s", 504, 1)] {
        let vault = upstream([Action::stall(), vault_value("x")]);
        let stack = format!("timeout = \"{timeout}\"\nattempts = 2\nbackoff = \"1ms\"\n");
        let request_timeout = if status == 200 { "30s" } else { "300ms" };
        let running = serve(&vault, &stack, &format!("[listen]\nrequest_timeout = \"{request_timeout}\"\n"));
        // The token is looked up in an attempt, too; here it is there before.
        let answer = running.get(SECRET);
        assert_eq!((answer.status, vault.count(AT_VAULT)), (status, calls), "{answer:?}");
    }
}

/// Break: ignore the prefix in `routes::find`.
#[test]
fn aws_surface_answers_clients_of_aws() {
    for (enabled, status) in [(true, 200), (false, 404)] {
        let vault = upstream([vault_value("x")]);
        let tables = format!("[aws]\nenabled = {enabled}\nsecrets_manager = \"vault\"\n");
        let running = serve(&vault, "", &tables);
        let answer = running.get("/secretsmanager/get?secretId=kv%2Fa");
        assert_eq!((answer.status, vault.count(AT_VAULT)), (status, usize::from(enabled)), "{answer:?}");
        assert_eq!(running.bare("GET", "/ping", &[], b"").status, if enabled { 200 } else { 403 });
    }
}

#[test]
fn vault_surface_answers_clients_of_vault() {
    for enabled in [true, false] {
        let vault = upstream([vault_value("x")]);
        let tables = format!(
            "[vault]\nenabled = {enabled}\naddress = \"127.0.0.1:0\"\n[vault.mounts]\nkv = {{ provider = \"vault\", prefix = \"kv/\" }}\n"
        );
        let running = serve(&vault, "", &tables);
        // By the main listener there is no such route either way.
        assert_eq!(running.get("/v1/kv/data/a").status, 404);
        assert_eq!(running.said().contains("Vault's clients: "), enabled, "{}", running.said());
        if enabled {
            let mut connection = Connection::open(running.vault()).unwrap();
            let token = format!("x-vault-token: {TOKEN}\r\n");
            connection.send(format!("GET /v1/kv/data/a HTTP/1.1\r\nhost: localhost\r\n{token}\r\n")).unwrap();
            assert_eq!(connection.receive().unwrap().status, 200);
        }
        assert_eq!(vault.count(AT_VAULT), usize::from(enabled));
    }
}
