//! The AWS Lambda extension: ports -> configuration -> listener -> register -> serve until SHUTDOWN.
//!
//! The listener is bound before the extension registers, and Lambda starts the function's runtime only after that: the
//! first statement of a function can read a secret. Nothing waits for an INVOKE.
//!
//! Exit codes: 0 after SHUTDOWN, 1 when it could not go on, 2 for a wrong configuration or outside of Lambda.

#![forbid(unsafe_code)]

mod door;
mod extensions_api;
mod lifecycle;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use lockstep_config::Config;
use lockstep_core::{Env as _, Error, ErrorKind};
use lockstep_host::Host;
use lockstep_native::{LogFormat, LogLevel, ProcessEnv};

use self::extensions_api::ExtensionsApi;

fn main() -> ExitCode {
    let hardened = lockstep_native::harden();
    let Some(address) = ProcessEnv.var("AWS_LAMBDA_RUNTIME_API") else {
        return outside_of_lambda();
    };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let host = Host::new(runtime.handle().clone());
    let api = ExtensionsApi::new(address, lockstep_native::local_transport(Arc::clone(&host.clock)));
    let ended = runtime.block_on(async {
        // The file of one variable, the text in another, or none.
        let config = Config::from_environment(&*host.env, &*host.files, &ProcessEnv::names(), None);
        let started = config.and_then(|config| lifecycle::start(host, config));
        if let (Ok(_), Err(error)) = (&started, &hardened) {
            tracing::warn!(%error, "this process is less well protected than it should be");
        }
        lifecycle::run(&api, started).await
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says what ended the extension, in the function's log.
fn failed(error: &Error) -> ExitCode {
    // A wrong configuration ends it before there is a log.
    let _ = lockstep_native::start_log(LogLevel::Error, LogFormat::Json);
    tracing::error!(%error, "the extension ends");
    ExitCode::from(if error.kind() == ErrorKind::Config { 2 } else { 1 })
}

fn outside_of_lambda() -> ExitCode {
    let message = "this is an AWS Lambda extension and AWS_LAMBDA_RUNTIME_API is not set: put it into a layer as \
                   `extensions/lockstep`, or run `lockstep serve` on this machine\n";
    // Whoever closed standard error does not want to know.
    let _ = std::io::stderr().write_all(message.as_bytes());
    ExitCode::from(2)
}
