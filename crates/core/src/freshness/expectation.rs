//! Expectations: what the Changes of the last `settle` say that a provider should answer.
//!
//! Providers are eventually consistent: for a while after a Change, a replica may answer what was true before. The
//! newest Change of a name (by its time, then its number) alone says what to expect.

use std::time::Duration;

use super::Expected;
use crate::cache::Spelling;
use crate::target::Target;
use crate::{Change, ChangeKind, ChangedName, Moment, Scope, Secret, Selector};

/// How many names can have an expectation at once; the oldest goes first.
const MAX_EXPECTATIONS: usize = 4096;

/// The expectations of late.
#[derive(Default)]
pub(super) struct Expectations {
    all: Vec<Expectation>,
}

struct Expectation {
    seq: u64,
    change: Change,
    target: Target,
    noted: Moment,
    /// The version that we held when the Change came.
    held: Option<Box<str>>,
}

/// What is to be done with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is what the journal says, or the journal says nothing.
    Accept,
    /// It can't be told whether it is from before or after the Change: fetch once more when this has passed.
    AcceptFor(Duration),
    /// It is from before the Change: a replica lags.
    Lagging,
}

impl Expectations {
    /// Takes a Change in. One that is older than what is known of the name changes nothing.
    pub(super) fn note(&mut self, seq: u64, change: &Change, now: Moment, held: Option<Box<str>>) {
        if change.name == ChangedName::All {
            return;
        }
        let same = |e: &Expectation| {
            e.change.source == change.source && e.change.name == change.name && e.change.label == change.label
        };
        if let Some(at) = self.all.iter().position(same) {
            if (self.all[at].change.at, self.all[at].seq) > (change.at, seq) {
                return;
            }
            self.all.remove(at);
        }
        if self.all.len() >= MAX_EXPECTATIONS {
            self.all.remove(0);
        }
        self.all.push(Expectation { seq, change: change.clone(), target: Target::change(change), noted: now, held });
    }

    /// Drops what has settled.
    pub(super) fn forget(&mut self, now: Moment, settle: Duration) {
        self.all.retain(|e| e.age(now) < settle);
    }

    /// What is to be done with an answer.
    pub(super) fn judge(&self, secret: &Secret, selector: &Selector, now: Moment, settle: Duration) -> Verdict {
        if selector.is_pinned() {
            return Verdict::Accept;
        }
        self.live(now, settle)
            .filter(|(e, _)| e.concerns(selector) && e.target.matches_any_alias(secret))
            .map(|(e, left)| e.judge(secret, selector, left))
            .max_by_key(|verdict| verdict.severity())
            .unwrap_or(Verdict::Accept)
    }

    /// Whether one of them names this very version.
    pub(super) fn announce(&self, secret: &Secret, selector: &Selector, now: Moment, settle: Duration) -> bool {
        let version = secret.version.as_ref().map(|version| &version.id);
        self.live(now, settle).any(|(e, _)| {
            e.concerns(selector)
                && e.target.matches_any_alias(secret)
                && version.is_some()
                && e.change.version.as_ref() == version
        })
    }

    /// What is expected of a name that was not found.
    pub(super) fn of_name(
        &self,
        spelling: &Spelling,
        scope: &Scope,
        now: Moment,
        settle: Duration,
    ) -> Option<Expected> {
        self.live(now, settle)
            .filter(|(e, _)| e.target.matches_name(&spelling.alias, scope, &[spelling.name.as_str()]))
            .map(|(e, _)| match e.change.kind {
                ChangeKind::Updated | ChangeKind::Rotated if e.change.version.is_some() => Expected::Version,
                _ => Expected::Unknown,
            })
            .next()
    }

    fn live(&self, now: Moment, settle: Duration) -> impl Iterator<Item = (&Expectation, Duration)> {
        self.all.iter().filter_map(move |e| {
            let left = settle.checked_sub(e.age(now))?;
            (!left.is_zero()).then_some((e, left))
        })
    }
}

impl Expectation {
    /// How long ago it was noted. When the wall clock was set back nobody knows, and what is unknown here is not over: else
    /// a lagging replica's answer would be adopted. The monotonic clock goes on while anything is served.
    fn age(&self, now: Moment) -> Duration {
        now.since(self.noted).unwrap_or_else(|| now.monotonic.saturating_sub(self.noted.monotonic))
    }

    fn concerns(&self, selector: &Selector) -> bool {
        match (selector, &self.change.label) {
            (Selector::Label(held), Some(label)) => held == label,
            (Selector::Label(_), None) => self.change.kind == ChangeKind::Unknown,
            (_, label) => label.is_none(),
        }
    }

    fn judge(&self, secret: &Secret, selector: &Selector, left: Duration) -> Verdict {
        let announced = self.change.version.as_deref();
        let (Some(version), false) = (&secret.version, *selector == Selector::Previous) else {
            return Verdict::AcceptFor(left);
        };
        // Made after the Change: it is newer than what was announced, or a new incarnation after a deletion.
        if secret.created.is_some_and(|created| created > self.change.at) {
            return Verdict::Accept;
        }
        let is_gone = matches!(self.change.kind, ChangeKind::Deleted | ChangeKind::Destroyed);
        match announced {
            Some(announced) if is_gone && announced != &*version.id => Verdict::Accept,
            _ if is_gone => self.before_or_unknown(secret, left),
            Some(announced) if announced == &*version.id => Verdict::Accept,
            // A label may move back to a lower version: its versions have no order.
            Some(announced) if selector.follows_rotation() => match (version.order, announced.parse::<u64>()) {
                // It was made before a lower number was announced: perhaps before the secret was made anew.
                (Some(order), Ok(announced)) if order > announced && secret.created.is_some() => {
                    Verdict::AcceptFor(left)
                }
                (Some(order), Ok(announced)) if order > announced => Verdict::Accept,
                (Some(_), Ok(_)) => Verdict::Lagging,
                _ => self.before_or_unknown(secret, left),
            },
            Some(_) => self.before_or_unknown(secret, left),
            None => Verdict::AcceptFor(left),
        }
    }

    /// The answer is not the one announced, and its versions have no order.
    fn before_or_unknown(&self, secret: &Secret, left: Duration) -> Verdict {
        let is_held = secret.version.as_ref().is_some_and(|version| self.held.as_ref() == Some(&version.id));
        if is_held || secret.created.is_some() { Verdict::Lagging } else { Verdict::AcceptFor(left) }
    }
}

impl Verdict {
    fn severity(self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::AcceptFor(_) => 1,
            Self::Lagging => 2,
        }
    }
}
