//! Mutants: is there a test for each line that decides? Each one is a small break of the code, and some test has to fail.
//!
//! Not of everything, which takes hours, but of the files where a break that no test sees hurts most: what is served
//! and for how long, and who may ask. What may survive stands in `.cargo/mutants.toml`, each with its reason.

use std::fs;
use std::path::{Path, PathBuf};

use super::Session;
use super::report::Tally;
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::tools;
use crate::workspace::variable;

/// What is broken, one file after the other. Only the tests of the file's own crate run against it.
const FILES: [&str; 13] = [
    "crates/auth/src/local_token.rs",
    "crates/auth/src/allow_list.rs",
    "crates/api/src/guard.rs",
    "crates/api/src/target.rs",
    "crates/core/src/time.rs",
    "crates/core/src/structure.rs",
    "crates/core/src/cache.rs",
    "crates/core/src/cache/entry.rs",
    "crates/core/src/cache/fence.rs",
    "crates/core/src/cache/flight.rs",
    "crates/core/src/freshness.rs",
    "crates/core/src/freshness/expectation.rs",
    "crates/core/src/resolver/fetch.rs",
];

/// Compiles against the library from outside, a minute per mutant, and shows nothing of what is broken here.
const WITHOUT: &str = "not binary(secret_types)";

/// Breaks them all; one that no test sees is a failure.
pub(super) fn run(session: &mut Session) -> Outcome<Tally> {
    if !session.deep {
        println!("runs with --deep");
        return Ok(Tally::default());
    }
    let program = tools::cargo_mutants(&session.workspace, &session.cache)?;
    let nextest = tools::nextest(&session.workspace, &session.cache)?;
    let folder = session.workspace.scratch("mutants")?;
    let mut command = session.workspace.program(program);
    command.args(["mutants", "--test-tool", "nextest", "--jobs", "2", "--no-shuffle", "--colors", "never"]);
    command.arg("--output").arg(&folder).env("PATH", path_with(&nextest)?).env("CARGO_PROFILE_TEST_DEBUG", "false");
    for file in FILES {
        if !session.workspace.root().join(file).is_file() {
            return Err(Failure::new(format!("{file} is not there any more: correct the list in gate/mutants.rs")));
        }
        command.args(["--file", file]);
    }
    let ran = process::run(command.args(["--", "-E", WITHOUT]));
    let lines = |name: &str| -> Outcome<Vec<String>> {
        let file = folder.join("mutants.out").join(name);
        Ok(fs::read_to_string(&file).at("read", &file)?.lines().map(str::to_owned).collect())
    };
    let (caught, missed, hung) = (lines("caught.txt")?, lines("missed.txt")?, lines("timeout.txt")?);
    for mutant in &missed {
        println!("no test sees it: {mutant}");
    }
    // One that hangs is seen, too: the runner ends its test.
    let tally = Tally { passed: caught.len() + hung.len(), failed: missed.len(), skipped: 0 };
    if tally.passed + tally.failed == 0 {
        ran?;
        return Err(Failure::new("there was nothing to break"));
    }
    Ok(tally)
}

/// This program's PATH, with nextest on it: cargo looks there for its own commands.
fn path_with(nextest: &Path) -> Outcome<std::ffi::OsString> {
    let own = variable("PATH").unwrap_or_default();
    let folder = nextest.parent().map(Path::to_owned).filter(|folder| folder.is_absolute());
    let folders: Vec<PathBuf> = std::env::split_paths(&own).chain(folder).collect();
    std::env::join_paths(folders).map_err(|error| Failure::new(format!("PATH can't be extended: {error}")))
}
