//! What an [`Api`](crate::Api) is made of. `config` fills it in; every limit is named and has its default here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use lockstep_auth::Callers;
use lockstep_core::{Alias, Clock, Pace, Random, Resolver, Spawn};

use crate::PrometheusMetrics;

/// What an [`Api`](crate::Api) is made of.
pub struct ApiParts {
    /// The way to the secrets, and to the audit.
    pub resolver: Arc<Resolver>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Background work.
    pub spawn: Arc<dyn Spawn>,
    /// For request ids and the key of the entity tags.
    pub random: Arc<dyn Random>,
    /// The numbers behind `/metrics`; without them that route answers 404.
    pub metrics: Option<Arc<PrometheusMetrics>>,
    /// Whether a caller's `traceparent` goes on into logs and provider calls.
    pub trace: bool,
    /// Who is let in.
    pub callers: Callers,
    /// Whether what is denied is answered as what is not there.
    pub hide_denied: bool,
    /// Headers that carry a token, besides `Authorization: Bearer`.
    pub token_headers: Vec<HeaderName>,
    /// Whether only callers of this machine are to be answered: what was passed on to it is refused. Where others call too,
    /// forwarding headers are ignored; a proxy's absolute target, CONNECT and Upgrade are refused everywhere.
    pub local: bool,
    /// Headers that show that a request was passed on, besides `Forwarded`, `X-Forwarded-*`, `X-Real-IP` and `Via`.
    pub forwarded_headers: Vec<HeaderName>,
    /// Names and addresses that may stand in `Host`, without a port; a request for another one is refused. When there is
    /// none, it is the name by which a platform has routed the request (`Peer::host`), where there is such a name.
    pub allowed_hosts: Vec<Box<str>>,
    /// The limits.
    pub limits: ApiLimits,
    /// The AWS drop-in surface, if it is on.
    pub aws: Option<AwsSurface>,
}

impl ApiParts {
    /// The headers that the AWS agent and the AWS Lambda extension read the token from.
    pub fn default_token_headers() -> Vec<HeaderName> {
        vec![HeaderName::from_static("x-aws-parameters-secrets-token"), HeaderName::from_static("x-vault-token")]
    }

    /// The spellings of this machine's loopback.
    pub fn default_hosts() -> Vec<Box<str>> {
        vec!["127.0.0.1".into(), "localhost".into(), "[::1]".into()]
    }
}

/// The limits of one [`Api`](crate::Api). What a listener limits (connections, bytes, headers) is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiLimits {
    /// How long a request may take, from its head to its answer.
    pub request_time: Duration,
    /// How many secrets one batch may ask for.
    pub batch_items: usize,
    /// How many items one page of a list may ask for.
    pub page_items: u16,
    /// Whether a caller may wait for the next change (`wait`): a function that waits is paid for.
    #[cfg(feature = "changes")]
    pub waits: bool,
    /// How long an answer of `/health/ready` is given again before the providers are asked anew: whoever asks needs no
    /// token, so asking often must cost nothing.
    pub ready_age: Duration,
    /// How long the providers have to answer `/health/ready`.
    pub ready_time: Duration,
    /// Requests that may be waited for at the same time; one more is turned away with 503. Zero is no limit. What is
    /// answered from the cache waits for nothing and is not counted, and `/ping` and `/health/*` are never turned away.
    pub under_way: usize,
    /// How many requests one address may send, before anybody looks at who it is.
    pub address: Option<Pace>,
    /// How many requests one caller may send.
    pub caller: Option<Pace>,
    /// How many reports of stale values one caller may send, beside that.
    pub reports: Option<Pace>,
    /// How many addresses and callers are kept count of, at least; half of them are forgotten when there are more.
    pub counted: usize,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            request_time: Duration::from_secs(30),
            batch_items: 100,
            page_items: 1000,
            #[cfg(feature = "changes")]
            waits: true,
            ready_age: Duration::from_secs(5),
            ready_time: Duration::from_secs(3),
            under_way: 2000,
            address: None,
            caller: None,
            reports: Pace::new(1, 10),
            counted: 10_000,
        }
    }
}

/// The AWS drop-in surface: which providers stand behind it. A route without one answers 404, as the agent answers what
/// it does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSurface {
    /// Answers `/secretsmanager/get` and the path style.
    pub secrets_manager: Option<Alias>,
    /// Answers `/systemsmanager/parameters/get` with `withDecryption=true`.
    pub parameter_store: Option<Alias>,
    /// The same without decryption: another secret, so another provider.
    pub parameter_store_encrypted: Option<Alias>,
    /// The path style's prefix; `/v1/` unless told otherwise. It begins and ends with `/`.
    pub path_prefix: Box<str>,
    /// Roles that a caller may name as `roleArn`, and the provider that reads with each. No other role is accepted.
    pub roles: BTreeMap<Box<str>, Alias>,
}

impl Default for AwsSurface {
    /// No provider, the agent's prefix and no roles.
    fn default() -> Self {
        Self {
            secrets_manager: None,
            parameter_store: None,
            parameter_store_encrypted: None,
            path_prefix: "/v1/".into(),
            roles: BTreeMap::new(),
        }
    }
}
