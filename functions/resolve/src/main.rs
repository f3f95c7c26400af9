//! The endpoint as an AWS Lambda function: ports -> configuration -> endpoint -> one invocation after the other.
//!
//! It answers a function URL, an HTTP API (payload format 2.0) and a REST API of API Gateway. Whoever may invoke the
//! function itself writes the event, and with it who the caller is: see docs/lambda-endpoint.md.
//!
//! Exit codes: 1 when it could not go on, 2 for a wrong configuration or outside of Lambda.

#![forbid(unsafe_code)]

mod answer;
mod function;
mod payload;
mod runtime;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use lockstep_config::Config;
use lockstep_core::{Env as _, Error, ErrorKind, Result};
use lockstep_host::{Host, is_there};
use lockstep_native::{LogFormat, LogLevel, ProcessEnv};

use self::function::Function;

/// What Lambda sets for every runtime; without one of them there is no Lambda.
const VARIABLES: [&str; 4] = [
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// The file that is looked for in the function's own folder when no variable names another.
const DEFAULT_FILE: &str = "lockstep.toml";

fn main() -> ExitCode {
    let hardened = lockstep_native::harden();
    if let Some(missing) = VARIABLES.iter().find(|name| ProcessEnv.var(name).is_none()) {
        return outside_of_lambda(missing);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let host = Arc::new(Host::new(runtime.handle().clone()));
    let ended = runtime.block_on(async {
        let started = configuration(&host).and_then(|config| {
            let level = LogLevel::parse(config.settings().log.level.as_str()).unwrap_or_default();
            // Lambda's log takes JSON apart; a text would be of use to nobody here.
            lockstep_native::start_log(level, LogFormat::Json)?;
            Function::start(&host, &config)
        });
        if let (Ok(_), Err(error)) = (&started, &hardened) {
            tracing::warn!(%error, "this process is less well protected than it should be");
        }
        match started {
            Ok(function) => {
                function.warm_up().await;
                runtime::run(Arc::new(function)).await
            }
            Err(error) => {
                runtime::init_error(&host, &error).await;
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

/// Says what ended the function, in its log.
fn failed(error: &Error) -> ExitCode {
    // A wrong configuration ends it before there is a log.
    let _ = lockstep_native::start_log(LogLevel::Error, LogFormat::Json);
    tracing::error!(%error, "the function ends");
    ExitCode::from(if error.kind() == ErrorKind::Config { 2 } else { 1 })
}

fn outside_of_lambda(missing: &str) -> ExitCode {
    let message = format!(
        "this is an AWS Lambda function and {missing} is not set: deploy it as the `bootstrap` of a function, or run \
         `lockstep serve` on this machine\n"
    );
    // Whoever closed standard error does not want to know.
    let _ = std::io::stderr().write_all(message.as_bytes());
    ExitCode::from(2)
}
