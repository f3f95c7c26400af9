//! `GET /api/v1/secrets/{name…}`: one value, with what is known of it.

use bytes::Bytes;
use http::header::{AGE, CACHE_STATUS, ETAG, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use lockstep_core::{Answer, Ask, Cursor, Field, KeyPath, Payload, Result};

use super::{
    alias, cache_status, key, name, respond, selector, tags, text_of, write_labels, write_time, write_version,
};
use crate::api::{Api, Exchange, Stop};
use crate::body::{Json, kept, room};
use crate::query::Query;
use crate::refusal::Refusal;

const CURSOR: HeaderName = HeaderName::from_static("lockstep-cursor");

/// Whose form a kept answer has.
const SURFACE: &str = "native";

/// Reads, and waits if it has to.
pub(super) async fn read(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let (ask, key) = ask(exchange)?;
    let answer = api.resolver().get(&exchange.call(api), &exchange.who, &ask).await?;
    Ok(release(api, exchange, &answer, key.as_ref())?)
}

/// Answers from the cache; `None` when that can't be done without waiting, or fails.
pub(super) fn read_at_once(api: &Api, exchange: &Exchange<'_>) -> Option<Response<Bytes>> {
    // A part of the value may not be there: that failure is told by the one who waits.
    let (ask, None) = ask(exchange).ok()? else { return None };
    let answer = exchange.get_at_once(api, &ask)?;
    release(api, exchange, &answer, None).ok()
}

fn ask(exchange: &Exchange<'_>) -> Result<(Ask, Option<KeyPath>), Refusal> {
    let query = Query::parse(exchange.target(), &["name", "provider", "version", "key"], &[])?;
    let ask = Ask {
        alias: alias(query.get("provider"))?,
        name: name(exchange, &query)?,
        selector: selector(query.get("version"))?,
        skip_cache: exchange.head.no_cache,
    };
    Ok((ask, key(query.get("key"))?))
}

fn release(api: &Api, exchange: &Exchange<'_>, answer: &Answer, key: Option<&KeyPath>) -> Result<Response<Bytes>> {
    let (body, tag) = if key.is_none() {
        whole(api, answer)?
    } else {
        let mut json = Json::with_capacity(room(answer));
        write(&mut json, answer, key)?;
        (json.into_body(), api.tags().of(&answer.secret, key))
    };
    // Only now, after authorization, freshness and audit, does it count what the caller holds.
    let held = tag.as_ref().is_some_and(|tag| tags::matches(exchange.head.if_none_match, tag));
    let mut response = respond(body);
    if held {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(http::header::CONTENT_TYPE);
    }
    let headers = response.headers_mut();
    if let Some(tag) = tag {
        headers.insert(ETAG, tag);
    }
    headers.insert(AGE, HeaderValue::from(answer.age.as_secs()));
    headers.insert(CACHE_STATUS, cache_status(answer.status));
    if let Some(Cursor { epoch, seq }) = answer.cursor
        && let Ok(cursor) = HeaderValue::from_str(&format!("{epoch}.{seq}"))
    {
        headers.insert(CURSOR, cursor);
    }
    Ok(response)
}

/// The object of a whole secret, and its tag.
pub(super) fn whole(api: &Api, answer: &Answer) -> Result<(Bytes, Option<HeaderValue>)> {
    kept(answer, SURFACE, || api.tags().of(&answer.secret, None), |json| write(json, answer, None))
}

/// Writes the object of a released secret, or of a part of it.
pub(super) fn write(json: &mut Json, answer: &Answer, key: Option<&KeyPath>) -> Result<()> {
    let secret = &answer.secret;
    json.open();
    json.text("name", Some(secret.name.as_str()));
    json.text("id", Some(secret.id.name.as_str()));
    json.text("provider", Some(answer.alias.as_str()));
    match (&secret.payload, key) {
        (payload, Some(key)) => {
            json.text("key", Some(key.as_str()));
            let named = |error: lockstep_core::Error| error.on(&secret.name).from_provider(&answer.alias);
            write_value(json, &payload.select(key).map_err(named)?);
        }
        (Payload::Whole(field), None) => write_value(json, field),
        (fields @ Payload::Fields(_), None) => write_value(json, &fields.to_field()?),
    }
    write_version(json, secret.version.as_ref());
    write_labels(json, &secret.labels);
    write_time(json, "created", secret.created);
    write_time(json, "expires", secret.expires);
    if let Some(lease) = &secret.lease {
        json.key("lease");
        json.open();
        json.key("seconds");
        json.number(lease.duration.as_secs());
        json.key("renewable");
        json.raw(if lease.renewable { b"true" } else { b"false" });
        json.close();
    }
    json.close();
    Ok(())
}

fn write_value(json: &mut Json, field: &Field) {
    json.key("value");
    if let Some(text) = text_of(field) {
        json.string(text.as_bytes());
        json.text("encoding", Some("utf-8"));
    } else {
        json.base64(field.value.expose());
        json.text("encoding", Some("base64"));
    }
}
