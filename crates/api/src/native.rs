//! The native API under `/api/v1/`: JSON in, JSON out, problem documents for failures.
//!
//! A name is the rest of the path or `?name=`; it is parsed here, once. Which caller may see what is the resolver's.

mod batch;
mod browse;
#[cfg(feature = "changes")]
mod changes;
mod control;
mod secret;
mod tags;

use std::borrow::Cow;

use bytes::Bytes;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use lockstep_core::{
    Alias, CacheStatus, Encoding, Error, ErrorKind, Field, KeyPath, MAX_SELECTOR_BYTES, Page, SecretName, UnixMillis,
    Version,
};

#[cfg(all(test, feature = "openapi"))]
pub(crate) use self::changes::{MAX_CHANGES, MAX_WAIT};
pub(crate) use self::tags::Tags;
use crate::api::{Api, Exchange, Stop};
use crate::body::Json;
use crate::query::Query;
use crate::refusal::Refusal;
use crate::routes::Where;

/// Answers a route of this surface.
pub(crate) async fn answer(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    match exchange.to() {
        Where::Secret => secret::read(api, exchange).await,
        // One path, two questions: with a name it is about one secret.
        Where::Secrets if asks_by_name(exchange)? => secret::read(api, exchange).await,
        Where::Secrets => browse::list(api, exchange).await,
        Where::Batch => batch::read(api, exchange).await,
        Where::Metadata => browse::metadata(api, exchange).await,
        Where::Versions => browse::versions(api, exchange).await,
        Where::Rotate => control::rotate(api, exchange).await,
        Where::ReportStale => control::report_stale(api, exchange),
        Where::Invalidate => control::invalidate(api, exchange),
        #[cfg(feature = "changes")]
        Where::Changes => changes::read(api, exchange).await,
        _ => Err(Refusal::Route.into()),
    }
}

/// Answers from the cache; `None` when that can't be done without waiting.
pub(crate) fn answer_at_once(api: &Api, exchange: &Exchange<'_>) -> Option<Response<Bytes>> {
    secret::read_at_once(api, exchange)
}

fn asks_by_name(exchange: &Exchange<'_>) -> Result<bool, Refusal> {
    for pair in exchange.target().parameters() {
        if pair.map_err(|_| Refusal::Target)?.0 == "name" {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The name that a request is about: the rest of its path, or `?name=`.
fn name(exchange: &Exchange<'_>, query: &Query<'_>) -> Result<SecretName, Refusal> {
    let text = match (exchange.rest(), query.get("name")) {
        ("", Some(name)) => name,
        ("", None) => return Err(Refusal::Parameter("missing parameter name".into())),
        (_, Some(_)) => {
            return Err(Refusal::Parameter("the name stands in the path and in `name`; send it once".into()));
        }
        (rest, None) => rest,
    };
    SecretName::parse(text).map_err(|error| Refusal::Invalid(error.into()))
}

fn alias(text: Option<&str>) -> Result<Option<Alias>, Refusal> {
    let parse = |text| Alias::parse(text).map_err(|error| invalid(error.to_string()));
    text.map(parse).transpose()
}

fn key(text: Option<&str>) -> Result<Option<KeyPath>, Refusal> {
    text.map(|text| KeyPath::parse(text).map_err(|error| Refusal::Invalid(error.into()))).transpose()
}

fn selector(text: Option<&str>) -> Result<Option<Box<str>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    if text.is_empty() || text.len() > MAX_SELECTOR_BYTES || text.chars().any(char::is_control) {
        let message =
            format!("a version is an id, a label, `current` or `previous`, of at most {MAX_SELECTOR_BYTES} bytes");
        return Err(invalid(message));
    }
    Ok(Some(text.into()))
}

fn page(api: &Api, query: &Query<'_>) -> Result<Page, Refusal> {
    let most = api.limits().page_items;
    let limit = query.get("limit").map(|text| match text.parse() {
        Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
        _ => Err(Refusal::Parameter(format!("limit must be a number from 1 to {most}").into())),
    });
    let after = query.get("page");
    if after.is_some_and(str::is_empty) {
        return Err(Refusal::Parameter("page must be what `next` said; leave it out to begin".into()));
    }
    Ok(Page { token: after.map(str::to_owned), limit: limit.transpose()? })
}

fn invalid(message: impl Into<Box<str>>) -> Refusal {
    Refusal::Invalid(Error::new(ErrorKind::InvalidReference, message))
}

/// Refuses a body on a POST that says everything in its path.
fn no_body(exchange: &Exchange<'_>) -> Result<(), Refusal> {
    if exchange.body.is_empty() { Ok(()) } else { Err(Refusal::Parameter("this route takes no body".into())) }
}

/// Reads a JSON body. The parser's own message is left out: it can quote what was sent.
fn body<'a, T: serde::Deserialize<'a>>(exchange: &'a Exchange<'_>, shape: &'static str) -> Result<T, Refusal> {
    serde_json::from_slice(&exchange.body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Refusal::Parameter(Cow::Owned(format!("the body is not {shape}; look at line {line}, column {column}")))
    })
}

/// An answer of 200.
pub(crate) fn respond(body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// The value as text, unless the provider stores it as bytes or it is no UTF-8.
pub(crate) fn text_of(field: &Field) -> Option<&str> {
    field.value.expose_text().filter(|_| field.encoding != Encoding::Binary)
}

/// `Cache-Status` (RFC 9211). What is stale says so, and why.
pub(crate) fn cache_status(status: CacheStatus) -> HeaderValue {
    match status {
        CacheStatus::Hit => HeaderValue::from_static("lockstep; hit"),
        CacheStatus::Miss => HeaderValue::from_static("lockstep; fwd=miss"),
        CacheStatus::Stale(kind) => HeaderValue::from_str(&format!("lockstep; hit; detail=stale-{}", kind.code()))
            .unwrap_or(HeaderValue::from_static("lockstep; hit; detail=stale")),
    }
}

fn write_time(json: &mut Json, key: &str, time: Option<UnixMillis>) {
    json.text(key, time.map(UnixMillis::to_rfc3339).as_deref());
}

fn write_version(json: &mut Json, version: Option<&Version>) {
    json.text("version", version.map(|version| &*version.id));
    if let Some(order) = version.and_then(|version| version.order) {
        json.key("order");
        json.number(order);
    }
}

fn write_labels(json: &mut Json, labels: &[Box<str>]) {
    json.key("labels");
    json.open_list();
    for label in labels {
        json.string(label.as_bytes());
    }
    json.close_list();
}
