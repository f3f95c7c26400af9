//! The ledger: every access leaves through here and is recorded. What comes often, hits and refused requests, is folded
//! into exact counts.

mod tally;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use self::tally::Tally;
use self::tally::Written;
use crate::{
    Action, Alias, Answer, AuditHits, AuditRecord, AuditSink, CacheStatus, Error, Moment, Outcome, Principal,
    RequestId, Result,
};

/// How many different counts are kept before they are written, whether or not it is time.
const MAX_FOLDED: usize = 4096;
/// How many of one entry: they are looked through one by one.
const MAX_FOLDED_PER_ENTRY: usize = 64;

/// Turns accesses into audit records.
pub(crate) struct Ledger {
    sink: Arc<dyn AuditSink>,
    hits: AuditHits,
    open: Mutex<Open>,
}

/// What is folded and not written yet.
#[derive(Default)]
struct Open {
    /// The tallies that hold something.
    tallies: Vec<Arc<Tally>>,
    /// How many rows they have.
    rows: usize,
    refusals: HashMap<Refusal, Folded>,
}

/// What makes two refusals one. The path is not among it, nor the port: whoever is refused chooses both, and could make
/// each record another one.
#[derive(PartialEq, Eq, Hash)]
struct Refusal {
    principal: Arc<str>,
    host: Option<Box<str>>,
    outcome: Outcome,
    code: Option<Arc<str>>,
}

struct Folded {
    /// How many are still to be written.
    count: u64,
    last: AuditRecord,
}

/// An access under way: what its record will say, whatever comes of it.
pub(crate) struct Access<'a> {
    pub id: &'a RequestId,
    pub who: &'a Principal,
    pub action: Action,
    pub name: &'a str,
    pub alias: Option<&'a Alias>,
    pub started: Moment,
}

impl Ledger {
    pub(crate) fn new(sink: Arc<dyn AuditSink>, hits: AuditHits) -> Self {
        Self { sink, hits, open: Mutex::default() }
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

    /// Records a request that was refused before a secret was looked at. The first of its like is written at once, those
    /// after it are counted until the next flush: nobody who is refused decides how much is written.
    pub(crate) fn refused(&self, record: AuditRecord) {
        let alike = Refusal {
            principal: record.principal.clone(),
            host: record.peer.as_deref().map(host),
            outcome: record.outcome,
            code: record.policy.clone(),
        };
        let mut open = self.open();
        if let Some(known) = open.refusals.get_mut(&alike) {
            known.count += 1;
            known.last = record;
            return;
        }
        open.refusals.insert(alike, Folded { count: 0, last: record.clone() });
        let full = open.is_full();
        drop(open);
        self.sink.write(&record);
        if full {
            self.flush();
        }
    }

    /// Records anything but a read of a value.
    pub(crate) fn record<T>(&self, access: &Access<'_>, result: Result<T>, policy: Option<Arc<str>>) -> Result<T> {
        match &result {
            Ok(_) => self.sink.write(&access.record(Outcome::Released, policy)),
            Err(error) => self.failed(access, error, policy),
        }
        result
    }

    pub(crate) fn released(&self, access: &Access<'_>, answer: &Answer, policy: Option<Arc<str>>) {
        let cached = answer.status != CacheStatus::Miss;
        let stale = matches!(answer.status, CacheStatus::Stale(_));
        if !cached || self.hits == AuditHits::Full {
            return self.sink.write(&AuditRecord {
                provider: Some(answer.alias.clone()),
                version: answer.secret.version.as_ref().map(|version| version.id.clone()),
                cached,
                ..access.record(if stale { Outcome::ReleasedStale } else { Outcome::Released }, policy)
            });
        }
        let tally = answer.entry.tally.get_or_init(|| Arc::new(Tally::new(answer.alias.clone(), &answer.secret)));
        let Some(of_entry) = tally.add(access, stale, policy) else { return };
        let mut open = self.open();
        open.rows += 1;
        if of_entry == 1 {
            open.tallies.push(tally.clone());
        }
        let full = open.is_full() || of_entry >= MAX_FOLDED_PER_ENTRY;
        drop(open);
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

    /// Writes the counts. Two entries of one version, one fetched after the other, make one record.
    pub(crate) fn flush(&self) {
        let open = std::mem::take(&mut *self.open());
        let mut written: HashMap<Written, AuditRecord> = HashMap::new();
        for tally in open.tallies {
            tally.take(|what, record| match written.get_mut(&what) {
                Some(known) => {
                    let count = known.count + record.count;
                    *known = AuditRecord { count, ..record };
                }
                None => {
                    written.insert(what, record);
                }
            });
        }
        for record in written.values() {
            self.sink.write(record);
        }
        for Folded { count, last } in open.refusals.into_values().filter(|folded| folded.count > 0) {
            self.sink.write(&AuditRecord { count, ..last });
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn is_full(&self) -> bool {
        self.rows + self.refusals.len() >= MAX_FOLDED
    }
}

/// The address of a peer without its port, which is another one for each connection.
fn host(peer: &str) -> Box<str> {
    peer.parse::<SocketAddr>().map_or_else(|_| peer.into(), |address| address.ip().to_string().into())
}

impl Access<'_> {
    fn record(&self, outcome: Outcome, policy: Option<Arc<str>>) -> AuditRecord {
        AuditRecord {
            at: self.started.wall,
            request_id: self.id.clone(),
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
