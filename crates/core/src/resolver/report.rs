//! Reports that a value no longer works: the provider is asked before the value is served again.
//!
//! A report costs a call to the provider, so there are few: one per version and
//! [`CacheSettings::report_pause`](crate::CacheSettings::report_pause). How many one caller may send is for the front door to
//! say. A report says nothing about the value, and changes none.

use std::sync::Arc;

use super::Resolver;
use crate::cache::Spelled;
use crate::{Action, Alias, Call, Moment, Operation, Principal, Result, SecretName, Selector};

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

impl Resolver {
    /// Takes note that this version of a secret no longer works. Who reads it next asks the provider, and no cache on the
    /// way there answers.
    ///
    /// # Errors
    /// `Denied`.
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
            let first = entry.report(now, inner.settings.report_pause);
            return Ok(if first { Reported::Refetching } else { Reported::Recent });
        }
        Ok(Reported::NotHeld)
    }
}
