//! The collector of spans: its address, its headers, and what may wait for it.

use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderName, TRANSFER_ENCODING};

use super::{Checks, MILLIS};
use crate::settings::Telemetry;

/// Headers that the transport writes.
const OWN: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

impl Checks<'_> {
    pub(super) fn telemetry(&mut self, telemetry: &Telemetry) {
        self.address("telemetry.endpoint", telemetry.endpoint.as_deref(), telemetry.insecure);
        self.tls("telemetry", &telemetry.tls);
        self.number("telemetry.queue", telemetry.queue, 1, 1_000_000);
        self.period("telemetry.timeout", telemetry.timeout, MILLIS(10), Duration::from_mins(10));
        for name in telemetry.headers.keys() {
            if header(name).is_none() {
                let message = "this is no header that can be sent; write for example `authorization`";
                self.wrong(&format!("telemetry.headers.{name}"), message);
            }
        }
        if telemetry.service_name.is_empty() {
            self.wrong("telemetry.service_name", "the name is empty; write for example `lockstep`");
        }
    }
}

/// A header that may be sent to a collector.
pub(crate) fn header(name: &str) -> Option<HeaderName> {
    name.parse().ok().filter(|name| !OWN.contains(name))
}
