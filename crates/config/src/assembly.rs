//! From a [`Config`] and the host's ports to what answers: providers with their layers, the resolver, the endpoint.
//!
//! Nothing is sent here: no login, no look at a provider, no prefetch.

mod audit;
mod callers;
mod credential;
mod endpoint;
#[cfg(feature = "events")]
mod events;
mod journal;
#[cfg(feature = "emf")]
mod metric_lines;
#[cfg(feature = "events")]
mod notify;
mod policies;
mod providers;
#[cfg(feature = "rotation")]
mod rotation;
#[cfg(feature = "otlp")]
mod telemetry;
#[cfg(feature = "shared-journal")]
mod telling;
#[cfg(feature = "vault-surface")]
mod vault_surface;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lockstep_api::PrometheusMetrics;
pub use lockstep_auth::TokenOrigin;
use lockstep_core::{
    Alias, AuditHits, AuditSink, Bindings, CacheSettings, ChangeSource, Clock, Env, Error, Exec, Files,
    FreshnessSettings, Journal, Meter, MetricsSink, Mount, Random, Resolver, ResolverParts, Route, SecretRef, Signer,
    Spawn, Transports, Ttl,
};

pub use self::audit::DeliveryPorts;
pub use self::endpoint::{Endpoint, Front};
#[cfg(feature = "otlp")]
pub use self::telemetry::{Telemetry, TelemetryHeaders};
pub use self::watch::Watch;
use crate::config::Config;
use crate::problem::Problems;
use crate::settings::{self, AuditSinkKind};
use crate::units::Period;

/// Changes that one check of the journal reads at most.
const CHANGES_PER_CHECK: usize = 256;

/// What the host gives.
#[derive(Clone)]
pub struct Ports {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The way out.
    pub transports: Arc<dyn Transports>,
    /// The way out for what is not HTTP.
    #[cfg(feature = "redis")]
    pub sockets: Arc<dyn lockstep_core::Sockets>,
    /// Environment variables.
    pub env: Arc<dyn Env>,
    /// Files.
    pub files: Arc<dyn Files>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Assertions that are signed with a key of ours.
    pub signer: Arc<dyn Signer>,
    /// What is bound to the process.
    pub bindings: Arc<dyn Bindings>,
    /// Programs that print credentials.
    pub exec: Arc<dyn Exec>,
    /// Background work.
    pub spawn: Arc<dyn Spawn>,
    /// Where audit records go: what the host made of `audit.sink`.
    pub audit: Arc<dyn AuditSink>,
}

/// The resolver and what belongs to it.
pub struct Assembly {
    /// The way to the secrets.
    pub resolver: Arc<Resolver>,
    /// The numbers behind `/metrics`, unless they are switched off.
    pub metrics: Option<Arc<PrometheusMetrics>>,
    /// The journal, if there is one.
    #[cfg(feature = "events")]
    pub journal: Option<Arc<dyn Journal>>,
    /// Whose secrets are read.
    #[cfg(feature = "events")]
    pub scopes: Vec<lockstep_core::Scope>,
    /// What begins the spans of requests: the host puts it in before it builds the endpoint.
    #[cfg(feature = "otlp")]
    pub tracer: Option<Arc<lockstep_core::Tracer>>,
    /// What tells of changes, if there is a journal to tell it.
    pub watch: Option<Watch>,
    /// What to read at start.
    pub prefetch: Vec<SecretRef>,
    /// How often folded audit counts are to be written.
    pub audit_flush: Duration,
    /// What an operator should know, one sentence each.
    pub warnings: Vec<String>,
}

