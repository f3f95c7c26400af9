//! What an answer says beside its body: the tag, the age, the cache, the cursor; and to HEAD and OPTIONS.

use serde_json::json;

use crate::endpoint::{Ask, Endpoint, Said, Verdict, component, holds, same};
use crate::seed::{JSON, TEXT};

/// Both spellings of a request for one secret.
fn spellings<'a>(endpoint: &Endpoint, method: &'a str, seed: &str) -> [Ask<'a>; 2] {
    let by_name = format!("/api/v1/secrets?name={}", component(&endpoint.name(seed)));
    [endpoint.path("secrets", seed), by_name].map(|target| endpoint.ask(method, target))
}

/// The headers that every answer about a held value has, with a body or without one.
fn is_of_a_held_value(endpoint: &Endpoint, said: &Said, tag: &str) -> Verdict {
    same("its body", said.body.len(), 0)?;
    same("ETag", said.header("etag"), tag)?;
    same("Cache-Control", said.header("cache-control"), "no-store")?;
    same("Cache-Status", said.header("cache-status"), "lockstep; hit")?;
    holds("Age is a number of seconds", said.header("age").parse::<u64>().is_ok())?;
    holds("there is an x-request-id", !said.header("x-request-id").is_empty())?;
    let cursor = said.header("lockstep-cursor");
    same("whether there is a Lockstep-Cursor", !cursor.is_empty(), endpoint.told().has_journal)
}

fn tag(endpoint: &Endpoint, target: impl Into<String>) -> Verdict<String> {
    let said = endpoint.get(target)?;
    said.ok()?;
    Ok(said.header("etag").to_owned())
}

pub(super) fn head(endpoint: &Endpoint) -> Verdict {
    let tag = tag(endpoint, endpoint.path("secrets", TEXT.name))?;
    for ask in spellings(endpoint, "HEAD", TEXT.name) {
        let said = endpoint.send(&ask)?;
        same("status", said.status, 200)?;
        is_of_a_held_value(endpoint, &said, &tag)?;
        let held = endpoint.send(&ask.with("if-none-match", &*tag))?;
        same("status for who holds it", held.status, 304)?;
        is_of_a_held_value(endpoint, &held, &tag)?;
    }
    let alias = &endpoint.told().provider;
    for target in [format!("/api/v1/secrets?provider={alias}&limit=1"), "/metrics".to_owned()] {
        let (get, head) = (endpoint.get(&*target)?, endpoint.send(&endpoint.ask("HEAD", &*target))?);
        same(&target, (head.status, head.body.len()), (200, 0))?;
        same("content-type", head.header("content-type"), get.header("content-type"))?;
    }
    let wrong = endpoint.ask("HEAD", format!("{}?verison=1", endpoint.path("secrets", TEXT.name)));
    same("a parameter that is not known", endpoint.send(&wrong)?.status, 400)
}

pub(super) fn not_modified(endpoint: &Endpoint) -> Verdict {
    let tag = tag(endpoint, endpoint.path("secrets", TEXT.name))?;
    for held in [tag.clone(), format!("W/{tag}")] {
        for ask in spellings(endpoint, "GET", TEXT.name) {
            let said = endpoint.send(&ask.with("if-none-match", &*held))?;
            same(&format!("status for {held}"), said.status, 304)?;
            is_of_a_held_value(endpoint, &said, &tag)?;
        }
    }
    Ok(())
}

pub(super) fn tag_of_a_part(endpoint: &Endpoint) -> Verdict {
    let whole = endpoint.path("secrets", JSON.name);
    let targets = [whole.clone(), format!("{whole}?key=user"), format!("{whole}?key=port")];
    let mut tags = Vec::new();
    for target in &targets {
        tags.push(tag(endpoint, &**target)?);
    }
    for (asked, target) in targets.iter().enumerate() {
        for (of, tag) in tags.iter().enumerate() {
            let said = endpoint.send(&endpoint.ask("GET", &**target).with("if-none-match", &**tag))?;
            same(
                &format!("{target} for the tag of {}", targets[of]),
                said.status,
                if of == asked { 304 } else { 200 },
            )?;
        }
    }
    Ok(())
}

pub(super) fn options(endpoint: &Endpoint) -> Verdict {
    let reads = ["secrets", "metadata", "versions"].map(|route| endpoint.path(route, TEXT.name));
    let more = ["/api/v1/secrets", "/metrics", "/health/live"].map(str::to_owned);
    let writes = [endpoint.path("rotate", TEXT.name), "/api/v1/secrets:batch".into(), "/api/v1/invalidate".into()];
    let reads = reads.into_iter().chain(more).map(|target| (target, "GET, HEAD"));
    for (target, allowed) in reads.chain(writes.into_iter().map(|target| (target, "POST"))) {
        let said = endpoint.send(&endpoint.ask("OPTIONS", &*target))?;
        said.problem(405, "method_not_allowed")?;
        same(&target, said.header("allow"), allowed)?;
    }
    Ok(())
}

pub(super) fn batch_cache(endpoint: &Endpoint) -> Verdict {
    endpoint.get(endpoint.path("secrets", TEXT.name))?.ok()?;
    let ask = endpoint.ask("POST", "/api/v1/secrets:batch");
    let ask = ask.json(&json!({ "secrets": [{ "name": endpoint.name(TEXT.name) }] }));
    same("of what is held", &endpoint.send(&ask)?.ok()?["results"][0]["cache"], &json!("hit"))?;
    let anew = endpoint.send(&ask.with("cache-control", "no-cache"))?.ok()?;
    same("of what is asked for anew", &anew["results"][0]["cache"], &json!("miss"))
}
