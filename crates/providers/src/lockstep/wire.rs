//! The native API's JSON, as its routes write it: what is read of it, and what it is here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, CACHE_STATUS, ETAG, HeaderName};
use lockstep_core::{
    CanonicalId, ErrorKind, Metadata, Payload, Relay, Result, Scope, Secret, SecretName, UnixMillis, Version,
    VersionInfo, VersionState,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::status::Problem;
use crate::body::{self, unexpected};

/// The attribute that keeps an endpoint's tag until the secret is asked for again.
pub(super) const TAG: &str = "etag";

/// A released secret.
#[derive(Deserialize)]
pub(super) struct Released<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    provider: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow)]
    encoding: Cow<'a, str>,
    version: Option<Box<str>>,
    order: Option<u64>,
    #[serde(default)]
    labels: Vec<Box<str>>,
    created: Option<Box<str>>,
    expires: Option<Box<str>>,
    lease: Option<Leased>,
    /// In a batch: whether it was kept, and past its time.
    #[serde(borrow, default)]
    cache: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Leased {
    seconds: u64,
}

/// `POST /api/v1/secrets:batch`.
#[derive(Serialize)]
pub(super) struct Batch<'a> {
    pub(super) secrets: Vec<Wanted<'a>>,
}

/// One secret of it.
#[derive(Serialize)]
pub(super) struct Wanted<'a> {
    pub(super) name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version: Option<&'a str>,
}

/// Its answer, in the same order.
#[derive(Deserialize)]
pub(super) struct Results<'a> {
    #[serde(borrow)]
    pub(super) results: Vec<ResultOf<'a>>,
}

/// One of them.
#[derive(Deserialize)]
pub(super) struct ResultOf<'a> {
    #[serde(borrow)]
    pub(super) secret: Option<Released<'a>>,
    pub(super) error: Option<Problem>,
}

/// What is known of a secret.
#[derive(Deserialize)]
pub(super) struct Known {
    name: Box<str>,
    id: Box<str>,
    provider: Box<str>,
    version: Option<Box<str>>,
    order: Option<u64>,
    description: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    created: Option<Box<str>>,
    changed: Option<Box<str>>,
    next_rotation: Option<Box<str>>,
    rotation_enabled: Option<bool>,
    deleted: Option<Box<str>>,
}

/// A part of a list.
#[derive(Deserialize)]
pub(super) struct List {
    pub(super) secrets: Vec<Known>,
    pub(super) next: Option<String>,
}

/// A part of the versions.
#[derive(Deserialize)]
pub(super) struct Versions {
    pub(super) versions: Vec<VersionOf>,
    pub(super) next: Option<String>,
}

/// One of them.
#[derive(Deserialize)]
pub(super) struct VersionOf {
    version: Option<Box<str>>,
    order: Option<u64>,
    #[serde(default)]
    labels: Vec<Box<str>>,
    created: Option<Box<str>>,
    state: Box<str>,
}

/// What a rotation has led to.
#[derive(Deserialize)]
pub(super) struct Rotated {
    version: Option<Box<str>>,
    order: Option<u64>,
}

impl Released<'_> {
    /// As a secret of ours.
    pub(super) fn secret(self, scope: &Scope, relay: Relay, now: UnixMillis) -> Result<Secret> {
        let payload = match &*self.encoding {
            "utf-8" => Payload::text(body::text(self.value)?),
            "base64" => Payload::binary(body::binary(self.value)?),
            _ => return Err(unexpected("has a value in an encoding that is not known here")),
        };
        // Two providers behind one endpoint may call two secrets alike.
        let id = CanonicalId { scope: scope.located(&self.provider, ""), name: name(&self.id)? };
        let mut secret = Secret::new(id, name(&self.name)?, payload);
        secret.version = version(self.version, self.order);
        secret.labels = self.labels;
        secret.created = time(self.created.as_deref())?;
        // Whoever has the lease renews it or not: all that is known here is that it may end.
        let lease = self.lease.map(|lease| now.plus(Duration::from_secs(lease.seconds).saturating_sub(relay.age)));
        secret.expires = [time(self.expires.as_deref())?, lease].into_iter().flatten().min();
        secret.relay = relay;
        if self.cache == "stale" {
            secret.relay.stale = secret.relay.stale.or(Some(ErrorKind::Unavailable));
        }
        Ok(secret)
    }
}

impl Known {
    /// As metadata of ours.
    pub(super) fn metadata(self, scope: &Scope) -> Result<Metadata> {
        let id = CanonicalId { scope: scope.located(&self.provider, ""), name: name(&self.id)? };
        Ok(Metadata {
            id,
            name: name(&self.name)?,
            version: version(self.version, self.order),
            description: self.description,
            tags: self.tags,
            created: time(self.created.as_deref())?,
            changed: time(self.changed.as_deref())?,
            next_rotation: time(self.next_rotation.as_deref())?,
            rotation_enabled: self.rotation_enabled,
            deleted: time(self.deleted.as_deref())?,
        })
    }
}

impl VersionOf {
    /// As a version of ours.
    pub(super) fn info(self) -> Result<VersionInfo> {
        let state = match &*self.state {
            "enabled" => VersionState::Enabled,
            "disabled" => VersionState::Disabled,
            "deleted" => VersionState::Deleted,
            "destroyed" => VersionState::Destroyed,
            _ => return Err(unexpected("has a version in a state that is not known here")),
        };
        let version = version(self.version, self.order).ok_or_else(|| unexpected("has a version without an id"))?;
        Ok(VersionInfo { version, labels: self.labels, created: time(self.created.as_deref())?, state })
    }
}

impl Rotated {
    /// The version that will become current.
    pub(super) fn version(self) -> Option<Version> {
        version(self.version, self.order)
    }
}

/// How long an answer was kept on its way, and whether it is past its time there (RFC 9111, `Age`; RFC 9211).
pub(super) fn relay(headers: &HeaderMap) -> Result<Relay> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("\u{0}"));
    let age = match text(AGE) {
        None => 0,
        Some(text) => text.trim().parse().map_err(|_| unexpected("has an `Age` that is no number of seconds"))?,
    };
    let detail = text(CACHE_STATUS).and_then(|status| status.split_once("detail=stale"));
    let stale = detail.map(|(_, rest)| {
        let code = rest.trim_start_matches('-');
        // A kind that a newer endpoint has is a failure all the same.
        ErrorKind::ALL.into_iter().find(|kind| kind.code() == code).unwrap_or(ErrorKind::Unavailable)
    });
    Ok(Relay { age: Duration::from_secs(age), stale })
}

/// The tag that the endpoint gave this answer.
pub(super) fn tag(headers: &HeaderMap) -> Option<Box<str>> {
    headers.get(ETAG)?.to_str().ok().map(Box::from)
}

fn name(text: &str) -> Result<SecretName> {
    SecretName::parse(text).map_err(|_| unexpected("has a name that can't be one"))
}

fn version(id: Option<Box<str>>, order: Option<u64>) -> Option<Version> {
    id.map(|id| Version { id, order })
}

fn time(text: Option<&str>) -> Result<Option<UnixMillis>> {
    let read = |text| UnixMillis::from_rfc3339(text).ok_or_else(|| unexpected("has a time that is none"));
    text.map(read).transpose()
}
