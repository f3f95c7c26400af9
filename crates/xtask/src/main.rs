//! The project's own tasks. Each verb has its file; what they share is `workspace`, `process`, `tools` and `servers`.
//!
//! It may run programs, fetch what is pinned into the user's cache and write below `target/` and `dist/`. It may not
//! install anything on the machine, and nothing that it starts outlives it.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task talks to a person at a terminal")]

mod bench;
mod demo;
mod dist;
mod failure;
mod gate;
mod process;
mod schema;
mod servers;
mod size;
mod tools;
mod transcript;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::failure::{Failure, Outcome};
use crate::workspace::Workspace;

const HELP: &str = "\
cargo xtask demo                          a secret endpoint on this machine, with a curl line to try it
cargo xtask test [--deep] [--only STEP]…  the gate: everything that continuous integration checks
cargo xtask test --only tests -- WORDS…   some tests, with the gate's servers: WORDS are nextest's (-p CRATE, a name)
cargo xtask dist [--deep]                 the Lambda layer and functions in dist/ (x86_64; with --deep arm64 too)
cargo xtask size [--deep]                 the extension's size against its bar
cargo xtask schema [--check]              the config's JSON Schema and the API's description, written anew
cargo xtask bench hit                     CPU, memory and start of a cached read, against the bars
cargo xtask transcript                    the AWS agent's answers, recorded anew in tests/transcript/
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match perform(&arguments) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn perform(arguments: &[OsString]) -> Outcome<ExitCode> {
    let Some((verb, rest)) = arguments.split_first() else {
        eprint!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    // These two take words of another program, whatever they hold.
    match verb.to_str() {
        Some("leashed") => return process::leashed(rest).map(|()| ExitCode::SUCCESS),
        Some("demo") => return demo::run(&Workspace::open()?, rest).map(|()| ExitCode::SUCCESS),
        _ => {}
    }
    let words: Option<Vec<&str>> = arguments.iter().map(|word| word.to_str()).collect();
    match words.as_deref().unwrap_or_default() {
        ["help" | "--help" | "-h"] => print!("{HELP}"),
        ["test", options @ ..] => return gate::run(&Workspace::open()?, &gate::Options::parse(options)?),
        ["dist"] => dist::run(&Workspace::open()?, false)?,
        ["dist", "--deep"] => dist::run(&Workspace::open()?, true)?,
        ["size"] => size::run(&Workspace::open()?, false)?,
        ["size", "--deep"] => size::run(&Workspace::open()?, true)?,
        ["schema"] => schema::write(&Workspace::open()?)?,
        ["schema", "--check"] => schema::check(&Workspace::open()?)?,
        ["bench", "hit"] => bench::hit(&Workspace::open()?)?,
        ["transcript"] => transcript::record(&Workspace::open()?)?,
        _ => return Err(Failure::new(format!("there is no such task. The tasks are:\n{HELP}"))),
    }
    Ok(ExitCode::SUCCESS)
}
