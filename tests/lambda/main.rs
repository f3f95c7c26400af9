//! The extension as Lambda runs it: under AWS's own emulator, under a scripted Extensions API for what the emulator
//! can't do, through a freeze, and with clocks that lie. And the endpoint as a function, under the same emulator.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod clocks;
mod conformance;
mod emulator;
mod freeze;
mod function;
mod gateway;
mod leases;
mod lifecycle;
mod on_rotation;
mod port;
mod resolve;
mod rotator;
mod sandbox;
mod snapshot;
mod under_emulator;

/// An answer of Secrets Manager with this value.
fn secrets_manager(value: &str) -> lockstep_testkit::fake::Action {
    let body = serde_json::json!({
        "ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:app-AbCdEf", "Name": "app",
        "VersionId": "0a1b2c3d-0000-4000-8000-000000000001", "SecretString": value,
        "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_700_000_000.5,
    });
    lockstep_testkit::fake::Action::json(200, &body)
}
