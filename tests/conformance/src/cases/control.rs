//! What changes something: report, forget, rotate.

use serde_json::json;

use crate::endpoint::{Endpoint, Verdict, holds, same};
use crate::seed::{ABSENT, DEEP, DENIED, ROTATED, TEXT};

fn status(endpoint: &Endpoint, seed: &str) -> Verdict<String> {
    let said = endpoint.get(endpoint.path("secrets", seed))?;
    said.ok()?;
    Ok(said.header("cache-status").to_owned())
}

pub(super) fn invalidate(endpoint: &Endpoint) -> Verdict {
    status(endpoint, TEXT.name)?;
    same("before", status(endpoint, TEXT.name)?, "lockstep; hit")?;
    let body = endpoint.post("/api/v1/invalidate", &json!({ "name": endpoint.name(TEXT.name) }))?.ok()?;
    holds("something was forgotten", body["invalidated"].as_u64().is_some_and(|count| count > 0))?;
    same("after", status(endpoint, TEXT.name)?, "lockstep; fwd=miss")?;
    let body = endpoint.post("/api/v1/invalidate", &json!({ "name": endpoint.name(ABSENT) }))?.ok()?;
    holds("what is not held is no error", body["invalidated"].is_u64())
}

pub(super) fn report_stale(endpoint: &Endpoint) -> Verdict {
    let secret = endpoint.get(endpoint.path("secrets", TEXT.name))?.ok()?;
    let version = secret["version"].as_str().unwrap_or_default();
    let report = |version: &str| -> Verdict<String> {
        let body = endpoint.post(&endpoint.path("report-stale", TEXT.name), &json!({ "version": version }))?.ok()?;
        Ok(body["outcome"].as_str().unwrap_or_default().to_owned())
    };
    same("a version that is not held", report("none-such")?, "newer")?;
    let outcome = report(version)?;
    holds("the version that is held", ["refetching", "recent"].contains(&outcome.as_str()))?;
    same("the same once more", report(version)?, "recent")?;
    if outcome == "refetching" {
        same("after", status(endpoint, TEXT.name)?, "lockstep; fwd=miss")?;
    }
    Ok(())
}

pub(super) fn invalidate_prefix(endpoint: &Endpoint) -> Verdict {
    for seed in [TEXT.name, DEEP.name] {
        status(endpoint, seed)?;
    }
    let body = json!({ "prefix": endpoint.name("deep") });
    endpoint.post("/api/v1/invalidate", &body)?.ok()?;
    same("what is below it", status(endpoint, DEEP.name)?, "lockstep; fwd=miss")?;
    same("what is not", status(endpoint, TEXT.name)?, "lockstep; hit")
}

pub(super) fn rotate(endpoint: &Endpoint) -> Verdict {
    let said = endpoint.send(&endpoint.ask("POST", endpoint.path("rotate", ROTATED.name)))?;
    // A provider that can't says so.
    if said.status == 501 {
        said.problem(501, "unsupported")?;
    } else {
        let body = said.ok()?;
        same("name", &body["name"], &json!(endpoint.name(ROTATED.name)))?;
        endpoint.get(endpoint.path("secrets", ROTATED.name))?.ok()?;
        let absent = endpoint.send(&endpoint.ask("POST", endpoint.path("rotate", ABSENT)))?;
        absent.problem(404, "not_found")?;
    }
    let denied = endpoint.send(&endpoint.ask("POST", endpoint.path("rotate", DENIED.name)))?;
    if endpoint.told().hides_denied {
        denied.problem(404, "not_found")?
    } else {
        denied.problem(403, "denied")?
    };
    let with_body = endpoint.send(&endpoint.ask("POST", endpoint.path("rotate", ROTATED.name)).bytes("{}"))?;
    with_body.problem(400, "invalid_parameter")?;
    Ok(())
}
