//! M1: the canary. A value, the tokens and the keys go through every route of the API's own table, with every provider
//! and at every level of the log; then everything that was said is searched for them.
//!
//! What may hold a value is the body of a good answer of a route that gives values, and nothing else: each such route
//! has to have given it, or the search would prove nothing. A route without a [`requests`] arm fails.

mod behind;
mod logins;

use std::process::{Child, Command, Stdio};

use lockstep_api::{Methods, Row, Spelling, TABLE, Where};
use lockstep_stories::{Collector, Connection, Lockstep, Running, TOKEN, binary, until};
use lockstep_testkit::fake::Action;
use lockstep_testkit::require;
use serde_json::{Value, json};

use self::behind::{Backend, backends};
use crate::search::Said;

/// The value. Its characters change under every escape, and each half is long enough to be known again.
const CANARY: &str = "cAnary/7+\"\\<&é%>~one_half=other_half~k4Zq9wXv";
/// What must never be said, beside the value.
const KEY: &str = "wJalrCanaryKeyK7MDENGbPxRfiCYzz";
const SESSION: &str = "FwoGZXCanarySessionToken+/abc";
const VAULT_TOKEN: &str = "hvs.CanaryVaultToken0123456789";

/// Method, path and body of the requests of one row. `None`: nobody has thought of this route yet.
fn requests(row: &Row, backend: &Backend) -> Option<Vec<(&'static str, String, String)>> {
    let (secret, alias) = (backend.secret, backend.alias);
    let escaped = secret.replace('/', "%2F");
    let start = match row.path {
        Spelling::Exact(path) | Spelling::Rest(path) => path,
        Spelling::Prefix => "/v1/",
    };
    let get = |rest: String| vec![("GET", format!("{start}{rest}"), String::new())];
    Some(match row.to {
        Where::Ping | Where::Live | Where::Ready | Where::Metrics | Where::OpenApi | Where::Changes => {
            get(String::new())
        }
        Where::SecretsManager => get(format!("?secretId={escaped}&refreshNow=true")),
        Where::ParameterStore => {
            let at = |decrypt| ("GET", format!("{start}?name={escaped}&withDecryption={decrypt}"), String::new());
            vec![at(true), at(false)]
        }
        Where::Secret => vec![
            ("GET", format!("{start}{secret}"), String::new()),
            ("GET", format!("{start}{secret}?key=value"), String::new()),
            ("GET", format!("{start}{secret}?key=/a/b&version=1"), String::new()),
            ("HEAD", format!("{start}{secret}"), String::new()),
        ],
        Where::Secrets => vec![
            ("GET", format!("{start}?name={escaped}"), String::new()),
            ("GET", format!("{start}?provider={alias}"), String::new()),
            ("GET", format!("{start}?provider={alias}&prefix=kv/"), String::new()),
        ],
        Where::Batch => {
            let item = json!({ "name": secret });
            let keyed = json!({ "name": secret, "key": "value" });
            vec![("POST", start.to_owned(), json!({ "secrets": [item, keyed, { "name": "gone" }] }).to_string())]
        }
        Where::Metadata | Where::Versions if matches!(row.path, Spelling::Exact(_)) => get(format!("?name={escaped}")),
        Where::PathStyle | Where::Metadata | Where::Versions => get(secret.to_owned()),
        Where::Rotate if matches!(row.path, Spelling::Exact(_)) => {
            vec![("POST", format!("{start}?name={escaped}"), String::new())]
        }
        Where::Rotate => vec![("POST", format!("{start}{secret}"), String::new())],
        Where::Invalidate => vec![("POST", start.to_owned(), json!({ "name": secret }).to_string())],
        Where::ReportStale => {
            let body = json!({ "version": "1" }).to_string();
            match row.path {
                Spelling::Exact(_) => vec![("POST", format!("{start}?name={escaped}"), body)],
                _ => vec![("POST", format!("{start}{secret}"), body)],
            }
        }
        Where::Events => vec![
            ("POST", format!("{start}hook"), json!({ "changes": [{ "name": secret }] }).to_string()),
            ("OPTIONS", format!("{start}hook"), String::new()),
        ],
        _ => return None,
    })
}

