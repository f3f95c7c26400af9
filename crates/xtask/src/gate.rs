//! `test`: the gate. Every step runs even when one before it failed, each prints its minutes, and the last line counts.
//!
//! The steps share one target folder, one set of features and one profile, so that nothing is built twice; the one
//! release build is the extension, which the size bar and the Lambda story share.

mod claims;
mod junit;
mod left;
mod mutants;
mod report;
mod rules;
mod steps;

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use crate::failure::{Failure, Outcome};
use crate::tools::{self, Cache};
use crate::workspace::{Workspace, now};

use self::junit::Case;
use self::report::Tally;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Also what takes long: more seeds, fuzzing, benches, arm64.
    deep: bool,
    /// Only these steps; empty means all.
    only: Vec<String>,
    /// Words for nextest instead of `--workspace`, with `--only tests`: which tests.
    filter: Vec<String>,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Outcome<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--deep" => options.deep = true,
                "--only" => match words.next() {
                    Some(step) if STEPS.iter().any(|known| known.name == *step) => {
                        options.only.push((*step).to_owned());
                    }
                    other => {
                        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
                        let other = other.unwrap_or(&"nothing");
                        return Err(Failure::new(format!("--only takes one of {}, not {other}", known.join(", "))));
                    }
                },
                "--" => options.filter = words.by_ref().map(|word| (*word).to_owned()).collect(),
                other => return Err(Failure::new(format!("`cargo xtask test` doesn't know {other}"))),
            }
        }
        if !options.filter.is_empty() && options.only != ["tests"] {
            return Err(Failure::new("words after -- choose tests for nextest: they need `--only tests`"));
        }
        Ok(options)
    }

    fn whole(&self) -> bool {
        self.only.is_empty()
    }

    fn wants(&self, name: &str) -> bool {
        self.whole() || self.only.iter().any(|step| step == name)
    }
}

/// One part of the gate.
struct Step {
    name: &'static str,
    run: fn(&mut Session) -> Outcome<Tally>,
}

/// In this order. What breaks most often and costs least comes first; what a later step needs is built before it.
const STEPS: [Step; 16] = [
    Step { name: "fmt", run: steps::fmt },
    Step { name: "rules", run: steps::rules },
    Step { name: "clippy", run: steps::clippy },
    Step { name: "docs", run: steps::docs },
    Step { name: "wasm", run: steps::wasm },
    Step { name: "size", run: steps::size },
    Step { name: "build", run: steps::build },
    Step { name: "schema", run: steps::schema },
    Step { name: "deny", run: steps::deny },
    Step { name: "tests", run: steps::tests },
    Step { name: "doctests", run: steps::doctests },
    Step { name: "model", run: steps::model },
    Step { name: "fuzz", run: steps::fuzz },
    Step { name: "mutants", run: mutants::run },
    Step { name: "bench", run: steps::bench },
    // Last: it looks at what the others showed.
    Step { name: "claims", run: steps::claims },
];

/// What the steps of one run share.
struct Session {
    workspace: Workspace,
    cache: Cache,
    deep: bool,
    whole: bool,
    filter: Vec<String>,
    /// Every test that ran, once the steps `tests` and `model` are done.
    cases: Vec<Case>,
    /// What measured and held its bars.
    benched: Vec<&'static str>,
}

/// Runs the gate. Its exit code is a failure when any step failed.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Outcome<ExitCode> {
    let started = now();
    let cache = Cache::open()?;
    if options.wants("tests") || options.wants("deny") {
        // Fetching waits for networks, building for cores: both at once. What fails here fails again, and is told, in
        // the step that needs it.
        let (workspace, cache) = (workspace.clone(), cache.clone());
        thread::spawn(move || tools::fetch(&workspace, &cache));
    }
    let mut session = Session {
        workspace: workspace.clone(),
        cache,
        deep: options.deep,
        whole: options.whole(),
        filter: options.filter.clone(),
        cases: Vec::new(),
        benched: Vec::new(),
    };
    let mut total = Tally::default();
    let mut minutes = Vec::new();
    let mut failures = Vec::new();
    for step in STEPS.iter().filter(|step| options.wants(step.name)) {
        println!("\n=== {} ===", step.name);
        let began = now();
        let tally = (step.run)(&mut session).unwrap_or_else(|failure| {
            println!("{}: {failure}", step.name);
            failures.push((step.name, failure.to_string()));
            Tally::FAILED
        });
        if tally.failed > 0 && failures.last().is_none_or(|(name, _)| *name != step.name) {
            failures.push((step.name, format!("{} failed", tally.failed)));
        }
        let took = began.elapsed();
        println!("=== {}: {} in {} ===", step.name, if tally.failed == 0 { "ok" } else { "FAILED" }, shown(took));
        minutes.push((step.name, took));
        total.add(tally);
    }
    print!("{}", report::slowest(&session.cases));
    println!("\nminutes of each step:");
    for (name, took) in minutes {
        println!("  {name:<10} {}", shown(took));
    }
    println!("  {:<10} {}", "all", shown(started.elapsed()));
    for (name, failure) in &failures {
        println!("FAILED {name}: {}", failure.lines().next().unwrap_or_default());
    }
    println!("{total}");
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Minutes with one decimal, and the seconds of what is short.
fn shown(took: Duration) -> String {
    format!("{:.1} min ({:.1} s)", took.as_secs_f64() / 60.0, took.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_parsed_and_an_unknown_step_is_told() {
        let parsed = Options::parse(&["--deep", "--only", "fmt", "--only", "claims"]).unwrap();
        assert_eq!(
            parsed,
            Options { deep: true, only: vec!["fmt".to_owned(), "claims".to_owned()], filter: Vec::new() }
        );
        assert!(parsed.wants("fmt") && !parsed.wants("tests") && !parsed.whole());
        assert!(Options::parse(&[]).unwrap().wants("tests"));
        let unknown = Options::parse(&["--only", "coffee"]).unwrap_err().to_string();
        assert!(unknown.contains("fmt, rules") && unknown.ends_with("not coffee"), "{unknown}");
        assert!(Options::parse(&["--only"]).is_err());
        let chosen = Options::parse(&["--only", "tests", "--", "-p", "lockstep-core"]).unwrap();
        assert_eq!(chosen.filter, ["-p", "lockstep-core"]);
        assert!(Options::parse(&["--", "-p", "lockstep-core"]).is_err());
    }
}
