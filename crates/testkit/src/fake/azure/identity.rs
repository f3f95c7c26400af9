//! Identities that a machine has: the metadata service of virtual machines (IMDS), and App Service's endpoint.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::json;

use super::state::{State, Token};
use super::wire::{Query, answer};
use super::{CLIENT_ID, IDENTITY_HEADER};

/// How long the tokens of machines live.
const LIFETIME: u64 = 86_399;
/// IMDS hands out another token this long before the end.
const RENEWED_AHEAD: u64 = 3600;

fn refused(status: u16, code: &str, message: &str) -> Response<Bytes> {
    answer(status, &json!({ "error": code, "error_description": format!("{message} (c4n4ry)") }))
}

/// `GET /metadata/identity/oauth2/token`.
pub(super) fn imds(state: &mut State, now: u64, request: &Request<Bytes>, query: &Query) -> Response<Bytes> {
    if request.headers().get("metadata").is_none_or(|value| value != "true") {
        return refused(400, "invalid_request", "Required metadata header not specified");
    }
    if request.headers().contains_key("x-forwarded-for") {
        return refused(400, "invalid_request", "forwarded requests are not answered");
    }
    if !matches!(query.get("api-version"), Some("2018-02-01" | "2019-08-01" | "2021-02-01")) {
        return refused(400, "bad_request_102", "Required audience parameter or api-version not specified");
    }
    let Some(resource) = query.get("resource") else {
        return refused(400, "invalid_resource", "a resource is missing");
    };
    let Some(client) = identity(state, query, "msi_res_id") else {
        return refused(400, "invalid_request", "Identity not found");
    };
    let key = format!("{client} {resource}");
    let kept = state.imds.get(&key).cloned();
    let kept = kept.filter(|text| state.tokens.get(text).is_some_and(|token| token.expires > now + RENEWED_AHEAD));
    let given = kept.unwrap_or_else(|| state.give(Token::of(&client, resource, now, LIFETIME)));
    state.imds.insert(key, given.clone());
    let expires = state.tokens.get(&given).map_or(now, |token| token.expires);
    let body = json!({
        "access_token": given, "client_id": client, "resource": resource, "token_type": "Bearer",
        "expires_in": expires.saturating_sub(now).to_string(), "expires_on": expires.to_string(),
        "ext_expires_in": LIFETIME.to_string(), "not_before": now.to_string(),
    });
    answer(200, &body)
}

/// `GET /msi/token`.
pub(super) fn app_service(state: &mut State, now: u64, request: &Request<Bytes>, query: &Query) -> Response<Bytes> {
    if request.headers().get("x-identity-header").is_none_or(|value| value != IDENTITY_HEADER) {
        return refused(401, "Unauthorized", "the identity header is missing or wrong");
    }
    if query.get("api-version") != Some("2019-08-01") {
        return refused(400, "BadRequest", "the api-version is not known");
    }
    let Some(resource) = query.get("resource") else {
        return refused(400, "BadRequest", "a resource is missing");
    };
    let Some(client) = identity(state, query, "mi_res_id") else {
        return refused(400, "BadRequest", "no managed identity was found");
    };
    let given = state.give(Token::of(&client, resource, now, LIFETIME));
    // Here the end is the only time that is told.
    let body = json!({
        "access_token": given, "client_id": client, "expires_on": (now + LIFETIME).to_string(),
        "resource": resource, "token_type": "Bearer",
    });
    answer(200, &body)
}

/// The identity that is asked for, if the machine has it. Nobody may be asked for in two ways.
fn identity(state: &State, query: &Query, resource_id: &str) -> Option<String> {
    let asked: Vec<_> = ["client_id", "object_id", resource_id].iter().map(|name| query.get(name)).collect();
    match asked.as_slice() {
        [None, None, None] => state.system_assigned.then(|| CLIENT_ID.to_owned()),
        [client, object, resource] if asked.iter().flatten().count() == 1 => {
            let known = state.user_assigned.iter().find(|known| {
                client.is_none_or(|id| id == known.client_id)
                    && object.is_none_or(|id| id == known.object_id)
                    && resource.is_none_or(|id| id.eq_ignore_ascii_case(&known.resource_id))
            });
            known.map(|known| known.client_id.clone())
        }
        _ => None,
    }
}
