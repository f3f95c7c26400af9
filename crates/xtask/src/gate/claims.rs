//! `tests/claims.toml`: what the project says of itself, each line with the tests that show it.
//!
//! A claim is shown by tests (all of them have to run and pass), by a bench or the size step (it has to run and hold its
//! bars), or it is open and says why. A name that no test has is a failure: a renamed test can't take a claim away in
//! silence.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::junit::{Case, End};
use crate::failure::{Failure, Outcome};

/// What measures against bars and may be named by a claim, each with its command.
const BENCHES: [(&str, &str); 2] = [("hit", "cargo xtask bench hit"), ("size", "cargo xtask size")];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    claim: Vec<Claim>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claim {
    id: String,
    text: String,
    #[serde(default)]
    shown_by: Vec<String>,
    bench: Option<String>,
    open: Option<String>,
}

/// The outcome of the check, ready to print.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) shown: usize,
    /// Shown by what measures, which this run left out. A bench that missed a bar stands here too, beside its
    /// own failure.
    pub(super) not_benched: Vec<String>,
    /// Named tests that this run left out as skipped.
    pub(super) skipped: Vec<String>,
    /// Each with its reason.
    pub(super) open: Vec<String>,
    /// What is wrong, a sentence each.
    pub(super) wrong: Vec<String>,
}

/// Compares the file with what ran: tests with their ends, and the benches that held their bars.
pub(super) fn check(text: &str, cases: &[Case], benched: &[&str]) -> Outcome<Verdict> {
    let file: File = toml::from_str(text).map_err(|error| Failure::new(format!("tests/claims.toml: {error}")))?;
    let ends: HashMap<&str, End> = cases.iter().map(|case| (case.id.as_str(), case.end)).collect();
    let mut verdict = Verdict::default();
    let mut seen = HashSet::new();
    for claim in &file.claim {
        if !seen.insert(claim.id.as_str()) {
            verdict.wrong.push(format!("{} stands there twice", claim.id));
        }
        if claim.text.trim().is_empty() {
            verdict.wrong.push(format!("{} has no text", claim.id));
        }
        match (claim.shown_by.as_slice(), &claim.bench, &claim.open) {
            ([], None, Some(reason)) if !reason.trim().is_empty() => {
                let mut line = format!("{}: {reason}", claim.id);
                for candidate in candidates(&claim.id, cases) {
                    line.push_str("\n      could be shown by ");
                    line.push_str(candidate);
                }
                verdict.open.push(line);
            }
            ([], None, _) | ([], Some(_), Some(_)) => {
                verdict.wrong.push(format!("{} needs one of shown_by, bench and open", claim.id));
            }
            (_, _, Some(_)) => verdict.wrong.push(format!("{} is open and shown at once: drop one", claim.id)),
            (tests, bench, None) => {
                let shown = by_tests(claim, tests, &ends, &mut verdict)
                    & bench.as_deref().is_none_or(|bench| by_bench(claim, bench, benched, &mut verdict));
                verdict.shown += usize::from(shown);
            }
        }
    }
    Ok(verdict)
}

fn by_bench(claim: &Claim, bench: &str, benched: &[&str], verdict: &mut Verdict) -> bool {
    let Some((_, command)) = BENCHES.iter().find(|(name, _)| *name == bench) else {
        verdict.wrong.push(format!("{} names the bench {bench}: there is none", claim.id));
        return false;
    };
    let ran = benched.contains(&bench);
    if !ran {
        verdict.not_benched.push(format!("{}: `{command}`", claim.id));
    }
    ran
}

fn by_tests(claim: &Claim, tests: &[String], ends: &HashMap<&str, End>, verdict: &mut Verdict) -> bool {
    let mut all = true;
    for test in tests {
        match ends.get(test.as_str()) {
            Some(End::Passed) => {}
            Some(End::Failed) => {
                verdict.wrong.push(format!("{} is not shown: {test} failed", claim.id));
                all = false;
            }
            Some(End::Skipped) => {
                verdict.skipped.push(format!("{} is not shown here: {test} was skipped", claim.id));
                all = false;
            }
            None => {
                verdict.wrong.push(format!("{} is not shown: {test} did not run (is its name still right?)", claim.id));
                all = false;
            }
        }
    }
    all
}

