//! The names in a folder, one level of them, as LIST answers them.

use std::collections::BTreeSet;
use std::ops::Bound;

use bytes::Bytes;
use http::{Response, StatusCode};
use lockstep_core::{Error, ErrorKind, Filter, Page, SecretName};

use super::VaultMount;
use super::envelope::{errors, respond, write};
use crate::api::{Api, Exchange, Stop};
use crate::body::Json;
use crate::query::Query;
use crate::refusal::Refusal;

/// How many names are looked at for one folder, and in how many parts.
const MAX_NAMES: usize = 10_000;
const MAX_PAGES: usize = 100;

/// `LIST {mount}/metadata/{folder}` of version 2, `LIST {mount}/{folder}` of version 1. `after` and `limit` are OpenBao's.
pub(super) async fn read(
    api: &Api,
    exchange: &Exchange<'_>,
    mount: &VaultMount,
    folder: &str,
    query: &Query<'_>,
) -> Result<Response<Bytes>, Stop> {
    let folder = folder.strip_suffix('/').unwrap_or(folder);
    let prefix = match folder {
        "" => mount.prefix.to_string(),
        // What is a name in the middle is one at its end: a list reaches no further than a read.
        folder => format!("{}/", mount.name(folder)?.as_str()),
    };
    let limit = limit(query.get("limit"))?;
    let keys = keys(api, exchange, mount, &prefix).await?;
    let after = query.get("after").filter(|after| !after.is_empty());
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let shown: Vec<&String> = keys.range::<str, _>((from, Bound::Unbounded)).take(limit).collect();
    if shown.is_empty() {
        return Ok(errors(StatusCode::NOT_FOUND, None));
    }
    let mut json = Json::with_capacity(256 + 48 * shown.len());
    write(&mut json, exchange, 0, &[], |json| {
        json.open();
        json.key("keys");
        json.open_list();
        for key in &shown {
            json.string(key.as_bytes());
        }
        json.close_list();
        json.close();
    });
    Ok(respond(StatusCode::OK, json))
}

/// What stands directly below the prefix: names, and folders with a slash at their end. What the caller may not see is
/// left out by the resolver.
async fn keys(api: &Api, exchange: &Exchange<'_>, mount: &VaultMount, prefix: &str) -> Result<BTreeSet<String>, Stop> {
    let (call, who, alias) = (exchange.call(api), &exchange.who, Some(&mount.provider));
    let mut page = Page { token: None, limit: Some(api.limits().page_items) };
    let (mut keys, mut looked_at) = (BTreeSet::new(), 0);
    for _ in 0..MAX_PAGES {
        let listed = api.resolver().list(&call, who, alias, prefix, &Filter::default(), page.clone()).await?;
        looked_at += listed.items.len();
        if looked_at > MAX_NAMES {
            break;
        }
        keys.extend(listed.items.iter().filter_map(|item| key(&item.metadata.name, prefix)));
        match listed.next {
            Some(next) => page.token = Some(next),
            None => return Ok(keys),
        }
    }
    let message = format!("there are more than {MAX_NAMES} names below this folder; list a folder further down");
    Err(Error::new(ErrorKind::TooLarge, message).into())
}

fn key(name: &SecretName, prefix: &str) -> Option<String> {
    let below = name.as_str().strip_prefix(prefix)?;
    // Of a whole provider, also names that begin with a slash: their first folder is its root.
    let key = match below.char_indices().find(|(_, c)| *c == '/') {
        Some((slash, _)) => &below[..=slash],
        None => below,
    };
    (!key.is_empty()).then(|| key.to_owned())
}

fn limit(text: Option<&str>) -> Result<usize, Refusal> {
    match text.map(str::parse::<usize>) {
        // OpenBao's word for "all of them" is any number below one.
        None | Some(Ok(0)) => Ok(usize::MAX),
        Some(Ok(limit)) => Ok(limit),
        Some(Err(_)) if text == Some("-1") => Ok(usize::MAX),
        Some(Err(_)) => Err(Refusal::Parameter("limit must be a number".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_one_level_and_a_folder_ends_with_a_slash() {
        for (name, prefix, expected) in [
            ("app/db", "", Some("app/")),
            ("db", "", Some("db")),
            ("app/db/creds", "app/", Some("db/")),
            ("app/db", "app/", Some("db")),
            ("/app/db", "/", Some("app/")),
            ("/app/db", "", Some("/")),
            ("application/db", "app/", None),
            ("app", "app/", None),
        ] {
            assert_eq!(key(&SecretName::parse(name).unwrap(), prefix).as_deref(), expected, "{name} {prefix}");
        }
    }

    #[test]
    fn a_limit_is_a_number_and_none_is_all() {
        for (text, expected) in [(None, usize::MAX), (Some("0"), usize::MAX), (Some("-1"), usize::MAX), (Some("7"), 7)]
        {
            assert_eq!(limit(text).unwrap(), expected);
        }
        assert!(limit(Some("x")).is_err());
    }
}
