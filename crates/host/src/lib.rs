//! What every program of ours is on Linux: its ports, and where its audit and its spans go.
//!
//! The only library that sees both `config` and `native`. It knows how Lambda runs a function, and no command, no event and
//! no listener: those are the programs' own.

#![forbid(unsafe_code)]

mod audit;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "otlp")]
mod telemetry;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lockstep_config::{Config, Ports};
use lockstep_core::{AuditSink, Call, Clock, Env, Error, Files, Random};
use lockstep_native::{
    Background, HttpTransports, LocalExec, LocalFiles, NoBindings, OsRandom, ProcessEnv, RingSigner, SystemClock,
    TokioSpawn, TransportSettings,
};
use tokio::runtime::Handle;

pub use self::audit::{Audit, Console};
#[cfg(feature = "otlp")]
pub use self::telemetry::Telemetry;

/// The ports of this process.
#[derive(Clone)]
pub struct Host {
    /// The clocks.
    pub clock: Arc<dyn Clock>,
    /// Environment variables.
    pub env: Arc<dyn Env>,
    /// Files.
    pub files: Arc<dyn Files>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Work that ends.
    pub background: Arc<Background>,
    /// Work that goes on as long as the process does.
    pub residents: TokioSpawn,
}

impl Host {
    /// The ports, with tasks on this runtime.
    pub fn new(runtime: Handle) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            env: Arc::new(ProcessEnv),
            files: Arc::new(LocalFiles),
            random: Arc::new(OsRandom::new()),
            background: Arc::new(Background::new(runtime.clone())),
            residents: TokioSpawn::new(runtime),
        }
    }

    /// What a configuration is assembled from. Each time the way out is a new one, with no connection yet.
    pub fn ports(&self, audit: Arc<dyn AuditSink>) -> Ports {
        Ports {
            clock: Arc::clone(&self.clock),
            transports: Arc::new(self.transports()),
            #[cfg(feature = "redis")]
            sockets: Arc::new(lockstep_native::TcpSockets::new(Arc::new(self.transports()))),
            env: Arc::clone(&self.env),
            files: Arc::clone(&self.files),
            random: Arc::clone(&self.random),
            signer: Arc::new(RingSigner),
            bindings: Arc::new(NoBindings),
            exec: Arc::new(LocalExec),
            spawn: Arc::clone(&self.background) as _,
            audit,
        }
    }

    /// Opens what `audit.sink` names. Who takes part in one audit shares it: two would write two chains.
    ///
    /// # Errors
    /// `Config`: a file that can't be written, a key or an address that can't be used, or a sink that this program lacks.
    pub fn audit(&self, config: &Config, console: Console) -> Result<Audit, Error> {
        Audit::open(self, config, console)
    }

    /// Opens the way to the collector of spans, if there is one.
    ///
    /// # Errors
    /// `Config`: what is wrong in `[telemetry]` or in OpenTelemetry's variables, and where.
    #[cfg(feature = "otlp")]
    pub fn telemetry(&self, config: &Config) -> Result<Option<Telemetry>, Error> {
        Telemetry::open(self, config)
    }

    /// A call of this process's own.
    pub fn call(&self, id: &str, time: Duration) -> Call {
        Call::new(Arc::clone(&self.clock), Arc::clone(&self.background) as _, id, time)
    }

    fn transports(&self) -> HttpTransports {
        HttpTransports::new(Arc::clone(&self.clock), Arc::clone(&self.files), &*self.env, TransportSettings::default())
    }
}

/// Whether a file is meant to be there. A link that leads nowhere, or a file in a folder that we may not enter, is a
/// configuration that can't be read, and not none.
pub fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: answer with `path.exists()`.
    #[test]
    fn a_link_that_leads_nowhere_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("lockstep.toml");
        assert!(!is_there(&link));
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(is_there(&link));
    }
}
