//! Rotations of AWS Secrets Manager, as an AWS Lambda function: it asks this one for each of the four steps.
//!
//! Only Secrets Manager may invoke it: that is for its resource policy to say. See docs/rotator.md.

#![forbid(unsafe_code)]

mod database;
mod document;
mod function;
mod http_api;
mod login;
mod password;
mod steps;
mod way;

use std::process::ExitCode;

use self::function::Function;

fn main() -> ExitCode {
    let instead = "let Secrets Manager rotate with a function of AWS's";
    lockstep_host::lambda::run(instead, async |host, config| Function::start(&host, &config))
}
