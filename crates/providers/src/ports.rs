//! [`Ports`]: what the host fills in for a provider that asks a server.

use std::sync::Arc;

use lockstep_core::{Clock, Env, Exec, Files, Random, Signer, Transport};

/// The ports of a provider that asks a server.
#[derive(Clone)]
pub struct Ports {
    /// The way out, with the TLS profile of this provider; also to what it logs in at.
    pub transport: Arc<dyn Transport>,
    /// Environment variables: credentials, and what a cloud tells its machines.
    pub env: Arc<dyn Env>,
    /// Credentials in files.
    pub files: Arc<dyn Files>,
    /// When credentials end, and the time in signatures.
    pub clock: Arc<dyn Clock>,
    /// What makes a request one of its kind.
    pub random: Arc<dyn Random>,
    /// Assertions that are signed with a key of ours.
    pub signer: Arc<dyn Signer>,
    /// Programs that print credentials.
    pub exec: Arc<dyn Exec>,
}
