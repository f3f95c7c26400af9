//! [`ExtensionsApi`]: a client of Lambda's Runtime Extensions API (version 2020-01-01).
//!
//! It goes over the transport for what stands on the sandbox's own host, which gives each exchange a connection of its
//! own. Nothing here knows a secret.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use lockstep_core::{Error, ErrorKind, Limits, MAX_MEMBERS, Result, Transport, UnixMillis};
use serde::Deserialize;

/// `/event/next` lasts as long as nothing happens. Events are below 1 KiB.
const LIMITS: Limits = Limits { time: Duration::MAX, response_bytes: 64 << 10, members: MAX_MEMBERS };
const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// The API of one sandbox, before this extension is registered.
pub(crate) struct ExtensionsApi {
    address: String,
    transport: Arc<dyn Transport>,
}

/// What an extension asks to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Events {
    /// INVOKE and SHUTDOWN.
    All,
    /// SHUTDOWN alone; Lambda Managed Instances have nothing else.
    Shutdown,
}

impl Events {
    fn body(self) -> Bytes {
        Bytes::from_static(match self {
            Self::All => br#"{"events":["INVOKE","SHUTDOWN"]}"#,
            Self::Shutdown => br#"{"events":["SHUTDOWN"]}"#,
        })
    }
}

/// What Lambda tells.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "eventType", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// The function was invoked. Its runtime knows it too, perhaps before.
    #[serde(rename = "INVOKE")]
    Invoke {
        /// When the function's time is over.
        deadline_ms: UnixMillis,
        /// The invocation.
        request_id: String,
    },
    /// The sandbox ends.
    #[serde(rename = "SHUTDOWN")]
    Shutdown {
        /// When the process will be killed.
        deadline_ms: UnixMillis,
        /// `spindown`, `timeout` or `failure`.
        shutdown_reason: String,
    },
    /// Something that did not exist when this was written.
    #[serde(other)]
    Unknown,
}

/// A registered extension.
#[derive(Debug)]
pub(crate) struct Registration<'a> {
    api: &'a ExtensionsApi,
    identifier: HeaderValue,
    /// What it will be told.
    pub(crate) events: Events,
}

/// What the API says when it refuses.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    error_type: String,
}

impl ExtensionsApi {
    /// The API at the `host:port` of `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) fn new(address: String, transport: Arc<dyn Transport>) -> Self {
        Self { address, transport }
    }

    /// Registers for these events. Where INVOKE is not to be had, for SHUTDOWN alone.
    ///
    /// `name` must be the file's name in `/opt/extensions`, or Lambda takes it for another extension.
    pub(crate) async fn register(&self, name: &str, events: Events) -> Result<Registration<'_>> {
        let header = HeaderValue::from_str(name)
            .map_err(|_| Error::new(ErrorKind::Config, "rename the extension's file: its name can't be sent"))?;
        let answer = self.send(Method::POST, "register", &[(NAME, header)], events.body()).await?;
        if answer.status() == StatusCode::OK {
            let identifier = answer.headers().get(IDENTIFIER).cloned().ok_or_else(|| broken("named no identifier"))?;
            return Ok(Registration { api: self, identifier, events });
        }
        let refusal = refusal(answer.body());
        if events == Events::All && refusal == "Extension.InvalidEventType" {
            return Box::pin(self.register(name, Events::Shutdown)).await;
        }
        Err(refused("register", answer.status(), &refusal))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, HeaderValue)],
        body: Bytes,
    ) -> Result<http::Response<Bytes>> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = format!("http://{}/2020-01-01/extension/{path}", self.address)
            .parse()
            .map_err(|_| Error::new(ErrorKind::Config, "AWS_LAMBDA_RUNTIME_API is not `host:port`"))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
            .headers_mut()
            .extend(headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.clone())));
        self.transport.send(request, LIMITS).await.map_err(|error| {
            let message = format!("Lambda's Extensions API does not answer: {}", error.message());
            Error::new(error.kind(), message)
        })
    }
}

impl Registration<'_> {
    /// Waits for the next event. To ask for it says that this extension has done what it wanted.
    pub(crate) async fn next(&self) -> Result<Event> {
        let headers = [(IDENTIFIER, self.identifier.clone())];
        let answer = self.api.send(Method::GET, "event/next", &headers, Bytes::new()).await?;
        if answer.status() != StatusCode::OK {
            return Err(refused("wait for events", answer.status(), &refusal(answer.body())));
        }
        serde_json::from_slice(answer.body()).map_err(|error| broken("sent an event of another form").because(error))
    }

    /// Says that the start failed, and why. Lambda ends the sandbox's init with it.
    pub(crate) async fn init_error(&self, error: &Error) {
        self.report("init/error", error).await;
    }

    /// Says that this extension can't go on, and why.
    pub(crate) async fn exit_error(&self, error: &Error) {
        self.report("exit/error", error).await;
    }

    async fn report(&self, path: &str, error: &Error) {
        // Errors of ours hold no value, no token and no upstream body; so this one may stand in Lambda's log.
        let kind = format!("Extension.{:?}", error.kind());
        let body = serde_json::json!({ "errorMessage": error.to_string(), "errorType": kind, "stackTrace": [] });
        let Ok(kind) = HeaderValue::from_str(&kind) else { return };
        let headers = [(IDENTIFIER, self.identifier.clone()), (ERROR_TYPE, kind)];
        if let Err(error) = self.api.send(Method::POST, path, &headers, Bytes::from(body.to_string())).await {
            tracing::warn!(%error, "can't report the failure to Lambda");
        }
    }
}

fn refusal(body: &[u8]) -> String {
    serde_json::from_slice(body).map(|Refusal { error_type }| error_type).unwrap_or_default()
}

fn refused(what: &str, status: StatusCode, error_type: &str) -> Error {
    let message = format!("Lambda's Extensions API does not let this extension {what} ({status}, {error_type})");
    Error::new(ErrorKind::Internal, message)
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Internal, format!("Lambda's Extensions API {what}"))
}

impl fmt::Debug for ExtensionsApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtensionsApi").field("address", &self.address).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented events, and one that is none yet. Break: leave `Unknown` out.
    #[test]
    fn events_are_read_as_lambda_writes_them() {
        let invoke = r#"{"eventType":"INVOKE","deadlineMs":1799999999000,"requestId":"3da1f2dc-3222-475e-9205",
            "invokedFunctionArn":"arn:aws:lambda:us-east-1:123456789012:function:f",
            "tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-5f35ae12"}}"#;
        let shutdown = r#"{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":1799999999001}"#;
        let expected = [
            (
                invoke,
                Event::Invoke {
                    deadline_ms: UnixMillis(1_799_999_999_000),
                    request_id: "3da1f2dc-3222-475e-9205".to_owned(),
                },
            ),
            (
                shutdown,
                Event::Shutdown { deadline_ms: UnixMillis(1_799_999_999_001), shutdown_reason: "spindown".to_owned() },
            ),
            (r#"{"eventType":"RESTORE","deadlineMs":1}"#, Event::Unknown),
        ];
        for (text, event) in expected {
            assert_eq!(serde_json::from_str::<Event>(text).unwrap(), event);
        }
    }
}
