//! [`Tally`]: the hits of one cached entry that are not written yet.
//!
//! It hangs on the entry, so counting a hit is one addition: nothing is looked up, hashed or allocated. It holds no
//! value, so it may outlive the entry until it is written.

use std::sync::{Arc, Mutex, PoisonError};

use super::Access;
use crate::{Alias, AuditRecord, Outcome, Secret, SecretName};

/// The hits of one entry, per principal and outcome.
pub(crate) struct Tally {
    alias: Alias,
    name: SecretName,
    version: Option<Box<str>>,
    rows: Mutex<Vec<AuditRecord>>,
}

/// What makes the counts of two tallies one: principal, provider, name, version and whether it was stale.
pub(super) type Written = (Arc<str>, Alias, SecretName, Option<Box<str>>, bool);

impl Tally {
    pub(crate) fn new(alias: Alias, secret: &Secret) -> Self {
        let version = secret.version.as_ref().map(|version| version.id.clone());
        Self { alias, name: secret.name.clone(), version, rows: Mutex::default() }
    }

    /// Counts one hit. When that made a new row, says how many there are now: with the first, whoever writes has to be
    /// told of this tally.
    pub(super) fn add(&self, access: &Access<'_>, stale: bool, policy: Option<Arc<str>>) -> Option<usize> {
        let outcome = if stale { Outcome::ReleasedStale } else { Outcome::Released };
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let known = rows.iter_mut().find(|row| row.outcome == outcome && row.principal == access.who.id);
        if let Some(known) = known {
            known.count += 1;
            known.at = access.started.wall;
            known.request_id.clone_from(access.id);
            return None;
        }
        rows.push(AuditRecord {
            provider: Some(self.alias.clone()),
            version: self.version.clone(),
            cached: true,
            ..access.record(outcome, policy)
        });
        Some(rows.len())
    }

    /// Takes the counts out.
    pub(super) fn take(&self, mut each: impl FnMut(Written, AuditRecord)) {
        let rows = std::mem::take(&mut *self.rows.lock().unwrap_or_else(PoisonError::into_inner));
        for row in rows {
            let stale = row.outcome == Outcome::ReleasedStale;
            let what = (row.principal.clone(), self.alias.clone(), self.name.clone(), self.version.clone(), stale);
            each(what, row);
        }
    }
}
