//! What changes something: ask for a rotation, say that a value no longer works, drop what is cached. POST only.

use bytes::Bytes;
use http::Response;
use lockstep_core::{Invalidation, SecretName};
use serde::Deserialize;

use super::{alias, body, name, no_body, respond, write_version};
use crate::api::{Api, Exchange, Stop};
use crate::body::Json;
use crate::query::Query;
use crate::refusal::Refusal;

/// `POST /api/v1/rotate/{name…}?provider=`
pub(super) async fn rotate(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let query = Query::parse(exchange.target(), &["name", "provider"], &[])?;
    no_body(exchange)?;
    let (alias, name, call) = (alias(query.get("provider"))?, name(exchange, &query)?, exchange.call(api));
    let rotation = api.resolver().rotate(&call, &exchange.who, alias.as_ref(), &name).await?;
    let mut json = Json::with_capacity(256);
    json.open();
    json.text("name", Some(name.as_str()));
    write_version(&mut json, rotation.version.as_ref());
    json.close();
    Ok(respond(json.into_body()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    version: String,
}

/// `POST /api/v1/report-stale/{name…}?provider= {"version"}`
pub(super) fn report_stale(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    const SHAPE: &str = r#"{"version": "…"}, with the version that no longer works"#;
    let query = Query::parse(exchange.target(), &["name", "provider"], &[])?;
    let (alias, name) = (alias(query.get("provider"))?, name(exchange, &query)?);
    let Report { version } = body(exchange, SHAPE)?;
    if version.is_empty() {
        return Err(Refusal::Parameter(format!("the body must be {SHAPE}").into()).into());
    }
    api.crowd().check_report(&exchange.who, &**api.clock())?;
    let call = exchange.call(api);
    let reported = api.resolver().report_stale(&call, &exchange.who, alias.as_ref(), &name, &version)?;
    let mut json = Json::with_capacity(64);
    json.open();
    json.text("name", Some(name.as_str()));
    json.text("outcome", Some(reported.as_str()));
    json.close();
    Ok(respond(json.into_body()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drop {
    name: Option<String>,
    prefix: Option<String>,
    provider: Option<String>,
}

/// `POST /api/v1/invalidate {"name" | "prefix", "provider"?}`
pub(super) fn invalidate(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    const SHAPE: &str = r#"{"name": "…"} or {"prefix": "…"}, with "provider" if only one is meant"#;
    Query::parse(exchange.target(), &[], &[])?;
    let wanted: Drop = body(exchange, SHAPE)?;
    let parse = |text: &str| SecretName::parse(text).map_err(|error| Refusal::Invalid(error.into()));
    let what = match (&wanted.name, &wanted.prefix) {
        (Some(name), None) => Invalidation::Name(parse(name)?),
        (None, Some(prefix)) => Invalidation::Prefix(parse(prefix)?),
        _ => return Err(Refusal::Parameter(format!("the body must be {SHAPE}").into()).into()),
    };
    let alias = alias(wanted.provider.as_deref())?;
    let dropped = api.resolver().invalidate(&exchange.call(api), &exchange.who, alias.as_ref(), &what)?;
    let mut json = Json::with_capacity(32);
    json.open();
    json.key("invalidated");
    json.number(dropped as u64);
    json.close();
    Ok(respond(json.into_body()))
}
