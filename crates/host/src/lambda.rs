//! A program as an AWS Lambda function: its configuration, by `lambda_runtime` one invocation after the other, and what is
//! to be done between an answer and the next. Nothing here knows an event.
//!
//! Lambda freezes the process once it asks for the next invocation, and tells it nothing of its end.
//!
//! Exit codes: 1 when it could not go on, 2 for a wrong configuration or outside of Lambda.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request};
pub use lambda_runtime::Diagnostic;
use lambda_runtime::tower::Layer;
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, Service, service_fn};
use lockstep_config::Config;
use lockstep_core::{Clock, Env as _, Error, ErrorKind, Limits, MAX_MEMBERS, Result, UnixMillis};
use lockstep_native::{LogFormat, LogLevel, ProcessEnv};
use serde_json::value::RawValue;

use crate::{Audit, Host, is_there};

/// What Lambda sets for every runtime; without one of them there is no Lambda.
const VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// The file that is looked for in the function's own folder when no variable names another.
const DEFAULT_FILE: &str = "lockstep.toml";
/// How long Lambda has to hear that the start failed.
const REPORT: Limits = Limits { time: Duration::from_secs(2), response_bytes: 64 << 10, members: MAX_MEMBERS };
/// How long audit records may take to be sent, before an answer leaves.
pub const AUDIT_TIME: Duration = Duration::from_secs(1);
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

/// What Lambda says of an invocation.
#[derive(Debug)]
pub struct Invocation {
    /// Its id, as it stands in Lambda's own log.
    pub id: String,
    /// When its time is over.
    pub deadline: UnixMillis,
    /// X-Ray's id of the trace.
    pub trace: Option<String>,
}

/// What answers invocations.
pub trait Handler: Sized + 'static {
    /// Answers an invocation.
    ///
    /// # Errors
    /// Why there is no answer. It is told to whoever invoked the function.
    fn invoked(
        &self,
        event: &str,
        invocation: &Invocation,
    ) -> impl Future<Output = std::result::Result<Box<RawValue>, Diagnostic>>;

    /// What there is to do after the answer has left, before the process is frozen.
    fn rest(&self) -> impl Future<Output = ()>;
}

/// The whole program: hardened, configured, started, and invoked for as long as Lambda asks. Outside of Lambda it says what
/// to do `instead`.
pub fn run<F: Handler, S: Future<Output = Result<F>>>(
    instead: &str,
    start: impl FnOnce(Arc<Host>, Config) -> S,
) -> ExitCode {
    let hardened = lockstep_native::harden();
    if let Some(missing) = VARIABLES.iter().find(|name| ProcessEnv.var(name).is_none()) {
        return outside_of_lambda(missing, instead);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let host = Arc::new(Host::new(runtime.handle().clone()));
    let ended = runtime.block_on(async {
        let configured = configuration(&host).and_then(|config| {
            let level = LogLevel::parse(config.settings().log.level.as_str()).unwrap_or_default();
            // Lambda's log takes JSON apart; a text would be of use to nobody here.
            lockstep_native::start_log(level, LogFormat::Json)?;
            Ok(config)
        });
        let started = match configured {
            Ok(config) => start(Arc::clone(&host), config).await,
            Err(error) => Err(error),
        };
        if let (Ok(_), Err(error)) = (&started, &hardened) {
            tracing::warn!(%error, "this process is less well protected than it should be");
        }
        match started {
            Ok(function) => answer(Arc::new(function)).await,
            Err(error) => {
                init_error(&host, &error).await;
                Err(error)
            }
        }
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// What the variables say, else `lockstep.toml` beside the function's program, else none.
fn configuration(host: &Host) -> Result<Config> {
    let file = host.env.var("LAMBDA_TASK_ROOT").map(|folder| Path::new(&folder).join(DEFAULT_FILE));
    let file = file.filter(|path| is_there(path));
    Config::from_environment(&*host.env, &*host.files, &ProcessEnv::names(), file.as_deref())
}

/// Answers invocations for as long as Lambda asks.
async fn answer<F: Handler>(function: Arc<F>) -> Result<()> {
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
            let answered = AssertUnwindSafe(function.invoked(payload.get(), &invocation)).catch_unwind().await;
            // What a panic says is not passed on: it stands in the log, without its words.
            answered.unwrap_or_else(|_| {
                Err(Diagnostic {
                    error_type: "Lockstep.Internal".to_owned(),
                    error_message: "a fault of Lockstep itself; look at the function's log".to_owned(),
                })
            })
        }
    });
    Runtime::new(handler)
        .layer(afterwards)
        .run()
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, format!("Lambda's Runtime API does not go on: {error}")))
}

/// Does the function's [`rest`](Handler::rest) once an answer has left.
struct Afterwards<F>(Arc<F>);

impl<F, S> Layer<S> for Afterwards<F> {
    type Service = AndThen<F, S>;

    fn layer(&self, inner: S) -> AndThen<F, S> {
        AndThen { inner, function: Arc::clone(&self.0) }
    }
}

struct AndThen<F, S> {
    inner: S,
    function: Arc<F>,
}

impl<F, S> Service<LambdaInvocation> for AndThen<F, S>
where
    F: Handler,
    S: Service<LambdaInvocation, Response = (), Error = lambda_runtime::Error>,
    S::Future: 'static,
{
    type Response = ();
    type Error = lambda_runtime::Error;
    type Future = LocalBoxFuture<'static, std::result::Result<(), lambda_runtime::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::result::Result<(), lambda_runtime::Error>> {
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

/// Sends audit records away, before an answer leaves: within [`AUDIT_TIME`], and half of what is left of the invocation's
/// time. What is not taken then waits for the next invocation.
pub async fn send_audit(audit: &Audit, clock: &dyn Clock, deadline: UnixMillis) {
    if audit.waiting() == 0 {
        return;
    }
    let left = deadline.saturating_since(clock.wall());
    let limit = if left.is_zero() { AUDIT_TIME } else { AUDIT_TIME.min(left / 2) };
    let waiting = audit.send(limit).await;
    if waiting > 0 {
        tracing::warn!(records = waiting, "audit records wait for the next invocation");
    }
}

/// Writes lines into Lambda's log, from which CloudWatch reads numbers.
pub fn write_lines(lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let text = lines.join("\n") + "\n";
    if let Err(error) = std::io::stdout().lock().write_all(text.as_bytes()) {
        tracing::warn!(%error, "the numbers of this invocation could not be written");
    }
}

/// Tells Lambda why the start failed; `lambda_runtime` does it for snapshots alone.
async fn init_error(host: &Host, error: &Error) {
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

/// Says what ended the function, in its log.
fn failed(error: &Error) -> ExitCode {
    // A wrong configuration ends it before there is a log.
    let _ = lockstep_native::start_log(LogLevel::Error, LogFormat::Json);
    tracing::error!(%error, "the function ends");
    ExitCode::from(if error.kind() == ErrorKind::Config { 2 } else { 1 })
}

fn outside_of_lambda(missing: &str, instead: &str) -> ExitCode {
    let message = format!(
        "this is an AWS Lambda function and {missing} is not set: deploy it as the `bootstrap` of a function, or \
         {instead}\n"
    );
    // Whoever closed standard error does not want to know.
    let _ = std::io::stderr().write_all(message.as_bytes());
    ExitCode::from(2)
}
