//! The ledger: every access leaves through here and is recorded. What comes often, hits and refused requests, is folded
//! into exact counts.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    Action, Alias, Answer, AuditHits, AuditRecord, AuditSink, CacheStatus, Call, Error, Moment, Outcome, Principal,
    Result, SecretName,
};

/// How many different counts are kept before they are written, whether or not it is time.
const MAX_FOLDED: usize = 4096;

/// Turns accesses into audit records.
pub(crate) struct Ledger {
    sink: Arc<dyn AuditSink>,
    hits: AuditHits,
    folded: Mutex<HashMap<Alike, Folded>>,
}

/// What makes two records one.
#[derive(PartialEq, Eq, Hash)]
enum Alike {
    Hit(Hit),
    Refusal(Refusal),
}

#[derive(PartialEq, Eq, Hash)]
struct Hit {
    principal: Arc<str>,
    alias: Alias,
    name: SecretName,
    version: Option<Box<str>>,
    stale: bool,
}

/// The path is not among it, nor the port: whoever is refused chooses both, and could make each record another one.
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

    /// Records a request that was refused before a secret was looked at. The first of its like is written at once, those
    /// after it are counted until the next flush: nobody who is refused decides how much is written.
    pub(crate) fn refused(&self, record: AuditRecord) {
        let alike = Alike::Refusal(Refusal {
            principal: record.principal.clone(),
            host: record.peer.as_deref().map(host),
            outcome: record.outcome,
            code: record.policy.clone(),
        });
        let mut folded = self.folded();
        if let Some(known) = folded.get_mut(&alike) {
            known.count += 1;
            known.last = record;
            return;
        }
        folded.insert(alike, Folded { count: 0, last: record.clone() });
        let full = folded.len() >= MAX_FOLDED;
        drop(folded);
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
        let alike = Alike::Hit(Hit {
            principal: access.who.id.clone(),
            alias: answer.alias.clone(),
            name,
            version: version.clone(),
            stale,
        });
        let mut folded = self.folded();
        if let Some(known) = folded.get_mut(&alike) {
            known.count += 1;
            known.last.at = access.started.wall;
            known.last.request_id = access.call.shared_request_id();
            return;
        }
        folded.insert(alike, Folded { count: 1, last: record(policy) });
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

    /// Writes the counts.
    pub(crate) fn flush(&self) {
        let folded = std::mem::take(&mut *self.folded());
        for Folded { count, last } in folded.into_values().filter(|folded| folded.count > 0) {
            self.sink.write(&AuditRecord { count, ..last });
        }
    }

    fn folded(&self) -> MutexGuard<'_, HashMap<Alike, Folded>> {
        self.folded.lock().unwrap_or_else(PoisonError::into_inner)
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
