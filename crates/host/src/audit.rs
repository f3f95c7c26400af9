//! [`Audit`]: every sink that `audit.sink` names, as one.
//!
//! Streams and files write at once. Over HTTP records wait in a queue, and whoever runs the process says when they are
//! sent: all the time, or before a freeze.

#[cfg(feature = "delivery")]
mod delivery;

use std::sync::Arc;

use lockstep_config::Config;
use lockstep_config::settings::AuditSinkKind;
use lockstep_core::{AuditRecord, AuditSink, Result};
use lockstep_native::{AuditLines, AuditSettings, Rotation};

use crate::Host;

/// Whose standard output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Console {
    /// It is free: records may go there.
    Free,
    /// A command's answer is alone on it; what is meant for it goes to standard error.
    Taken,
}

/// Where the records go. With no sink they go nowhere.
#[derive(Debug, Default)]
pub struct Audit {
    lines: Vec<AuditLines>,
    #[cfg(feature = "delivery")]
    deliveries: Vec<lockstep_auth::AuditDelivery>,
}

impl Audit {
    pub(crate) fn open(host: &Host, config: &Config, console: Console) -> Result<Self> {
        let audit = &config.settings().audit;
        let key = config.audit_key(&*host.env, &*host.files)?;
        let mut opened = Self::default();
        for (at, sink) in audit.sink.by_key() {
            let settings = AuditSettings {
                clock: Arc::clone(&host.clock),
                random: Arc::clone(&host.random),
                chain: audit.is_chained(sink),
                key: key.clone(),
                when_full: audit.when_full.into(),
            };
            match sink {
                AuditSinkKind::Stdout if console == Console::Free => opened.lines.push(AuditLines::stdout(settings)),
                AuditSinkKind::Stdout | AuditSinkKind::Stderr => opened.lines.push(AuditLines::stderr(settings)),
                AuditSinkKind::File(file) => {
                    let bytes = file.rotate_bytes.and_then(|size| u64::try_from(size.bytes()).ok());
                    let rotation = Rotation { bytes, keep: file.keep };
                    opened.lines.push(AuditLines::file(&config.path(&file.file), rotation, settings)?);
                }
                #[cfg(feature = "delivery")]
                AuditSinkKind::Http(http) => opened.deliveries.push(delivery::open(host, config, &at, http, settings)?),
                #[cfg(not(feature = "delivery"))]
                AuditSinkKind::Http(_) => return Err(no_delivery(&at)),
                AuditSinkKind::None => {}
            }
        }
        Ok(opened)
    }

    /// Tells the log where the chains stand, unless it was told so a while ago.
    pub fn anchor(&self) {
        self.lines.iter().for_each(AuditLines::anchor);
    }

    fn sinks(&self) -> impl Iterator<Item = &dyn AuditSink> {
        let lines = self.lines.iter().map(|sink| sink as &dyn AuditSink);
        #[cfg(feature = "delivery")]
        let lines = lines.chain(self.deliveries.iter().map(|sink| sink as &dyn AuditSink));
        lines
    }
}

/// A sandbox is frozen at any time: what waits to be sent would wait for the next invocation, or for ever.
#[cfg(not(feature = "delivery"))]
fn no_delivery(at: &str) -> lockstep_core::Error {
    let message = format!(
        "`{at}`: the extension sends no audit over HTTP: write `\"stdout\"`, which Lambda takes to the function's log"
    );
    lockstep_core::Error::new(lockstep_core::ErrorKind::Config, message)
}

impl AuditSink for Audit {
    /// What one sink refuses is released by none. Those before it have the record, of an access that did not come to
    /// its end.
    fn write(&self, record: &AuditRecord) -> Result<()> {
        self.sinks().try_for_each(|sink| sink.write(record))
    }

    fn is_ready(&self) -> bool {
        self.sinks().all(AuditSink::is_ready)
    }

    fn lost(&self) -> u64 {
        self.sinks().map(AuditSink::lost).sum()
    }
}

#[cfg(test)]
#[cfg(feature = "delivery")]
mod tests;
