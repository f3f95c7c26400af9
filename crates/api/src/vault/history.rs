//! The versions of a secret, as `GET {mount}/metadata/{path}` answers them, and a value that is gone.
//!
//! Times of deletion are known for the current version alone. Another one that is deleted says when it was made: it was
//! deleted after that, and a client asks only whether the time is over.

use bytes::Bytes;
use http::{Response, StatusCode};
use lockstep_core::{ErrorKind, Metadata, Page, SecretName, UnixMillis, Version, VersionInfo, VersionState};

use super::VaultMount;
use super::envelope::{member, respond, write};
use super::secret::{Facts, UNNUMBERED, time};
use crate::api::{Api, Exchange, Stop};
use crate::body::Json;

/// How many parts of a history are asked for at most.
const MAX_PAGES: usize = 20;

/// The number of a version, where its provider counts.
pub(super) fn number(version: &Version) -> Option<u64> {
    version.order.or_else(|| version.id.parse().ok())
}

/// `GET {mount}/metadata/{path}`.
pub(super) async fn read(
    api: &Api,
    exchange: &Exchange<'_>,
    mount: &VaultMount,
    name: &SecretName,
) -> Result<Response<Bytes>, Stop> {
    let (metadata, versions) = known(api, exchange, mount, name).await?;
    let mut json = Json::with_capacity(768 + 128 * versions.len());
    write(&mut json, exchange, 0, &[], |json| {
        json.open();
        member(json, "cas_required", b"false");
        json.text("created_time", Some(&time(metadata.created)));
        member(json, "current_metadata_version", b"0");
        json.key("current_version");
        json.number(current(&metadata));
        json.key("custom_metadata");
        if metadata.tags.is_empty() {
            json.raw(b"null");
        } else {
            json.open();
            for (name, value) in &metadata.tags {
                json.text(name, Some(value));
            }
            json.close();
        }
        json.text("delete_version_after", Some("0s"));
        member(json, "max_versions", b"0");
        member(json, "metadata_cas_required", b"false");
        json.key("oldest_version");
        json.number(versions.first().filter(|oldest| oldest.number > 1).map_or(0, |oldest| oldest.number));
        json.text("updated_time", Some(&time(metadata.changed.or(metadata.created))));
        json.key("versions");
        json.open();
        for facts in &versions {
            json.key(&facts.number.to_string());
            json.open();
            json.text("created_time", Some(&time(facts.created)));
            facts.write_end(json);
            json.close();
        }
        json.close();
        json.close();
    });
    Ok(respond(StatusCode::OK, json))
}

/// The answer to a read of a version that is deleted or destroyed: 404, and what is known of it. `None` when nothing is
/// known, or the caller may not know it.
pub(super) async fn gone(
    api: &Api,
    exchange: &Exchange<'_>,
    mount: &VaultMount,
    name: &SecretName,
    version: Option<u64>,
) -> Option<Response<Bytes>> {
    let (metadata, versions) = known(api, exchange, mount, name).await.ok()?;
    let asked = version.unwrap_or_else(|| current(&metadata));
    let facts = versions.iter().find(|facts| facts.number == asked)?;
    if facts.deleted.is_none() && !facts.destroyed {
        return None;
    }
    let mut json = Json::with_capacity(512);
    write(&mut json, exchange, 0, &[], |json| {
        json.open();
        member(json, "data", b"null");
        json.key("metadata");
        facts.write(json, None);
        json.close();
    });
    Some(respond(StatusCode::NOT_FOUND, json))
}

fn current(metadata: &Metadata) -> u64 {
    metadata.version.as_ref().and_then(number).unwrap_or(UNNUMBERED)
}

/// What is known of a secret and its versions, the oldest first. Without numbers there is one version, the current one.
async fn known(
    api: &Api,
    exchange: &Exchange<'_>,
    mount: &VaultMount,
    name: &SecretName,
) -> Result<(Metadata, Vec<Facts>), Stop> {
    let (call, who, alias) = (exchange.call(api), &exchange.who, Some(&mount.provider));
    let metadata = api.resolver().describe(&call, who, alias, name).await?.metadata;
    let mut found = Vec::new();
    let mut page = Page { token: None, limit: Some(api.limits().page_items) };
    for _ in 0..MAX_PAGES {
        let listed = match api.resolver().versions(&call, who, alias, name, page.clone()).await {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::Unsupported => break,
            Err(error) => return Err(error.into()),
        };
        found.extend(listed.items.into_iter().filter_map(|info| Some((number(&info.version)?, info))));
        match listed.next {
            Some(next) => page.token = Some(next),
            None => break,
        }
    }
    found.sort_unstable_by_key(|(number, _)| *number);
    found.dedup_by_key(|(number, _)| *number);
    let current = current(&metadata);
    let mut versions: Vec<Facts> = found
        .iter()
        .map(|(number, info)| facts(*number, info, metadata.deleted.filter(|_| *number == current)))
        .collect();
    if !versions.iter().any(|facts| facts.number == current) {
        versions.push(Facts {
            number: current,
            created: metadata.created,
            deleted: metadata.deleted,
            destroyed: false,
        });
    }
    Ok((metadata, versions))
}

fn facts(number: u64, info: &VersionInfo, deleted: Option<UnixMillis>) -> Facts {
    let is_deleted = info.state == VersionState::Deleted;
    Facts {
        number,
        created: info.created,
        deleted: deleted.or_else(|| is_deleted.then(|| info.created.unwrap_or(UnixMillis(0)))),
        destroyed: info.state == VersionState::Destroyed,
    }
}
