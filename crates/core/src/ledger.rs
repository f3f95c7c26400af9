//! The ledger: every access leaves through here and is recorded. What comes often, hits and refused requests, is folded
//! into exact counts.
//!
//! Nothing is released whose record the sink refuses. What is folded is written later, so it is folded only while the sink
//! is ready, and what the sink refuses then is kept for the next time.

mod tally;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use self::tally::Tally;
use self::tally::Written;
use crate::{
    Action, Alias, Answer, AuditHits, AuditRecord, AuditSink, CacheStatus, Error, Moment, Outcome, Principal,
    RequestId, Result, network,
};

/// How many different counts are kept before they are written, whether or not it is time.
const MAX_FOLDED: usize = 4096;
/// How many of one entry: they are looked through one by one.
const MAX_FOLDED_PER_ENTRY: usize = 64;
/// How many of one principal: what it chooses to ask for keeps nobody else's records from being kept.
const MAX_FOLDED_PER_PRINCIPAL: usize = MAX_FOLDED / 8;

/// Turns accesses into audit records.
pub(crate) struct Ledger {
    sink: Arc<dyn AuditSink>,
    hits: AuditHits,
    open: Mutex<Open>,
    /// Records that were neither written nor kept.
    lost: AtomicU64,
}

/// What is folded and not written yet.
#[derive(Default)]
struct Open {
    /// The tallies that hold something.
    tallies: Vec<Arc<Tally>>,
    /// How many rows they have.
    rows: usize,
    refusals: HashMap<Refusal, Folded>,
    /// What the sink has refused at the last flush.
    unwritten: Vec<AuditRecord>,
}

/// What makes two refusals one. Of a request that asked for no secret the path is not among it, nor the port, nor which
/// address of its network: whoever is refused chooses all of them, and could make each record another one.
#[derive(PartialEq, Eq, Hash)]
struct Refusal {
    principal: Arc<str>,
    network: Option<Box<str>>,
    outcome: Outcome,
    code: Option<Arc<str>>,
    /// What an access was about.
    asked: Option<(&'static str, Option<Alias>, Box<str>)>,
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
        Self { sink, hits, open: Mutex::default(), lost: AtomicU64::new(0) }
    }

    /// Records a read and lets it go on, unless it can't be recorded.
    pub(crate) fn release(
        &self,
        access: &Access<'_>,
        result: Result<Answer>,
        policy: Option<Arc<str>>,
    ) -> Result<Answer> {
        match &result {
            Ok(answer) => self.recorded(access, policy.clone(), self.released(access, answer, policy))?,
            Err(error) => self.failed(access, error, policy),
        }
        result
    }

    /// Whether what is released now is likely to be recorded.
    pub(crate) fn is_ready(&self) -> bool {
        self.sink.is_ready()
    }

    /// How many records could not be written since the start.
    pub(crate) fn lost(&self) -> u64 {
        self.sink.lost() + self.lost.load(Ordering::Relaxed)
    }

    /// Records a request that was refused before a secret was looked at. The first of its like is written at once, those
    /// after it are counted until the next flush: nobody who is refused decides how much is written.
    pub(crate) fn refused(&self, record: AuditRecord) {
        let alike = Refusal::of_request(&record);
        let mut open = self.open();
        if let Some(known) = open.refusals.get_mut(&alike) {
            known.count += record.count;
            known.last = record;
            return;
        }
        if open.is_full_for(&record.principal) {
            drop(open);
            self.flush();
            open = self.open();
            // The sink took nothing of it, and more is not kept.
            if open.is_full_for(&record.principal) {
                drop(open);
                if self.sink.write(&record).is_err() {
                    self.lost.fetch_add(record.count, Ordering::Relaxed);
                }
                return;
            }
        }
        open.refusals.insert(alike, Folded { count: 0, last: record.clone() });
        drop(open);
        if self.sink.write(&record).is_err() {
            self.keep(Refusal::of_request(&record), record);
        }
    }

    /// Records anything but a read of a value.
    pub(crate) fn record<T>(&self, access: &Access<'_>, result: Result<T>, policy: Option<Arc<str>>) -> Result<T> {
        match &result {
            Ok(_) => {
                let written = self.sink.write(&access.record(Outcome::Released, policy.clone()));
                self.recorded(access, policy, written)?;
            }
            Err(error) => self.failed(access, error, policy),
        }
        result
    }

