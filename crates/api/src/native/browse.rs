//! Lists, metadata and versions: names and facts, never a value.

use bytes::Bytes;
use http::Response;
use lockstep_core::{Described, ErrorKind, Filter, Paged, VersionInfo, VersionState};

use super::{alias, name, page, respond, write_labels, write_time, write_version};
use crate::api::{Api, Exchange, Stop};
use crate::body::Json;
use crate::query::Query;
use crate::refusal::Refusal;

/// How many `tag` parameters one request may have.
const MAX_TAGS: usize = 20;

/// `GET /api/v1/secrets?prefix=&provider=&tag=&page=&limit=`; `tag` is `name` or `name=value` and may be repeated.
pub(super) async fn list(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let query = Query::parse(exchange.target(), &["prefix", "provider", "page", "limit"], &["tag"])?;
    let tags: Vec<_> = query
        .all("tag")
        .map(|tag| match tag.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (tag.to_owned(), None),
        })
        .collect();
    if tags.len() > MAX_TAGS || tags.iter().any(|(name, _)| name.is_empty()) {
        let text = format!("tag must be `name` or `name=value`, at most {MAX_TAGS} times");
        return Err(Refusal::Parameter(text.into()).into());
    }
    let alias = alias(query.get("provider"))?;
    let prefix = prefix(query.get("prefix").unwrap_or_default())?;
    let (page, call) = (page(api, &query)?, exchange.call(api));
    let is_named = api.hides_denied() && alias.is_some();
    let found = match api.resolver().list(&call, &exchange.who, alias.as_ref(), prefix, &Filter { tags }, page).await {
        // As a list of what is not there: a provider that is not there and one for others are told alike.
        Err(error) if api.hides(&error) || (is_named && error.kind() == ErrorKind::InvalidReference) => {
            Paged { items: Vec::new(), next: None }
        }
        found => found?,
    };
    let mut json = Json::with_capacity(64 + 256 * found.items.len());
    json.open();
    json.key("secrets");
    json.open_list();
    for item in &found.items {
        write_metadata(&mut json, item);
    }
    json.close_list();
    json.text("next", found.next.as_deref());
    json.close();
    Ok(respond(json.into_body()))
}

/// A prefix is not a whole name: it may end in the middle of a segment, or with `/`. What stands before is one.
fn prefix(text: &str) -> Result<&str, Refusal> {
    let whole = text.strip_suffix('/').unwrap_or(text);
    if !whole.is_empty() {
        lockstep_core::SecretName::parse(whole).map_err(|error| Refusal::Invalid(error.into()))?;
    }
    Ok(text)
}

/// `GET /api/v1/metadata/{name…}?provider=`
pub(super) async fn metadata(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let query = Query::parse(exchange.target(), &["name", "provider"], &[])?;
    let (alias, name, call) = (alias(query.get("provider"))?, name(exchange, &query)?, exchange.call(api));
    let found = api.resolver().describe(&call, &exchange.who, alias.as_ref(), &name).await?;
    let mut json = Json::with_capacity(512);
    write_metadata(&mut json, &found);
    Ok(respond(json.into_body()))
}

/// `GET /api/v1/versions/{name…}?provider=&page=&limit=`
pub(super) async fn versions(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let query = Query::parse(exchange.target(), &["name", "provider", "page", "limit"], &[])?;
    let (alias, name) = (alias(query.get("provider"))?, name(exchange, &query)?);
    let (page, call) = (page(api, &query)?, exchange.call(api));
    let found = api.resolver().versions(&call, &exchange.who, alias.as_ref(), &name, page).await?;
    let mut json = Json::with_capacity(64 + 160 * found.items.len());
    json.open();
    json.text("name", Some(name.as_str()));
    json.key("versions");
    json.open_list();
    for item in &found.items {
        write_info(&mut json, item);
    }
    json.close_list();
    json.text("next", found.next.as_deref());
    json.close();
    Ok(respond(json.into_body()))
}

fn write_metadata(json: &mut Json, described: &Described) {
    let item = &described.metadata;
    json.open();
    json.text("name", Some(item.name.as_str()));
    json.text("id", Some(item.id.name.as_str()));
    json.text("provider", Some(described.provider.as_str()));
    json.text("type", Some(&item.id.scope.parts().provider));
    write_version(json, item.version.as_ref());
    json.text("description", item.description.as_deref());
    json.key("tags");
    json.open();
    for (name, value) in &item.tags {
        json.text(name, Some(value));
    }
    json.close();
    write_time(json, "created", item.created);
    write_time(json, "changed", item.changed);
    write_time(json, "next_rotation", item.next_rotation);
    if let Some(enabled) = item.rotation_enabled {
        json.key("rotation_enabled");
        json.raw(if enabled { b"true" } else { b"false" });
    }
    write_time(json, "deleted", item.deleted);
    json.close();
}

fn write_info(json: &mut Json, item: &VersionInfo) {
    json.open();
    write_version(json, Some(&item.version));
    write_labels(json, &item.labels);
    write_time(json, "created", item.created);
    let state = match item.state {
        VersionState::Enabled => "enabled",
        VersionState::Disabled => "disabled",
        VersionState::Deleted => "deleted",
        VersionState::Destroyed => "destroyed",
    };
    json.text("state", Some(state));
    json.close();
}
