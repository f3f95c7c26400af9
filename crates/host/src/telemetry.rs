//! [`Telemetry`]: the exporter of spans over a transport of this process, and the tracer that makes them.
//!
//! Whoever runs the process says when they are sent: all the time, or before a freeze.

use std::sync::Arc;
use std::time::Duration;

use lockstep_config::Config;
use lockstep_core::{Error, Result, Tracer, TracerParts, Transports as _};
use lockstep_native::{OtlpExporter, OtlpParts};

use crate::Host;

/// Spans, and the way to their collector.
#[derive(Clone)]
pub struct Telemetry {
    exporter: Arc<OtlpExporter>,
    tracer: Arc<Tracer>,
}

impl Telemetry {
    pub(crate) fn open(host: &Host, config: &Config) -> Result<Option<Self>> {
        let Some(telemetry) = config.telemetry(&host.env, &host.files).map_err(Error::from)? else { return Ok(None) };
        let exporter = Arc::new(OtlpExporter::new(OtlpParts {
            transport: host.transports().build(&telemetry.tls)?,
            clock: Arc::clone(&host.clock),
            random: Arc::clone(&host.random),
            address: telemetry.address,
            headers: telemetry.headers,
            resource: telemetry.resource,
            queue: telemetry.queue,
            timeout: telemetry.timeout,
        }));
        let tracer = Arc::new(Tracer::new(TracerParts {
            clock: Arc::clone(&host.clock),
            random: Arc::clone(&host.random),
            sampling: telemetry.sampling,
            sink: Arc::clone(&exporter) as _,
        }));
        Ok(Some(Self { exporter, tracer }))
    }

    /// What begins the spans of requests.
    pub fn tracer(&self) -> Arc<Tracer> {
        Arc::clone(&self.tracer)
    }

    /// Sends spans away, for as long as it is polled. It never ends.
    pub async fn run(&self) {
        self.exporter.run().await;
    }

    /// Sends what waits, for this long at most. What is left waits for the next time.
    pub async fn send(&self, limit: Duration) {
        self.exporter.send(limit).await;
    }

    /// The same when there is no next time: what is left is dropped, and counted.
    pub async fn flush(&self, limit: Duration) {
        self.exporter.flush(limit).await;
    }
}
