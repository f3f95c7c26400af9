//! The `lockstep` command: ports -> configuration -> assembly -> listener, or one answer.
//!
//! Data goes to standard output, everything else to standard error. The exit code is 0 when it is done, 1 when the
//! secret or its provider said no, 2 for usage and configuration, 3 when trying again may help.

#![forbid(unsafe_code)]

mod arguments;
mod clock;
mod commands;
mod failure;
mod host;
mod output;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use self::arguments::{Arguments, Verb};
use self::failure::Failure;
use self::host::Host;
use self::output::Output;

/// How long the last audit records and, at the same time, the last spans may take to be sent away.
const LAST_WORDS: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let hardened = lockstep_native::harden();
    let arguments = Arguments::parse();
    let output = Output::new(&arguments.everywhere);
    if let Err(error) = hardened {
        output.note(&format!("warning: {error}"));
    }
    match run(arguments, output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: Arguments, output: Output) -> Result<(), Failure> {
    if let Verb::Config { what: arguments::ConfigVerb::Schema } = arguments.verb {
        return output.data(&lockstep_config::json_schema());
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::runtime)?;
    let host = Host::new(runtime.handle().clone());
    runtime.block_on(async {
        let ended = commands::run(arguments, &host, output).await;
        tokio::join!(host.end_audit(LAST_WORDS), host.end_spans(LAST_WORDS));
        ended
    })
}
