//! [`Settings`]: every key of the configuration, as serde reads it, with its default. Nothing is checked here but what
//! one value alone can say; `checks` looks at the whole.
//!
//! Every layer that a request passes can be switched off:
//!
//! | layer | off with |
//! |---|---|
//! | audit | `audit.sink = "none"` |
//! | metrics | `metrics.enabled = false` |
//! | trace | `trace.enabled = false` |
//! | spans | no `telemetry.endpoint` and no variable that names one, which is the default, or `telemetry.enabled = false` |
//! | plan | no `[[routes]]` |
//! | authorize | `auth.allow = ["**"]` and no policies, which is the default |
//! | freshness | no `freshness.journal`, which is the default |
//! | cache | `cache.ttl = 0` and `cache.ttl_with_journal = 0` |
//! | refresh ahead, stale values, remembered misses | `cache.refresh_ahead`, `cache.max_stale`, `cache.negative_ttl = 0` |
//! | single flight, jitter | `cache.single_flight = false`, `cache.jitter = false` |
//! | breaker | `providers.<alias>.upstream.breaker_failures = 0` |
//! | retry | `providers.<alias>.upstream.attempts = 0` and `throttled_attempts = 0` |
//! | rate limit | `providers.<alias>.upstream.rate_per_second = 0` |
//! | timeout per attempt | `providers.<alias>.upstream.timeout = 0` |
//! | AWS surface | `aws.enabled = false` |
//! | Vault surface | `vault.enabled = false`, which is the default |

mod audit;
mod auth;
mod cache;
#[cfg(feature = "events")]
mod events;
mod host;
mod journal;
#[cfg(feature = "events")]
mod notify;
mod provider;
mod reach;
#[cfg(feature = "rotation")]
mod rotators;
mod route;
#[cfg(feature = "otlp")]
mod telemetry;
mod upstream;
#[cfg(feature = "vault-surface")]
mod vault_surface;
mod words;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::audit::{Audit, AuditFile, AuditHits, AuditHttp, AuditSinkKind, AuditSinks, AuditWhenFull};
pub use self::auth::Auth;
#[cfg(feature = "callers")]
pub use self::auth::{
    ApiKey, ApiKeyHash, ApiKeys, AwsIam, AwsIdentities, AwsWebIdentityIssuer, Certificate, Certificates,
    CloudflareAccessIssuer, EntraIssuer, EntraTokenVersion, GithubActionsIssuer, GoogleIssuer, Issuer, IssuerCommon,
    Issuers, KubernetesIssuer, OidcIssuer,
};
pub use self::cache::{Cache, Freshness};
#[cfg(feature = "events")]
pub use self::events::{
    EventBridgeSource, EventGridSource, EventSource, EventSources, PubSubSource, SnsSource, WebhookSource,
};
pub use self::host::{Aws, Listen, ListenTls, Log, LogFormat, LogLevel, Metrics, Trace};
pub use self::journal::Journal;
#[cfg(feature = "redis")]
pub use self::journal::ServerAddress;
#[cfg(feature = "dynamodb")]
pub use self::journal::TableAddress;
#[cfg(feature = "events")]
pub use self::notify::{Occasion, SignedSubscriber, SlackSubscriber, Subscriber, Subscribers};
pub use self::provider::{
    Addresses, AwsExternalId, AwsLogin, AwsParameterStore, AwsRole, AwsSecretsManager, AzureAuth,
    AzureClientCertificate, AzureClientSecret, AzureCloud, AzureKeyVault, AzureManagedIdentity, AzureWorkloadIdentity,
    CloudflareSecretsStore, Common, DryRun, File, GcpAuth, GcpDefault, GcpMetadata, GcpSecretManager,
    GcpServiceAccount, GcpTokenType, GcpWorkloadIdentity, Kubernetes, KubernetesAuth, KubernetesInCluster,
    KubernetesKubeconfig, KubernetesToken, Lockstep, Mock, MockSecret, MockValue, Need, Placeholder, Provider, Record,
    Replay, Vault, VaultAppRole, VaultAuth, VaultAws, VaultCert, VaultJwt, VaultKubernetes, VaultMount, VaultToken,
    VaultUserpass,
};
pub use self::reach::{Context, Only, Tag, Word};
#[cfg(feature = "rotation")]
pub use self::rotators::{DatabaseRotator, HttpRotator, HttpTest, PasswordRules, RandomRotator, Rotator, Users};
pub use self::route::Route;
#[cfg(feature = "otlp")]
pub use self::telemetry::{Ratio, Telemetry};
pub use self::upstream::{Tls, Upstream};
#[cfg(feature = "vault-surface")]
pub use self::vault_surface::{VaultSurface, VaultSurfaceMount};
pub use self::words::{AliasName, AllowRule, Credential, Glob, Reference};

/// The whole configuration.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Secrets to read at start, before anybody asks: references such as `db/creds` or `vault://db/creds`. The variable
    /// `LOCKSTEP_PREFETCH` holds the same, with commas between them.
    pub prefetch: Vec<Reference>,
    /// The cache.
    pub cache: Cache,
    /// The journal, and how far behind it this instance may be.
    pub freshness: Freshness,
    /// Where notifications of providers come in.
    #[cfg(feature = "events")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: EventSources,
    /// Who is told of rotations, by the function on-rotation.
    #[cfg(feature = "events")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub notify: Subscribers,
    /// The providers, by alias. Without any, AWS Secrets Manager (`aws`) and Parameter Store (`ssm`) of `AWS_REGION`.
    pub providers: BTreeMap<AliasName, Provider>,
    /// What the variables of name templates stand for.
    #[serde(skip_serializing_if = "Context::is_empty")]
    pub context: Context,
    /// Which providers answer which names. The first route that matches decides.
    pub routes: Vec<Route>,
    /// What the function rotator does for which secret. The first that matches decides.
    #[cfg(feature = "rotation")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rotators: Vec<Rotator>,
    /// The endpoint.
    pub listen: Listen,
    /// The surface that is compatible with AWS's Lambda extension and agent.
    pub aws: Aws,
    /// The listener that Vault's clients read from.
    #[cfg(feature = "vault-surface")]
    pub vault: VaultSurface,
    /// Who calls, and what they may do.
    pub auth: Auth,
    /// The audit log.
    pub audit: Audit,
    /// The log.
    pub log: Log,
    /// Metrics.
    pub metrics: Metrics,
    /// Traces of callers.
    pub trace: Trace,
    /// Spans, and the collector that they are sent to.
    #[cfg(feature = "otlp")]
    pub telemetry: Telemetry,
}
