//! Queries, forms and errors, as the service reads and writes them.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

/// A query or a form. A name that comes twice is refused.
#[derive(Debug, Default)]
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut fields = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if fields.insert(name, value).is_some() {
                return Err("a parameter comes twice");
            }
        }
        Ok(Self(fields))
    }

    /// A field that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

fn decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap_or(b' '), rest.next().unwrap_or(b' ')];
                let digits = std::str::from_utf8(&digits).map_err(|_| "a bad escape")?;
                bytes.push(u8::from_str_radix(digits, 16).map_err(|_| "a bad escape")?);
            }
            b'+' => bytes.push(b' '),
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).map_err(|_| "text that is not UTF-8")
}

/// Host and port that a request is for, without a default port.
pub(super) fn authority(request: &Request<Bytes>) -> String {
    let header = || request.headers().get("host").and_then(|host| host.to_str().ok());
    let text = request.uri().authority().map(http::uri::Authority::as_str).or_else(header).unwrap_or_default();
    bare(text).to_owned()
}

/// Host and port of a URL, without a default port.
pub(super) fn bare(url: &str) -> &str {
    let text = url.split_once("://").map_or(url, |(_, rest)| rest);
    text.strip_suffix(":443").unwrap_or(text)
}

/// An answer in JSON.
pub(super) fn answer(status: u16, body: &Value) -> Response<Bytes> {
    let answer = Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
        .header("cache-control", "no-cache")
        .header("x-ms-request-id", "5a1c3b2e-0000-4000-8000-000000000001");
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    answer.body(body).unwrap_or_else(|error| panic!("answer: {error}"))
}

/// An error of the vault.
pub(super) fn error(status: u16, code: &str, message: &str, inner: Option<&str>) -> Response<Bytes> {
    let mut error = json!({ "code": code, "message": format!("{message} (c4n4ry)") });
    if let Some(inner) = inner {
        error["innererror"] = json!({ "code": inner });
    }
    answer(status, &json!({ "error": error }))
}

/// An error of what gives tokens (RFC 6749, 5.2, with Entra's own members).
pub(super) fn refused(status: u16, code: &str, number: u32, message: &str) -> Response<Bytes> {
    let body = json!({
        "error": code,
        "error_description": format!("AADSTS{number}: {message} (c4n4ry) Trace ID: 0 Timestamp: 2026-01-01 00:00:00Z"),
        "error_codes": [number],
        "trace_id": "0d7b4f5c-0000-4000-8000-000000000001",
        "correlation_id": "7f3e0c0a-0000-4000-8000-000000000001",
    });
    answer(status, &body)
}
