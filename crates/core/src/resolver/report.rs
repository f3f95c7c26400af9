//! Reports that a value no longer works: the provider is asked before the value is served again.
//!
//! A report costs a call to the provider, so there are few: one per version and
//! [`CacheSettings::report_pause`](crate::CacheSettings::report_pause), and so many per caller. It says nothing about the
//! value, and changes none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Resolver;
use crate::cache::Spelled;
use crate::{
    Action, Alias, Call, Error, ErrorKind, Moment, Operation, Pace, Principal, Recent, Result, Retry, SecretName,
    Selector,
};

/// How many versions and callers are remembered, at least.
const REMEMBERED: usize = 4096;

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// The provider is asked when the secret is read next.
    Refetching,
    /// It was asked because of a report a moment ago.
    Recent,
    /// Another version is held than the reported one: read again.
    Newer,
    /// Nothing is held: whoever reads asks the provider anyway.
    NotHeld,
    /// It is a lease, made for those who hold it. It is renewed, and never asked for anew because of a report.
    Leased,
}

impl Reported {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refetching => "refetching",
            Self::Recent => "recent",
            Self::Newer => "newer",
            Self::NotHeld => "not_held",
            Self::Leased => "leased",
        }
    }
}

/// A version of a secret, as it is held.
type Held = (Alias, SecretName, Box<str>);

/// Who has reported what of late.
pub(super) struct Reports {
    versions: Mutex<Recent<Held, Moment>>,
    /// When each caller may report next, by the monotonic clock.
    callers: Mutex<Recent<Arc<str>, Duration>>,
}

impl Default for Reports {
    fn default() -> Self {
        Self { versions: Mutex::new(Recent::new(REMEMBERED)), callers: Mutex::new(Recent::new(REMEMBERED)) }
    }
}

impl Reports {
    /// How long this caller has to wait, if it has to.
    fn wait(&self, pace: Option<Pace>, who: &Principal, now: Moment) -> Option<Duration> {
        let pace = pace?;
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let due = callers.get(&who.id).copied().unwrap_or_default();
        let (pause, due) = pace.turn(due, now.monotonic);
        if pause.is_zero() {
            callers.put(who.id.clone(), due);
            return None;
        }
        Some(pause)
    }

    /// Whether this version was not reported for so long; it was now.
    fn is_first(&self, pause: Duration, alias: &Alias, name: &SecretName, version: &str, now: Moment) -> bool {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (alias.clone(), name.clone(), Box::from(version));
        let first = versions.get(&key).is_none_or(|at| now.is_past(*at, pause));
        if first {
            versions.put(key, now);
        }
        first
    }
}

impl Resolver {
    /// Takes note that this version of a secret no longer works. Who reads it next asks the provider, and no cache on the
    /// way there answers.
    ///
    /// # Errors
    /// `Denied`; `Throttled` when this caller has reported too much.
    pub fn report_stale(
        &self,
        call: &Call,
        who: &Principal,
        alias: Option<&Alias>,
        name: &SecretName,
        version: &str,
    ) -> Result<Reported> {
        let access = self.access(call.request_id(), who, Action::ReportStale, name.as_str(), alias);
        let mut policy = None;
        let result = self.reported(who, alias, name, version, access.started, &mut policy);
        self.0.ledger.record(&access, result, policy)
    }

    fn reported(
        &self,
        who: &Principal,
        alias: Option<&Alias>,
        name: &SecretName,
        version: &str,
        now: Moment,
        policy: &mut Option<Arc<str>>,
    ) -> Result<Reported> {
        let inner = &*self.0;
        let (mounts, _) = inner.planner.mounts_for(alias, name)?;
        for mount in mounts {
            let allowed = inner.allow(who, Action::ReportStale, mount, mount.named(name)?.as_str());
            *policy = Some(allowed.map_err(|(error, by)| {
                *policy = by;
                error.during(Operation::Invalidate)
            })?);
        }
        if let Some(pause) = inner.reports.wait(inner.settings.report_pace, who, now) {
            let message = "this caller reports too much; read again first, and wait as long as Retry-After says";
            return Err(Error::new(ErrorKind::Throttled, message).on(name).retry(Retry::After(Some(pause))));
        }
        for mount in mounts {
            let (asked, selector) = (mount.named(name)?, Selector::Current);
            let spelled = Spelled { alias: &mount.alias, name: &asked, selector: &selector };
            let Some(entry) = inner.cache.get(spelled) else { continue };
            // Rights are about the name that the provider calls it, too.
            if entry.secret.name != *asked {
                inner.allow(who, Action::ReportStale, mount, entry.secret.name.as_str()).map_err(|(error, _)| error)?;
            }
            if entry.lease.is_some() {
                return Ok(Reported::Leased);
            }
            if entry.secret.version.as_ref().is_none_or(|held| *held.id != *version) {
                return Ok(Reported::Newer);
            }
            if !inner.reports.is_first(inner.settings.report_pause, &mount.alias, &asked, version, now) {
                return Ok(Reported::Recent);
            }
            entry.reported.store(true, std::sync::atomic::Ordering::Relaxed);
            return Ok(Reported::Refetching);
        }
        Ok(Reported::NotHeld)
    }
}
