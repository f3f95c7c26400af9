//! The command as a person or a script meets it: what it prints where, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod credentials;
mod events;
mod layers;
mod person;
mod server;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use server::Server;

/// The command in this folder, with these variables and no others.
fn lockstep(folder: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.current_dir(folder).env_clear().envs(variables.iter().copied()).stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    lockstep(folder, &[]).args(arguments).output().unwrap()
}

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), config).unwrap();
    folder
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const MOCK: &str = r#"
[audit]
sink = "none"
[providers.m]
type = "mock"
[providers.m.upstream]
attempts = 1
throttled_attempts = 1
[providers.m.secrets."db/creds"]
versions = ['{"user":"app","password":"old"}', '{"user":"app","password":"hunter2"}']
rotations = ["next"]
[providers.m.secrets.plain]
versions = ["text"]
"#;

/// Break: ask with `Path::exists` whether there is a configuration.
#[test]
fn a_configuration_that_is_there_and_unreadable_is_never_taken_for_none() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("gone.toml", folder.path().join("lockstep.toml")).unwrap();
    let output = run(folder.path(), &["config", "show"]);
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
    assert!(stderr(&output).contains("can't read the configuration lockstep.toml"), "{}", stderr(&output));
}

#[test]
fn get_prints_the_value_and_a_newline_and_nothing_else() {
    let folder = folder(MOCK);
    for (arguments, expected) in [
        (&["get", "plain"][..], "text\n"),
        (&["get", "plain", "--raw"], "text"),
        (&["get", "m://plain"], "text\n"),
        (&["get", "db/creds#password"], "hunter2\n"),
        (&["get", "db/creds@1#password"], ""),
        (&["get", "db/creds#password@1"], "old\n"),
        (&["get", "db/creds#password@previous"], "old\n"),
        (&["list"], "db/creds\nplain\n"),
        (&["list", "m://db"], "db/creds\n"),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(stdout(&output), expected, "{arguments:?} {}", stderr(&output));
        assert_eq!(output.status.success(), !expected.is_empty(), "{arguments:?}");
    }
}

#[test]
fn json_is_one_document_on_standard_output() {
    let folder = folder(MOCK);
    for (arguments, pointer, expected) in [
        (&["get", "--json", "db/creds#password"][..], "/value", "\"hunter2\""),
        (&["get", "--json", "db/creds"], "/version", "\"2\""),
        (&["list", "--json"], "/1/name", "\"plain\""),
        (&["describe", "--json", "plain"], "/name", "\"plain\""),
        (&["versions", "--json", "db/creds"], "/1/version", "\"1\""),
        (&["rotate", "--json", "db/creds"], "/name", "\"db/creds\""),
        (&["config", "check", "--json"], "/ok", "true"),
        (&["config", "show", "--json"], "/cache/ttl", "\"5m\""),
        (&["config", "schema"], "/title", "\"Settings\""),
    ] {
        let output = run(folder.path(), arguments);
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document.pointer(pointer).map(ToString::to_string).as_deref(), Some(expected), "{document}");
    }
}

