//! The steps of the gate, one function each.

use std::fs;
use std::path::PathBuf;

use super::junit::{self, End};
use super::left::Left;
use super::report::{self, Tally};
use super::{Session, claims as claim_file, rules as house};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::servers::Servers;
use crate::workspace::{WASM, WASM_CRATES};
use crate::{schema as json_schema, size as extension, tools};

pub(super) fn fmt(session: &mut Session) -> Outcome<Tally> {
    check(process::run(&mut session.workspace.cargo(&["fmt", "--all", "--check"])))
}

pub(super) fn rules(session: &mut Session) -> Outcome<Tally> {
    let broken = house::check(&session.workspace)?;
    for line in &broken {
        println!("{line}");
    }
    if broken.is_empty() {
        Ok(Tally::PASSED)
    } else {
        Err(Failure::new(format!("{} house rules broken", broken.len())))
    }
}

pub(super) fn clippy(session: &mut Session) -> Outcome<Tally> {
    let words = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];
    check(process::run(&mut session.workspace.cargo(&words)))
}

pub(super) fn docs(session: &mut Session) -> Outcome<Tally> {
    let mut command = session.workspace.cargo(&["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    check(process::run(command.env("RUSTDOCFLAGS", "-D warnings")))
}

pub(super) fn wasm(session: &mut Session) -> Outcome<Tally> {
    tools::targets(&session.workspace, &[WASM])?;
    let mut command = session.workspace.cargo(&["check", "--locked", "--quiet", "--target", WASM]);
    for name in WASM_CRATES {
        command.args(["--package", &format!("lockstep-{name}")]);
    }
    command.args([
        "--features",
        "lockstep-auth/aws-iam,lockstep-auth/jwt,lockstep-auth/mtls,lockstep-events/sns,lockstep-events/dynamodb,lockstep-events/redis",
    ]);
    check(process::run(&mut command))
}

pub(super) fn size(session: &mut Session) -> Outcome<Tally> {
    extension::run(&session.workspace, session.deep)?;
    session.benched.push("size");
    Ok(Tally::PASSED)
}

/// Everything that the tests run: their binaries, and the commands that end-to-end tests start.
pub(super) fn build(session: &mut Session) -> Outcome<Tally> {
    process::run(&mut session.workspace.cargo(&["build", "--locked", "--workspace", "--all-targets"]))?;
    check(wasm_contract(session))
}

/// Where the contract suite is, as a module of wasm that Node loads.
fn wasm_module(session: &Session) -> PathBuf {
    session.workspace.target().join(WASM).join("node")
}

/// The contract suite as a module of wasm.
fn wasm_contract(session: &Session) -> Outcome {
    let name = "lockstep-wasm-contract";
    tools::targets(&session.workspace, &[WASM])?;
    let words = ["build", "--locked", "--package", name, "--lib", "--target", WASM];
    process::run(&mut session.workspace.cargo(&words))?;
    let program = tools::wasm_bindgen(&session.workspace, &session.cache)?;
    let built = session.workspace.target().join(WASM).join("debug").join(name.replace('-', "_"));
    let mut command = session.workspace.program(program);
    command.args(["--target", "nodejs", "--no-typescript", "--out-dir"]).arg(wasm_module(session));
    process::run(command.arg(built.with_extension("wasm")))
}

pub(super) fn schema(session: &mut Session) -> Outcome<Tally> {
    check(json_schema::check(&session.workspace))
}

pub(super) fn deny(session: &mut Session) -> Outcome<Tally> {
    let program = tools::cargo_deny(&session.workspace, &session.cache)?;
    let mut command = session.workspace.program(program);
    command.args(["--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    process::run(&mut command)?;
    if session.deep {
        // Advisories are fetched from a git host, which not every machine reaches.
        println!("SKIP advisories: run `cargo deny check advisories` where git hosts are reached");
    }
    Ok(Tally { skipped: usize::from(session.deep), ..Tally::PASSED })
}

pub(super) fn tests(session: &mut Session) -> Outcome<Tally> {
    let nextest = tools::nextest(&session.workspace, &session.cache)?;
    let folder = session.workspace.scratch("test")?;
    let servers = Servers::start(&session.cache, &folder)?;
    let skips = folder.join("skips");
    let target = session.workspace.target();
    let report = target.join("nextest/gate/junit.xml");
    if report.exists() {
        fs::remove_file(&report).at("remove", &report)?;
    }

    let mut command = session.workspace.program(nextest);
    command.args(["nextest", "run", "--locked", "--profile", "gate"]);
    if session.filter.is_empty() {
        command.arg("--workspace");
    }
    command.args(&session.filter);
    // A failed test's message names its line; the thirty frames above it hide the next failure.
    command.env("LOCKSTEP_TEST_SKIPS", &skips).env("RUST_BACKTRACE", "0");
    for (name, value) in servers.variables() {
        command.env(name, value);
    }
    for (name, program) in [
        ("LOCKSTEP_TEST_LOCKSTEP", target.join("debug/lockstep")),
        ("LOCKSTEP_TEST_EXTENSION", target.join(crate::workspace::X86_64).join("release/lockstep-extension")),
    ] {
        if program.is_file() {
            command.env(name, program);
        }
    }
    let module = wasm_module(session);
    if module.is_dir() {
        command.env("LOCKSTEP_TEST_WASM", module);
    }
    if session.whole {
        command.env("LOCKSTEP_TEST_GATE", "1");
    }
    if session.deep {
        command.env("PROPTEST_CASES", "4096");
    }
    let left = Left::watch()?;
    let ran = process::run(&mut command);
    drop(servers);
    let left = left.none();

    // No report means that nothing ran: then nextest's own failure is the news.
    let Ok(text) = fs::read_to_string(&report) else {
        ran?;
        return Err(Failure::new("nextest wrote no report"));
    };
    session.cases.extend(junit::parse(&text)?);
    let recorded = fs::read_to_string(&skips).unwrap_or_default();
    print!("{recorded}");
    junit::apply_skips(&mut session.cases, &recorded);
    let count = |end| session.cases.iter().filter(|case| case.end == end).count();
    let tally = Tally { passed: count(End::Passed), failed: count(End::Failed), skipped: count(End::Skipped) };
    if tally.failed == 0 {
        // It failed and yet no test did: a crash, or a leak.
        ran?;
    }
    if let Err(failure) = left {
        println!("tests: {failure}");
        return Ok(Tally { failed: tally.failed + 1, ..tally });
    }
    Ok(tally)
}

pub(super) fn doctests(session: &mut Session) -> Outcome<Tally> {
    let mut command = session.workspace.cargo(&["test", "--locked", "--workspace", "--doc", "--no-fail-fast"]);
    let (status, output) = process::tee(&mut command)?;
    let tally = report::harness(&output);
    if tally.failed == 0 {
        process::succeeded(&command, status)?;
    }
    Ok(tally)
}

/// The model checker's tests: core built anew with another `sync`, so in a target folder of its own.
pub(super) fn model(session: &mut Session) -> Outcome<Tally> {
    let mut flags = crate::workspace::variable("RUSTFLAGS").unwrap_or_default();
    flags.push_str(" --cfg shuttle");
    let mut command = session.workspace.cargo(&["test", "--locked", "--package", "lockstep-core", "--lib"]);
    command.arg("--target-dir").arg(session.workspace.target().join("shuttle")).arg("cache::model");
    let (status, output) = process::tee(command.env("RUSTFLAGS", flags.trim()).env("RUST_BACKTRACE", "0"))?;
    let cases = report::harness_cases(&output, "lockstep-core::model");
    let tally = report::harness(&output);
    session.cases.extend(cases);
    if tally.failed == 0 {
        process::succeeded(&command, status)?;
    }
    if tally == Tally::default() {
        return Err(Failure::new("no test is called cache::model any more"));
    }
    Ok(tally)
}

/// Each fuzz target for a minute. On the pinned toolchain, so without sanitizers; there is no unsafe code to watch.
pub(super) fn fuzz(session: &mut Session) -> Outcome<Tally> {
    if !session.deep {
        println!("runs with --deep");
        return Ok(Tally::default());
    }
    let program = tools::cargo_fuzz(&session.workspace, &session.cache)?;
    let fuzz = || {
        let mut command = session.workspace.program(&program);
        command.env("RUSTC_BOOTSTRAP", "1");
        command
    };
    let listed = process::capture(fuzz().arg("list"))?;
    let targets: Vec<&str> = listed.split_whitespace().collect();
    if targets.is_empty() {
        return Err(Failure::new("there is no target in fuzz/"));
    }
    let mut tally = Tally::default();
    for target in targets {
        println!("--- {target}");
        let mut command = fuzz();
        command.args(["run", "-s", "none", "--target-dir"]).arg(session.workspace.target().join("fuzz"));
        match process::run(command.args([target, "--", "-max_total_time=60", "-print_final_stats=1", "-verbosity=0"])) {
            Ok(()) => tally.passed += 1,
            Err(failure) => {
                println!("{target}: {failure}");
                tally.failed += 1;
            }
        }
    }
    Ok(tally)
}

pub(super) fn claims(session: &mut Session) -> Outcome<Tally> {
    if session.cases.is_empty() {
        return Err(Failure::new("no test ran, so nothing is shown (run the steps `tests` and `model` too)"));
    }
    let file = session.workspace.root().join("tests/claims.toml");
    let text = fs::read_to_string(&file).at("read", &file)?;
    let verdict = claim_file::check(&text, &session.cases, &session.benched)?;
    for line in &verdict.open {
        println!("  open  {line}");
    }
    for line in &verdict.not_benched {
        println!("  by bench (not run here)  {line}");
    }
    for line in &verdict.skipped {
        println!("  SKIP  {line}");
    }
    for line in &verdict.wrong {
        println!("  WRONG {line}");
    }
    println!(
        "claims: {} shown, {} by bench (not run here), {} skipped, {} open, {} wrong",
        verdict.shown,
        verdict.not_benched.len(),
        verdict.skipped.len(),
        verdict.open.len(),
        verdict.wrong.len()
    );
    if verdict.wrong.is_empty() { Ok(Tally::PASSED) } else { Err(Failure::new("tests/claims.toml is not true")) }
}

/// The bars that need a quiet quarter of an hour, so only with `--deep`.
pub(super) fn bench(session: &mut Session) -> Outcome<Tally> {
    if !session.deep {
        println!("runs with --deep, and alone as `cargo xtask bench hit`");
        return Ok(Tally::default());
    }
    crate::bench::hit(&session.workspace)?;
    session.benched.push("hit");
    Ok(Tally::PASSED)
}

fn check(outcome: Outcome) -> Outcome<Tally> {
    outcome.map(|()| Tally::PASSED)
}