impl Config {
    /// Builds the resolver.
    ///
    /// # Errors
    /// What is wrong with the settings of a provider, with its place.
    pub fn assemble(&self, ports: &Ports) -> Result<Assembly, Problems> {
        let settings = self.settings();
        let metrics = settings.metrics.enabled.then(|| Arc::new(PrometheusMetrics::new()));
        let sink: Arc<dyn MetricsSink> = match &metrics {
            Some(metrics) => Arc::clone(metrics) as Arc<dyn MetricsSink>,
            None => Arc::new(Uncounted),
        };
        let built = providers::build(self, ports, &*sink)?;
        let journal = journal::build(self, ports)?;
        let shared = settings.freshness.journal != Some(settings::Journal::Memory);
        let watch = journal
            .clone()
            .filter(|_| !built.sources.is_empty())
            .map(|journal| Watch::new(journal, built.sources, shared));
        #[cfg(feature = "events")]
        let scopes = built.mounts.iter().map(|mount| mount.provider.scope().clone()).collect();
        let resolver = Resolver::new(ResolverParts {
            clock: Arc::clone(&ports.clock),
            random: Arc::clone(&ports.random),
            authorizer: self.authorizer(ports)?,
            audit: Arc::clone(&ports.audit),
            audit_hits: self.audit_hits(),
            metrics: sink,
            mounts: built.mounts,
            routes: self.routes()?,
            cache: self.cache()?,
            freshness: journal.clone().map(|journal| self.freshness(journal)),
        })
        .map_err(|error| self.problem("routes", error.message()))?;
        Ok(Assembly {
            resolver: Arc::new(resolver),
            metrics,
            #[cfg(feature = "events")]
            journal,
            #[cfg(feature = "events")]
            scopes,
            #[cfg(feature = "otlp")]
            tracer: None,
            watch,
            prefetch: settings.prefetch.iter().map(|reference| reference.parsed.clone()).collect(),
            audit_flush: settings.audit.flush.get(),
            warnings: self.warnings(),
        })
    }

    /// Where callers log in, who had what is worth a record each, unless something else is written.
    fn audit_hits(&self) -> AuditHits {
        match self.settings().audit.hits {
            settings::AuditHits::Full => AuditHits::Full,
            settings::AuditHits::Summary if self.is_written("audit.hits") => AuditHits::Summary,
            settings::AuditHits::Summary if self.settings().auth.has_logins() => AuditHits::Full,
            settings::AuditHits::Summary => AuditHits::Summary,
        }
    }

    fn ttl(&self, key: &str, period: Period) -> Result<Ttl, Problems> {
        Ok(Ttl::new(period.get()).map_err(|error: Error| self.problem(key, error.message()))?)
    }

    fn cache(&self) -> Result<CacheSettings, Problems> {
        let cache = &self.settings().cache;
        Ok(CacheSettings {
            ttl: self.ttl("cache.ttl", cache.ttl)?,
            ttl_with_journal: self.ttl("cache.ttl_with_journal", cache.ttl_with_journal)?,
            refresh_ahead: cache.refresh_ahead.get(),
            max_entries: usize::try_from(cache.max_entries).unwrap_or(usize::MAX),
            max_bytes: cache.max_bytes.bytes(),
            negative_ttl: cache.negative_ttl.get(),
            max_stale: cache.max_stale.get(),
            pin_recheck: cache.pin_recheck.get(),
            report_pause: cache.report_pause.get(),
            single_flight: cache.single_flight,
            jitter: cache.jitter,
        })
    }

    fn freshness(&self, journal: Arc<dyn Journal>) -> FreshnessSettings {
        let freshness = &self.settings().freshness;
        FreshnessSettings {
            journal,
            max_staleness: freshness.max_staleness.get(),
            on_outage: freshness.on_outage,
            settle: freshness.settle.get(),
            check_timeout: freshness.check_timeout.get(),
            batch: CHANGES_PER_CHECK,
        }
    }