#[test]
fn every_kind_of_failure_ends_with_its_exit_code_and_a_next_step() {
    let failing =
        |kind: &lockstep_core::ErrorKind| format!("[providers.m.secrets.\"{0}\"]\nerror = \"{0}\"\n", kind.code());
    let failing: Vec<_> = lockstep_core::ErrorKind::ALL.iter().map(failing).collect();
    let folder = folder(&format!("{MOCK}{}", failing.concat()));
    for kind in lockstep_core::ErrorKind::ALL {
        let expected = match kind.code() {
            "config" | "invalid_name" | "invalid_reference" => 2,
            _ if kind.is_transient() => 3,
            _ => 1,
        };
        let output = run(folder.path(), &["get", kind.code()]);
        assert_eq!(output.status.code(), Some(expected), "{kind:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty() && stderr(&output).starts_with("error: get "), "{}", stderr(&output));
        let output = run(folder.path(), &["get", "--json", kind.code()]);
        let line: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(line["error"]["code"], kind.code());
    }
}

#[test]
fn usage_and_configuration_end_with_2_and_say_what_to_write() {
    let folder = folder("[cache]\ntll = \"5m\"\nttl = \"9y\"\n");
    for (arguments, variables, expected) in [
        (
            &["config", "check"][..],
            &[][..],
            "error: lockstep.toml:2:1: `cache.tll`: there is no such key; did you mean `ttl`?\nerror: lockstep.toml:3:7: ",
        ),
        (&["get", "x"], &[], "error: lockstep.toml:2:1: "),
        (&["--config", "gone.toml", "get", "x"], &[], "error: can't read the configuration gone.toml; "),
        (&["get", "x"], &[("LOCKSTEP_CONFIG", "gone.toml")], "error: can't read the configuration gone.toml; "),
        (
            &["get", "x"],
            &[("LOCKSTEP_CONFIG_CONTENT", "{\"cahce\":{}}")],
            "error: LOCKSTEP_CONFIG_CONTENT:1:2: `cahce`: there is no such key; did you mean `cache`?",
        ),
        (
            &["get", "x"],
            &[("LOCKSTEP_CONFIG_CONTENT", "{}"), ("LOCKSTEP__CACHE__TLL", "1s")],
            "error: variable LOCKSTEP__CACHE__TLL: `cache.tll`: there is no such key; did you mean `ttl`?",
        ),
        (&["nonsense"], &[], "error: unrecognized subcommand 'nonsense'"),
    ] {
        let output = lockstep(folder.path(), variables).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    }
}

#[test]
fn a_reference_is_refused_where_it_makes_no_sense() {
    let folder = folder(MOCK);
    for arguments in [
        &["get", "a//b"][..],
        &["get", "../etc/passwd"],
        &["get", "X://a"],
        &["get", "gone://a"],
        &["describe", "plain#key"],
        &["rotate", "plain@1"],
        &["list", "X://a"],
    ] {
        assert_eq!(run(folder.path(), arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_help_speaks_of_nothing_that_is_not_there() {
    let folder = folder("");
    let help = stdout(&run(folder.path(), &["--help"]));
    for verb in
        ["dev", "serve", "get", "list", "describe", "versions", "rotate", "key", "policy", "audit", "events", "config"]
    {
        assert!(help.contains(&format!("\n  {verb} ")), "{help}");
    }
    for later in ["resolve", "run", "doctor", "watch", "environment"] {
        assert!(!help.contains(&format!("\n  {later} ")), "{later}");
        assert_eq!(run(folder.path(), &[later]).status.code(), Some(2), "{later}");
    }
}

#[test]
fn serve_says_where_it_listens_how_the_token_was_found_and_that_there_is_no_promise() {
    let folder = folder(MOCK);
    let token = "0123456789abcdef0123456789abcdef";
    let mut command = lockstep(folder.path(), &[("AWS_TOKEN", token)]);
    let server = Server::start(command.args(["serve", "--listen", "127.0.0.1:0", "--json"]));
    assert!(server.get("/api/v1/secrets/plain", token).contains("\"text\""));
    assert!(server.get("/api/v1/secrets/plain", "wrong").starts_with("HTTP/1.1 403"));
    assert!(server.get("/ping", "").ends_with("healthy"));
    let (code, said) = server.stop();
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("listening on http://127.0.0.1:") && said.contains("token: the variable AWS_TOKEN"),
        "{said}"
    );
    assert!(said.contains("there is no promise") && !said.contains(token), "{said}");
}

#[test]
fn serve_prints_a_token_that_it_made_once() {
    let folder = folder(MOCK);
    let server = Server::start(lockstep(folder.path(), &[]).args(["serve", "--listen", "127.0.0.1:0", "--json", "-q"]));
    let (_, said) = server.stop();
    let lines: Vec<_> = said.lines().filter(|line| line.starts_with("token: ")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert_eq!(lines[0].split(' ').nth(1).map(str::len), Some(64), "{said}");
}

/// L5: break the check of `--listen`, which is the listener's own.
#[test]
fn l5_serve_refuses_to_listen_beyond_this_machine() {
    let folder = folder(MOCK);
    let output = run(folder.path(), &["serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn the_demo_answers_follows_edits_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_str().unwrap();
    let mut command = lockstep(folder.path(), &[("TMPDIR", temporary)]);
    let server = Server::start(command.args(["dev", "--json", "--listen", "127.0.0.1:0"]));
    let (token, file) = (server.hello["token"].as_str().unwrap(), server.hello["file"].as_str().unwrap());
    assert!(server.get("/api/v1/secrets/db/creds", token).contains("correct horse"));
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(Path::new(file)), mode(Path::new(file).parent().unwrap())), (0o600, 0o700));
    }
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace("correct horse", "another horse")).unwrap();
    server.wait_for("/api/v1/secrets/db/creds", token, "another horse");
    let (code, said) = server.stop();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_demos_line_is_the_only_data_and_works_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().to_str().unwrap();
    let kept = folder.path().join("kept");
    let mut command = lockstep(folder.path(), &[("TMPDIR", temporary)]);
    let server = Server::start(command.args(["dev", "--listen", "127.0.0.1:0", "--dir"]).arg(&kept));
    assert!(server.line.starts_with("curl -s -H 'X-Aws-Parameters-Secrets-Token: "), "{}", server.line);
    let token = server.line.split('\'').nth(1).unwrap().rsplit(' ').next().unwrap();
    assert!(server.line.trim_end().ends_with("/api/v1/secrets/db/creds"), "{}", server.line);
    assert!(server.get("/api/v1/secrets/db/creds", token).starts_with("HTTP/1.1 200"));
    server.stop();
    assert!(kept.join("secrets.yaml").exists(), "a folder that was named is kept");
}