/// Passed tests whose own name begins with a property's ID (`l3_…`): what an open claim could name.
fn candidates<'a>(id: &str, cases: &'a [Case]) -> impl Iterator<Item = &'a str> {
    let prefix = format!("{}_", id.to_lowercase());
    cases
        .iter()
        .filter(|case| case.end == End::Passed)
        .map(|case| case.id.as_str())
        .filter(move |id| id.rsplit(['$', ':']).next().is_some_and(|name| name.starts_with(&prefix)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran() -> Vec<Case> {
        [("a$m::l3_one", End::Passed), ("a$two", End::Failed), ("b$three", End::Skipped)]
            .map(|(id, end)| Case { id: id.to_owned(), seconds: 0.0, end })
            .to_vec()
    }

    fn verdict_of(rest: &str) -> Verdict {
        check(&format!("[[claim]]\nid = \"L3\"\ntext = \"t\"\n{rest}"), &ran(), &[]).unwrap()
    }

    #[test]
    fn a_claim_is_shown_when_every_named_test_passed() {
        assert_eq!(verdict_of("shown_by = [\"a$m::l3_one\"]"), Verdict { shown: 1, ..Verdict::default() });
    }

    // Break: take a test that did not run for one that passed.
    #[test]
    fn what_failed_or_did_not_run_shows_nothing() {
        for (rest, wrong) in [
            ("shown_by = [\"a$two\"]", "L3 is not shown: a$two failed"),
            (
                "shown_by = [\"a$m::l3_one\", \"a$gone\"]",
                "L3 is not shown: a$gone did not run (is its name still right?)",
            ),
            ("shown_by = []", "L3 needs one of shown_by, bench and open"),
            ("", "L3 needs one of shown_by, bench and open"),
            ("open = \"\"", "L3 needs one of shown_by, bench and open"),
            ("bench = \"tea\"", "L3 names the bench tea: there is none"),
            ("shown_by = [\"a$m::l3_one\"]\nopen = \"no\"", "L3 is open and shown at once: drop one"),
            ("open = \"no\"\n[[claim]]\nid = \"L3\"\ntext = \"t\"\nopen = \"no\"", "L3 stands there twice"),
        ] {
            let verdict = verdict_of(rest);
            assert_eq!((verdict.wrong.as_slice(), verdict.shown), (&[wrong.to_owned()][..], 0), "{rest}");
        }
    }

    #[test]
    fn a_skipped_test_is_told_and_shows_nothing() {
        let verdict = verdict_of("shown_by = [\"b$three\"]");
        assert_eq!((verdict.shown, verdict.wrong.len(), verdict.skipped.len()), (0, 0, 1));
    }

    #[test]
    fn an_open_claim_names_the_tests_that_could_show_it() {
        let verdict = verdict_of("open = \"not built\"");
        assert_eq!(verdict.open, ["L3: not built\n      could be shown by a$m::l3_one"]);
    }

    // Break: count what a bench would show as shown.
    #[test]
    fn a_bench_shows_only_where_it_ran_and_held() {
        let text = "[[claim]]\nid = \"B\"\ntext = \"t\"\nbench = \"hit\"\n";
        let not_run = check(text, &ran(), &[]).unwrap();
        assert_eq!((not_run.shown, not_run.not_benched.len(), not_run.wrong.len()), (0, 1, 0));
        assert_eq!(check(text, &ran(), &["hit"]).unwrap(), Verdict { shown: 1, ..Verdict::default() });
        let both = verdict_of("bench = \"hit\"\nshown_by = [\"a$m::l3_one\"]");
        assert_eq!((both.shown, both.not_benched.len()), (0, 1));
        assert_eq!(verdict_of("bench = \"size\"").not_benched, ["L3: `cargo xtask size`"]);
    }

    #[test]
    fn the_checked_in_file_is_well_formed() {
        let verdict = check(include_str!("../../../../tests/claims.toml"), &[], &[]).unwrap();
        let malformed: Vec<_> = verdict.wrong.iter().filter(|line| !line.contains("did not run")).collect();
        assert!(malformed.is_empty(), "{malformed:?}");
    }
}
