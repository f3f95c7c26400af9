//! `[telemetry]`: spans, and the collector that they are sent to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Credential, Tls};
use crate::units::Period;

/// `[telemetry]`: spans of requests, sent to a collector by OTLP over HTTP. What is written here comes before
/// OpenTelemetry's own variables (`OTEL_…`), key by key.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Telemetry {
    /// Whether spans are sent, where an endpoint is known.
    pub enabled: bool,
    /// The collector's address, such as `https://collector:4318`; `/v1/traces` is put behind it. Without one and without
    /// a variable that names it, nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Allows `http://` to another machine.
    pub insecure: bool,
    /// Headers that the collector wants, by name: each is read from a variable or a file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Credential>,
    /// Whom it trusts.
    #[serde(skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// The part of the traces that begin here that is taken, from 0 to 1. Where a caller's trace is taken over, the caller
    /// has decided.
    pub sample_ratio: Ratio,
    /// What the spans say that this service is.
    pub service_name: String,
    /// Spans that may wait; from 1 to 1000000. What has no room is dropped, and counted.
    pub queue: u32,
    /// How long one attempt to send may take; from 10ms to 10m.
    pub timeout: Period,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            enabled: true,
            endpoint: None,
            insecure: false,
            headers: BTreeMap::new(),
            tls: Tls::default(),
            sample_ratio: Ratio(1.0),
            service_name: "lockstep".to_owned(),
            queue: 2048,
            timeout: Period::of(Duration::from_secs(10)),
        }
    }
}

/// A part of a whole, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio(f64);

impl Ratio {
    /// A ratio.
    pub(crate) fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part;
        impl Visitor<'_> for Part {
            type Value = Ratio;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1, such as `0.1`")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Ratio, E> {
                Ratio::new(number).ok_or_else(|| E::custom("write a number from 0 to 1, such as `0.1`"))
            }
        }
        deserializer.deserialize_f64(Part)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Ratio {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ratio".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A part of a whole, from 0 to 1.",
            "type": "number",
            "minimum": 0,
            "maximum": 1,
        })
    }
}
