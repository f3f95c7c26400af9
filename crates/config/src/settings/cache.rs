//! `[cache]` and `[freshness]`.

use std::time::Duration;

use lockstep_core::{CacheSettings, OnOutage};
use serde::{Deserialize, Serialize};

#[cfg(any(feature = "redis", feature = "feed"))]
use super::Credential;
use super::Journal;
use crate::units::{Period, Size};

/// `[cache]`: how long values are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// How long a value is fresh without a journal, at most 24 h. `0` switches the cache off.
    pub ttl: Period,
    /// How long a value is fresh while a journal is healthy, at most 24 h.
    pub ttl_with_journal: Period,
    /// How long before its end a fresh value is fetched again in the background. `0` switches that off.
    pub refresh_ahead: Period,
    /// How many entries at most, from 1 to 1000000.
    pub max_entries: u32,
    /// How many bytes at most, names and bookkeeping included; at least 64KiB.
    pub max_bytes: Size,
    /// How long a miss is remembered, at most 1 h. `0` switches that off.
    pub negative_ttl: Period,
    /// How long past its TTL a value may stand in while the provider can't be asked. `0` switches that off.
    pub max_stale: Period,
    /// How often the rights to a pinned version, and its existence, are checked again; at most 24 h.
    pub pin_recheck: Period,
    /// How long a version that a caller has reported as stale is not fetched again because of a report; at most 1 h.
    pub report_pause: Period,
    /// Whether callers who want the same secret at the same time share one fetch.
    pub single_flight: bool,
    /// Whether TTLs are shortened by up to 10 % at random, so that instances that started together do not expire
    /// together.
    pub jitter: bool,
}

impl Default for Cache {
    fn default() -> Self {
        let core = CacheSettings::default();
        Self {
            ttl: Period::of(core.ttl.get()),
            ttl_with_journal: Period::of(core.ttl_with_journal.get()),
            refresh_ahead: Period::of(core.refresh_ahead),
            max_entries: u32::try_from(core.max_entries).unwrap_or(u32::MAX),
            max_bytes: Size::of(core.max_bytes as u64),
            negative_ttl: Period::of(core.negative_ttl),
            max_stale: Period::of(core.max_stale),
            pin_recheck: Period::of(core.pin_recheck),
            report_pause: Period::of(core.report_pause),
            single_flight: core.single_flight,
            jitter: core.jitter,
        }
    }
}

/// `[freshness]`: the journal, and the bound that it makes possible.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Freshness {
    /// The journal: `dynamodb://TABLE`, `redis://HOST:PORT/NAME`, `rediss://…`, or `https://…`, the feed of
    /// another endpoint; `memory://` serves this process alone.
    /// The variable `LOCKSTEP_JOURNAL` says the same. Without one there is no promise but the TTL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<Journal>,
    /// The password of a journal in Redis, or the token of the endpoint whose feed is the journal.
    #[cfg(any(feature = "redis", feature = "feed"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal_token: Option<Credential>,
    /// Allows a journal over a connection without TLS to another machine.
    #[cfg(any(feature = "redis", feature = "feed"))]
    pub insecure: bool,
    /// Once a Change is in the journal, no superseded value is served for longer than this; from 100ms to 1h.
    pub max_staleness: Period,
    /// What happens when journal or provider don't answer: `serve` goes on until `max_stale`, marked; `fail` keeps the
    /// bound.
    #[serde(with = "outage")]
    #[cfg_attr(feature = "schema", schemars(with = "outage::Word"))]
    pub on_outage: OnOutage,
    /// How long after a Change an older answer may still come from a lagging replica; at most 1h.
    pub settle: Period,
    /// How long one check of the journal may take; from 10ms to 30s.
    pub check_timeout: Period,
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            journal: None,
            #[cfg(any(feature = "redis", feature = "feed"))]
            journal_token: None,
            #[cfg(any(feature = "redis", feature = "feed"))]
            insecure: false,
            max_staleness: Period::of(Duration::from_secs(5)),
            on_outage: OnOutage::Serve,
            settle: Period::of(Duration::from_mins(2)),
            check_timeout: Period::of(Duration::from_millis(250)),
        }
    }
}

/// Core's enum has no serde; its words stand here.
pub(super) mod outage {
    use lockstep_core::OnOutage;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[cfg_attr(feature = "schema", schemars(rename = "OnOutage"))]
    #[serde(rename_all = "lowercase")]
    pub(crate) enum Word {
        Serve,
        Fail,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it like this")]
    pub(crate) fn serialize<S: Serializer>(value: &OnOutage, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            OnOutage::Serve => Word::Serve.serialize(serializer),
            OnOutage::Fail => Word::Fail.serialize(serializer),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OnOutage, D::Error> {
        Ok(match Word::deserialize(deserializer)? {
            Word::Serve => OnOutage::Serve,
            Word::Fail => OnOutage::Fail,
        })
    }
}
