//! Values: one and many, by key and version, and what an answer says of itself.

use serde_json::{Value, json};

use crate::calls::{calls, outcome_over_http};
use crate::endpoint::{Endpoint, Said, Verdict, component, holds, same, skipped};
use crate::seed::{ABSENT, BINARY, DEEP, DENIED, JSON, MOVED, ODD, Seed, TEXT};

fn read(endpoint: &Endpoint, seed: &Seed, query: &str) -> Verdict<(Said, Value)> {
    let said = endpoint.get(format!("{}{query}", endpoint.path("secrets", seed.name)))?;
    let body = said.ok()?;
    Ok((said, body))
}

/// The members that every answer with a value has.
fn is_secret(endpoint: &Endpoint, body: &Value, seed: &Seed, value: &str, encoding: &str) -> Verdict {
    same("name", &body["name"], &json!(endpoint.name(seed.name)))?;
    same("value", &body["value"], &json!(value))?;
    same("encoding", &body["encoding"], &json!(encoding))?;
    holds("the provider is named", body["provider"].is_string())?;
    holds("there is an id", body["id"].is_string())?;
    holds("labels are a list", body["labels"].is_array())
}

pub(super) fn text(endpoint: &Endpoint) -> Verdict {
    let (said, body) = read(endpoint, &TEXT, "")?;
    is_secret(endpoint, &body, &TEXT, TEXT.current(), "utf-8")?;
    same("provider", &body["provider"], &json!(endpoint.told().provider))?;
    holds("there is a Cache-Status", said.header("cache-status").starts_with("lockstep"))?;
    let (_, named) = read(endpoint, &TEXT, &format!("?provider={}", endpoint.told().provider))?;
    same("the same by its provider", named, body)
}

pub(super) fn binary(endpoint: &Endpoint) -> Verdict {
    let (_, body) = read(endpoint, &BINARY, "")?;
    is_secret(endpoint, &body, &BINARY, BINARY.current(), "base64")
}

