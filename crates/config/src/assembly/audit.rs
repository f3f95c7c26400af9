//! What an audit sink is made of: the key of its chains, and the delivery over HTTP. Files and streams are the host's.

use std::sync::Arc;

use lockstep_auth::{AuditDelivery, DeliveryLimits, DeliveryParts, DeliveryToken};
use lockstep_core::{ChainKey, ChainWriter, Clock, Env, Error, Files, Pem, Random, TlsProfile, Transports, WhenFull};

use crate::config::Config;
use crate::problem::Problems;
use crate::settings::{AuditHttp, AuditWhenFull};

impl From<AuditWhenFull> for WhenFull {
    fn from(when_full: AuditWhenFull) -> Self {
        match when_full {
            AuditWhenFull::Block => Self::Block,
            AuditWhenFull::Drop => Self::Drop,
        }
    }
}

/// What a delivery needs of its host.
pub struct DeliveryPorts<'a> {
    /// The way out.
    pub transports: &'a dyn Transports,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Environment variables.
    pub env: Arc<dyn Env>,
    /// Files.
    pub files: Arc<dyn Files>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Who writes.
    pub writer: ChainWriter,
    /// Whether lines are chained.
    pub chain: bool,
    /// The key of the chain.
    pub key: Option<Arc<ChainKey>>,
}

impl Config {
    /// The key of the audit's chains, if there is one.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn audit_key(&self, env: &dyn Env, files: &dyn Files) -> Result<Option<Arc<ChainKey>>, Problems> {
        let Some(from) = &self.settings().audit.key else { return Ok(None) };
        let key = self.credential(from).read(env, files).and_then(|key| ChainKey::new(&key));
        Ok(Some(Arc::new(key.map_err(|error| self.problem("audit.key", error.message()))?)))
    }

    /// The delivery of audit records to another system, as it stands at this key.
    ///
    /// # Errors
    /// What is wrong with its settings, with its place.
    pub fn audit_delivery(
        &self,
        key: &str,
        http: &AuditHttp,
        ports: DeliveryPorts<'_>,
    ) -> Result<AuditDelivery, Problems> {
        let audit = &self.settings().audit;
        let wrong = |part: &str, error: &Error| self.problem(&format!("{key}.{part}"), error.message());
        let token = http.token.as_ref().map(|from| self.credential(from));
        if let Some(token) = &token {
            token.read(&*ports.env, &*ports.files).map_err(|error| wrong("token", &error))?;
        }
        let (env, files) = (Arc::clone(&ports.env), Arc::clone(&ports.files));
        let token = token.map(|token| Box::new(move || token.read(&*env, &*files)) as DeliveryToken);
        let pem = |path: &std::path::PathBuf| Pem::File(self.path(path).into_boxed_path());
        let client = http.tls.client_cert.as_ref().zip(http.tls.client_key.as_ref());
        let profile = TlsProfile {
            ca: http.tls.ca_file.as_ref().map(pem),
            client: client.map(|(cert, key)| (pem(cert), pem(key))),
        };
        let no_address = |_| self.problem(&format!("{key}.http"), "this is no address");
        Ok(AuditDelivery::new(DeliveryParts {
            transport: ports.transports.build(&profile).map_err(|error| wrong("tls", &error))?,
            clock: ports.clock,
            random: ports.random,
            address: http.http.parse().map_err(no_address)?,
            token,
            chain: ports.chain,
            key: ports.key,
            writer: ports.writer,
            limits: DeliveryLimits {
                queue: usize::try_from(audit.queue).unwrap_or(usize::MAX),
                when_full: audit.when_full.into(),
                batch_records: usize::try_from(http.batch_records).unwrap_or(usize::MAX),
                batch_bytes: http.batch_bytes.bytes(),
                batch_wait: http.batch_wait.get(),
                timeout: http.timeout.get(),
            },
        }))
    }
}
