//! Requests taken apart, refusals put together: nothing here knows a secret.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

/// Why a request is refused, as `google.rpc.Status` says it.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: u16,
    code: &'static str,
    message: String,
    reason: &'static str,
    /// An endpoint of OAuth says it in another way.
    oauth: bool,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), reason: "", oauth: false }
    }

    /// The same with a reason in its `ErrorInfo`.
    pub(super) fn reason(self, reason: &'static str) -> Self {
        Self { reason, ..self }
    }

    /// A refusal of RFC 6749, section 5.2.
    pub(super) fn oauth(code: &'static str, message: &str) -> Self {
        Self { oauth: true, ..Self::new(400, code, message) }
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "NOT_FOUND", message)
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    pub(super) fn precondition(message: impl Into<String>) -> Self {
        Self::new(400, "FAILED_PRECONDITION", message)
    }

    pub(super) fn response(&self) -> Response<Bytes> {
        let body = if self.oauth {
            json!({ "error": self.code, "error_description": self.message })
        } else {
            let mut error = json!({ "code": self.status, "message": self.message, "status": self.code });
            if !self.reason.is_empty() {
                error["details"] = json!([{
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": self.reason,
                    "domain": "googleapis.com",
                    "metadata": { "service": "secretmanager.googleapis.com" },
                }]);
            }
            json!({ "error": error })
        };
        answer(self.status, &body)
    }
}

/// An answer in JSON.
pub(super) fn answer(status: u16, body: &Value) -> Response<Bytes> {
    let response = Response::builder().status(status).header("content-type", "application/json; charset=UTF-8");
    response.body(Bytes::from(body.to_string())).unwrap_or_else(|error| panic!("an answer: {error}"))
}

/// Where a request goes.
pub(super) struct Target {
    /// Without its port.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
}

impl Target {
    pub(super) fn of(request: &Request<Bytes>) -> Result<Self, Refusal> {
        let header = request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
        let host = request.uri().host().unwrap_or_else(|| header.rsplit_once(':').map_or(header, |(host, _)| host));
        if host.is_empty() {
            return Err(Refusal::invalid("a request names its host"));
        }
        Ok(Self {
            host: host.to_owned(),
            path: decoded(request.uri().path()),
            query: fields(request.uri().query().unwrap_or_default()),
        })
    }

    /// A loopback address stands for every host.
    pub(super) fn is_loopback(&self) -> bool {
        matches!(self.host.as_str(), "localhost" | "127.0.0.1")
    }

    pub(super) fn is(&self, host: &str) -> bool {
        self.is_loopback() || self.host == host
    }

    pub(super) fn parameter(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

/// The fields of a form or a query.
pub(super) fn fields(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " ")))).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