    /// Records what is about to be released.
    ///
    /// # Errors
    /// The sink's: then it is not to be released.
    pub(crate) fn released(&self, access: &Access<'_>, answer: &Answer, policy: Option<Arc<str>>) -> Result<()> {
        let cached = answer.status != CacheStatus::Miss;
        let stale = matches!(answer.status, CacheStatus::Stale(_));
        if !cached || self.hits == AuditHits::Full || !self.sink.is_ready() {
            return self.sink.write(&AuditRecord {
                provider: Some(answer.alias.clone()),
                version: answer.secret.version.as_ref().map(|version| version.id.clone()),
                cached,
                ..access.record(if stale { Outcome::ReleasedStale } else { Outcome::Released }, policy)
            });
        }
        let tally = answer.entry.tally.get_or_init(|| Arc::new(Tally::new(answer.alias.clone(), &answer.secret)));
        let Some(of_entry) = tally.add(access, stale, policy) else { return Ok(()) };
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
        Ok(())
    }

    fn failed(&self, access: &Access<'_>, error: &Error, policy: Option<Arc<str>>) {
        let refused = error.kind() == crate::ErrorKind::Denied && error.provider().is_none();
        let outcome = if refused { Outcome::Refused } else { Outcome::Failed(error.kind()) };
        let record = access.record(outcome, policy);
        let provider = error.provider().cloned().or(record.provider.clone());
        let record = AuditRecord { provider, ..record };
        if self.sink.write(&record).is_err() {
            self.keep(Refusal::of_access(&record), record);
        }
    }

    /// Lets go on what was recorded. What was not is refused, and that is recorded as soon as it can be.
    fn recorded(&self, access: &Access<'_>, policy: Option<Arc<str>>, written: Result<()>) -> Result<()> {
        written.inspect_err(|error| {
            let record = access.record(Outcome::Failed(error.kind()), policy);
            self.keep(Refusal::of_access(&record), record);
        })
    }

    /// What the sink does not take waits for it, counted.
    fn keep(&self, alike: Refusal, record: AuditRecord) {
        let mut open = self.open();
        if let Some(known) = open.refusals.get_mut(&alike) {
            known.count += record.count;
            known.last = record;
        } else if open.is_full_for(&record.principal) {
            self.lost.fetch_add(record.count, Ordering::Relaxed);
        } else {
            open.refusals.insert(alike, Folded { count: record.count, last: record });
        }
    }

    /// Writes the counts. Two entries of one version, one fetched after the other, make one record.
    pub(crate) fn flush(&self) {
        let open = {
            let mut open = self.open();
            if open.is_empty() {
                return;
            }
            std::mem::take(&mut *open)
        };
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
        let refusals = open.refusals.into_values().filter(|folded| folded.count > 0);
        let refusals = refusals.map(|Folded { count, last }| AuditRecord { count, ..last });
        let mut due = open.unwritten.into_iter().chain(written.into_values()).chain(refusals);
        let mut unwritten = Vec::new();
        // The first one that is refused speaks for those after it.
        if let Some(refused) = due.find(|record| self.sink.write(record).is_err()) {
            unwritten.push(refused);
            unwritten.extend(due);
            self.open().unwritten.append(&mut unwritten);
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Refusal {
    fn of_request(record: &AuditRecord) -> Self {
        Self {
            principal: record.principal.clone(),
            network: record.peer.as_deref().map(network),
            outcome: record.outcome,
            code: record.policy.clone(),
            asked: None,
        }
    }

    /// Of an access that had to wait for the sink, what was asked for counts: a record that names another secret says
    /// nothing about it.
    fn of_access(record: &AuditRecord) -> Self {
        let asked = (record.action, record.provider.clone(), record.name.clone());
        Self { asked: Some(asked), ..Self::of_request(record) }
    }
}

impl Open {
    fn is_full(&self) -> bool {
        self.rows + self.refusals.len() + self.unwritten.len() >= MAX_FOLDED
    }

    /// Whether no row more of this principal is kept. They are counted one by one: only a new row asks.
    fn is_full_for(&self, principal: &Arc<str>) -> bool {
        let refused = self.refusals.keys().map(|refusal| &refusal.principal);
        let of_it = refused.chain(self.unwritten.iter().map(|record| &record.principal)).filter(|of| *of == principal);
        self.is_full() || of_it.count() >= MAX_FOLDED_PER_PRINCIPAL
    }

    fn is_empty(&self) -> bool {
        self.tallies.is_empty() && self.refusals.is_empty() && self.unwritten.is_empty()
    }
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
