//! Rotations on their way into the journal, as an AWS Lambda function: EventBridge, SQS and SNS invoke it.
//!
//! Who may invoke it may say that a secret has changed: that is for its resource policy to decide. See docs/on-rotation.md.

#![forbid(unsafe_code)]

mod function;

use std::process::ExitCode;

use self::function::Function;

fn main() -> ExitCode {
    let instead = "let `lockstep serve` take notifications in";
    lockstep_host::lambda::run(instead, async |host, config| Function::start(&host, &config))
}
