//! [`Host`]: the ports of this process, the configuration that it was given, its audit and its spans.

use std::io::IsTerminal as _;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use lockstep_config::settings::LogFormat;
use lockstep_config::{Config, Ports, Sources};
use lockstep_core::{Call, Tracer};
use lockstep_host::{Audit, Console, Telemetry, is_there};
use lockstep_native::{LogLevel, ProcessEnv};

use crate::arguments::Everywhere;
use crate::failure::Failure;

/// The file that is looked for when none is named.
const DEFAULT_FILE: &str = "lockstep.toml";

/// The ports of this process, and its audit once it has one.
pub(crate) struct Host {
    pub(crate) ports: lockstep_host::Host,
    audit: OnceLock<Arc<Audit>>,
    telemetry: OnceLock<Telemetry>,
}

impl Host {
    pub(crate) fn new(runtime: tokio::runtime::Handle) -> Self {
        Self { ports: lockstep_host::Host::new(runtime), audit: OnceLock::new(), telemetry: OnceLock::new() }
    }

    /// The configuration: the file that is named, the text in a variable, `./lockstep.toml`, or none.
    pub(crate) fn config(&self, everywhere: &Everywhere) -> Result<Config, Failure> {
        let path = Path::new(DEFAULT_FILE);
        let sources = Sources {
            names: &ProcessEnv::names(),
            named: everywhere.config.as_deref(),
            lying: is_there(path).then_some(path),
            advice: "; name a file that exists",
        };
        Config::found(&*self.ports.env, &*self.ports.files, sources)
    }

    /// The ports that a configuration is assembled from.
    pub(crate) fn ports(&self, config: &Config, console: Console) -> Result<Ports, Failure> {
        let audit = Arc::new(self.ports.audit(config, console)?);
        // A process has one configuration, and so one audit.
        let audit = self.audit.get_or_init(|| audit);
        Ok(self.ports.ports(Arc::clone(audit) as _))
    }

    /// The ports of a command that asks for no secret, so that it has nothing to record: it must not touch the audit that
    /// another process writes.
    pub(crate) fn unaudited_ports(&self) -> Ports {
        self.ports.ports(Arc::new(Audit::default()))
    }

    /// What begins the spans of requests, if there is a collector to send them to.
    pub(crate) fn tracer(&self, config: &Config) -> Result<Option<Arc<Tracer>>, Failure> {
        let opened = self.ports.telemetry(config)?;
        // A process has one configuration, and so one collector.
        Ok(opened.map(|telemetry| self.telemetry.get_or_init(|| telemetry).tracer()))
    }

    /// Sends spans away, for as long as it is polled.
    pub(crate) async fn deliver_spans(&self) {
        match self.telemetry.get() {
            Some(telemetry) => telemetry.run().await,
            None => std::future::pending().await,
        }
    }

    /// Sends away the spans that are still to be sent, for this long at most.
    pub(crate) async fn end_spans(&self, limit: Duration) {
        if let Some(telemetry) = self.telemetry.get() {
            telemetry.flush(limit).await;
        }
    }

    /// Sends audit records away, for as long as it is polled.
    pub(crate) async fn deliver_audit(&self) {
        match self.audit.get() {
            Some(audit) => audit.deliver().await,
            None => std::future::pending().await,
        }
    }

    /// Tells the log where the audit's chains stand.
    pub(crate) fn anchor_audit(&self) {
        if let Some(audit) = self.audit.get() {
            audit.anchor();
        }
    }

    /// Sends away what is still to be sent, for this long at most.
    pub(crate) async fn end_audit(&self, limit: Duration) {
        if let Some(audit) = self.audit.get() {
            audit.flush(limit).await;
        }
    }

    /// The same for a command that ends with one answer. A record of what a person has just asked for themselves says
    /// nothing to them: on a terminal it is written where the configuration says so, or with `-v`.
    pub(crate) fn command_ports(&self, config: &Config, everywhere: &Everywhere) -> Result<Ports, Failure> {
        let ports = self.ports(config, Console::Taken)?;
        let wanted = everywhere.verbose || config.is_written("audit.sink");
        let in_the_way = everywhere.quiet || std::io::stderr().is_terminal();
        Ok(if in_the_way && !wanted { Ports { audit: Arc::new(Audit::default()), ..ports } } else { ports })
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
        self.ports.random.fill(&mut id);
        let id = u64::from_le_bytes(id);
        self.ports.call(&format!("cli-{id:016x}"), time)
    }
}
