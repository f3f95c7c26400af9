//! OpenTelemetry's own variables, as its specification names and reads them ("Environment Variable Specification",
//! "OpenTelemetry Protocol Exporter"). A variable that is set and empty is not set.
//!
//! No value is quoted in a message: headers hold tokens.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use lockstep_core::{Env, Pem, Sampling};
use percent_encoding::percent_decode_str;

use super::below;
use crate::place::Place;
use crate::problem::{Problem, Problems};
use crate::settings::Ratio;

const SERVICE: &str = "service.name";

/// The variables, and what is wrong with them.
pub(super) struct Variables<'a> {
    env: &'a dyn Env,
    problems: Vec<Problem>,
}

impl<'a> Variables<'a> {
    pub(super) fn of(env: &'a dyn Env) -> Self {
        Self { env, problems: Vec::new() }
    }

    /// The result, unless something was wrong.
    pub(super) fn finish<T>(self, result: T) -> Result<T, Problems> {
        Problems::from_list(self.problems).map_or(Ok(result), Err)
    }

    fn wrong(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(Place::Variable(Arc::from(name)), "", message));
    }

    /// A variable of traces alone, or else that of all signals, with its name.
    fn of_traces(&self, last: &str) -> Option<(String, String)> {
        [format!("OTEL_EXPORTER_OTLP_TRACES_{last}"), format!("OTEL_EXPORTER_OTLP_{last}")]
            .into_iter()
            .find_map(|name| self.env.var(&name).map(|value| (name, value)))
    }

    /// Whether they switch everything off.
    pub(super) fn are_off(&mut self) -> bool {
        let is_off = self.env.var("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporter = self.env.var("OTEL_TRACES_EXPORTER");
        if !is_off && exporter.as_deref().is_some_and(|exporter| !matches!(exporter, "otlp" | "none")) {
            self.wrong("OTEL_TRACES_EXPORTER", "write `otlp` or `none`, or unset it");
        }
        is_off || exporter.as_deref() == Some("none")
    }

    /// Where traces go.
    pub(super) fn endpoint(&mut self, insecure: bool) -> Option<String> {
        let (name, address) = self.of_traces("ENDPOINT")?;
        if let Err(message) = crate::checks::address(&address, insecure) {
            let told = format!("{message} (as `telemetry.insecure`, or in LOCKSTEP__TELEMETRY__INSECURE)");
            self.wrong(&name, if message.contains("insecure") { told } else { message.to_owned() });
            return None;
        }
        // The variable of traces holds the whole address, the other one what all signals have in common.
        Some(if name.contains("TRACES") { address } else { below(&address) })
    }

    pub(super) fn check_protocol(&mut self) {
        if let Some((name, protocol)) = self.of_traces("PROTOCOL")
            && protocol != "http/protobuf"
        {
            let message = "spans are sent by HTTP in Protobuf alone; write `http/protobuf` and the collector's address \
                           for that, whose port is mostly 4318";
            self.wrong(&name, message);
        }
    }

    pub(super) fn timeout(&mut self) -> Option<Duration> {
        let (name, millis) = self.of_traces("TIMEOUT")?;
        let millis = millis.parse().ok().filter(|millis| (10..=600_000).contains(millis));
        if millis.is_none() {
            self.wrong(&name, "write milliseconds from 10 to 600000, or unset it");
        }
        millis.map(Duration::from_millis)
    }

    pub(super) fn ca_file(&self) -> Option<Pem> {
        self.of_traces("CERTIFICATE").map(|(_, path)| Pem::File(Path::new(&path).into()))
    }

    pub(super) fn headers(&mut self) -> HeaderMap {
        let Some((name, written)) = self.of_traces("HEADERS") else { return HeaderMap::new() };
        let header = |(name, value): (String, String)| -> Option<(HeaderName, HeaderValue)> {
            let mut value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
            value.set_sensitive(true);
            Some((crate::checks::telemetry_header(&name)?, value))
        };
        let read = pairs(&written).and_then(|pairs| pairs.into_iter().map(header).collect());
        read.unwrap_or_else(|| {
            self.wrong(&name, "write headers as `name=value`, with commas between them and values percent-encoded");
            HeaderMap::new()
        })
    }

    /// Whose spans these are. `service` is what is written in the configuration, `default` what stands for nothing.
    pub(super) fn resource(&mut self, service: Option<String>, default: &str) -> Vec<(String, String)> {
        let name = "OTEL_RESOURCE_ATTRIBUTES";
        let mut resource = match self.env.var(name).map(|written| pairs(&written)) {
            Some(Some(pairs)) => pairs,
            None => Vec::new(),
            Some(None) => {
                self.wrong(
                    name,
                    "write attributes as `key=value`, with commas between them and values percent-encoded",
                );
                Vec::new()
            }
        };
        if let Some(service) = service.or_else(|| self.env.var("OTEL_SERVICE_NAME")) {
            resource.retain(|(key, _)| key != SERVICE);
            resource.push((SERVICE.to_owned(), service));
        } else if !resource.iter().any(|(key, _)| key == SERVICE) {
            resource.push((SERVICE.to_owned(), default.to_owned()));
        }
        let version = "service.version";
        if !resource.iter().any(|(key, _)| key == version) {
            resource.push((version.to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
        }
        resource
    }

    pub(super) fn sampling(&mut self) -> Sampling {
        let all = Sampling { follow_caller: true, ratio: 1.0 };
        let Some(sampler) = self.env.var("OTEL_TRACES_SAMPLER") else { return all };
        let follow_caller = sampler.starts_with("parentbased_");
        let ratio = match sampler.trim_start_matches("parentbased_") {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.ratio(),
            _ => {
                let message = "write `parentbased_traceidratio` with OTEL_TRACES_SAMPLER_ARG, `parentbased_always_on`, \
                               `parentbased_always_off`, `traceidratio`, `always_on` or `always_off`";
                self.wrong("OTEL_TRACES_SAMPLER", message);
                1.0
            }
        };
        Sampling { follow_caller, ratio }
    }

    fn ratio(&mut self) -> f64 {
        let name = "OTEL_TRACES_SAMPLER_ARG";
        let Some(written) = self.env.var(name) else { return 1.0 };
        written.parse().ok().and_then(Ratio::new).map_or_else(
            || {
                self.wrong(name, "write a number from 0 to 1, such as `0.1`");
                1.0
            },
            Ratio::get,
        )
    }
}

/// `key=value,key=value`, values percent-encoded, as W3C Baggage writes them.
fn pairs(written: &str) -> Option<Vec<(String, String)>> {
    let pair = |item: &str| {
        let (key, value) = item.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value.into_owned()))
    };
    written.split(',').filter(|item| !item.trim().is_empty()).map(pair).collect()
}
