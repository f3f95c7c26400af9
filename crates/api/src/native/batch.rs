//! `POST /api/v1/secrets:batch`: many values in one request, each with its own result.
//!
//! The request is `{"secrets": [{"name", "provider"?, "version"?, "key"?}]}`, the answer `{"results": […]}` in the same
//! order: `{"name", "secret": {…}}` or `{"name", "error": {…}}`, the latter with the members of a problem document.

use std::borrow::Cow;

use bytes::Bytes;
use http::Response;
use lockstep_core::{Answer, Ask, CacheStatus, Error, ErrorKind, KeyPath, SecretName};
use serde::Deserialize;

use super::{alias, body, key, respond, secret, selector};
use crate::api::{Api, Exchange, Stop};
use crate::body::{Json, room};
use crate::problem::write_error;
use crate::query::Query;
use crate::refusal::Refusal;

const SHAPE: &str = r#"{"secrets": [{"name": "…", "provider": "…", "version": "…", "key": "…"}]}"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    secrets: Vec<Item<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    provider: Option<String>,
    version: Option<String>,
    key: Option<String>,
}

pub(super) async fn read(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    Query::parse(exchange.target(), &[], &[])?;
    let Batch { secrets } = body(exchange, SHAPE)?;
    let most = api.limits().batch_items;
    if secrets.is_empty() || secrets.len() > most {
        return Err(Refusal::Parameter(format!("a batch asks for 1 to {most} secrets").into()).into());
    }
    // A name that does not parse fails alone, and is not asked for: the others are still worth reading.
    let mut asks = Vec::with_capacity(secrets.len());
    let mut keys = Vec::with_capacity(secrets.len());
    for item in &secrets {
        keys.push(parse(item, exchange.head.no_cache).map(|(ask, key)| {
            asks.push(ask);
            key
        }));
    }
    let answers = api.resolver().get_many(&exchange.call(api), &exchange.who, &asks).await;
    let room = answers.iter().flatten().map(room).sum::<usize>();
    let mut json = Json::with_capacity(room + 128 * secrets.len());
    let mut answers = answers.into_iter();
    json.open();
    json.key("results");
    json.open_list();
    for (item, key) in secrets.iter().zip(keys) {
        json.open();
        json.text("name", Some(&item.name));
        let start = json.mark();
        let written = key.and_then(|key| {
            let answer = answers.next().unwrap_or_else(|| Err(unanswered()))?;
            write(api, &mut json, &answer, key.as_ref())
        });
        if let Err(error) = written {
            json.rewind(start);
            json.key("error");
            json.open();
            write_error(&mut json, &api.told(error), &exchange.id);
            json.close();
        }
        json.close();
    }
    json.close_list();
    json.close();
    Ok(respond(json.into_body()))
}

fn parse(item: &Item<'_>, skip_cache: bool) -> Result<(Ask, Option<KeyPath>), Error> {
    let parse = || {
        let name = SecretName::parse(&item.name).map_err(|error| Refusal::Invalid(error.into()))?;
        let (alias, selector) = (alias(item.provider.as_deref())?, selector(item.version.as_deref())?);
        Ok((Ask { alias, name, selector, skip_cache }, key(item.key.as_deref())?))
    };
    parse().map_err(|refusal: Refusal| match refusal {
        Refusal::Invalid(error) => error,
        _ => unanswered(),
    })
}

/// The members of a released item. A key that is not there fails in the middle of it; the caller rewinds.
fn write(api: &Api, json: &mut Json, answer: &Answer, key: Option<&KeyPath>) -> Result<(), Error> {
    json.key("secret");
    match key {
        None => json.raw(&secret::whole(api, answer)?.0),
        Some(_) => secret::write(json, answer, key)?,
    }
    let word = match answer.status {
        CacheStatus::Hit => "hit",
        CacheStatus::Miss => "miss",
        CacheStatus::Stale(_) => "stale",
    };
    json.text("cache", Some(word));
    Ok(())
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Internal, "the batch was answered with fewer results than asked for")
}
