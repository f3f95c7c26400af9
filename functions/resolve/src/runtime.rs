//! Lambda's Runtime API, by `lambda_runtime`: one invocation after the other, and what is to be done between an answer and
//! the next. Nothing here knows a request.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
use lambda_runtime::tower::Layer;
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use lockstep_core::{Error, ErrorKind, Limits, MAX_MEMBERS, Result, UnixMillis};
use lockstep_host::Host;
use serde_json::value::RawValue;

use crate::function::{Function, Invocation};
use crate::payload::NoRequest;

/// How long Lambda has to hear that the start failed.
const REPORT: Limits = Limits { time: Duration::from_secs(2), response_bytes: 64 << 10, members: MAX_MEMBERS };
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

impl From<NoRequest> for Diagnostic {
    fn from(NoRequest(reason): NoRequest) -> Self {
        Self { error_type: "Lockstep.NoRequest".to_owned(), error_message: reason.to_owned() }
    }
}

/// Answers invocations for as long as Lambda asks.
///
/// # Errors
/// `Internal`: Lambda's Runtime API does not answer.
pub(crate) async fn run(function: Arc<Function>) -> Result<()> {
    let afterwards = Afterwards(Arc::clone(&function));
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let function = Arc::clone(&function);
        async move {
            let LambdaEvent { payload, context, .. } = event;
            let invocation = Invocation {
                id: context.request_id,
                deadline: UnixMillis(context.deadline),
                trace: context.xray_trace_id,
            };
            function.invoked(payload.get(), &invocation).await
        }
    });
    Runtime::new(handler)
        .layer(afterwards)
        .run()
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, format!("Lambda's Runtime API does not go on: {error}")))
}

/// Does the function's [`rest`](Function::rest) once an answer has left.
struct Afterwards(Arc<Function>);

impl<S> Layer<S> for Afterwards {
    type Service = AndThen<S>;

    fn layer(&self, inner: S) -> AndThen<S> {
        AndThen { inner, function: Arc::clone(&self.0) }
    }
}

struct AndThen<S> {
    inner: S,
    function: Arc<Function>,
}

impl<S> Service<LambdaInvocation> for AndThen<S>
where
    S: Service<LambdaInvocation, Response = (), Error = lambda_runtime::Error>,
    S::Future: 'static,
{
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = LocalBoxFuture<'static, Result<(), lambda_runtime::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), lambda_runtime::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let (answered, function) = (self.inner.call(invocation), Arc::clone(&self.function));
        Box::pin(async move {
            let answered = answered.await;
            function.rest().await;
            answered
        })
    }
}

/// Tells Lambda why the start failed; `lambda_runtime` does it for snapshots alone.
pub(crate) async fn init_error(host: &Host, error: &Error) {
    // Errors of ours hold no value, no token and no upstream body; so this one may stand in Lambda's log.
    let kind = format!("Lockstep.{:?}", error.kind());
    let body = serde_json::json!({ "errorMessage": error.to_string(), "errorType": kind, "stackTrace": [] });
    let address = host.env.var("AWS_LAMBDA_RUNTIME_API").unwrap_or_default();
    let target = format!("http://{address}/2018-06-01/runtime/init/error").parse();
    let (Ok(target), Ok(kind)) = (target, HeaderValue::from_str(&kind)) else { return };
    let mut request = Request::new(Bytes::from(body.to_string()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = target;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(ERROR_TYPE, kind);
    if let Err(error) = lockstep_native::local_transport(Arc::clone(&host.clock)).send(request, REPORT).await {
        tracing::warn!(%error, "can't report the failure to Lambda");
    }
}