/// Every request of every row, with these headers: which routes gave the value, and how many answers were none.
///
/// What a good answer of a value route may hold is not added.
fn walk(
    said: &mut Said,
    running: &Running,
    backend: &Backend,
    place: &str,
    headers: &[(&str, &str)],
) -> (Vec<Where>, usize) {
    let (mut gave, mut failed) = (Vec::new(), 0);
    for row in TABLE {
        let requests = requests(row, backend).unwrap_or_else(|| panic!("{row:?} has no canary"));
        assert!(!requests.is_empty());
        for (method, path, body) in requests {
            if method == "HEAD" {
                said.add(format!("{} {place}: {method} {path}", backend.name), head(running, &path, headers));
                continue;
            }
            let response = running.bare(method, &path, headers, body.as_bytes());
            let place = format!("{} {place}: {method} {path} -> {}", backend.name, response.status);
            // A batch holds values and errors; only one without any value is searched.
            failed += usize::from(response.status >= 400);
            let is_value = row.value && response.status == 200 && holds(&response.body, CANARY);
            if is_value {
                gave.push(row.to);
            }
            said.answer(&place, &response, !is_value);
        }
        let method = if row.methods == Methods::Post { "GET" } else { "DELETE" };
        said.answer("another method", &running.bare(method, "/v1/x?y=%zz", headers, b""), true);
    }
    (gave, failed)
}

/// One request by which the provider logs in anew and is refused, and one to each of the two surfaces.
fn walk_login(said: &mut Said, running: &Running, backend: &Backend, place: &str, headers: &[(&str, &str)]) {
    let escaped = backend.secret.replace('/', "%2F");
    let native = format!("/api/v1/secrets?name={escaped}&key=value");
    let list = format!("/api/v1/secrets?provider={}", backend.alias);
    let aws = format!("/secretsmanager/get?secretId={escaped}&refreshNow=true");
    for path in [native.as_str(), native.as_str(), list.as_str(), aws.as_str()] {
        let response = running.bare("GET", path, headers, b"");
        said.answer(&format!("{} {place}: GET {path}", backend.name), &response, response.status >= 400);
    }
}

/// Every byte of an answer to HEAD.
fn head(running: &Running, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut request = format!("HEAD {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", running.address);
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    let mut connection = running.connect();
    connection.send(request + "\r\n").unwrap();
    connection.closed().unwrap()
}

/// Whether a JSON text holds this, unescaped.
fn holds(body: &[u8], text: &str) -> bool {
    fn within(value: &Value, text: &str) -> bool {
        match value {
            Value::String(found) => {
                found.contains(text)
                    || serde_json::from_str(found).is_ok_and(|inner: Value| inner != *value && within(&inner, text))
            }
            Value::Array(items) => items.iter().any(|item| within(item, text)),
            Value::Object(members) => members.values().any(|item| within(item, text)),
            _ => false,
        }
    }
    serde_json::from_slice(body).is_ok_and(|value: Value| within(&value, text))
}

