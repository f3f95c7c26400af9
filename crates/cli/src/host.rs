//! [`Host`]: the ports of this process, and the configuration that it was given.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lockstep_auth::AuditDelivery;
use lockstep_config::settings::{AuditSinkKind, LogFormat};
use lockstep_config::{Config, DeliveryPorts, Ports, Sources};
use lockstep_core::{AuditSink, Call, Clock, Env, Files, Random};
use lockstep_native::{
    AuditLines, AuditSettings, HttpTransports, LocalExec, LocalFiles, LogLevel, NoBindings, OsRandom, ProcessEnv,
    RingSigner, Rotation, SystemClock, TokioSpawn, TransportSettings, Unaudited, chain_writer,
};

use crate::arguments::Everywhere;
use crate::failure::Failure;

/// The file that is looked for when none is named.
const DEFAULT_FILE: &str = "lockstep.toml";

/// The ports of this process.
pub(crate) struct Host {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) files: Arc<dyn Files>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) spawn: Arc<TokioSpawn>,
    audit: Mutex<Audit>,
}

/// Where the audit goes, for what is to be done about it now and then.
#[derive(Clone, Default)]
struct Audit {
    lines: Option<Arc<AuditLines>>,
    delivery: Option<Arc<AuditDelivery>>,
}

impl Host {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        Self {
            clock: Arc::new(SystemClock::new()),
            env: Arc::new(ProcessEnv),
            files: Arc::new(LocalFiles),
            random: Arc::new(OsRandom::new()),
            spawn: Arc::new(TokioSpawn::new(runtime)),
            audit: Mutex::default(),
        }
    }

    /// The configuration: the file that is named, the text in a variable, `./lockstep.toml`, or none.
    pub(crate) fn config(&self, everywhere: &Everywhere) -> Result<Config, Failure> {
        let path = Path::new(DEFAULT_FILE);
        // A link that leads nowhere, or a file in a folder that we may not enter, is a configuration that can't be read,
        // and not none.
        let missing = matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
        let sources = Sources {
            names: &ProcessEnv::names(),
            named: everywhere.config.as_deref(),
            lying: (!missing).then_some(path),
            advice: "; name a file that exists",
        };
        Config::found(&*self.env, &*self.files, sources)
    }

    /// The ports that a configuration is assembled from.
    pub(crate) fn ports(&self, config: &Config, data_on_stdout: bool) -> Result<Ports, Failure> {
        let transports = HttpTransports::new(
            Arc::clone(&self.clock),
            Arc::clone(&self.files),
            &*self.env,
            TransportSettings::default(),
        );
        let audit = self.audit(config, &transports, data_on_stdout)?;
        Ok(Ports {
            clock: Arc::clone(&self.clock),
            transports: Arc::new(transports),
            env: Arc::clone(&self.env),
            files: Arc::clone(&self.files),
            random: Arc::clone(&self.random),
            signer: Arc::new(RingSigner),
            bindings: Arc::new(NoBindings),
            exec: Arc::new(LocalExec),
            spawn: self.spawn.clone(),
            audit,
        })
    }

    fn audit(
        &self,
        config: &Config,
        transports: &HttpTransports,
        data_on_stdout: bool,
    ) -> Result<Arc<dyn AuditSink>, Failure> {
        let audit = &config.settings().audit;
        let settings = AuditSettings {
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            chain: audit.is_chained(),
            key: config.audit_key(&*self.env, &*self.files)?,
            when_full: audit.when_full.into(),
        };
        let lines = match &audit.sink {
            // A command's answer is alone on standard output.
            AuditSinkKind::Stdout if !data_on_stdout => AuditLines::stdout(settings),
            AuditSinkKind::Stdout | AuditSinkKind::Stderr => AuditLines::stderr(settings),
            AuditSinkKind::None => return Ok(Arc::new(Unaudited)),
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
                self.audit_at_hand().delivery = Some(Arc::clone(&delivery));
                return Ok(delivery);
            }
        };
        let lines = Arc::new(lines);
        self.audit_at_hand().lines = Some(Arc::clone(&lines));
        Ok(lines)
    }

    fn audit_at_hand(&self) -> std::sync::MutexGuard<'_, Audit> {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends audit records away, for as long as it is polled.
    pub(crate) async fn deliver_audit(&self) {
        let delivery = self.audit_at_hand().delivery.clone();
        match delivery {
            Some(delivery) => delivery.run().await,
            None => std::future::pending().await,
        }
    }

    /// Tells the log where the audit's chain stands.
    pub(crate) fn anchor_audit(&self) {
        if let Some(lines) = &self.audit_at_hand().lines {
            lines.anchor();
        }
    }

    /// Sends away what is still to be sent, for this long at most.
    pub(crate) async fn end_audit(&self, limit: Duration) {
        let delivery = self.audit_at_hand().delivery.clone();
        if let Some(delivery) = delivery
            && delivery.waiting() > 0
        {
            delivery.flush(limit).await;
        }
    }

    /// The same for a command that ends with one answer. A record of what a person has just asked for themselves says
    /// nothing to them: on a terminal it is written where the configuration says so, or with `-v`.
    pub(crate) fn command_ports(&self, config: &Config, everywhere: &Everywhere) -> Result<Ports, Failure> {
        let ports = self.ports(config, true)?;
        let wanted = everywhere.verbose || config.is_written("audit.sink");
        let in_the_way = everywhere.quiet || std::io::stderr().is_terminal();
        Ok(if in_the_way && !wanted { Ports { audit: Arc::new(Unaudited), ..ports } } else { ports })
    }

    /// Starts the log: as configured, or as the command line says.
    pub(crate) fn log(everywhere: &Everywhere, config: &Config, least: LogLevel) -> Result<(), Failure> {
        let log = config.settings().log;
        let configured = LogLevel::parse(log.level.as_str()).unwrap_or(least);
        let level = match (everywhere.quiet, everywhere.verbose) {
            (true, _) if least == LogLevel::Info => LogLevel::Error,
            (_, true) => LogLevel::Debug,
            _ if least == LogLevel::Info => configured,
            _ => least,
        };
        let format = match log.format {
            LogFormat::Text => lockstep_native::LogFormat::Text,
            LogFormat::Json => lockstep_native::LogFormat::Json,
        };
        Ok(lockstep_native::start_log(level, format)?)
    }

    /// A call of this process's own.
    pub(crate) fn call(&self, time: Duration) -> Call {
        let mut id = [0; 8];
        self.random.fill(&mut id);
        let id = u64::from_le_bytes(id);
        Call::new(Arc::clone(&self.clock), self.spawn.clone(), format!("cli-{id:016x}").as_str(), time)
    }
}
