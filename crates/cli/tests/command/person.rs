//! What a person meets who types at a terminal: what is said, what is not, and what to do next.

use std::path::Path;
use std::process::Output;

use crate::{folder, lockstep, run, stderr, stdout};

/// Starts a command with a terminal for its three streams, and prints what it prints.
const TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

fn on_a_terminal(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new("python3");
    // The path stays, to find Python; of the rest, what could change the configuration goes.
    command.env_remove("LOCKSTEP_CONFIG").env_remove("LOCKSTEP_CONFIG_CONTENT");
    command.current_dir(folder).stdin(std::process::Stdio::null());
    command.args(["-c", TERMINAL, env!("CARGO_BIN_EXE_lockstep")]).args(arguments).output().unwrap()
}

const MOCK: &str = "[providers.f]\ntype = \"mock\"\n[providers.f.secrets.plain]\nversions = [\"text\"]\n";

/// Break: any word of the conditions in `Host::command_ports`.
#[test]
fn the_record_of_ones_own_read_is_not_in_ones_way() {
    let written = format!("[audit]\nsink = \"stderr\"\n{MOCK}");
    for (config, terminal, arguments, expected) in [
        (MOCK, true, &["get", "plain"][..], false),
        (MOCK, true, &["list"], false),
        (MOCK, true, &["get", "plain", "-v"], true),
        (&written, true, &["get", "plain"], true),
        (&written, false, &["get", "plain", "-q"], true),
        (MOCK, false, &["get", "plain"], true),
        (MOCK, false, &["get", "plain", "-q"], false),
    ] {
        let folder = folder(config);
        let output = if terminal { on_a_terminal(folder.path(), arguments) } else { run(folder.path(), arguments) };
        let said = stdout(&output) + &stderr(&output);
        assert!(output.status.success(), "{said}");
        assert_eq!(
            said.contains(r#""outcome":"released""#),
            expected,
            "{arguments:?} on a terminal: {terminal}\n{said}"
        );
    }
}

#[test]
fn a_record_that_goes_to_a_file_is_written_whoever_watches() {
    let folder = folder(&format!("[audit]\nsink = {{ file = \"audit.log\" }}\n{MOCK}"));
    assert_eq!(stdout(&on_a_terminal(folder.path(), &["get", "plain"])), "text\r\n");
    let records = std::fs::read_to_string(folder.path().join("audit.log")).unwrap();
    assert_eq!(records.matches(r#""outcome":"released""#).count(), 1, "{records}");
}

/// Break: an arm of `next_step`.
#[test]
fn the_next_step_is_about_what_was_asked_and_works_as_it_is_typed() {
    let folder = folder(
        "[audit]\nsink = \"none\"\n[auth]\nallow = [\"m://**\", \"n://db/*\"]\n\
         [providers.m]\ntype = \"mock\"\n[providers.m.secrets.\"db/creds\"]\nversions = ['{\"user\":\"app\"}']\n\
         [providers.m.secrets.\"a name\"]\nversions = [\"text\"]\n\
         [providers.m.secrets.refused]\nerror = \"denied\"\n[providers.n]\ntype = \"mock\"\n",
    );
    for (arguments, error, next) in [
        (
            &["get", "m://db/creds#pass"][..],
            "get db/creds from m: the secret has no key `pass`",
            "`lockstep get m://db/creds` ",
        ),
        (&["get", "m://db/creds@9"], "no such version", "`lockstep versions m://db/creds` "),
        (&["get", "m://a name@9"], "no such version", "`lockstep versions 'm://a name'` "),
        (&["get", "m://gone"], "no such secret", "`lockstep list m://` "),
        (&["describe", "m://gone"], "no such secret", "`lockstep list m://` "),
        (&["get", "m://refused"], "from m:", "grant the right to the identity that Lockstep logs in with"),
        (&["get", "n://api/key"], "may not get", "allow the name in `auth.allow`"),
        (&["get", "x//y"], "", "write `[alias://]name[#key][@version]`"),
        (&["list"], "there are m, n; name one: `m://` on the command line", ""),
        (&["get", "db/creds"], "name the provider as in `alias://name`", ""),
        (&["get", "x://db"], "the configuration has m, n", ""),
    ] {
        let output = run(folder.path(), arguments);
        let said = stderr(&output);
        assert!(!output.status.success() && said.contains(error), "{arguments:?}: {said}");
        let found = said.lines().find_map(|line| line.strip_prefix("next: ")).unwrap_or_default();
        assert!(if next.is_empty() { found.is_empty() } else { found.starts_with(next) }, "{arguments:?}: {said}");
        // What is to be typed can be typed.
        if let Some(command) = found.split('`').nth(1).and_then(|command| command.strip_prefix("lockstep ")) {
            let words: Vec<_> = command.splitn(2, ' ').map(|word| word.trim_matches('\'')).collect();
            let output = run(folder.path(), &words);
            assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        }
    }
}

#[test]
fn a_list_without_a_name_says_so_beside_the_answer() {
    let folder = folder(MOCK);
    let output = run(folder.path(), &["list", "other"]);
    assert!(output.status.success() && stdout(&output).is_empty(), "{}", stdout(&output));
    assert!(stderr(&output).contains("no name begins like this"), "{}", stderr(&output));
    assert!(!stderr(&lockstep(folder.path(), &[]).args(["list", "other", "-q"]).output().unwrap()).contains("begins"));
}

/// Break: `Planner::only`. The store has a twin that does not decrypt, which nobody wrote.
#[test]
fn a_lone_parameter_store_is_listed_without_its_name() {
    let folder = folder(
        "[audit]\nsink = \"none\"\n[providers.p]\ntype = \"aws-parameter-store\"\nregion = \"eu-west-1\"\n\
         endpoint = \"http://127.0.0.1:1\"\n[providers.p.upstream]\nattempts = 1\n",
    );
    let variables = [("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example")];
    let output = lockstep(folder.path(), &variables).arg("list").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "it is asked: {}", stderr(&output));
    assert!(stderr(&output).contains("list from p: no connection"), "{}", stderr(&output));
}
