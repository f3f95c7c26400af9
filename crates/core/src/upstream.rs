//! [`Upstream`]: what stands around every provider call, outermost first: metrics and trace, breaker, retry, rate
//! limit, and a timeout per attempt.
//!
//! Each of them is one file below; [`Upstream::run`] is the order in which they are put around a call, and the only
//! place that knows it.

mod breaker;
mod rate_limit;
mod retry;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

pub(crate) use self::breaker::Breaker;
use self::rate_limit::RateLimit;
use self::retry::Retries;
use crate::span::Attempts;
use crate::{
    Alias, Call, Capabilities, Clock, Error, ErrorKind, Filter, Lease, Metadata, Meter, Operation, Page, Paged,
    Provider, Random, Result, Rotation, Scope, Secret, SecretName, Selector, UpstreamSettings, VersionInfo,
};

/// A provider with the upstream stack around it.
pub struct Upstream {
    alias: Alias,
    inner: Arc<dyn Provider>,
    settings: UpstreamSettings,
    meter: Arc<dyn Meter>,
    breaker: Breaker,
    retries: Retries,
    rate: RateLimit,
}

/// One attempt at the provider: boxed, since each operation has its own future and all share one stack. What it came to is
/// [`Kept`], so that the stack is compiled once and not for each of them.
type Attempt<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;
/// What makes attempts.
type Attempting<'a> = dyn Fn(Call) -> Attempt<'a> + Send + Sync + 'a;

/// What the attempt came to that succeeded.
struct Kept<T>(Mutex<Option<T>>);

impl<T: Send> Kept<T> {
    fn new() -> Self {
        Self(Mutex::new(None))
    }

    fn by<'a>(&'a self, work: impl Future<Output = Result<T>> + Send + 'a) -> Attempt<'a> {
        Box::pin(async move {
            let value = work.await?;
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
            Ok(())
        })
    }

    fn take(self) -> Result<T> {
        let kept = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        kept.ok_or_else(|| Error::new(ErrorKind::Internal, "a provider succeeded and had no answer"))
    }
}

impl Upstream {
    /// Wraps a provider.
    pub fn new(
        alias: Alias,
        inner: Arc<dyn Provider>,
        settings: UpstreamSettings,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        meter: Arc<dyn Meter>,
    ) -> Self {
        Self {
            breaker: Breaker::new(
                settings.breaker_failures,
                settings.breaker_successes,
                settings.breaker_reset,
                clock.clone(),
            ),
            retries: Retries::new(&settings, clock.clone(), random),
            rate: RateLimit::new(settings.rate_per_second, settings.rate_burst, clock),
            alias,
            inner,
            settings,
            meter,
        }
    }

    /// Puts the stack around one operation. `repeatable` says, after an attempt that may have reached the
    /// provider, whether it can be made again.
    async fn run<'a>(
        &'a self,
        call: &'a Call,
        operation: Operation,
        name: Option<&'a SecretName>,
        repeatable: &(dyn Fn() -> bool + Send + Sync),
        attempt: &'a Attempting<'a>,
    ) -> Result<()> {
        let started = call.clock().monotonic();
        let attempts = Attempts::new();
        let admitted = self.breaker.admit();
        let was_admitted = admitted.is_ok();
        let result = match admitted {
            Err(open) => Err(open),
            Ok(permit) => {
                let result = self
                    .retries
                    .run(call, repeatable, || async {
                        self.rate.wait(call).await?;
                        let limited = match self.settings.timeout {
                            timeout if timeout.is_zero() => call.clone(),
                            timeout => call.within(timeout),
                        };
                        let sent = call.clock().monotonic();
                        let span = limited.attempt_span(operation, &self.alias, self.inner.scope(), &attempts);
                        let result = limited.bounded(attempt(span.of(&limited).clone())).await;
                        span.ended(&result);
                        let took = call.clock().monotonic().saturating_sub(sent);
                        self.meter.call(operation, outcome(&result), took);
                        result
                    })
                    .await;
                permit.settle(result.as_ref().err());
                result
            }
        };
        if was_admitted {
            self.meter.breaker(self.breaker.is_open());
        }
        result.map_err(|error| {
            let error = self.sign(error, operation, name);
            let took_ms =
                u64::try_from(call.clock().monotonic().saturating_sub(started).as_millis()).unwrap_or(u64::MAX);
            let (request_id, trace) = (tracing::field::display(call.request_id()), call.trace.0.as_deref());
            // What an operator has to look after is told; an answer about one secret is its caller's business, and an
            // open breaker was told when it opened.
            match error.kind() {
                ErrorKind::CircuitOpen => tracing::debug!(%error, request_id, trace, "the breaker is open"),
                ErrorKind::Unauthenticated | ErrorKind::Config => {
                    tracing::error!(%error, took_ms, request_id, trace, "a provider can't be used as it is set up");
                }
                kind if kind.is_transient() => tracing::warn!(%error, took_ms, request_id, trace, "a provider failed"),
                _ => tracing::debug!(%error, took_ms, request_id, trace, "a provider refused"),
            }
            error
        })
    }

    fn sign(&self, error: Error, operation: Operation, name: Option<&SecretName>) -> Error {
        let error = error.during(operation).from_provider(&self.alias);
        match name {
            Some(name) => error.on(name),
            None => error,
        }
    }
}

