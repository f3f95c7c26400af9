//! Counts, and the list of the slowest tests.

use std::fmt::{self, Write as _};

use super::junit::{Case, End};

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Tally {
    /// A step without tests counts as one check.
    pub(super) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };
    pub(super) const FAILED: Self = Self { passed: 0, failed: 1, skipped: 0 };

    pub(super) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// The closing line, whose form continuous integration reads.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The ten slowest tests, slowest first.
pub(super) fn slowest(cases: &[Case]) -> String {
    let mut slow: Vec<&Case> = cases.iter().collect();
    slow.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let mut text = String::new();
    if !slow.is_empty() {
        text.push_str("\nthe ten slowest tests:\n");
    }
    for case in slow.iter().take(10) {
        // A String takes every write.
        let _ = writeln!(text, "  {:>8.2} s  {}", case.seconds, case.id);
    }
    text
}

/// Adds up the lines `test result: ok. 5 passed; 0 failed; 1 ignored; …` of the standard test harness.
pub(super) fn harness(output: &str) -> Tally {
    let mut total = Tally::default();
    for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let counts = line.split_once(". ").map_or(line, |(_, counts)| counts);
        for part in counts.split(';') {
            let Some((count, what)) = part.trim().split_once(' ') else { continue };
            let Ok(count) = count.parse::<usize>() else { continue };
            match what {
                "passed" => total.passed += count,
                "failed" => total.failed += count,
                "ignored" => total.skipped += count,
                _ => {}
            }
        }
    }
    total
}

/// The tests of the standard harness's lines `test NAME ... ok`, as if `binary` had them. It tells no times.
pub(super) fn harness_cases(output: &str, binary: &str) -> Vec<Case> {
    let ends = [(" ... ok", End::Passed), (" ... FAILED", End::Failed), (" ... ignored", End::Skipped)];
    let case = |line: &str| {
        let rest = line.strip_prefix("test ")?;
        let (name, end) = ends.into_iter().find_map(|(word, end)| Some((rest.split_once(word)?.0, end)))?;
        Some(Case { id: format!("{binary}${name}"), seconds: 0.0, end })
    };
    output.lines().filter_map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_has_the_form_that_is_read() {
        assert_eq!(Tally { passed: 3, failed: 0, skipped: 1 }.to_string(), "3 passed, 0 failed, 1 skipped");
    }

    #[test]
    fn doctests_are_counted_over_all_crates() {
        let output = "running 2 tests\n\
                      test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                      all doctests ran in 1.2s\n\
                      test result: FAILED. 1 passed; 1 failed; 3 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(harness(output), Tally { passed: 3, failed: 1, skipped: 3 });
        assert_eq!(harness("error: no"), Tally::default());
    }

    #[test]
    fn the_harness_names_its_tests_and_their_ends() {
        let output = "running 3 tests\ntest m::a ... ok\ntest m::b ... FAILED\ntest m::c ... ignored, slow\n\
                      test result: ok. 1 passed; 1 failed; 1 ignored\n";
        let found: Vec<_> = harness_cases(output, "core").into_iter().map(|case| (case.id, case.end)).collect();
        let expected = [("core$m::a", End::Passed), ("core$m::b", End::Failed), ("core$m::c", End::Skipped)];
        assert_eq!(found, expected.map(|(id, end)| (id.to_owned(), end)));
    }

    #[test]
    fn only_the_ten_slowest_are_listed() {
        let cases: Vec<Case> =
            (0..12).map(|n| Case { id: format!("a$t{n}"), seconds: f64::from(n), end: End::Passed }).collect();
        let text = slowest(&cases);
        assert_eq!(text.lines().count(), 12);
        assert!(text.contains("11.00 s  a$t11") && !text.contains("a$t1\n"), "{text}");
        assert_eq!(slowest(&[]), "");
    }
}
