//! The ledger: every access leaves through here and is recorded. Hits may be folded into exact counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    Action, Alias, Answer, AuditHits, AuditRecord, AuditSink, CacheStatus, Call, Error, Moment, Outcome, Principal,
    Result, SecretName,
};

/// How many different folded hits are kept before they are written, whether or not it is time.
const MAX_FOLDED: usize = 4096;

/// Turns accesses into audit records.
pub(crate) struct Ledger {
    sink: Arc<dyn AuditSink>,
    hits: AuditHits,
    folded: Mutex<HashMap<Hit, Folded>>,
}

/// What makes two hits equal.
#[derive(PartialEq, Eq, Hash)]
struct Hit {
    principal: Arc<str>,
    alias: Alias,
    name: SecretName,
    version: Option<Box<str>>,
    stale: bool,
}

struct Folded {
    count: u64,
    last: AuditRecord,
}

/// An access under way: what its record will say, whatever comes of it.
pub(crate) struct Access<'a> {
    pub call: &'a Call,
    pub who: &'a Principal,
    pub action: Action,
    pub name: &'a str,
    pub alias: Option<&'a Alias>,
    pub started: Moment,
}

impl Ledger {
    pub(crate) fn new(sink: Arc<dyn AuditSink>, hits: AuditHits) -> Self {
        Self { sink, hits, folded: Mutex::default() }
    }

    /// Records a read and lets it go on.
    pub(crate) fn release(
        &self,
        access: &Access<'_>,
        result: Result<Answer>,
        policy: Option<Arc<str>>,
    ) -> Result<Answer> {
        match &result {
            Ok(answer) => self.released(access, answer, policy),
            Err(error) => self.failed(access, error, policy),
        }
        result
    }

    /// Records anything but a read of a value.
    pub(crate) fn record<T>(&self, access: &Access<'_>, result: Result<T>, policy: Option<Arc<str>>) -> Result<T> {
        match &result {
            Ok(_) => self.sink.write(&access.record(Outcome::Released, policy)),
            Err(error) => self.failed(access, error, policy),
        }
        result
    }

    fn released(&self, access: &Access<'_>, answer: &Answer, policy: Option<Arc<str>>) {
        let stale = matches!(answer.status, CacheStatus::Stale(_));
        let cached = answer.status != CacheStatus::Miss;
        let version = answer.secret.version.as_ref().map(|version| version.id.clone());
        let record = |policy| AuditRecord {
            provider: Some(answer.alias.clone()),
            version: version.clone(),
            cached,
            ..access.record(if stale { Outcome::ReleasedStale } else { Outcome::Released }, policy)
        };
        if !cached || self.hits == AuditHits::Full {
            return self.sink.write(&record(policy));
        }
        let name = answer.secret.name.clone();
        let hit = Hit {
            principal: access.who.id.clone(),
            alias: answer.alias.clone(),
            name,
            version: version.clone(),
            stale,
        };
        let mut folded = self.folded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folded.get_mut(&hit) {
            known.count += 1;
            known.last.at = access.started.wall;
            known.last.request_id = access.call.shared_request_id();
            return;
        }
        folded.insert(hit, Folded { count: 1, last: record(policy) });
        let full = folded.len() >= MAX_FOLDED;
        drop(folded);
        if full {
            self.flush();
        }
    }

    fn failed(&self, access: &Access<'_>, error: &Error, policy: Option<Arc<str>>) {
        let refused = error.kind() == crate::ErrorKind::Denied && error.provider().is_none();
        let outcome = if refused { Outcome::Refused } else { Outcome::Failed(error.kind()) };
        let record = access.record(outcome, policy);
        self.sink.write(&AuditRecord { provider: error.provider().cloned().or(record.provider.clone()), ..record });
    }

    /// Writes the folded hits.
    pub(crate) fn flush(&self) {
        let folded = std::mem::take(&mut *self.folded.lock().unwrap_or_else(PoisonError::into_inner));
        for Folded { count, last } in folded.into_values() {
            self.sink.write(&AuditRecord { count, ..last });
        }
    }
}

impl Access<'_> {
    fn record(&self, outcome: Outcome, policy: Option<Arc<str>>) -> AuditRecord {
        AuditRecord {
            at: self.started.wall,
            request_id: self.call.shared_request_id(),
            principal: self.who.id.clone(),
            peer: self.who.peer.clone(),
            action: self.action.as_str(),
            provider: self.alias.cloned(),
            name: self.name.into(),
            version: None,
            outcome,
            cached: false,
            policy,
            count: 1,
        }
    }
}
