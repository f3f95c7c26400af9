//! The HTTP surface of Lockstep: `http::Request<Bytes>` in, `http::Response<Bytes>` out.
//!
//! What lives here: the route table, the order of refusals, the native API, the drop-in surfaces (AWS's, and Vault's on a
//! listener of its own), problem documents and the numbers behind `/metrics`. It may use core's ports and [`Resolver`](lockstep_core::Resolver); it reads no
//! clock, no environment and no socket, and it never decides who may read what: that is the resolver's.
//!
//! A request passes `guard` (who speaks, from where, with which token), `target` (the one parse of its path and query)
//! and `routes`, and ends in `aws`, `native`, `events`, `vault` or `health`.

#![forbid(unsafe_code)]

mod api;
mod aws;
mod body;
mod crowd;
#[cfg(feature = "events")]
mod events;
mod exchange;
mod guard;
mod health;
mod metrics;
mod native;
#[cfg(feature = "openapi")]
mod openapi;
mod parts;
mod problem;
mod query;
mod quota;
mod refusal;
mod request_id;
mod request_span;
mod routes;
mod target;
#[cfg(feature = "vault-surface")]
mod vault;

pub use self::api::Api;
#[cfg(feature = "events")]
pub use self::events::{EventSource, Events};
#[cfg(feature = "emf")]
pub use self::metrics::MetricLines;
pub use self::metrics::PrometheusMetrics;
pub use self::parts::{ApiLimits, ApiParts, AwsSurface};
pub use self::problem::{Problem, error_response, problem_of};
pub use self::routes::{Methods, Row, Spelling, TABLE, Where};
#[cfg(feature = "vault-surface")]
pub use self::vault::{KvVersion, VAULT_TABLE, VaultDoor, VaultMount, VaultRoute, VaultSurface};
