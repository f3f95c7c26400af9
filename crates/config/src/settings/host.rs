//! What the host does with the configuration: the endpoint, its AWS surface, log, metrics, traces.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lockstep_auth::TOKEN_VARIABLES;
use serde::{Deserialize, Serialize};

use super::{AliasName, Credential};
use crate::units::{Period, Size};

/// `[listen]`: the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Address and port. Loopback only, unless `allow_remote` is on. Port 0 takes a free one.
    pub address: SocketAddr,
    /// Listens on this Unix socket instead; callers are told apart by the user that the kernel names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unix_socket: Option<PathBuf>,
    /// The local token. Else `aws.ssrf_env_variables` are looked at, else one is made and printed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Credential>,
    /// Users (by number) who need no token on `unix_socket`, as the kernel tells who they are. The socket is open to the
    /// user of this process and to root alone, so only these two mean something.
    pub socket_users: Vec<u32>,
    /// Names that may stand in the `Host` header, without a port, besides `127.0.0.1`, `[::1]` and `localhost`.
    pub allowed_hosts: Vec<String>,
    /// Lets `address` be one that other machines reach. It needs `tls`, and `allowed_hosts` with the names that callers
    /// use. Forwarding headers are ignored then and not refused.
    pub allow_remote: bool,
    /// Answers over TLS, HTTP/2 and HTTP/1.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<ListenTls>,
    /// Connections at the same time, from 1 to 10000. One more takes the place of the one whose client has kept us waiting
    /// the longest; where all wait for an answer, it is answered 429.
    pub max_connections: u32,
    /// Requests that one HTTP/2 connection may have under way, from 1 to 1000.
    pub max_streams: u32,
    /// Bytes of a request's head, from 1KiB to 1MiB.
    pub max_header_bytes: Size,
    /// Bytes of a request's body, at most 16MiB.
    pub max_body_bytes: Size,
    /// Bytes of the bodies that have not ended yet, of all connections together; from `max_body_bytes` to 1GiB. What
    /// goes beyond is answered 503.
    pub max_bodies_bytes: Size,
    /// The same of one address (of IPv6, of one /64), at most 1GiB. One whole body has room, whatever this says.
    pub max_address_bodies_bytes: Size,
    /// How long a request's head may take; from 10ms to 10m.
    pub header_timeout: Period,
    /// How long a request's body may take; from 10ms to 10m.
    pub body_timeout: Period,
    /// How long an answer may take; from 10ms to 15m.
    pub request_timeout: Period,
    /// How long a caller may take to read its answer; from 10ms to 10m.
    pub write_timeout: Period,
    /// How long a connection may be idle; from 10ms to 1h.
    pub idle_timeout: Period,
    /// How long a stop waits for requests that are under way; at most 10m.
    pub stop_timeout: Period,
    /// Secrets that one batch may ask for, from 1 to 1000.
    pub max_batch_items: u32,
    /// Requests that may wait for a provider at the same time; one more is answered 503. 0 is no limit.
    pub max_requests: u32,
    /// Requests a second of one address (of IPv6: one /64), at most 1000000; more are answered 429 before anybody looks at
    /// who it is. 0 is no limit.
    pub address_rate: u32,
    /// Requests of one address that may come at once after a pause; from 1 to 1000000.
    pub address_burst: u32,
    /// Requests a second of one caller, at most 1000000; more are answered 429. 0 is no limit.
    pub caller_rate: u32,
    /// Requests of one caller that may come at once after a pause; from 1 to 1000000.
    pub caller_burst: u32,
    /// Reports of stale values a second of one caller, at most 1000; more are answered 429. 0 is no limit.
    pub report_rate: u32,
    /// Reports of one caller that may come at once after a pause; from 1 to 1000.
    pub report_burst: u32,
    /// Addresses and callers that are kept count of, from 100 to 1000000.
    pub max_counted: u32,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 2773)),
            unix_socket: None,
            token: None,
            socket_users: Vec::new(),
            allowed_hosts: Vec::new(),
            allow_remote: false,
            tls: None,
            max_connections: 800,
            max_streams: 100,
            max_header_bytes: Size::of(16 << 10),
            max_body_bytes: Size::of(256 << 10),
            max_bodies_bytes: Size::of(16 << 20),
            max_address_bodies_bytes: Size::of(4 << 20),
            header_timeout: Period::of(Duration::from_secs(5)),
            body_timeout: Period::of(Duration::from_secs(10)),
            request_timeout: Period::of(Duration::from_secs(30)),
            write_timeout: Period::of(Duration::from_secs(10)),
            idle_timeout: Period::of(Duration::from_mins(1)),
            stop_timeout: Period::of(Duration::from_secs(5)),
            max_batch_items: 100,
            max_requests: 2000,
            address_rate: 0,
            address_burst: 100,
            caller_rate: 0,
            caller_burst: 100,
            report_rate: 1,
            report_burst: 10,
            max_counted: 10_000,
        }
    }
}

