//! What a test does when it can't run here: it prints `SKIP <test>: <reason>` and writes the same down for the gate.
//!
//! A skip is never a pass: the gate takes every recorded test off its passes and shows no claim by it.

use std::fmt;
use std::io::Write as _;

/// A server or program that this run of the tests does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    what: &'static str,
    variable: String,
}

impl Missing {
    pub(super) fn new(what: &'static str, variable: String) -> Self {
        Self { what, variable }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not here ({} is not set): run `cargo xtask test`, which starts it", self.what, self.variable)
    }
}

impl std::error::Error for Missing {}

/// Gives what a test needs, or leaves the test as skipped.
///
/// `require!(servers::moto())` leaves a test that returns nothing; `require!(servers::moto(), Ok(()))` one that returns
/// a `Result`.
#[macro_export]
macro_rules! require {
    ($needed:expr) => {
        $crate::require!($needed, ())
    };
    ($needed:expr, $leave:expr) => {
        match $needed {
            Ok(found) => found,
            Err(missing) => {
                $crate::servers::skip(&missing);
                return $leave;
            }
        }
    };
}

/// Leaves the running test as skipped because a server of the gate is missing. In the gate itself that is a failure.
///
/// # Panics
/// In the gate, where every server is mandatory.
pub fn skip(missing: &Missing) {
    assert!(set("LOCKSTEP_TEST_GATE").is_none(), "{missing}");
    record(&missing.to_string());
}

/// Leaves the running test as skipped for what no registry has and only some machines bring, in the gate too.
pub fn skip_here(reason: &str) {
    record(reason);
}

fn record(reason: &str) {
    let line = format!("SKIP {}: {reason}\n", current_test());
    // Straight to the stream: the harness hides what a passing test prints through `println!`.
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = set("LOCKSTEP_TEST_SKIPS") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        assert!(written.is_ok(), "can't record a skip in {path}: {written:?}");
    }
}

/// `binary$test` as nextest has it; the thread's name under plain `cargo test`.
fn current_test() -> String {
    match (set("NEXTEST_BINARY_ID"), set("NEXTEST_TEST_NAME")) {
        (Some(binary), Some(test)) => format!("{binary}${test}"),
        _ => std::thread::current().name().unwrap_or("unnamed").to_owned(),
    }
}

#[expect(clippy::disallowed_methods, reason = "the gate talks to the tests by variables; no shipped code is here")]
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
