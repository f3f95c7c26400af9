//! [`Endpoint`]: the address and what the suite is told of it, and one request with its answer. What every answer has to
//! have is looked at here, so that no case can forget it.
//!
//! The one way out is the HTTP transport; no process, no provider and no file but a root certificate is touched.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request};
use lockstep_core::{Limits, MAX_MEMBERS, Pem, TlsProfile, Transport, Transports as _};
use lockstep_native::{HttpTransports, LocalFiles, ProcessEnv, SystemClock, TransportSettings};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// What one answer may take and hold.
const LIMITS: Limits = Limits { time: Duration::from_secs(30), response_bytes: 16 << 20, members: MAX_MEMBERS };

/// What stands in a component of a URL as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same of a path, whose slashes are its own.
const PATH: &AsciiSet = &COMPONENT.remove(b'/');

/// Why a case has not held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It does not, for this reason.
    Failed(String),
    /// There was no answer to look at. No list of differences can excuse that.
    Unanswered(String),
    /// It can't be asked here, for this reason.
    Skipped(String),
}

/// What came of a case.
pub type Verdict<T = ()> = Result<T, Stop>;

/// What the suite is told.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// `https://host` or `http://127.0.0.1:2773`, without a slash at its end.
    pub base_url: String,
    /// The caller's bearer credential.
    pub credential: String,
    /// The credential of one who is let in and may do nothing; without one those cases are skipped.
    pub outsider: Option<String>,
    /// Below which names the seeds stand, without a slash at its end.
    pub prefix: String,
    /// The alias of the provider that holds [`ODD`](crate::seed::ODD).
    pub odd_provider: Option<String>,
    /// The alias of the provider that holds everything else.
    pub provider: String,
    /// A PEM file with the root to trust, in place of the public ones.
    pub ca: Option<PathBuf>,
    /// The listener answers this machine alone: refused logins are 403, and so are forwarded requests (400).
    pub is_local: bool,
    /// What is denied looks like what is not there.
    pub hides_denied: bool,
    /// There is a journal: answers have a cursor.
    pub has_journal: bool,
}

/// An endpoint that is asked.
pub struct Endpoint {
    inputs: Inputs,
    transport: Arc<dyn Transport>,
    runtime: tokio::runtime::Runtime,
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    method: &'a str,
    target: String,
    headers: Vec<(&'a str, String)>,
    body: Vec<u8>,
}

/// An answer that has what every answer has.
#[derive(Debug)]
pub struct Said {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Endpoint {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The root certificate can't be read.
    pub fn new(inputs: Inputs) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let clock = Arc::new(SystemClock::new());
        let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &ProcessEnv, TransportSettings::default());
        let ca = inputs.ca.clone().map(|path| Pem::File(path.into_boxed_path()));
        let transport = transports.build(&TlsProfile { ca, client: None }).map_err(|error| error.to_string())?;
        Ok(Self { inputs, transport, runtime })
    }

    /// What the suite is told.
    pub fn told(&self) -> &Inputs {
        &self.inputs
    }

    /// The whole name of a seed.
    pub fn name(&self, seed: &str) -> String {
        format!("{}/{seed}", self.inputs.prefix)
    }

    /// A request with the caller's credential.
    pub fn ask<'a>(&self, method: &'a str, target: impl Into<String>) -> Ask<'a> {
        let bare = Ask { method, target: target.into(), headers: Vec::new(), body: Vec::new() };
        bare.with("authorization", format!("Bearer {}", self.inputs.credential))
    }

    /// A route with a name in its path.
    pub fn path(&self, route: &str, seed: &str) -> String {
        format!("/api/v1/{route}/{}", utf8_percent_encode(&self.name(seed), PATH))
    }

    /// GET with the caller's credential.
    pub fn get(&self, target: impl Into<String>) -> Verdict<Said> {
        self.send(&self.ask("GET", target))
    }

    /// POST of JSON with the caller's credential.
    pub fn post(&self, target: &str, body: &Value) -> Verdict<Said> {
        self.send(&self.ask("POST", target).json(body))
    }

    /// Sends it.
    pub fn send(&self, ask: &Ask<'_>) -> Verdict<Said> {
        let mut request = Request::builder().method(ask.method).uri(format!("{}{}", self.inputs.base_url, ask.target));
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let what = format!("{} {}", ask.method, ask.target);
        let request = request.body(Bytes::from(ask.body.clone()));
        let request = request.map_err(|error| Stop::Failed(format!("{what} can't be sent: {error}")))?;
        let answer = self.runtime.block_on(self.transport.send(request, LIMITS));
        let (parts, body) = answer.map_err(|error| Stop::Unanswered(format!("{what}: {error}")))?.into_parts();
        let said = Said { status: parts.status.as_u16(), headers: parts.headers, body };
        // L11, and of browsers: no page of anybody may read an answer.
        for name in said.headers.keys() {
            if name.as_str().starts_with("access-control-") || name == "set-cookie" {
                return Err(Stop::Failed(format!("{what}: the answer has {name}")));
            }
        }
        Ok(said)
    }
}

