//! [`Host`]: the ports of this process, and the configuration that it was given.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use lockstep_config::settings::AuditSinkKind;
use lockstep_config::{Config, Ports};
use lockstep_core::{AuditSink, Call, Clock, Env, Error, ErrorKind, Files, Random, Result};
use lockstep_native::{
    AuditLines, AuditSettings, Background, HttpTransports, LocalExec, LocalFiles, NoBindings, OsRandom, ProcessEnv,
    RingSigner, Rotation, SystemClock, TokioSpawn, TransportSettings, Unaudited,
};
use tokio::runtime::Handle;

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
    /// The audit's lines, as long as somebody writes them.
    lines: Mutex<Weak<AuditLines>>,
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
            lines: Mutex::default(),
        }
    }

    /// The configuration: the file of one variable, the text in another, or none.
    pub(crate) fn config(&self) -> Result<Config> {
        Config::from_environment(&*self.env, &*self.files, &ProcessEnv::names(), None)
    }

    /// The ports that a configuration is assembled from. Each time the way out is a new one, with no connection yet.
    pub(crate) fn ports(&self, config: &Config) -> Result<Ports> {
        let transports = HttpTransports::new(
            Arc::clone(&self.clock),
            Arc::clone(&self.files),
            &*self.env,
            TransportSettings::default(),
        );
        let audit = self.audit(config)?;
        Ok(Ports {
            clock: Arc::clone(&self.clock),
            transports: Arc::new(transports),
            env: Arc::clone(&self.env),
            files: Arc::clone(&self.files),
            random: Arc::clone(&self.random),
            signer: Arc::new(RingSigner),
            bindings: Arc::new(NoBindings),
            exec: Arc::new(LocalExec),
            spawn: Arc::clone(&self.background) as _,
            audit,
        })
    }

    /// Where the audit goes. Instances that answer at the same time write to one place, in one chain.
    fn audit(&self, config: &Config) -> Result<Arc<dyn AuditSink>> {
        let audit = &config.settings().audit;
        let mut known = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lines) = known.upgrade() {
            return Ok(lines);
        }
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
            AuditSinkKind::None => return Ok(Arc::new(Unaudited)),
            AuditSinkKind::File(file) => {
                let bytes = file.rotate_bytes.and_then(|size| u64::try_from(size.bytes()).ok());
                AuditLines::file(&config.path(&file.file), Rotation { bytes, keep: file.keep }, settings)?
            }
            // A sandbox is frozen at any time: what waits to be sent would wait for the next invocation, or for ever.
            AuditSinkKind::Http(_) => {
                let message = "the extension sends no audit over HTTP: write `audit.sink = \"stdout\"`, which Lambda \
                               takes to the function's log";
                return Err(Error::new(ErrorKind::Config, message));
            }
        };
        let lines = Arc::new(lines);
        *known = Arc::downgrade(&lines);
        Ok(lines)
    }

    /// A call of this process's own.
    pub(crate) fn call(&self, id: &str, time: Duration) -> Call {
        Call::new(Arc::clone(&self.clock), Arc::clone(&self.background) as _, id, time)
    }
}