/// `[listen.tls]`: TLS 1.2 and 1.3. The files are looked at each second, and what changed is used for new connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListenTls {
    /// The certificate as a PEM file, with those between it and its root.
    pub cert_file: PathBuf,
    /// Its key as a PEM file.
    pub key_file: PathBuf,
    /// A PEM file of roots: callers may show a certificate of one of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca_file: Option<PathBuf>,
    /// Turns callers without such a certificate away in the handshake, `/health/*` included.
    #[serde(default)]
    pub require_client_cert: bool,
}

/// `[aws]`: the surface that is compatible with AWS's Lambda extension and agent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Aws {
    /// Whether the surface is there at all.
    pub enabled: bool,
    /// What the path style begins with, such as `/v1/` in `/v1/<name>`.
    pub path_prefix: String,
    /// The provider behind `/secretsmanager/get` and the path style; else the first one of type
    /// `aws-secrets-manager`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secrets_manager: Option<AliasName>,
    /// The provider behind `/systemsmanager/parameters/get` with decryption; else the first one of type
    /// `aws-parameter-store` that decrypts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_store: Option<AliasName>,
    /// The same without decryption; else one is made from the one above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_store_encrypted: Option<AliasName>,
    /// Roles that a caller may name as `roleArn`, and the provider that reads with each. Any other is refused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, AliasName>,
    /// Headers that may hold the local token.
    pub ssrf_headers: Vec<String>,
    /// Variables that may hold the local token, or `file://` and the path of a file that does; the first one set
    /// counts.
    pub ssrf_env_variables: Vec<String>,
}

impl Default for Aws {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            enabled: true,
            path_prefix: "/v1/".to_owned(),
            secrets_manager: None,
            parameter_store: None,
            parameter_store_encrypted: None,
            roles: BTreeMap::new(),
            ssrf_headers: owned(&["X-Aws-Parameters-Secrets-Token", "X-Vault-Token"]),
            ssrf_env_variables: owned(&TOKEN_VARIABLES),
        }
    }
}

/// `[log]`: the log on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// What is logged: this and everything more severe.
    pub level: LogLevel,
    /// Lines for people or for machines.
    pub format: LogFormat,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    None,
    /// What failed.
    Error,
    /// What may fail.
    Warn,
    /// Starts, stops and what an operator should know.
    #[default]
    Info,
    /// Every request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The word in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// `[metrics]`: numbers at `/metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Metrics {
    /// Whether anything is counted; without it, there is no `/metrics`.
    pub enabled: bool,
    /// The namespace in CloudWatch of the numbers that the Lambda function `lockstep-resolve` writes into its log; without
    /// it, it writes none. 1 to 255 letters, digits, spaces and `.-_/#:`, not `AWS/…`. Nothing else reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloudwatch_namespace: Option<String>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { enabled: true, cloudwatch_namespace: None }
    }
}

/// `[trace]`: W3C trace context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Trace {
    /// Whether a caller's `traceparent` is taken over into logs and provider calls.
    pub enabled: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self { enabled: true }
    }
}