impl Ask<'_> {
    /// With this header, beside those of the same name.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Without the caller's credential, and with this one, if any.
    pub fn by(mut self, credential: Option<&str>) -> Self {
        self.headers.retain(|(name, _)| *name != "authorization");
        match credential {
            Some(text) => self.with("authorization", text),
            None => self,
        }
    }

    /// With a body of JSON.
    pub fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
    }

    /// With these bytes, said to be JSON.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.with("content-type", "application/json")
    }
}

impl Said {
    /// A header, or nothing at all.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body of an answer of the API: JSON, not to be stored, with a request id.
    pub fn ok(&self) -> Verdict<Value> {
        let text = String::from_utf8_lossy(&self.body);
        same("status", self.status, 200).map_err(|_| Stop::Failed(format!("it is {} {text}", self.status)))?;
        same("content-type", self.header("content-type"), "application/json")?;
        same("cache-control", self.header("cache-control"), "no-store")?;
        same("x-content-type-options", self.header("x-content-type-options"), "nosniff")?;
        holds("the answer has an x-request-id", !self.header("x-request-id").is_empty())?;
        self.parsed()
    }

    /// A problem document (RFC 9457) with this status and code, and nothing of a value.
    pub fn problem(&self, status: u16, code: &str) -> Verdict<Value> {
        let text = String::from_utf8_lossy(&self.body);
        if self.status != status {
            return Err(Stop::Failed(format!("the status is {}, not {status}: {text}", self.status)));
        }
        same("content-type", self.header("content-type"), "application/problem+json")?;
        same("cache-control", self.header("cache-control"), "no-store")?;
        let document = self.parsed()?;
        same("code", &document["code"], &Value::from(code))?;
        same("type", &document["type"], &Value::from(format!("urn:lockstep:problem:{code}")))?;
        same("the document's status", &document["status"], &Value::from(status))?;
        holds("it has a title", document["title"].as_str().is_some_and(|title| !title.is_empty()))?;
        holds("it has a detail", document["detail"].is_string())?;
        same("request_id", document["request_id"].as_str(), Some(self.header("x-request-id")))?;
        holds("it has a request id", !self.header("x-request-id").is_empty())?;
        // Every value of the seeds has this in it.
        holds("nothing of a value stands in it", !text.contains("canary"))?;
        Ok(document)
    }

    fn parsed(&self) -> Verdict<Value> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Stop::Failed(format!("the body is no JSON ({error}): {}", String::from_utf8_lossy(&self.body)))
        })
    }
}

/// A component of a query.
pub(crate) fn component(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// Whether two things are the same.
#[expect(clippy::needless_pass_by_value, reason = "most of what is compared is made where it is compared")]
pub(crate) fn same<T: PartialEq<U> + Debug, U: Debug>(what: &str, found: T, expected: U) -> Verdict {
    if found == expected { Ok(()) } else { Err(Stop::Failed(format!("{what} is {found:?}, not {expected:?}"))) }
}

/// Whether something holds.
pub(crate) fn holds(what: &str, it_does: bool) -> Verdict {
    if it_does { Ok(()) } else { Err(Stop::Failed(format!("it does not hold that {what}"))) }
}

/// A case that can't be asked here.
pub(crate) fn skipped<T>(why: impl Into<String>) -> Verdict<T> {
    Err(Stop::Skipped(why.into()))
}
