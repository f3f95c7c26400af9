//! Reports that a value no longer works: the provider is asked before the value is served again.
//!
//! A report costs a call to the provider, so there are few: one per version and
//! [`CacheSettings::report_pause`](crate::CacheSettings::report_pause). How many one caller may send is for the front door to
//! say. A report says nothing about the value, and changes none.

use std::sync::Arc;

use super::{Refused, Resolver};
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
        let (result, policy) = match self.reported(who, alias, name, version, access.started) {
            Ok((reported, policy)) => (Ok(reported), policy),
            Err((error, policy)) => (Err(error.during(Operation::Invalidate)), policy),
        };
        self.0.ledger.record(&access, result, policy)
    }

    fn reported(
        &self,
        who: &Principal,
        alias: Option<&Alias>,
        name: &SecretName,
        version: &str,
        now: Moment,
    ) -> Result<(Reported, Option<Arc<str>>), Refused> {
        let inner = &*self.0;
        let unplanned = |error| (error, None);
        let (mounts, _) = inner.planner.mounts_for(alias, name).map_err(unplanned)?;
        let mut policy = None;
        for mount in mounts {
            let asked = mount.named(name).map_err(unplanned)?;
            policy = Some(inner.allow(who, Action::ReportStale, mount, asked.as_str())?);
        }
        for mount in mounts {
            let (asked, selector) = (mount.named(name).map_err(unplanned)?, Selector::Current);
            let spelled = Spelled { alias: &mount.alias, name: &asked, selector: &selector };
            let Some(entry) = inner.cache.get(spelled) else { continue };
            // Rights are about the name that the provider calls it, too.
            if entry.secret.name != *asked {
                policy = Some(inner.allow(who, Action::ReportStale, mount, entry.secret.name.as_str())?);
            }
            let reported = if entry.lease.is_some() {
                Reported::Leased
            } else if entry.secret.version.as_ref().is_none_or(|held| *held.id != *version) {
                Reported::Newer
            } else if entry.report(now, inner.settings.report_pause) {
                Reported::Refetching
            } else {
                Reported::Recent
            };
            return Ok((reported, policy));
        }
        Ok((Reported::NotHeld, policy))
    }
}
