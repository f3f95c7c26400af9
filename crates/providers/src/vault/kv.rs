//! What KV v1 and v2 answer, and how deleted, destroyed and missing are told apart.

use std::collections::BTreeMap;
use std::time::Duration;

use ::http::{Response, StatusCode};
use bytes::Bytes;
use lockstep_core::{
    CanonicalId, Error, ErrorKind, Metadata, Result, Secret, SecretName, UnixMillis, Version, VersionInfo, VersionState,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{Envelope, fields};
use super::status::{error_of, malformed};

/// `GET {mount}/data/{path}`.
#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: Option<BTreeMap<String, &'a RawValue>>,
    metadata: VersionMetadata,
}

#[derive(Deserialize)]
struct VersionMetadata {
    version: u64,
    created_time: String,
    deletion_time: String,
    destroyed: bool,
}

/// `GET {mount}/metadata/{path}`.
#[derive(Deserialize)]
pub(super) struct History {
    current_version: u64,
    created_time: String,
    updated_time: String,
    #[serde(default)]
    custom_metadata: Option<BTreeMap<String, String>>,
    versions: BTreeMap<String, Past>,
}

#[derive(Deserialize)]
struct Past {
    created_time: String,
    deletion_time: String,
    destroyed: bool,
}

/// What a read of KV v2 found.
pub(super) enum Found {
    /// The version, with its value.
    Value(Box<Secret>),
    /// The version is there, its value is not.
    Gone(u64, Error),
    /// Neither this version nor, when none was asked for, the secret.
    Nothing,
}

/// Reads an answer of `GET {mount}/data/{path}`. The version of a deleted secret stands in the body of the 404.
pub(super) fn version_2(response: &Response<Bytes>, id: CanonicalId, now: UnixMillis) -> Result<Found> {
    let missing = response.status() == StatusCode::NOT_FOUND;
    let envelope = if missing {
        let Some(envelope) = Envelope::read(response.body()).filter(|envelope| envelope.data.is_some()) else {
            let error = error_of(response.status(), response.headers(), response.body());
            return if error.kind() == ErrorKind::NotFound { Ok(Found::Nothing) } else { Err(error) };
        };
        envelope
    } else {
        Envelope::of(response)?
    };
    let Data { data, metadata } = envelope.data()?;
    let deletion = UnixMillis::from_rfc3339(&metadata.deletion_time);
    if metadata.destroyed {
        let message = "the version is destroyed; its value can't come back";
        return Ok(Found::Gone(metadata.version, Error::new(ErrorKind::Destroyed, message)));
    }
    let Some(data) = data.filter(|_| !missing) else {
        if deletion.is_none() {
            return Err(malformed());
        }
        let message = "the version is deleted; `undelete` brings it back";
        return Ok(Found::Gone(metadata.version, Error::new(ErrorKind::Deleted, message)));
    };
    let name = id.name.clone();
    let mut secret = Secret::new(id, name, fields(&data)?);
    secret.version = Some(Version::number(metadata.version));
    secret.created = UnixMillis::from_rfc3339(&metadata.created_time);
    // `delete_version_after` sets it ahead: until then the value is good, and no longer.
    secret.expires = deletion.filter(|deletion| *deletion > now);
    Ok(Found::Value(Box::new(secret)))
}

/// Reads an answer of `GET {mount}/{path}` of KV v1. Its `lease_duration` is advice, and only whoever wrote a `ttl` key
/// meant it; the default of 32 days means nothing.
pub(super) fn version_1(response: &Response<Bytes>, id: CanonicalId, now: UnixMillis) -> Result<Secret> {
    let envelope = Envelope::of(response)?;
    let data: BTreeMap<String, &RawValue> = envelope.data()?;
    let name = id.name.clone();
    let mut secret = Secret::new(id, name, fields(&data)?);
    if data.contains_key("ttl") || data.contains_key("lease") {
        secret.expires = Some(now.plus(Duration::from_secs(envelope.lease_duration)));
    }
    Ok(secret)
}

/// Reads an answer of an engine that makes credentials. `database/static-creds` and its like have no lease, but say in
/// `ttl` when the next rotation is due.
pub(super) fn made(response: &Response<Bytes>, id: CanonicalId, now: UnixMillis, is_static: bool) -> Result<Secret> {
    let envelope = Envelope::of(response)?;
    let data: BTreeMap<String, &RawValue> = envelope.data()?;
    let name = id.name.clone();
    let mut secret = Secret::new(id, name, fields(&data)?);
    secret.lease = envelope.lease();
    // A lease has its own end, which renewals move; `expires` would not move with it.
    if secret.lease.is_none() && is_static {
        let ttl = data.get("ttl").and_then(|raw| raw.get().parse().ok());
        secret.expires = ttl.map(|ttl| now.plus(Duration::from_secs(ttl)));
    }
    Ok(secret)
}

impl History {
    pub(super) fn metadata(&self, id: CanonicalId, name: SecretName, now: UnixMillis) -> Metadata {
        let mut metadata = Metadata::new(id, name);
        metadata.version = (self.current_version > 0).then(|| Version::number(self.current_version));
        metadata.tags = self.custom_metadata.clone().unwrap_or_default();
        metadata.created = UnixMillis::from_rfc3339(&self.created_time);
        metadata.changed = UnixMillis::from_rfc3339(&self.updated_time);
        metadata.deleted = self
            .versions
            .get(&self.current_version.to_string())
            .and_then(|current| UnixMillis::from_rfc3339(&current.deletion_time))
            .filter(|deletion| *deletion <= now);
        metadata
    }

    /// Every version that the server still knows, newest first.
    pub(super) fn versions(&self, now: UnixMillis) -> Vec<VersionInfo> {
        let mut numbered: Vec<(u64, &Past)> =
            self.versions.iter().filter_map(|(number, past)| Some((number.parse().ok()?, past))).collect();
        numbered.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        let info = |(number, past): (u64, &Past)| VersionInfo {
            version: Version::number(number),
            labels: Vec::new(),
            created: UnixMillis::from_rfc3339(&past.created_time),
            state: match UnixMillis::from_rfc3339(&past.deletion_time) {
                _ if past.destroyed => VersionState::Destroyed,
                Some(deletion) if deletion <= now => VersionState::Deleted,
                _ => VersionState::Enabled,
            },
        };
        numbered.into_iter().map(info).collect()
    }
}
