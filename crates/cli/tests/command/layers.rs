//! Every layer of the default assembly, switched on and off through `lockstep serve`: what changes for a caller.

use std::process::{Command, Stdio};

use crate::server::Server;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const CONFIG: &str = r#"
[providers.m]
type = "mock"
[providers.m.upstream]
attempts = 1
backoff = "1ms"
[providers.m.secrets.fine]
versions = ["value"]
[providers.m.secrets.slow]
versions = ["value"]
delay = "400ms"
[providers.m.secrets.down]
error = "unavailable"

[providers.other]
type = "mock"
[providers.other.secrets.elsewhere]
versions = ["value"]
[[routes]]
match = "elsewhere"
providers = ["other"]
[[routes]]
match = "**"
providers = ["m"]
"#;

/// Serves the configuration with these variables over it, asks for the paths in turn, and returns the last answer and
/// everything that was said.
fn ask(variables: &[(&str, &str)], paths: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), CONFIG).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.current_dir(folder.path()).env_clear().env("AWS_TOKEN", TOKEN).envs(variables.iter().copied());
    let server = Server::start(command.args(["serve", "--json", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()));
    let mut answer = String::new();
    for path in paths {
        answer = server.get(path, TOKEN);
    }
    (answer, server.stop().1)
}

#[test]
fn each_layer_switched_off_or_on_changes_what_a_caller_sees() {
    const FINE: &str = "/api/v1/secrets/fine";
    const DOWN: &str = "/api/v1/secrets/down";
    for (layer, variable, value, paths, before, after) in [
        ("audit", "LOCKSTEP__AUDIT__SINK", "none", &[FINE][..], "\"outcome\":\"released\"", ""),
        ("metrics", "LOCKSTEP__METRICS__ENABLED", "false", &["/metrics"], "HTTP/1.1 200", "HTTP/1.1 404"),
        ("authorize", "LOCKSTEP__AUTH__ALLOW", "other/**", &[FINE], "HTTP/1.1 200", "HTTP/1.1 403"),
        ("plan", "LOCKSTEP__ROUTES", "[]", &["/api/v1/secrets/elsewhere"], "\"provider\":\"other\"", "HTTP/1.1 400"),
        ("freshness", "LOCKSTEP_JOURNAL", "memory://", &[FINE], "there is no promise", "lockstep-cursor: "),
        ("cache", "LOCKSTEP__CACHE__TTL", "0", &[FINE, FINE], "cache-status: lockstep; hit", "fwd="),
        (
            "breaker",
            "LOCKSTEP__PROVIDERS__M__UPSTREAM__BREAKER_FAILURES",
            "0",
            &[DOWN, DOWN, DOWN, DOWN, DOWN, DOWN, DOWN],
            "circuit_open",
            "unavailable",
        ),
        (
            "timeout",
            "LOCKSTEP__PROVIDERS__M__UPSTREAM__TIMEOUT",
            "50ms",
            &["/api/v1/secrets/slow"],
            "HTTP/1.1 200",
            "\"timeout\"",
        ),
        ("AWS surface", "LOCKSTEP__AWS__ENABLED", "false", &["/ping"], "healthy", "HTTP/1.1 404 Not Found"),
    ] {
        let (answer, said) = ask(&[], paths);
        assert!(format!("{answer}{said}").contains(before), "{layer} by default: {answer}\n{said}");
        let (answer, said) = ask(&[(variable, value)], paths);
        let both = format!("{answer}{said}");
        assert!(both.contains(after), "{layer} switched: {both}");
        assert!(before.is_empty() || !both.contains(before), "{layer} switched: {both}");
    }
}

#[test]
fn what_is_to_be_prefetched_is_read_before_anybody_asks_and_failures_are_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), CONFIG).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.current_dir(folder.path()).env_clear().env("AWS_TOKEN", TOKEN).env("LOCKSTEP_PREFETCH", "fine, m://gone");
    let server = Server::start(command.args(["serve", "--json", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()));
    let (_, said) = server.stop();
    assert!(
        said.contains("\"principal\":\"prefetch\",\"action\":\"get\",\"provider\":\"m\",\"name\":\"fine\""),
        "{said}"
    );
    assert!(said.contains("can't prefetch"), "{said}");
}
