//! [`Gathered`]: what a delivery is found to mean, record by record. The one place that decides what gets out.

use std::collections::HashSet;

use lockstep_core::UnixMillis;

use super::MAX_RECORDS;
use super::accepted::Accepted;
use super::draft::Draft;
use super::outcome::{Decoded, Handshake, Ignored, Reason};

/// The most Changes that one record means: a version has at most 20 labels.
const MAX_PER_RECORD: usize = 20;

/// What has been found until now.
pub(super) struct Gathered<'a> {
    pub(super) accepted: &'a Accepted,
    pub(super) now: UnixMillis,
    out: Decoded,
    seen: HashSet<Box<str>>,
    record: usize,
    item: Option<Box<str>>,
    /// What the record that is being read has told, whether it counts or not.
    of_record: usize,
}

impl<'a> Gathered<'a> {
    pub(super) fn new(accepted: &'a Accepted, now: UnixMillis) -> Self {
        let (out, seen) = (Decoded::default(), HashSet::new());
        Self { accepted, now, out, seen, record: 0, item: None, of_record: 0 }
    }

    /// Reads each record of a batch with `read`, which is told how to call it by `item`.
    pub(super) fn each<T>(
        &mut self,
        records: &[T],
        item: impl Fn(&T) -> Option<&str>,
        mut read: impl FnMut(&T, &mut Self),
    ) {
        for (at, record) in records.iter().enumerate() {
            (self.record, self.of_record) = (at, 0);
            self.item = item(record).map(Into::into);
            if at == MAX_RECORDS {
                self.ignore(Reason::TooMany);
                return;
            }
            read(record, self);
        }
    }

    /// Leaves the record out.
    pub(super) fn ignore(&mut self, reason: Reason) {
        self.out.ignored.push(Ignored { record: self.record, item: self.item.clone(), reason });
    }

    /// Takes a Change in, unless there is a reason not to.
    pub(super) fn change(&mut self, draft: Draft<'_>) {
        self.of_record += 1;
        let found = if self.of_record > MAX_PER_RECORD {
            Err(Reason::TooMany)
        } else if self.accepted.knows(&draft.source) {
            draft.finish(self.now)
        } else {
            Err(Reason::Foreign)
        };
        match found {
            // The rest of the record is one too many, however much there is of it.
            Err(Reason::TooMany) if self.of_record > MAX_PER_RECORD + 1 => {}
            Err(reason) => self.ignore(reason),
            Ok(change) if !self.seen.insert(change.id.clone()) => self.ignore(Reason::Duplicate),
            Ok(change) => self.out.changes.push(change),
        }
    }

    /// A rotation failed. Whose it was is told on, where that can be told; it is left out in any case.
    pub(super) fn failed(&mut self, draft: Option<Draft<'_>>) {
        let known = draft.filter(|draft| self.accepted.knows(&draft.source));
        match known.map(|draft| draft.finish(self.now)) {
            Some(Ok(change)) if self.out.failed.iter().all(|known| known.id != change.id) => {
                self.out.failed.push(change);
            }
            _ => {}
        }
        self.ignore(Reason::RotationFailed);
    }

    pub(super) fn confirm(&mut self, handshake: Handshake) {
        self.out.confirm = Some(handshake);
    }

    pub(super) fn end(self) -> Decoded {
        self.out
    }
}
