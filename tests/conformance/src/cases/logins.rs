//! Who is let in, and what is whose.

use serde_json::{Value, json};

use crate::endpoint::{Ask, Endpoint, Said, Verdict, component, holds, same, skipped};
use crate::seed::{ABSENT, DENIED, SEEDS, TEXT};

/// One request of every route that needs a login.
fn every_route(endpoint: &Endpoint, seed: &str) -> Vec<Ask<'static>> {
    let get = |target: String| endpoint.ask("GET", target);
    let name = endpoint.name(seed);
    let batch = json!({ "secrets": [{ "name": name }] });
    vec![
        get(endpoint.path("secrets", seed)),
        get(format!("/api/v1/secrets?name={}", component(&name))),
        get(format!("/api/v1/secrets?provider={}", endpoint.told().provider)),
        get(endpoint.path("metadata", seed)),
        get(endpoint.path("versions", seed)),
        get("/metrics".to_owned()),
        get("/nowhere/at/all".to_owned()),
        get("/api/v1/nowhere".to_owned()),
        endpoint.ask("POST", endpoint.path("rotate", seed)),
        endpoint.ask("POST", "/api/v1/secrets:batch").json(&batch),
        endpoint.ask("POST", "/api/v1/invalidate").json(&json!({ "name": name })),
    ]
}

/// The refusal of a login, the same for every reason.
fn is_refused(endpoint: &Endpoint, said: &Said) -> Verdict {
    // Where the AWS surface is, a path outside the API is refused in its words.
    let is_text = said.header("content-type").is_empty();
    let (status, code) = if endpoint.told().is_local { (403, "bad_token") } else { (401, "unauthenticated") };
    if !endpoint.told().is_local {
        holds("the scheme is named", said.header("www-authenticate").starts_with("Bearer"))?;
    }
    if is_text { same("status", said.status, status) } else { said.problem(status, code).map(drop) }
}

pub(super) fn nobody(endpoint: &Endpoint) -> Verdict {
    for ask in every_route(endpoint, TEXT.name) {
        is_refused(endpoint, &endpoint.send(&ask.by(None))?)?;
    }
    Ok(())
}

pub(super) fn wrong(endpoint: &Endpoint) -> Verdict {
    let credential = &endpoint.told().credential;
    let cut: String = credential.chars().take(credential.chars().count() - 1).collect();
    let wrong = [
        "Bearer wrong".to_owned(),
        "Bearer".to_owned(),
        format!("Bearer {cut}"),
        format!("Bearer {credential}x"),
        format!("Basic {credential}"),
        credential.clone(),
        format!("Bearer lks_app_{}", "A".repeat(43)),
        "Bearer eyJhbGciOiJub25lIn0.e30.".to_owned(),
    ];
    let mut looks: Vec<Value> = Vec::new();
    for wrong in &wrong {
        let said = endpoint.send(&endpoint.ask("GET", endpoint.path("secrets", TEXT.name)).by(Some(wrong)))?;
        is_refused(endpoint, &said)?;
        looks.push(look(&said));
    }
    looks.dedup();
    same("how many kinds of refusal there are", looks.len(), 1)
}

/// An answer without what is different in each.
fn look(said: &Said) -> Value {
    let mut body: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    body
}

pub(super) fn two(endpoint: &Endpoint) -> Verdict {
    let ask = endpoint.ask("GET", endpoint.path("secrets", TEXT.name));
    let bearer = format!("Bearer {}", endpoint.told().credential);
    is_refused(endpoint, &endpoint.send(&ask.with("authorization", bearer))?)
}

pub(super) fn browser(endpoint: &Endpoint) -> Verdict {
    for (name, value) in [("origin", "https://page.example"), ("sec-fetch-site", "cross-site")] {
        let ask = endpoint.ask("GET", endpoint.path("secrets", TEXT.name)).with(name, value);
        endpoint.send(&ask)?.problem(403, "forbidden_origin")?;
    }
    let preflight = endpoint.ask("OPTIONS", endpoint.path("secrets", TEXT.name)).by(None);
    let preflight = preflight.with("origin", "https://page.example").with("access-control-request-method", "GET");
    holds("a preflight is refused", endpoint.send(&preflight)?.status >= 400)
}

pub(super) fn foreign_host(endpoint: &Endpoint) -> Verdict {
    let ask = endpoint.ask("GET", endpoint.path("secrets", TEXT.name)).with("host", "evil.example");
    endpoint.send(&ask)?.problem(403, "forbidden_host")?;
    Ok(())
}

pub(super) fn denied(endpoint: &Endpoint) -> Verdict {
    for route in ["secrets", "metadata", "versions"] {
        let denied = endpoint.get(endpoint.path(route, DENIED.name))?;
        if endpoint.told().hides_denied {
            denied.problem(404, "not_found")?;
            // Its name stands in neither.
            let absent = endpoint.get(endpoint.path(route, ABSENT))?;
            same(route, look(&denied), look(&absent))?;
        } else {
            denied.problem(403, "denied")?;
        }
    }
    let prefix = component(&endpoint.name(DENIED.name));
    let alias = &endpoint.told().provider;
    let listed = endpoint.get(format!("/api/v1/secrets?prefix={prefix}&provider={alias}"))?;
    if listed.status == 403 {
        return listed.problem(403, "denied").map(drop);
    }
    same("what of it is listed", &listed.ok()?["secrets"], &json!([]))
}

pub(super) fn outsider(endpoint: &Endpoint) -> Verdict {
    let Some(credential) = &endpoint.told().outsider else { return skipped("there is no second credential") };
    let bearer = format!("Bearer {credential}");
    let get = |target: String| endpoint.send(&endpoint.ask("GET", target).by(Some(&bearer)));
    for route in ["secrets", "metadata", "versions"] {
        let mut looks: Vec<Value> = Vec::new();
        for seed in SEEDS.iter().map(|seed| seed.name).chain([ABSENT]) {
            let said = get(endpoint.path(route, seed))?;
            let (status, code) = if endpoint.told().hides_denied { (404, "not_found") } else { (403, "denied") };
            let mut look = said.problem(status, code)?;
            for own in ["request_id", "name", "detail"] {
                look.as_object_mut().map(|members| members.remove(own));
            }
            looks.push(look);
        }
        looks.dedup();
        same(&format!("how many kinds of answers {route} has"), looks.len(), 1)?;
    }
    Ok(())
}
