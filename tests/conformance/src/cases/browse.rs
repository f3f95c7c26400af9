//! Lists, metadata and versions: names and facts, never a value.

use serde_json::{Value, json};

use crate::endpoint::{Endpoint, Stop, Verdict, component, holds, same, skipped};
use crate::seed::{ABSENT, DENIED, MOVED, SEEDS, TAGGED, TEXT};

/// Enough pages for the seeds one by one, and a few more.
const MAX_PAGES: usize = 40;

fn listed(endpoint: &Endpoint, more: &str) -> Verdict<Value> {
    let alias = &endpoint.told().provider;
    let prefix = component(&format!("{}/", endpoint.told().prefix));
    let body = endpoint.get(format!("/api/v1/secrets?prefix={prefix}&provider={alias}{more}"))?.ok()?;
    holds("no value stands in a list", !body.to_string().contains("canary"))?;
    Ok(body)
}

fn names(body: &Value) -> Vec<&str> {
    let all = body["secrets"].as_array().into_iter().flatten();
    all.filter_map(|item| item["name"].as_str()).collect()
}

/// What the caller may see of the seeds.
fn visible(endpoint: &Endpoint) -> Vec<String> {
    let mut all: Vec<_> = SEEDS.iter().filter(|seed| **seed != DENIED).map(|seed| endpoint.name(seed.name)).collect();
    all.sort_unstable();
    all
}

pub(super) fn list(endpoint: &Endpoint) -> Verdict {
    let body = listed(endpoint, "")?;
    let mut found = names(&body);
    found.sort_unstable();
    same("the names", found, visible(endpoint))?;
    let nothing = component(&endpoint.name(ABSENT));
    let alias = &endpoint.told().provider;
    let body = endpoint.get(format!("/api/v1/secrets?prefix={nothing}&provider={alias}"))?.ok()?;
    same("what is listed below a name that is not there", names(&body).len(), 0)
}

pub(super) fn pages(endpoint: &Endpoint) -> Verdict {
    let mut found: Vec<String> = Vec::new();
    let mut page = String::new();
    for _ in 0..MAX_PAGES {
        let body = listed(endpoint, &format!("&limit=2{page}"))?;
        let names = names(&body);
        holds("a page is no longer than asked for", names.len() <= 2)?;
        found.extend(names.into_iter().map(str::to_owned));
        let Some(next) = body["next"].as_str() else {
            found.sort_unstable();
            return same("the names of all pages", found, visible(endpoint));
        };
        page = format!("&page={}", component(next));
    }
    Err(Stop::Failed(format!("there are more than {MAX_PAGES} pages")))
}

pub(super) fn tags(endpoint: &Endpoint) -> Verdict {
    let Some((tag, value)) = TAGGED.tag else { return skipped("the seed has no tag") };
    for query in [format!("&tag={tag}%3D{value}"), format!("&tag={tag}")] {
        let body = listed(endpoint, &query)?;
        same(&query, names(&body), [endpoint.name(TAGGED.name)])?;
    }
    same("another value", names(&listed(endpoint, &format!("&tag={tag}%3Dother"))?).len(), 0)
}

pub(super) fn metadata(endpoint: &Endpoint) -> Verdict {
    let body = endpoint.get(endpoint.path("metadata", TAGGED.name))?.ok()?;
    same("name", &body["name"], &json!(endpoint.name(TAGGED.name)))?;
    same("provider", &body["provider"], &json!(endpoint.told().provider))?;
    holds("it has a type and an id", body["type"].is_string() && body["id"].is_string())?;
    if let Some((tag, value)) = TAGGED.tag {
        same("its tag", &body["tags"][tag], &json!(value))?;
    }
    holds("it has no value", body["value"].is_null() && !body.to_string().contains("canary"))?;
    endpoint.get(endpoint.path("metadata", ABSENT))?.problem(404, "not_found")?;
    Ok(())
}

pub(super) fn version_pages(endpoint: &Endpoint) -> Verdict {
    let ids = |body: &Value| -> Vec<String> {
        let all = body["versions"].as_array().into_iter().flatten();
        all.filter_map(|item| item["version"].as_str().map(str::to_owned)).collect()
    };
    let target = endpoint.path("versions", MOVED.name);
    let mut whole = ids(&endpoint.get(&*target)?.ok()?);
    same("how many there are", whole.len(), MOVED.versions.len())?;
    let (mut found, mut page) = (Vec::new(), String::new());
    for _ in 0..MAX_PAGES {
        let body = endpoint.get(format!("{target}?limit=1{page}"))?.ok()?;
        let more = ids(&body);
        holds("a page is no longer than asked for", more.len() <= 1)?;
        found.extend(more);
        let Some(next) = body["next"].as_str() else {
            whole.sort_unstable();
            found.sort_unstable();
            return same("the versions of all pages", found, whole);
        };
        page = format!("&page={}", component(next));
    }
    Err(Stop::Failed(format!("there are more than {MAX_PAGES} pages")))
}

pub(super) fn versions(endpoint: &Endpoint) -> Verdict {
    let body = endpoint.get(endpoint.path("versions", MOVED.name))?.ok()?;
    same("name", &body["name"], &json!(endpoint.name(MOVED.name)))?;
    let all: Vec<&Value> = body["versions"].as_array().into_iter().flatten().collect();
    same("how many there are", all.len(), MOVED.versions.len())?;
    for version in &all {
        holds("each has an id", version["version"].is_string())?;
        same("its state", &version["state"], &json!("enabled"))?;
        holds("its labels are a list", version["labels"].is_array())?;
    }
    holds("no value stands in it", !body.to_string().contains("canary"))?;
    let current = endpoint.get(endpoint.path("secrets", MOVED.name))?.ok()?;
    holds("the current one is among them", all.iter().any(|version| version["version"] == current["version"]))?;
    let one = endpoint.get(format!("{}?limit=1", endpoint.path("versions", MOVED.name)))?.ok()?;
    holds("a limit holds", one["versions"].as_array().is_some_and(|page| page.len() <= 1))?;
    endpoint.get(endpoint.path("versions", ABSENT))?.problem(404, "not_found")?;
    endpoint.get(endpoint.path("versions", TEXT.name))?.ok().map(drop)
}
