//! [`ExtensionsApi`]: a client of Lambda's Runtime Extensions API (version 2020-01-01).
//!
//! Each exchange has a connection of its own, on the sandbox's own host: there is no pool that a freeze could leave
//! dead, and no timeout, since `/event/next` lasts as long as nothing happens. Nothing here knows a secret.

use std::io;

use bytes::Bytes;
use futures_util::future::join;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use lockstep_core::{Error, ErrorKind, Result, UnixMillis};
use serde::Deserialize;
use tokio::net::TcpStream;

/// Bytes of an answer. Events are below 1 KiB.
const MAX_ANSWER: usize = 64 << 10;
const NAME: &str = "lambda-extension-name";
const IDENTIFIER: &str = "lambda-extension-identifier";
const ERROR_TYPE: &str = "lambda-extension-function-error-type";

/// The API of one sandbox, before this extension is registered.
#[derive(Debug)]
pub(crate) struct ExtensionsApi {
    address: String,
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
    pub(crate) fn new(address: String) -> Self {
        Self { address }
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
        let mut all = HeaderMap::new();
        let host = HeaderValue::from_str(&self.address)
            .map_err(|_| Error::new(ErrorKind::Config, "AWS_LAMBDA_RUNTIME_API is not `host:port`"))?;
        all.insert(HOST, host);
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        all.extend(headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.clone())));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() =
            format!("/2020-01-01/extension/{path}").parse().map_err(|_| broken("has no such address"))?;
        *request.headers_mut() = all;

        let unreachable =
            |error: io::Error| Error::new(ErrorKind::Network, "can't reach Lambda's Extensions API").because(error);
        let stream = TcpStream::connect(&self.address).await.map_err(unreachable)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken("hung up").because(error))?;
        let exchange = async move {
            let (head, body) = sender.send_request(request).await.map_err(hung_up)?.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await.map_err(|_| broken("broke its answer off"))?;
            Ok(http::Response::from_parts(head, body.to_bytes()))
        };
        // The connection ends by itself once the sender is gone.
        join(exchange, connection).await.0
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

fn hung_up(error: hyper::Error) -> Error {
    broken("hung up").because(error)
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