fn script(backend: &Backend, actions: &[(&'static str, Action)]) {
    if let Some(upstream) = &backend.upstream {
        for (route, action) in actions {
            upstream.on(route, [action.clone()]);
        }
    }
}

/// `collector` is where its spans go: they are searched when everybody has ended.
fn walk_with(backend: &Backend, level: &str, collector: &str) {
    let mut said = Said::default();
    let (format, ttl) = (if level == "debug" { "json" } else { "text" }, if level == "info" { "5m" } else { "0s" });
    let alias = backend.alias;
    // Apart from the server's own folder, which goes away with it.
    let apart = tempfile::tempdir().unwrap();
    let audit = apart.path().join("audit.log");
    let config = format!(
        r#"
[log]
level = "{level}"
format = "{format}"
[cache]
ttl = "{ttl}"
ttl_with_journal = "{ttl}"
max_stale = "0s"
negative_ttl = "0s"
[audit]
sink = {{ file = "{}" }}
hits = "full"
[freshness]
journal = "memory://"
[telemetry]
endpoint = "{}"
service_name = "{}"
[aws]
secrets_manager = "{alias}"
parameter_store = "{alias}"
parameter_store_encrypted = "{alias}"
{}"#,
        audit.display(),
        collector,
        backend.name,
        backend.config,
    );
    let home = Lockstep::new(config.as_str(), &backend.variables());
    for (file, content) in &backend.files {
        home.file(file, content);
    }
    let secrets = json!({ "canary": CANARY, "object": { "value": CANARY } }).to_string();
    home.file("s.json", &secrets);
    let shown = [
        &["config", "show"][..],
        &["config", "show", "--json"],
        &["config", "check", "-v"],
        &["describe", backend.secret],
    ];
    for verb in shown {
        script(backend, &backend.good);
        let output = home.run(verb);
        said.add(format!("{verb:?}"), format!("{}{}", output.stdout, output.stderr));
    }
    let running = home.start();
    let token = [("x-aws-parameters-secrets-token", TOKEN), ("cache-control", "no-cache")];
    script(backend, &backend.good);
    let (gave, _) = walk(&mut said, &running, backend, level, &token);
    for row in TABLE.iter().filter(|row| row.value) {
        assert!(gave.contains(&row.to), "{} has not given the value at {:?}", backend.name, row.path);
    }
    for wrong in [
        &[][..],
        &[("x-aws-parameters-secrets-token", VAULT_TOKEN)],
        &[("authorization", KEY)],
        &[("x-vault-token", SESSION)],
    ] {
        walk(&mut said, &running, backend, "without the token", wrong);
    }
    for (at, bad) in backend.bad_logins.iter().enumerate() {
        let before = backend.logins(bad);
        script(backend, bad);
        // The server has confirmed the token for `/health/ready`, and for some seconds it is not asked again whether a
        // refusal is the token's.
        until(&format!("broken login {at} of {} is asked for", backend.name), || {
            walk_login(&mut said, &running, backend, &format!("broken login {at}"), &token);
            (backend.logins(bad) > before).then_some(())
        });
    }
    for (at, bad) in backend.bad.iter().enumerate() {
        script(backend, bad);
        let (gave, failed) = walk(&mut said, &running, backend, &format!("broken answer {at}"), &token);
        assert!(gave.is_empty() || failed > 0, "{}: answer {at} is not broken", backend.name);
    }
    if backend.name == "file" {
        for broken in [
            &secrets[..secrets.len() - 3],
            CANARY,
            &secrets.replace(":{", ":[{"),
            &format!("{{\"a\":{secrets}{secrets}"),
        ] {
            running.home().file("s.json", broken);
            walk(&mut said, &running, backend, "a broken file", &token);
        }
    }
    let output = running.stop();
    assert_eq!(output.code, Some(0));
    let audit = std::fs::read(audit).unwrap();
    assert!(audit.windows(19).any(|window| window == b"\"outcome\":\"released"), "there is no audit to search");
    said.add("the audit", audit);
    said.add("standard output", output.stdout);
    said.add("standard error", output.stderr);
    nothing_of(backend, &said);
}

/// Nothing that was said holds the value, or what anybody logs in with.
fn nothing_of(backend: &Backend, said: &Said) {
    let mut secrets = vec![CANARY, TOKEN, KEY, SESSION, VAULT_TOKEN];
    secrets.extend(backend.credentials.iter().map(String::as_str));
    said.holds_none_of(&secrets);
    // Also what nobody could know before: what was signed on the way.
    let shown = backend.shown();
    assert!(backend.credentials.is_empty() || !shown.is_empty(), "{}: nobody has logged in", backend.name);
    said.holds_nowhere(&shown);
}

fn walk_through(backends: &[Backend], level: &str) {
    let collector = require!(Collector::start());
    let url = collector.url();
    std::thread::scope(|scope| {
        for backend in backends {
            let url = &url;
            scope.spawn(move || walk_with(backend, level, url));
        }
    });
    search_spans(&collector, backends);
}

/// Nothing that was sent to the collector holds a value, what anybody logs in with, or a name.
fn search_spans(collector: &Collector, backends: &[Backend]) {
    let raw = collector.raw();
    // A character for each byte, as the search has it.
    let text: String = raw.iter().map(|byte| char::from(*byte)).collect();
    for backend in backends {
        assert!(text.contains(backend.name), "{}: there are no spans to search", backend.name);
        assert!(!text.contains(backend.secret), "{}: a span names the secret", backend.name);
    }
    let mut said = Said::default();
    said.add("the spans", raw);
    let mut secrets = vec![CANARY, TOKEN, KEY, SESSION, VAULT_TOKEN];
    secrets.extend(backends.iter().flat_map(|backend| &backend.credentials).map(String::as_str));
    said.holds_none_of(&secrets);
    for backend in backends {
        said.holds_nowhere(&backend.shown());
    }
}

/// Break: print a value, a token or an upstream's body anywhere; or add a route to the table without an arm here.
#[test]
fn m1_o6_no_value_and_no_token_is_said_anywhere_at_level_info() {
    walk_through(&backends(), "info");
}

/// Break: the same, in an event of that level.
#[test]
fn m1_o6_no_value_and_no_token_is_said_anywhere_at_level_debug() {
    walk_through(&backends(), "debug");
}

/// Break: the same, in an event of that level.
#[test]
fn m1_o6_no_value_and_no_token_is_said_anywhere_at_level_trace() {
    walk_through(&backends(), "trace");
}

/// Break: print a credential, a token that was given for it, or a text of who gives them.
#[test]
fn m1_no_value_and_no_login_of_a_cloud_or_another_endpoint_is_said_at_level_info() {
    walk_through(&logins::clouds(), "info");
}

/// Break: the same, in an event of that level.
#[test]
fn m1_no_value_and_no_login_of_a_cloud_or_another_endpoint_is_said_at_level_debug() {
    walk_through(&logins::clouds(), "debug");
}

/// Break: the same, in an event of that level.
#[test]
fn m1_no_value_and_no_login_of_a_cloud_or_another_endpoint_is_said_at_level_trace() {
    walk_through(&logins::clouds(), "trace");
}

/// Break: print what a login of Vault shows or gets, or what was wrapped.
#[test]
fn m1_no_credential_of_any_login_of_vault_is_said_at_level_info() {
    walk_through(&logins::vault_logins(), "info");
}

/// Break: the same, in an event of that level.
#[test]
fn m1_no_credential_of_any_login_of_vault_is_said_at_level_debug() {
    walk_through(&logins::vault_logins(), "debug");
}

/// Break: the same, in an event of that level.
#[test]
fn m1_no_credential_of_any_login_of_vault_is_said_at_level_trace() {
    walk_through(&logins::vault_logins(), "trace");
}

/// A wrapping token is opened once, so each way to fail has a process of its own.
///
/// Break: put the token or what it opened into an error of `Opening`.
#[test]
fn m1_an_opening_that_fails_says_neither_the_wrapping_token_nor_what_was_in_it() {
    for backend in logins::openings() {
        let mut said = Said::default();
        let config = format!("[log]\nlevel = \"trace\"\n{}", backend.config);
        script(&backend, &backend.good);
        let running = Lockstep::new(config.as_str(), &backend.variables()).start();
        for _ in 0..2 {
            said.answer(backend.name, &running.get("/api/v1/secrets/kv/canary?key=x"), true);
        }
        let upstream = backend.upstream.as_ref().unwrap();
        assert!(upstream.count("POST /v1/sys/wrapping/unwrap") > 0, "{}", backend.name);
        said.add("standard error", running.stop().stderr);
        nothing_of(&backend, &said);
    }
}

/// Records that can't be written are told as a number of failures, not as what they would have said.
///
/// Break: log the record in `AuditLines::write`.
#[test]
fn m1_a_full_audit_says_that_it_is_full_and_nothing_else() {
    let config = format!(
        "[audit]\nsink = \"stdout\"\nhits = \"full\"\n[log]\nlevel = \"trace\"\n[providers.m]\ntype = \"mock\"\n\
         [providers.m.secrets.a]\nversions = [{}]\n",
        json!(CANARY)
    );
    let home = Lockstep::new(config.as_str(), &[]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let said = std::fs::File::create(home.folder().join("said")).unwrap();
    let mut command = Command::new(binary());
    command.args(["serve", "--listen", "127.0.0.1:0"]).current_dir(home.folder()).env_clear().env("AWS_TOKEN", TOKEN);
    let mut server = Ended(command.stdin(Stdio::null()).stdout(full).stderr(said).spawn().unwrap());
    let text = || std::fs::read_to_string(home.folder().join("said")).unwrap();
    let address = until("where it listens", || {
        let text = text();
        let (address, _) = text.split_once("listening on http://")?.1.split_once('\n')?;
        Some(address.to_owned())
    });
    for (token, status) in [(TOKEN, "200"), (SESSION, "403"), (TOKEN, "200")] {
        let mut connection = Connection::open(address.parse().unwrap()).unwrap();
        let request = format!(
            "GET /api/v1/secrets/a HTTP/1.1\r\nhost: {address}\r\nx-vault-token: {token}\r\nconnection: close\r\n\r\n"
        );
        connection.send(request).unwrap();
        let answer = connection.closed().unwrap();
        assert!(String::from_utf8_lossy(&answer).starts_with(&format!("HTTP/1.1 {status}")), "{token}");
    }
    server.0.kill().unwrap();
    server.0.wait().unwrap();
    let text = text();
    assert_eq!(text.matches("can't write audit records").count(), 1, "{text}");
    let mut said = Said::default();
    said.add("standard error", text);
    said.holds_none_of(&[CANARY, TOKEN, SESSION]);
}

/// A child that does not outlive its test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
