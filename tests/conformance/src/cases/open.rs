//! Whether it lives, its numbers, its description.

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Stop, Verdict, holds, same, skipped};
use crate::seed::TEXT;

fn health(endpoint: &Endpoint, target: &str) -> Verdict<Value> {
    let said = endpoint.send(&endpoint.ask("GET", target).by(None))?;
    same("status", said.status, 200)?;
    same("cache-control", said.header("cache-control"), "no-store")?;
    let text = String::from_utf8_lossy(&said.body);
    holds("no name stands in it", !text.contains(&endpoint.told().prefix))?;
    serde_json::from_slice(&said.body).map_err(|error| Stop::Failed(format!("{error}: {text}")))
}

pub(super) fn live(endpoint: &Endpoint) -> Verdict {
    same("the body", health(endpoint, "/health/live")?, json!({ "status": "live" }))
}

pub(super) fn ready(endpoint: &Endpoint) -> Verdict {
    let body = health(endpoint, "/health/ready")?;
    same("status", &body["status"], &json!("ready"))?;
    holds("providers are counted", body["providers"].is_u64() && body["failing"].is_u64())
}

pub(super) fn metrics(endpoint: &Endpoint) -> Verdict {
    endpoint.get(endpoint.path("secrets", TEXT.name))?.ok()?;
    let said = endpoint.get("/metrics")?;
    same("status", said.status, 200)?;
    holds("it is Prometheus' text", said.header("content-type").starts_with("text/plain; version=0.0.4"))?;
    let text = String::from_utf8_lossy(&said.body);
    for name in
        ["secrets_requests_total", "secrets_cache_hits_total", "secrets_cache_size", "lockstep_audit_lost_total"]
    {
        holds(name, text.contains(name))?;
    }
    holds("no name and no value stands in it", !text.contains(&endpoint.told().prefix) && !text.contains("canary"))?;
    let nobody = endpoint.send(&endpoint.ask("GET", "/metrics").by(None))?;
    holds("it is not for everybody", matches!(nobody.status, 401 | 403))
}

pub(super) fn description(endpoint: &Endpoint) -> Verdict {
    let said = endpoint.get("/openapi.json")?;
    if said.status == 404 {
        return skipped("it serves no /openapi.json");
    }
    same("status", said.status, 200)?;
    let body: Value = serde_json::from_slice(&said.body).map_err(|error| Stop::Failed(error.to_string()))?;
    holds("it is OpenAPI 3", body["openapi"].as_str().is_some_and(|version| version.starts_with("3.")))
}
