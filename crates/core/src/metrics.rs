//! The ports for numbers: a [`MetricsSink`] hands out one [`Meter`] per provider, so that counting needs no look-up.

use std::sync::Arc;
use std::time::Duration;

use crate::{Alias, ErrorKind, Operation};

/// Where numbers go.
pub trait MetricsSink: Send + Sync {
    /// The meter of one provider.
    fn meter(&self, alias: &Alias) -> Arc<dyn Meter>;
}

/// The numbers of one provider. No label ever holds a name or a value.
pub trait Meter: Send + Sync {
    /// One access through the resolver, cached or not.
    fn access(&self, operation: Operation, outcome: Result<(), ErrorKind>, took: Duration);

    /// One look into the cache.
    fn cache(&self, found: CacheFound);

    /// One call to the provider itself, retries included one by one.
    fn call(&self, operation: Operation, outcome: Result<(), ErrorKind>, took: Duration);

    /// The breaker opened or closed.
    fn breaker(&self, open: bool);

    /// How much the whole cache holds after a change.
    fn cache_size(&self, entries: usize, bytes: usize);
}

/// What a look into the cache found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFound {
    /// A value that may be served.
    Hit,
    /// Nothing that may be served.
    Miss,
    /// A value past its time, served because the provider could not be asked.
    Stale,
}
