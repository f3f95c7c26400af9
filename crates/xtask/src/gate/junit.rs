//! What ran and how it ended, from the JUnit file that nextest writes.
//!
//! Not a parser of XML but of this one writer's file: a test's own output stands in it escaped, so `<` begins a tag and
//! nothing else, and `"` ends an attribute.

use crate::failure::{Failure, Outcome};

/// One test that ran.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    /// `binary$test`, as nextest names them.
    pub(super) id: String,
    pub(super) seconds: f64,
    pub(super) end: End,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    Failed,
    Skipped,
}

/// Every test of the file, in its order.
pub(super) fn parse(text: &str) -> Outcome<Vec<Case>> {
    let mut cases: Vec<Case> = Vec::new();
    let mut binary = None;
    let mut open = false;
    for tag in text.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else {
            return Err(Failure::new("the tests' report is cut short: nextest did not finish"));
        };
        match tag.split_whitespace().next().unwrap_or_default().trim_end_matches('/') {
            "testsuite" => binary = attribute(tag, "name"),
            "testcase" => {
                let (Some(binary), Some(name)) = (&binary, attribute(tag, "name")) else {
                    return Err(Failure::new(format!("the tests' report has a test without a name: <{tag}>")));
                };
                let seconds = attribute(tag, "time").and_then(|time| time.parse().ok()).unwrap_or(0.0);
                cases.push(Case { id: format!("{binary}${name}"), seconds, end: End::Passed });
                open = !tag.ends_with('/');
            }
            "/testcase" => open = false,
            "failure" | "error" if open => end(&mut cases, End::Failed),
            "skipped" if open => end(&mut cases, End::Skipped),
            _ => {}
        }
    }
    Ok(cases)
}

fn end(cases: &mut [Case], end: End) {
    if let Some(case) = cases.last_mut() {
        case.end = end;
    }
}

/// Takes the tests off the passes that said `SKIP binary$test: reason` while they ran.
pub(super) fn apply_skips(cases: &mut [Case], skips: &str) -> usize {
    let skipped: Vec<&str> =
        skips.lines().filter_map(|line| Some(line.strip_prefix("SKIP ")?.split_once(": ")?.0)).collect();
    let mut count = 0;
    for case in cases.iter_mut().filter(|case| case.end == End::Passed && skipped.contains(&case.id.as_str())) {
        case.end = End::Skipped;
        count += 1;
    }
    count
}

/// An attribute of a tag, unescaped.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |value, (escaped, character)| value.replace(escaped, character)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="1" errors="0" uuid="1" timestamp="t" time="0.3">
    <testsuite name="lockstep-core" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="cache::tests::c1_keys_differ" classname="lockstep-core" timestamp="t" time="0.012">
        </testcase>
        <testcase name="cache::tests::c4_fails" classname="lockstep-core" timestamp="t" time="1.5">
            <failure message="thread &apos;x&apos; panicked" type="test failure">&lt;testcase name=&quot;no&quot;&gt;</failure>
            <system-out>a &lt;skipped/&gt; b</system-out>
        </testcase>
    </testsuite>
    <testsuite name="lockstep-cli::story" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="reads" classname="lockstep-cli::story" timestamp="t" time="0.2"/>
    </testsuite>
</testsuites>
"#;

    // Break: leave `open` out, or take the escaped output for tags.
    #[test]
    fn each_test_has_its_binary_its_time_and_its_end() {
        let cases = parse(REPORT).unwrap();
        let case = |id: &str, seconds, end| Case { id: id.to_owned(), seconds, end };
        assert_eq!(
            cases,
            [
                case("lockstep-core$cache::tests::c1_keys_differ", 0.012, End::Passed),
                case("lockstep-core$cache::tests::c4_fails", 1.5, End::Failed),
                case("lockstep-cli::story$reads", 0.2, End::Passed),
            ]
        );
    }

    #[test]
    fn a_report_cut_short_is_no_report() {
        assert!(parse(&REPORT[..400]).is_err());
    }

    // Break: count a recorded skip as a pass.
    #[test]
    fn a_recorded_skip_is_no_pass_and_a_failure_stays_one() {
        let mut cases = parse(REPORT).unwrap();
        let skips = "SKIP lockstep-cli::story$reads: no emulator\nSKIP lockstep-core$cache::tests::c4_fails: no\n";
        assert_eq!(apply_skips(&mut cases, skips), 1);
        assert_eq!(cases.iter().map(|case| case.end).collect::<Vec<_>>(), [End::Passed, End::Failed, End::Skipped]);
    }
}
