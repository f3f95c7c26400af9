//! What sending spans needs of the configuration: [`Telemetry`]. The exporter itself is the host's.

mod variables;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use lockstep_core::{Env, Error, ErrorKind, Files, Pem, Result, Sampling, TlsProfile};
use lockstep_providers::Credential;

use self::variables::Variables;
use crate::config::Config;
use crate::problem::Problems;

/// Where OTLP takes traces, below a collector's address.
const PATH: &str = "v1/traces";

/// Reads the headers that the collector wants.
pub type TelemetryHeaders = Box<dyn Fn() -> Result<HeaderMap> + Send + Sync>;

/// What sending spans needs.
pub struct Telemetry {
    /// Whom the collector's TLS has to convince.
    pub tls: TlsProfile,
    /// Where spans are posted to.
    pub address: Uri,
    /// The headers that the collector wants, read anew each time.
    pub headers: TelemetryHeaders,
    /// Whose spans they are.
    pub resource: Vec<(String, String)>,
    /// Which traces are taken.
    pub sampling: Sampling,
    /// How many spans may wait.
    pub queue: usize,
    /// How long one attempt may take.
    pub timeout: Duration,
}

impl Config {
    /// What `[telemetry]` says, and where it says nothing OpenTelemetry's own variables; `None` when no spans are to be
    /// sent.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn telemetry(&self, env: &Arc<dyn Env>, files: &Arc<dyn Files>) -> Result<Option<Telemetry>, Problems> {
        let settings = &self.settings().telemetry;
        let mut variables = Variables::of(&**env);
        let is_off = if self.is_written("telemetry.enabled") { !settings.enabled } else { variables.are_off() };
        if is_off {
            return Ok(None);
        }
        let address = match &settings.endpoint {
            Some(written) => Some(below(written)),
            None => variables.endpoint(settings.insecure),
        };
        let Some(address) = address else { return variables.finish(None) };
        variables.check_protocol();
        let address = address
            .parse()
            .map_err(|_| self.problem("telemetry.endpoint", "this is no address; write `https://collector:4318`"))?;
        let sampling = if self.is_written("telemetry.sample_ratio") {
            Sampling { follow_caller: true, ratio: settings.sample_ratio.get() }
        } else {
            variables.sampling()
        };
        let service = self.is_written("telemetry.service_name").then(|| settings.service_name.clone());
        let resource = variables.resource(service, &settings.service_name);
        let own_timeout = self.is_written("telemetry.timeout").then(|| settings.timeout.get());
        let timeout = own_timeout.or_else(|| variables.timeout()).unwrap_or_else(|| settings.timeout.get());
        let headers = if settings.headers.is_empty() {
            let headers = variables.headers();
            Box::new(move || Ok(headers.clone())) as TelemetryHeaders
        } else {
            self.telemetry_headers(env, files)?
        };
        let pem = |path: &PathBuf| Pem::File(self.path(path).into_boxed_path());
        let client = settings.tls.client_cert.as_ref().zip(settings.tls.client_key.as_ref());
        let ca = settings.tls.ca_file.as_ref().map(pem).or_else(|| variables.ca_file());
        variables.finish(Some(Telemetry {
            tls: TlsProfile { ca, client: client.map(|(cert, key)| (pem(cert), pem(key))) },
            address,
            headers,
            resource,
            sampling,
            queue: usize::try_from(settings.queue).unwrap_or(usize::MAX),
            timeout,
        }))
    }

    fn telemetry_headers(&self, env: &Arc<dyn Env>, files: &Arc<dyn Files>) -> Result<TelemetryHeaders, Problems> {
        let mut sources: Vec<(HeaderName, Credential)> = Vec::new();
        for (name, from) in &self.settings().telemetry.headers {
            let header = crate::checks::telemetry_header(name);
            let wrong = |message: &str| self.problem(&format!("telemetry.headers.{name}"), message);
            let (header, source) = (header.ok_or_else(|| wrong("this is no header"))?, self.credential(from));
            value(&source, &**env, &**files).map_err(|error| wrong(error.message()))?;
            sources.push((header, source));
        }
        let (env, files) = (Arc::clone(env), Arc::clone(files));
        Ok(Box::new(move || {
            let read = |(name, from): &(HeaderName, Credential)| Ok((name.clone(), value(from, &*env, &*files)?));
            sources.iter().map(read).collect()
        }))
    }
}

fn value(from: &Credential, env: &dyn Env, files: &dyn Files) -> Result<HeaderValue> {
    let secret = from.read(env, files)?;
    let mut value = HeaderValue::from_bytes(secret.expose()).map_err(|_| {
        Error::new(ErrorKind::Config, "what is read there can't be sent in a header; it has one line, without controls")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where traces go below an address.
fn below(address: &str) -> String {
    format!("{}/{PATH}", address.trim_end_matches('/'))
}