    fn routes(&self) -> Result<Vec<Route>, Problems> {
        let settings = self.settings();
        // The only provider needs no route; a twin beside it, which nobody wrote, must not change that.
        if let (true, 1, Some((alias, _))) =
            (settings.routes.is_empty(), settings.providers.len(), settings.providers.first_key_value())
        {
            let every = Route {
                pattern: "**".into(),
                providers: vec![alias.0.clone()],
                ttl: None,
                max_staleness: None,
                fallback: lockstep_core::Fallback::default(),
            };
            return Ok(vec![every]);
        }
        let routes = settings.routes.iter().enumerate();
        routes
            .map(|(index, route)| {
                Ok(Route {
                    pattern: route.pattern.0.as_str().into(),
                    providers: route.providers.iter().map(|alias| alias.0.clone()).collect(),
                    ttl: route.ttl.map(|ttl| self.ttl(&format!("routes.{index}.ttl"), ttl)).transpose()?,
                    max_staleness: route.max_staleness.map(Period::get),
                    fallback: route.fallback,
                })
            })
            .collect()
    }

    fn warnings(&self) -> Vec<String> {
        let settings = self.settings();
        let mut warnings = self.notes().to_vec();
        if settings.freshness.journal.is_none() {
            warnings.push(
                "there is no journal, so there is no promise: after a rotation the old value is served until its TTL \
                 ends (set `freshness.journal` or LOCKSTEP_JOURNAL)"
                    .to_owned(),
            );
        }
        if settings.auth.has_logins() && !settings.auth.has_policies() && !self.is_written("auth.allow") {
            warnings.push(
                "whoever logs in may read every secret: there are no policies (set `auth.policies` or `auth.allow`)"
                    .to_owned(),
            );
        }
        for (key, sink) in settings.audit.sink.by_key() {
            match sink {
                AuditSinkKind::None => warnings.push(format!("audit records go nowhere (`{key} = \"none\"`)")),
                AuditSinkKind::Http(http) if http.insecure => {
                    warnings.push(format!("the receiver of the audit is told to be insecure (`{key}`)"));
                }
                _ => {}
            }
        }
        #[cfg(feature = "otlp")]
        if settings.telemetry.insecure {
            warnings.push("the collector of spans is told to be insecure (`telemetry.insecure`)".to_owned());
        }
        if settings.providers.len() > 1 && settings.routes.is_empty() {
            warnings.push("there are several providers and no routes: only `alias://name` finds a secret".to_owned());
        }
        for (alias, provider) in &settings.providers {
            let alone = match provider {
                settings::Provider::Mock(_) => Some("is a mock: its secrets are made up"),
                settings::Provider::Record(_) => Some("is recorded: every value that it answers goes into a file"),
                settings::Provider::Replay(_) => Some("is a replay: its secrets were recorded"),
                settings::Provider::DryRun(_) => Some("is a dry run: its secrets are placeholders"),
                _ => None,
            };
            warnings.extend(alone.map(|what| format!("`{}` {what}", alias.0)));
            if let settings::Provider::Kubernetes(kubernetes) = provider
                && kubernetes.watch
                && settings.freshness.journal.is_none()
            {
                warnings.push(format!(
                    "`{}` is told to watch, and there is no journal to tell (set `freshness.journal`)",
                    alias.0
                ));
            }
            if provider.common().insecure {
                warnings.push(format!("`{}` is told to be insecure", alias.0));
            }
        }
        warnings
    }
}

/// The providers, by alias, before they are handed to the resolver.
struct Built {
    mounts: Vec<Mount>,
    sources: BTreeMap<Alias, Box<dyn ChangeSource>>,
}

/// Numbers that nobody wants.
struct Uncounted;

impl MetricsSink for Uncounted {
    fn meter(&self, _: &Alias) -> Arc<dyn Meter> {
        Arc::new(Self)
    }
}

impl Meter for Uncounted {
    fn access(&self, _: lockstep_core::Operation, _: Result<(), lockstep_core::ErrorKind>, _: Duration) {}
    fn cache(&self, _: lockstep_core::CacheFound) {}
    fn call(&self, _: lockstep_core::Operation, _: Result<(), lockstep_core::ErrorKind>, _: Duration) {}
    fn breaker(&self, _: bool) {}
    fn cache_size(&self, _: usize, _: usize) {}
}

#[cfg(test)]
mod tests;