fn outcome(result: &Result<()>) -> Result<(), ErrorKind> {
    result.as_ref().copied().map_err(Error::kind)
}

#[async_trait]
impl Provider for Upstream {
    fn scope(&self) -> &Scope {
        self.inner.scope()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        self.inner.selector(text)
    }

    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        self.inner.respelled(name)
    }

    fn mints(&self, name: &SecretName) -> bool {
        self.inner.mints(name)
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let kept = Kept::new();
        let attempt = |call: Call| kept.by(async move { self.inner.get(&call, name, selector).await });
        self.run(call, Operation::Get, Some(name), &|| !self.inner.mints(name), &attempt).await?;
        kept.take()
    }

    /// A batch fails as a whole only when every item failed for a transient reason; else each item has its own result.
    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        let repeatable = || !wanted.iter().any(|(name, _)| self.inner.mints(name));
        let kept = Kept::new();
        let attempt = |call: Call| {
            kept.by(async move {
                let items = self.inner.get_many(&call, wanted).await;
                let mut errors = items.iter().filter_map(|item| item.as_ref().err());
                match errors.next() {
                    Some(first)
                        if first.is_transient() && errors.filter(|e| e.is_transient()).count() + 1 == items.len() =>
                    {
                        Err(first.clone())
                    }
                    _ => Ok(items),
                }
            })
        };
        let done = self.run(call, Operation::GetMany, None, &repeatable, &attempt).await;
        match done.and_then(|()| kept.take()) {
            Ok(items) => items
                .into_iter()
                .zip(wanted)
                .map(|(item, (name, _))| item.map_err(|error| self.sign(error, Operation::Get, Some(name))))
                .collect(),
            Err(error) => wanted.iter().map(|(name, _)| Err(error.clone().on(name))).collect(),
        }
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let kept = Kept::new();
        let attempt = |call: Call| kept.by(async move { self.inner.describe(&call, name).await });
        self.run(call, Operation::Describe, Some(name), &|| true, &attempt).await?;
        kept.take()
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let kept = Kept::new();
        let attempt = |call: Call| {
            let page = page.clone();
            kept.by(async move { self.inner.versions(&call, name, page).await })
        };
        self.run(call, Operation::Versions, Some(name), &|| true, &attempt).await?;
        kept.take()
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let kept = Kept::new();
        let attempt = |call: Call| {
            let page = page.clone();
            kept.by(async move { self.inner.list(&call, prefix, filter, page).await })
        };
        self.run(call, Operation::List, None, &|| true, &attempt).await?;
        kept.take()
    }

    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        let kept = Kept::new();
        let attempt = |call: Call| kept.by(async move { self.inner.rotate(&call, name).await });
        self.run(call, Operation::Rotate, Some(name), &|| false, &attempt).await?;
        kept.take()
    }

    async fn renew(&self, call: &Call, lease: &Lease) -> Result<Lease> {
        let kept = Kept::new();
        let attempt = |call: Call| kept.by(async move { self.inner.renew(&call, lease).await });
        self.run(call, Operation::Renew, None, &|| true, &attempt).await?;
        kept.take()
    }

    async fn revoke(&self, call: &Call, lease: &Lease) -> Result<()> {
        let attempt = |call: Call| -> Attempt<'_> { Box::pin(async move { self.inner.revoke(&call, lease).await }) };
        self.run(call, Operation::Revoke, None, &|| true, &attempt).await
    }

    async fn check(&self, call: &Call) -> Result<()> {
        let attempt = |call: Call| -> Attempt<'_> { Box::pin(async move { self.inner.check(&call).await }) };
        self.run(call, Operation::Check, None, &|| false, &attempt).await
    }
}
