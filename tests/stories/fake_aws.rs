//! What Secrets Manager says, for the hostile server: its good answer and its errors (API reference, `GetSecretValue`).

use lockstep_stories::{Lockstep, Running, Upstream};
use lockstep_testkit::fake::Action;
use serde_json::json;

/// The only route of Secrets Manager.
pub(crate) const ROUTE: &str = "POST /";

/// Credentials that no server looks at.
pub(crate) const ENV: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "any"), ("AWS_SECRET_ACCESS_KEY", "any")];

/// A secret as `GetSecretValue` answers it.
pub(crate) fn value(name: &str, value: &str) -> Action {
    version(name, value, 1)
}

/// The same of the version with this number at its end.
pub(crate) fn version(name: &str, value: &str, number: u8) -> Action {
    Action::json(
        200,
        &json!({
            "ARN": format!("arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-AbCdEf"),
            "Name": name,
            "VersionId": format!("a1b2c3d4-0000-4000-8000-{number:012}"),
            "SecretString": value,
            "VersionStages": ["AWSCURRENT"],
            "CreatedDate": 1_700_000_000.5,
        }),
    )
}

/// An error as AWS writes it.
pub(crate) fn error(status: u16, kind: &str, message: &str) -> Action {
    Action::json(status, &json!({ "__type": kind, "message": message }))
}

pub(crate) fn not_found() -> Action {
    error(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

pub(crate) fn denied() -> Action {
    error(400, "AccessDeniedException", "User is not authorized to perform: secretsmanager:GetSecretValue")
}

pub(crate) fn down() -> Action {
    error(500, "InternalServiceError", "An error occurred on the server side.")
}

/// `lockstep serve` with one provider at the hostile server: one attempt, no breaker.
pub(crate) fn serve(upstream: &Upstream, more: &str) -> Running {
    let config = format!(
        "{}[providers.aws.upstream]\nattempts = 1\nthrottled_attempts = 1\nbreaker_failures = 0\n",
        crate::aws_account::config(&upstream.url(), more)
    );
    Lockstep::serve(config.as_str(), &ENV)
}
