//! `GET /api/v1/changes`: the journal's feed, as far as the caller may see it. Never a value.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use lockstep_core::{Cursor, Error, ErrorKind};

use super::respond;
use crate::api::{Api, Exchange, Stop};
use crate::body::Json;
use crate::query::Query;
use crate::refusal::Refusal;

/// Changes of one answer, unless the caller wants fewer.
pub(crate) const MAX_CHANGES: usize = 1000;
/// Seconds that a caller may wait. A request has its own limit too: half of it is waited at most.
pub(crate) const MAX_WAIT: u64 = 20;

/// `GET /api/v1/changes?after=&limit=&wait=`
pub(super) async fn read(api: &Api, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    let query = Query::parse(exchange.target(), &["after", "limit", "wait"], &[])?;
    let after = query.get("after").map(cursor).transpose()?;
    let limit = query.get("limit").map(|text| match text.parse() {
        Ok(limit) if (1..=MAX_CHANGES).contains(&limit) => Ok(limit),
        _ => Err(Refusal::Parameter(format!("limit must be a number from 1 to {MAX_CHANGES}").into())),
    });
    let wait = query.get("wait").map(|text| match text.parse() {
        Ok(0) => Ok(0),
        Ok(_) if !api.limits().waits => Err(Refusal::Parameter("this endpoint does not wait; leave `wait` out".into())),
        Ok(wait) if wait <= MAX_WAIT => Ok(wait),
        _ => Err(Refusal::Parameter(format!("wait must be seconds from 0 to {MAX_WAIT}").into())),
    });
    let (limit, wait) = (limit.transpose()?.unwrap_or(MAX_CHANGES), wait.transpose()?.unwrap_or_default());
    if !api.resolver().has_journal() {
        // As the numbers of an endpoint that counts nothing.
        return Err(Refusal::Route.into());
    }
    let call = exchange.call(api);
    let told = api.resolver().changes(&call, &exchange.who, after, limit, Duration::from_secs(wait)).await?;
    let mut json = Json::with_capacity(128 + 320 * told.feed.changes.len());
    json.open();
    json.key("changes");
    json.open_list();
    for (seq, change) in &told.feed.changes {
        json.open();
        json.key("seq");
        json.number(*seq);
        json.key("change");
        let written = serde_json::to_vec(change)
            .map_err(|_| Error::new(ErrorKind::Internal, "a change can't be written as JSON"))?;
        json.raw(&written);
        json.close();
    }
    json.close_list();
    json.text("cursor", Some(&written(told.reached)));
    json.text("head", Some(&written(told.feed.head)));
    for (key, value) in [("gap", told.feed.gap), ("more", told.feed.cut)] {
        json.key(key);
        json.raw(if value { b"true" } else { b"false" });
    }
    json.key("age_ms");
    json.number(u64::try_from(told.feed.head_age.as_millis()).unwrap_or(u64::MAX));
    json.close();
    Ok(respond(json.into_body()))
}

fn written(cursor: Cursor) -> String {
    format!("{}.{}", cursor.epoch, cursor.seq)
}

/// `EPOCH.NUMBER`, as it was answered.
fn cursor(text: &str) -> Result<Cursor, Refusal> {
    let number = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse().ok()).flatten()
    };
    let read = text.split_once('.').and_then(|(epoch, seq)| Some(Cursor { epoch: number(epoch)?, seq: number(seq)? }));
    read.ok_or_else(|| Refusal::Parameter("after must be a cursor that was answered, such as 5.17".into()))
}