pub(super) fn keys(endpoint: &Endpoint) -> Verdict {
    let (_, whole) = read(endpoint, &JSON, "")?;
    is_secret(endpoint, &whole, &JSON, JSON.current(), "utf-8")?;
    for (key, value) in [
        ("user", "app"),
        ("password", "canary-päss \"word\""),
        ("port", "5432"),
        // As it is written: no number is parsed and printed again.
        ("ratio", "5.50"),
        ("nested", r#"{"a/b":["canary-deep"]}"#),
        ("/nested/a~1b/0", "canary-deep"),
    ] {
        let (_, body) = read(endpoint, &JSON, &format!("?key={}", component(key)))?;
        is_secret(endpoint, &body, &JSON, value, "utf-8")?;
        same("key", &body["key"], &json!(key))?;
    }
    Ok(())
}

pub(super) fn no_such_key(endpoint: &Endpoint) -> Verdict {
    for key in ["gone", "/nested/gone", "/nested/a~1b/1"] {
        let target = format!("{}?key={}", endpoint.path("secrets", JSON.name), component(key));
        endpoint.get(target)?.problem(404, "version_not_found")?;
    }
    for key in ["none", ""] {
        let said = endpoint.get(format!("{}?key={key}", endpoint.path("secrets", JSON.name)))?;
        holds("it is refused", matches!(said.status, 400 | 404 | 502))?;
    }
    Ok(())
}

pub(super) fn deep(endpoint: &Endpoint) -> Verdict {
    let (_, body) = read(endpoint, &DEEP, "")?;
    is_secret(endpoint, &body, &DEEP, DEEP.current(), "utf-8")
}

pub(super) fn by_query(endpoint: &Endpoint) -> Verdict {
    let by_name = |route: &str| endpoint.get(format!("{route}?name={}", component(&endpoint.name(DEEP.name))))?.ok();
    let (_, by_path) = read(endpoint, &DEEP, "")?;
    same("the secret", by_name("/api/v1/secrets")?, by_path)?;
    for route in ["metadata", "versions"] {
        let by_path = endpoint.get(endpoint.path(route, DEEP.name))?.ok()?;
        same(route, by_name(&format!("/api/v1/{route}"))?, by_path)?;
    }
    let both = format!("{}?name=x", endpoint.path("secrets", DEEP.name));
    endpoint.get(both)?.problem(400, "invalid_parameter")?;
    Ok(())
}

pub(super) fn odd(endpoint: &Endpoint) -> Verdict {
    let Some(alias) = &endpoint.told().odd_provider else { return skipped("no provider takes such names") };
    let (_, body) = read(endpoint, &ODD, &format!("?provider={alias}"))?;
    is_secret(endpoint, &body, &ODD, ODD.current(), "utf-8")?;
    let name = component(&endpoint.name(ODD.name)).replace("%20", "+");
    let by_name = endpoint.get(format!("/api/v1/secrets?provider={alias}&name={name}"))?.ok()?;
    same("the secret by `name`, with `+` for a space", by_name, body)
}

pub(super) fn escaped(endpoint: &Endpoint) -> Verdict {
    let plain = endpoint.path("secrets", TEXT.name);
    let escaped = plain.replace("/text", "/%74e%78t");
    let body = endpoint.get(escaped)?.ok()?;
    is_secret(endpoint, &body, &TEXT, TEXT.current(), "utf-8")
}

pub(super) fn versions_by_id(endpoint: &Endpoint) -> Verdict {
    let [first, second] = MOVED.versions else { return skipped("the seed has not moved") };
    let (_, current) = read(endpoint, &MOVED, "")?;
    is_secret(endpoint, &current, &MOVED, second, "utf-8")?;
    let (_, named) = read(endpoint, &MOVED, "?version=current")?;
    same("`current`", &named["value"], &json!(second))?;
    let (_, previous) = read(endpoint, &MOVED, "?version=previous")?;
    is_secret(endpoint, &previous, &MOVED, first, "utf-8")?;
    for (body, value) in [(&current, second), (&previous, first)] {
        let Some(id) = body["version"].as_str() else { return Err(crate::Stop::Failed("there is no version".into())) };
        let (_, by_id) = read(endpoint, &MOVED, &format!("?version={}", component(id)))?;
        is_secret(endpoint, &by_id, &MOVED, value, "utf-8")?;
        same("version", &by_id["version"], &json!(id))?;
    }
    holds("the two have different ids", current["version"] != previous["version"])
}

pub(super) fn cached(endpoint: &Endpoint) -> Verdict {
    read(endpoint, &TEXT, "")?;
    let (said, _) = read(endpoint, &TEXT, "")?;
    same("Cache-Status", said.header("cache-status"), "lockstep; hit")?;
    holds("Age is a number of seconds", said.header("age").parse::<u64>().is_ok())
}

pub(super) fn no_cache(endpoint: &Endpoint) -> Verdict {
    read(endpoint, &TEXT, "")?;
    let ask = endpoint.ask("GET", endpoint.path("secrets", TEXT.name)).with("cache-control", "no-cache");
    let said = endpoint.send(&ask)?;
    said.ok()?;
    same("Cache-Status", said.header("cache-status"), "lockstep; fwd=miss")?;
    same("Age", said.header("age"), "0")
}

pub(super) fn not_modified(endpoint: &Endpoint) -> Verdict {
    let (said, _) = read(endpoint, &TEXT, "")?;
    let tag = said.header("etag");
    holds("there is an ETag", tag.starts_with('"') || tag.starts_with("W/\""))?;
    holds("the ETag is not the value", !tag.contains("canary"))?;
    let ask = |tag: &str| endpoint.ask("GET", endpoint.path("secrets", TEXT.name)).with("if-none-match", tag);
    for held in [tag.to_owned(), format!("\"other\", {tag}"), "*".to_owned()] {
        let said = endpoint.send(&ask(&held))?;
        same(&format!("status for {held}"), said.status, 304)?;
        same("its body", said.body.len(), 0)?;
        same("its ETag", said.header("etag"), tag)?;
    }
    same("status for another tag", endpoint.send(&ask("\"other\""))?.status, 200)?;
    let nobody = endpoint.send(&ask(tag).by(None))?;
    holds("without a login it is not 304", matches!(nobody.status, 401 | 403))
}

pub(super) fn cursor(endpoint: &Endpoint) -> Verdict {
    let (said, _) = read(endpoint, &TEXT, "")?;
    let cursor = said.header("lockstep-cursor");
    if !endpoint.told().has_journal {
        same("Lockstep-Cursor without a journal", cursor, "")?;
        return skipped("it has no journal");
    }
    let numbers = cursor.split_once('.').map(|(epoch, seq)| (epoch.is_empty(), seq.parse::<u64>().is_ok()));
    same("Lockstep-Cursor has an epoch and a number", numbers, Some((false, true)))
}

pub(super) fn head(endpoint: &Endpoint) -> Verdict {
    let open = ["/health/live".to_owned(), "/health/ready".to_owned()];
    let routes = ["secrets", "metadata", "versions"].map(|route| endpoint.path(route, TEXT.name));
    for target in open.into_iter().chain(routes) {
        let (get, head) = (endpoint.get(&*target)?, endpoint.send(&endpoint.ask("HEAD", &*target))?);
        same(&target, head.status, get.status)?;
        same("its body", head.body.len(), 0)?;
        for name in ["content-type", "etag", "cache-control"] {
            same(name, head.header(name), get.header(name))?;
        }
    }
    let absent = endpoint.send(&endpoint.ask("HEAD", endpoint.path("secrets", ABSENT)))?;
    same("what is not there", (absent.status, absent.body.len()), (404, 0))
}

pub(super) fn batch(endpoint: &Endpoint) -> Verdict {
    let name = |seed: &str| endpoint.name(seed);
    let asked = json!({ "secrets": [
        { "name": name(TEXT.name) },
        { "name": name(ABSENT) },
        { "name": name(JSON.name), "key": "user", "provider": endpoint.told().provider },
        { "name": name(MOVED.name), "version": "previous" },
        { "name": "not/../a/name" },
        { "name": name(DENIED.name) },
        { "name": name(BINARY.name) },
        { "name": name(JSON.name), "key": "gone" },
        { "name": name(TEXT.name) },
    ]});
    let body = endpoint.post("/api/v1/secrets:batch", &asked)?.ok()?;
    let Some(results) = body["results"].as_array() else { return Err(crate::Stop::Failed(format!("{body}"))) };
    let denied = if endpoint.told().hides_denied { "not_found" } else { "denied" };
    let expected = [
        Ok(TEXT.current()),
        Err("not_found"),
        Ok("app"),
        Ok(MOVED.versions[0]),
        Err("invalid_name"),
        Err(denied),
        Ok(BINARY.current()),
        Err("version_not_found"),
        Ok(TEXT.current()),
    ];
    same("the number of results", results.len(), expected.len())?;
    for ((result, expected), item) in
        results.iter().zip(expected).zip(asked["secrets"].as_array().into_iter().flatten())
    {
        same("name", &result["name"], &item["name"])?;
        let found = match result["error"]["code"].as_str() {
            Some(code) => Err(code),
            None => Ok(result["secret"]["value"].as_str().unwrap_or_default()),
        };
        same(&format!("the result of {item}"), found, expected)?;
        if found.is_err() {
            holds("an error has its status and request id", {
                result["error"]["status"].is_u64() && result["error"]["request_id"].is_string()
            })?;
            holds("an error holds no value", !result.to_string().contains("canary") && result["secret"].is_null())?;
        }
    }
    Ok(())
}

/// As many as clients ask for at once.
pub(super) fn batch_of_twenty(endpoint: &Endpoint) -> Verdict {
    let name = |at: usize| endpoint.name(if at == 7 { ABSENT } else { TEXT.name });
    let items: Vec<Value> = (0..20).map(|at| json!({ "name": name(at) })).collect();
    let body = endpoint.post("/api/v1/secrets:batch", &json!({ "secrets": items }))?.ok()?;
    same("the number of results", body["results"].as_array().map(Vec::len), Some(20))?;
    for at in 0..20 {
        let (result, expected) = (&body["results"][at], if at == 7 { Value::Null } else { json!(TEXT.current()) });
        same("name", &result["name"], &json!(name(at)))?;
        same(&format!("the value of item {at}"), &result["secret"]["value"], &expected)?;
    }
    same("the one that fails", &body["results"][7]["error"]["code"], &json!("not_found"))
}

pub(super) fn batch_sizes(endpoint: &Endpoint) -> Verdict {
    endpoint.post("/api/v1/secrets:batch", &json!({ "secrets": [] }))?.problem(400, "invalid_parameter")?;
    // No endpoint can be told to take more.
    let many = vec![json!({ "name": "x" }); 1001];
    endpoint.post("/api/v1/secrets:batch", &json!({ "secrets": many }))?.problem(400, "invalid_parameter")?;
    Ok(())
}

pub(super) fn every_call(endpoint: &Endpoint) -> Verdict {
    let all = calls(endpoint.told()).map_err(crate::Stop::Failed)?;
    for call in all {
        if let Some(outcome) = outcome_over_http(endpoint, &call)? {
            call.check(&outcome).map_err(crate::Stop::Failed)?;
        }
    }
    Ok(())
}
