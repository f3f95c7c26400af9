//! The endpoint as an AWS Lambda function: ports -> configuration -> endpoint -> one invocation after the other.
//!
//! It answers a function URL, an HTTP API (payload format 2.0) and a REST API of API Gateway. Whoever may invoke the
//! function itself writes the event, and with it who the caller is: see docs/lambda-endpoint.md.

#![forbid(unsafe_code)]

mod answer;
mod function;
mod payload;

use std::process::ExitCode;

use self::function::Function;

fn main() -> ExitCode {
    lockstep_host::lambda::run("run `lockstep serve` on this machine", async |host, config| {
        let function = Function::start(&host, &config)?;
        function.warm_up().await;
        Ok(function)
    })
}
