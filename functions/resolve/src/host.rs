//! [`Host`]: the ports of this process, and the configuration that it was given.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lockstep_auth::AuditDelivery;
use lockstep_config::settings::AuditSinkKind;
use lockstep_config::{Config, DeliveryPorts, Ports};
use lockstep_core::{AuditSink, Call, Clock, Env, Files, Random, Result};
use lockstep_native::{
    AuditLines, AuditSettings, Background, HttpTransports, LocalExec, LocalFiles, NoBindings, OsRandom, ProcessEnv,
    RingSigner, Rotation, SystemClock, TokioSpawn, TransportSettings, Unaudited, chain_writer,
};
use tokio::runtime::Handle;

/// The file that is looked for in the function's own folder when no variable names another.
const DEFAULT_FILE: &str = "lockstep.toml";

/// The ports of this process.
pub(crate) struct Host {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) env: Arc<dyn Env>,
    /// Work that ends.
    pub(crate) background: Arc<Background>,
    /// Work that goes on as long as the process does.
    pub(crate) residents: TokioSpawn,
    files: Arc<dyn Files>,
    random: Arc<dyn Random>,
}

/// Where the audit goes.
pub(crate) struct Audit {
    sink: Arc<dyn AuditSink>,
    /// What sends it away, if it is sent.
    pub(crate) delivery: Option<Arc<AuditDelivery>>,
}

impl Host {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            env: Arc::new(ProcessEnv),
            background: Arc::new(Background::new(runtime.clone())),
            residents: TokioSpawn::new(runtime),
            files: Arc::new(LocalFiles),
            random: Arc::new(OsRandom::new()),
        }
    }

    /// A host with this clock and these variables.
    #[cfg(test)]
    pub(crate) fn of(clock: Arc<dyn Clock>, env: Arc<dyn Env>) -> Self {
        Self { clock, env, ..Self::new(Handle::current()) }
    }

    /// The configuration: what the variables say, else `lockstep.toml` beside the function's program, else none.
    pub(crate) fn config(&self) -> Result<Config> {
        let file = self.env.var("LAMBDA_TASK_ROOT").map(|folder| Path::new(&folder).join(DEFAULT_FILE));
        let file = file.filter(|path| is_there(path));
        Config::from_environment(&*self.env, &*self.files, &ProcessEnv::names(), file.as_deref())
    }

    /// The ports that a configuration is assembled from, and its audit.
    pub(crate) fn ports(&self, config: &Config) -> Result<(Ports, Audit)> {
        let transports = HttpTransports::new(
            Arc::clone(&self.clock),
            Arc::clone(&self.files),
            &*self.env,
            TransportSettings::default(),
        );
        let audit = self.audit(config, &transports)?;
        let ports = Ports {
            clock: Arc::clone(&self.clock),
            transports: Arc::new(transports),
            env: Arc::clone(&self.env),
            files: Arc::clone(&self.files),
            random: Arc::clone(&self.random),
            signer: Arc::new(RingSigner),
            bindings: Arc::new(NoBindings),
            exec: Arc::new(LocalExec),
            spawn: Arc::clone(&self.background) as _,
            audit: Arc::clone(&audit.sink),
        };
        Ok((ports, audit))
    }

    fn audit(&self, config: &Config, transports: &HttpTransports) -> Result<Audit> {
        let audit = &config.settings().audit;
        let settings = AuditSettings {
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            chain: audit.is_chained(),
            key: config.audit_key(&*self.env, &*self.files)?,
            when_full: audit.when_full.into(),
        };
        let lines = match &audit.sink {
            AuditSinkKind::Stdout => AuditLines::stdout(settings),
            AuditSinkKind::Stderr => AuditLines::stderr(settings),
            AuditSinkKind::None => return Ok(Audit { sink: Arc::new(Unaudited), delivery: None }),
            AuditSinkKind::File(file) => {
                let bytes = file.rotate_bytes.and_then(|size| u64::try_from(size.bytes()).ok());
                AuditLines::file(&config.path(&file.file), Rotation { bytes, keep: file.keep }, settings)?
            }
            AuditSinkKind::Http(http) => {
                let ports = DeliveryPorts {
                    transports,
                    clock: Arc::clone(&self.clock),
                    env: Arc::clone(&self.env),
                    files: Arc::clone(&self.files),
                    random: Arc::clone(&self.random),
                    writer: chain_writer(),
                };
                let delivery = Arc::new(config.audit_delivery(http, ports)?);
                return Ok(Audit { sink: Arc::clone(&delivery) as _, delivery: Some(delivery) });
            }
        };
        Ok(Audit { sink: Arc::new(lines), delivery: None })
    }

    /// A call of this process's own.
    pub(crate) fn call(&self, id: &str, time: Duration) -> Call {
        Call::new(Arc::clone(&self.clock), Arc::clone(&self.background) as _, id, time)
    }
}

/// A link that leads nowhere, or a file that we may not read, is a configuration that can't be read, and not none.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound)
}
