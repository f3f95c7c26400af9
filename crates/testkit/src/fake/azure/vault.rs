//! The vault: secrets with versions, soft delete, and the challenge to who brings no good token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

use super::state::{Gone, Kept, Right, State, Version};
use super::wire::{Query, answer as answered, error};
use super::{RESOURCE, TENANT, encoded_claims};

const API_VERSIONS: [&str; 5] = ["7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];
const PAGE: usize = 25;
const VALUE_BYTES: usize = 25 << 10;
/// How long a deleted secret can be recovered.
const RETENTION: u64 = 90 * 86_400;

pub(super) fn answer(state: &mut State, now: u64, request: &Request<Bytes>, query: &Query) -> Response<Bytes> {
    if let Some(challenge) = challenge(state, now, request) {
        return challenge;
    }
    if !query.get("api-version").is_some_and(|version| API_VERSIONS.contains(&version)) {
        return error(400, "BadParameter", "The specified version is not recognized", None);
    }
    let path = request.uri().path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    if path.contains('%') || parts.contains(&"") {
        return error(400, "BadParameter", "the path is no path of this API", None);
    }
    let right = match (request.method(), parts.as_slice()) {
        (&Method::GET, ["deletedsecrets", ..]) => Right::Deleted,
        (&Method::GET, ["secrets"] | ["secrets", _, "versions"]) => Right::List,
        (&Method::GET, _) => Right::Get,
        _ => Right::Write,
    };
    if let Some(reason) = state.denied.get(&right) {
        return error(403, "Forbidden", "Caller is not authorized to perform action on resource", Some(reason));
    }
    if let Some(name) = parts.get(1)
        && !is_name(name)
    {
        return error(400, "BadParameter", "the name does not match the pattern", None);
    }
    match (request.method(), parts.as_slice()) {
        (&Method::GET, ["secrets"]) => list(state, query, "/secrets"),
        (&Method::GET, ["deletedsecrets"]) => list(state, query, "/deletedsecrets"),
        (&Method::GET, ["secrets", name, "versions"]) => versions(state, query, name),
        (&Method::GET, ["secrets", name]) => get(state, name, None),
        (&Method::GET, ["secrets", name, version]) => get(state, name, Some(version)),
        (&Method::GET, ["deletedsecrets", name]) => match state.deleted.get(&name.to_ascii_lowercase()) {
            Some(gone) => answered(200, &deleted(state, gone)),
            None => not_found(name),
        },
        (&Method::PUT, ["secrets", name]) => put(state, now, name, request),
        (&Method::PATCH, ["secrets", name]) => patch(state, now, name, None, request),
        (&Method::PATCH, ["secrets", name, version]) => patch(state, now, name, Some(version), request),
        (&Method::DELETE, ["secrets", name]) => {
            let Some(kept) = state.secrets.remove(&name.to_ascii_lowercase()) else { return not_found(name) };
            let gone = Gone { kept, deleted: now };
            let body = deleted(state, &gone);
            state.deleted.insert(name.to_ascii_lowercase(), gone);
            answered(200, &body)
        }
        (&Method::POST, ["deletedsecrets", name, "recover"]) => {
            let Some(gone) = state.deleted.remove(&name.to_ascii_lowercase()) else { return not_found(name) };
            let body = newest(&gone.kept).map(|(id, version)| bundle(state, &gone.kept, Some(id), version));
            state.secrets.insert(name.to_ascii_lowercase(), gone.kept);
            answered(200, &body.unwrap_or_default())
        }
        (&Method::DELETE, ["deletedsecrets", name]) => match state.deleted.remove(&name.to_ascii_lowercase()) {
            Some(_) => answered(204, &Value::Null),
            None => not_found(name),
        },
        _ => error(405, "MethodNotAllowed", "there is no such operation", None),
    }
}

/// The 401 to who brings no token that is good here.
fn challenge(state: &State, now: u64, request: &Request<Bytes>) -> Option<Response<Bytes>> {
    let header = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    let token = header.and_then(|text| text.strip_prefix("Bearer ")).and_then(|text| state.tokens.get(text));
    let is_good = token.is_some_and(|token| {
        token.tenant == TENANT
            && token.resource.trim_end_matches('/') == RESOURCE
            && token.expires > now
            && !token.revoked
            && !token.client.is_empty()
    });
    let given = token.and_then(|token| token.claims.as_deref());
    let claims = state.required_claims.as_deref().filter(|wanted| is_good && !meets(given, wanted));
    if is_good && claims.is_none() {
        return None;
    }
    let authorization = format!("{}/{TENANT}", state.login_url);
    let text = match (&state.challenge, claims) {
        (Some(text), _) => text.clone(),
        (None, Some(claims)) => format!(
            "Bearer realm=\"\", authorization_uri=\"{authorization}\", error=\"insufficient_claims\", claims=\"{}\"",
            encoded_claims(claims)
        ),
        (None, None) => format!("Bearer authorization=\"{authorization}\", resource=\"{RESOURCE}\""),
    };
    let message = if header.is_some() { "AKV10032: the token is not valid" } else { "AKV10000: a token is missing" };
    let mut answer = error(401, "Unauthorized", message, None);
    let text = text.parse().unwrap_or_else(|_| panic!("challenge {text:?}"));
    answer.headers_mut().insert("www-authenticate", text);
    Some(answer)
}

/// Whether a token was asked for with at least these claims.
fn meets(given: Option<&str>, wanted: &str) -> bool {
    fn holds(given: &Value, wanted: &Value) -> bool {
        match (given, wanted) {
            (Value::Object(given), Value::Object(wanted)) => {
                wanted.iter().all(|(name, value)| given.get(name).is_some_and(|given| holds(given, value)))
            }
            (given, wanted) => given == wanted,
        }
    }
    let parsed = |text| serde_json::from_str::<Value>(text).ok();
    given.and_then(parsed).zip(parsed(wanted)).is_some_and(|(given, wanted)| holds(&given, &wanted))
}

fn is_name(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn not_found(name: &str) -> Response<Bytes> {
    let message = format!("A secret with (name/id) {name} was not found in this key vault");
    error(404, "SecretNotFound", &message, None)
}

/// The version that was made last, enabled or not.
fn newest(kept: &Kept) -> Option<(&str, &Version)> {
    kept.versions.iter().max_by_key(|(_, version)| version.number).map(|(id, version)| (id.as_str(), version))
}

fn get(state: &State, name: &str, version: Option<&str>) -> Response<Bytes> {
    let Some(kept) = state.secrets.get(&name.to_ascii_lowercase()) else { return not_found(name) };
    let found = match version {
        None => newest(kept),
        Some(asked) => kept.versions.get_key_value(asked).map(|(id, version)| (id.as_str(), version)),
    };
    let Some((id, version)) = found else { return not_found(name) };
    if !version.enabled {
        let message = "Operation get is not allowed on a disabled secret.";
        return error(403, "Forbidden", message, Some("SecretDisabled"));
    }
    let mut body = bundle(state, kept, Some(id), version);
    body["value"] = json!(version.value);
    answered(200, &body)
}

/// A secret without its value.
fn bundle(state: &State, kept: &Kept, id: Option<&str>, version: &Version) -> Value {
    let mut attributes = json!({
        "enabled": version.enabled, "created": version.created, "updated": version.updated,
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": RETENTION / 86_400,
    });
    for (name, time) in [("nbf", version.nbf), ("exp", version.exp)] {
        if let Some(time) = time {
            attributes[name] = json!(time);
        }
    }
    let id = id.map_or_else(String::new, |id| format!("/{id}"));
    let mut body = json!({ "id": format!("{}/secrets/{}{id}", state.vault_url, kept.name), "attributes": attributes });
    if !version.tags.is_empty() {
        body["tags"] = json!(version.tags);
    }
    if let Some(kind) = &version.content_type {
        body["contentType"] = json!(kind);
    }
    body
}

fn deleted(state: &State, gone: &Gone) -> Value {
    let newest = newest(&gone.kept);
    let mut body = newest.map(|(id, version)| bundle(state, &gone.kept, Some(id), version)).unwrap_or_default();
    body["recoveryId"] = json!(format!("{}/deletedsecrets/{}", state.vault_url, gone.kept.name));
    body["deletedDate"] = json!(gone.deleted);
    body["scheduledPurgeDate"] = json!(gone.deleted + RETENTION);
    body
}

fn list(state: &State, query: &Query, path: &str) -> Response<Bytes> {
    let items: Vec<Value> = if path == "/secrets" {
        let newest = |kept: &Kept| newest(kept).map(|(_, version)| bundle(state, kept, None, version));
        state.secrets.values().filter_map(newest).collect()
    } else {
        let shown = |gone: &Gone| {
            let mut body = deleted(state, gone);
            body["id"] = json!(format!("{}/secrets/{}", state.vault_url, gone.kept.name));
            body
        };
        state.deleted.values().map(shown).collect()
    };
    page(state, query, path, &items)
}

fn versions(state: &State, query: &Query, name: &str) -> Response<Bytes> {
    let items: Vec<Value> = match state.secrets.get(&name.to_ascii_lowercase()) {
        Some(kept) => kept.versions.iter().map(|(id, version)| bundle(state, kept, Some(id), version)).collect(),
        None if state.missing_versions_are_404 => return not_found(name),
        None => Vec::new(),
    };
    page(state, query, &format!("/secrets/{name}/versions"), &items)
}

/// A page, and the link to the next one: absolute, with the port, and with a token that fits this list alone.
fn page(state: &State, query: &Query, path: &str, items: &[Value]) -> Response<Bytes> {
    let size = match query.get("maxresults").map(str::parse::<usize>) {
        None => PAGE,
        Some(Ok(size)) if (1..=PAGE).contains(&size) => size,
        Some(_) => return error(400, "BadParameter", "maxresults is from 1 to 25", None),
    };
    let start = match query.get("$skiptoken").map(|token| position(token, path)) {
        None => 0,
        Some(Some(start)) => start,
        Some(None) => return error(400, "BadParameter", "the skiptoken is not one of this list", None),
    };
    let value: Vec<&Value> = items.iter().skip(start).take(size).collect();
    let end = start + value.len();
    let next = (end < items.len()).then(|| {
        let token = STANDARD.encode(json!({ "NextMarker": format!("2!{end}!{path}") }).to_string());
        let token = token.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
        let version = query.get("api-version").unwrap_or_default();
        let has_port = state.vault_url.matches(':').count() > 1;
        let port = if has_port { "" } else { ":443" };
        format!("{}{port}{path}?api-version={version}&$skiptoken={token}&maxresults={size}", state.vault_url)
    });
    answered(200, &json!({ "value": value, "nextLink": next }))
}

fn position(token: &str, path: &str) -> Option<usize> {
    let marker: Value = serde_json::from_slice(&STANDARD.decode(token).ok()?).ok()?;
    let (position, of) = marker["NextMarker"].as_str()?.strip_prefix("2!")?.split_once('!')?;
    position.parse().ok().filter(|_| of == path)
}

/// A body of a write, in JSON and said to be so.
fn written(request: &Request<Bytes>) -> Option<Map<String, Value>> {
    let kind = request.headers().get("content-type")?.to_str().ok()?;
    let body = serde_json::from_slice(request.body()).ok()?;
    kind.starts_with("application/json").then_some(body)
}

fn put(state: &mut State, now: u64, name: &str, request: &Request<Bytes>) -> Response<Bytes> {
    let bad = |what: &str| error(400, "BadParameter", what, None);
    let Some(body) = written(request) else { return bad("the body is no JSON") };
    let Some(value) = body.get("value").and_then(Value::as_str) else { return bad("the value is missing") };
    if value.len() > VALUE_BYTES {
        return bad("the value is too long");
    }
    let key = name.to_ascii_lowercase();
    if state.deleted.contains_key(&key) {
        let message = "Secret is currently in a deleted but recoverable state, and its name cannot be reused";
        return error(409, "Conflict", message, Some("ObjectIsDeletedButRecoverable"));
    }
    let created = state.date(now);
    let number = state.serial();
    let mut version = Version {
        value: value.to_owned(),
        content_type: None,
        enabled: true,
        nbf: None,
        exp: None,
        created,
        updated: created,
        tags: std::collections::BTreeMap::new(),
        number,
    };
    if let Err(what) = change(&mut version, &body) {
        return bad(what);
    }
    let id = state.id();
    let kept = state.secrets.entry(key.clone());
    let kept = kept.or_insert_with(|| Kept { name: name.to_owned(), versions: std::collections::BTreeMap::new() });
    kept.versions.insert(id.clone(), version);
    get_written(state, &key, &id)
}

/// What a write answers: the version with its value, enabled or not.
fn get_written(state: &State, key: &str, id: &str) -> Response<Bytes> {
    let Some((kept, version)) = state.secrets.get(key).and_then(|kept| Some((kept, kept.versions.get(id)?))) else {
        return not_found(key);
    };
    let mut body = bundle(state, kept, Some(id), version);
    body["value"] = json!(version.value);
    answered(200, &body)
}

fn patch(state: &mut State, now: u64, name: &str, version: Option<&str>, request: &Request<Bytes>) -> Response<Bytes> {
    let bad = |what: &str| error(400, "BadParameter", what, None);
    let Some(body) = written(request) else { return bad("the body is no JSON") };
    if body.contains_key("value") {
        return bad("a value is never changed");
    }
    let key = name.to_ascii_lowercase();
    let updated = state.date(now);
    let Some(kept) = state.secrets.get_mut(&key) else { return not_found(name) };
    let id = version.or_else(|| newest(kept).map(|(id, _)| id)).unwrap_or_default().to_owned();
    let Some(version) = kept.versions.get_mut(&id) else { return not_found(name) };
    if let Err(what) = change(version, &body) {
        return bad(what);
    }
    version.updated = updated;
    let Some((kept, version)) = state.secrets.get(&key).and_then(|kept| Some((kept, kept.versions.get(&id)?))) else {
        return not_found(name);
    };
    answered(200, &bundle(state, kept, Some(&id), version))
}

/// Takes over what a body says of a version.
fn change(version: &mut Version, body: &Map<String, Value>) -> Result<(), &'static str> {
    if let Some(kind) = body.get("contentType").filter(|kind| !kind.is_null()) {
        version.content_type = Some(kind.as_str().ok_or("contentType is a text")?.to_owned());
    }
    if let Some(tags) = body.get("tags").filter(|tags| !tags.is_null()) {
        let tags = tags.as_object().ok_or("tags are an object")?;
        if tags.len() > 15 || tags.values().any(|value| !value.is_string()) {
            return Err("tags are fifteen texts at most");
        }
        version.tags = tags.clone().into_iter().collect();
    }
    let Some(attributes) = body.get("attributes").filter(|attributes| !attributes.is_null()) else { return Ok(()) };
    let attributes = attributes.as_object().ok_or("attributes are an object")?;
    for (name, value) in attributes.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "enabled" => version.enabled = value.as_bool().ok_or("enabled is true or false")?,
            "nbf" => version.nbf = Some(value.as_u64().ok_or("nbf is a number of seconds")?),
            "exp" => version.exp = Some(value.as_u64().ok_or("exp is a number of seconds")?),
            _ => return Err("there is no such attribute to set"),
        }
    }
    if version.nbf.zip(version.exp).is_some_and(|(begins, ends)| ends <= begins) {
        return Err("exp is before nbf");
    }
    Ok(())
}
