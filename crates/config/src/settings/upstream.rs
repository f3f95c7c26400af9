//! What stands around every provider: the TLS it trusts, and the layers of its upstream stack.

use std::path::PathBuf;

use lockstep_core::UpstreamSettings;
use serde::{Deserialize, Serialize};

use crate::units::Period;

/// Whom the TLS of a provider trusts, and what it shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// A PEM file of roots, instead of the built-in ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// A client certificate as a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<PathBuf>,
    /// Its key as a PEM file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_key: Option<PathBuf>,
}

impl Tls {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The layers around a provider. `0` switches a layer off.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// How long one attempt may take; at most 10m. `0` leaves only the request's own deadline.
    pub timeout: Period,
    /// Attempts in all, at most 10. `0` and `1` switch retries off.
    pub attempts: u32,
    /// Attempts in all when the provider throttles, at most 10.
    pub throttled_attempts: u32,
    /// The first pause between attempts; it doubles, with full jitter.
    pub backoff: Period,
    /// The first pause when the provider throttles.
    pub throttled_backoff: Period,
    /// The longest pause; at most 10m.
    pub max_backoff: Period,
    /// Retries that the provider may have in hand; `0` is no limit.
    pub retry_budget: u32,
    /// Failures in a row that open the breaker; `0` switches it off.
    pub breaker_failures: u32,
    /// Successes that close it again.
    pub breaker_successes: u32,
    /// How long it stays open before one call is let through; at most 1h.
    pub breaker_reset: Period,
    /// Calls per second at most; `0` is no limit.
    pub rate_per_second: u32,
    /// Calls at once that the rate allows after a pause.
    pub rate_burst: u32,
}

impl Default for Upstream {
    fn default() -> Self {
        let core = UpstreamSettings::default();
        Self {
            timeout: Period::of(core.timeout),
            attempts: core.attempts,
            throttled_attempts: core.throttled_attempts,
            backoff: Period::of(core.backoff),
            throttled_backoff: Period::of(core.throttled_backoff),
            max_backoff: Period::of(core.max_backoff),
            retry_budget: core.retry_budget,
            breaker_failures: core.breaker_failures,
            breaker_successes: core.breaker_successes,
            breaker_reset: Period::of(core.breaker_reset),
            rate_per_second: core.rate_per_second,
            rate_burst: core.rate_burst,
        }
    }
}

impl From<&Upstream> for UpstreamSettings {
    fn from(settings: &Upstream) -> Self {
        Self {
            timeout: settings.timeout.get(),
            attempts: settings.attempts,
            throttled_attempts: settings.throttled_attempts,
            backoff: settings.backoff.get(),
            throttled_backoff: settings.throttled_backoff.get(),
            max_backoff: settings.max_backoff.get(),
            retry_budget: settings.retry_budget,
            breaker_failures: settings.breaker_failures,
            breaker_successes: settings.breaker_successes,
            breaker_reset: settings.breaker_reset.get(),
            rate_per_second: settings.rate_per_second,
            rate_burst: settings.rate_burst,
        }
    }
}
