//! Runs the table of cases, and says of each what came of it.

use std::fmt;

use crate::cases::{CASES, Case};
use crate::endpoint::{Endpoint, Stop};

/// Cases, by their sentence, that somebody else's front makes different, and why.
pub type Differences<'a> = &'a [(&'a str, &'a str)];

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// It holds.
    Ok,
    /// It does not.
    Failed(String),
    /// It was not asked.
    Skipped(String),
    /// It does not, as the list of differences says.
    Differs(String),
}

/// Every case and what came of it, in the table's order.
#[derive(Debug)]
pub struct Report(Vec<(&'static str, Came)>);

/// Asks everything. A case that fails keeps no other from being asked.
pub fn run(endpoint: &Endpoint, differences: Differences<'_>) -> Report {
    let came = |case: &Case| {
        let listed = differences.iter().find(|(sentence, _)| *sentence == case.sentence);
        match ((case.holds)(endpoint), listed) {
            (Ok(()), None) => Came::Ok,
            (Ok(()), Some(_)) => {
                Came::Failed("it is listed as a difference, and there is none: take it out".to_owned())
            }
            (Err(Stop::Failed(_)), Some((_, why))) => Came::Differs((*why).to_owned()),
            (Err(Stop::Failed(why)), None) | (Err(Stop::Unanswered(why)), _) => Came::Failed(why),
            (Err(Stop::Skipped(why)), _) => Came::Skipped(why),
        }
    };
    let mut all: Vec<_> = CASES.iter().map(|case| (case.sentence, came(case))).collect();
    let unknown = differences.iter().filter(|(sentence, _)| CASES.iter().all(|case| case.sentence != *sentence));
    for (sentence, _) in unknown {
        all.push(("the list of differences names cases", Came::Failed(format!("there is none called {sentence:?}"))));
    }
    Report(all)
}

impl Report {
    /// Each case and what came of it.
    pub fn cases(&self) -> &[(&'static str, Came)] {
        &self.0
    }

    /// Whether no case failed, and at least one held.
    pub fn is_ok(&self) -> bool {
        let any = |wanted: fn(&Came) -> bool| self.0.iter().any(|(_, came)| wanted(came));
        any(|came| *came == Came::Ok) && !any(|came| matches!(came, Came::Failed(_)))
    }

    /// The sentences of those that were not asked.
    pub fn skipped(&self) -> Vec<&'static str> {
        self.0.iter().filter(|(_, came)| matches!(came, Came::Skipped(_))).map(|(sentence, _)| *sentence).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = [0; 4];
        for (sentence, came) in &self.0 {
            let (at, line) = match came {
                Came::Ok => (0, format!("ok       {sentence}")),
                Came::Failed(why) => (1, format!("FAILED   {sentence}\n         {why}")),
                Came::Differs(why) => (2, format!("DIFFERS  {sentence}\n         {why}")),
                Came::Skipped(why) => (3, format!("SKIP     {sentence}\n         {why}")),
            };
            counts[at] += 1;
            writeln!(f, "{line}")?;
        }
        let [ok, failed, differ, skipped] = counts;
        write!(f, "{ok} ok, {failed} failed, {differ} differ, {skipped} skipped")
    }
}
