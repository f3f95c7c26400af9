//! What Secret Manager answers, in the parts that are read here.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lockstep_core::{
    CanonicalId, Error, ErrorKind, Metadata, Payload, Result, Scope, Secret, SecretName, SecretValue, UnixMillis,
    Version, VersionInfo, VersionState,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::crc32c::crc32c;
use super::name::{Answered, Asked, Place};
use crate::body::{binary, next, or_default, unexpected};

/// `AccessSecretVersionResponse`.
#[derive(Deserialize)]
pub(super) struct Accessed<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    payload: Data<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    /// Base64; left out when it is empty.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// An `int64`, which JSON has as text.
    #[serde(borrow, default)]
    data_crc32c: Option<&'a RawValue>,
}

/// `Secret`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    name: String,
    create_time: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
    rotation: Option<Rotated>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rotated {
    next_rotation_time: Option<String>,
}

/// `ListSecretsResponse`. An empty list is left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SecretList {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) secrets: Vec<Described>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_page_token: Option<String>,
}

/// `ListSecretVersionsResponse`, newest first.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionList {
    #[serde(default, deserialize_with = "or_default")]
    pub(super) versions: Vec<VersionEntry>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_page_token: Option<String>,
}

/// `SecretVersion`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionEntry {
    name: String,
    create_time: Option<String>,
    state: String,
}

/// The identity of a secret: the number of its project, where it is, and its id.
fn identity(scope: &Scope, answered: &Answered<'_>) -> Result<CanonicalId> {
    let scope = scope.located(answered.project, answered.location.unwrap_or_default());
    Ok(CanonicalId { scope, name: SecretName::parse(answered.secret)? })
}

impl Accessed<'_> {
    /// The secret, once its checksum is right.
    pub(super) fn secret(&self, scope: &Scope, place: &Place, asked: &Asked<'_>) -> Result<Secret> {
        let answered = place.confirm(asked, &self.name)?;
        let number = answered.version.ok_or_else(|| unexpected("names no version"))?;
        let id = identity(scope, &answered)?;
        let name = id.name.clone();
        let mut secret = Secret::new(id, name, self.payload()?);
        secret.version = Some(Version::number(number));
        Ok(secret)
    }

    fn payload(&self) -> Result<Payload> {
        let value = self.payload.data.map_or_else(|| Ok(SecretValue::from(&b""[..])), binary)?;
        if let Some(raw) = self.payload.data_crc32c {
            let told = raw.get().trim_matches('"').parse::<i64>().ok();
            if told != Some(i64::from(crc32c(value.expose()))) {
                let message = "the value was damaged on its way: its checksum is not the one that came with it";
                return Err(Error::new(ErrorKind::Malformed, message));
            }
        }
        // Google keeps bytes and no kind. What is text is most likely meant as text.
        Ok(if value.expose_text().is_some() { Payload::text(value) } else { Payload::binary(value) })
    }
}

impl Described {
    /// What is known of it, if it was asked for.
    pub(super) fn confirmed(&self, scope: &Scope, place: &Place, asked: &Asked<'_>) -> Result<Metadata> {
        place.confirm(asked, &self.name)?;
        self.metadata(scope, place)
    }

    /// What is known of it.
    pub(super) fn metadata(&self, scope: &Scope, place: &Place) -> Result<Metadata> {
        let id = identity(scope, &place.answered(&self.name)?)?;
        let name = id.name.clone();
        let mut metadata = Metadata::new(id, name);
        metadata.tags.clone_from(&self.labels);
        metadata.created = self.create_time.as_deref().and_then(UnixMillis::from_rfc3339);
        let next = self.rotation.as_ref().and_then(|rotation| rotation.next_rotation_time.as_deref());
        metadata.next_rotation = next.and_then(UnixMillis::from_rfc3339);
        metadata.rotation_enabled = Some(next.is_some());
        Ok(metadata)
    }
}

impl VersionEntry {
    /// Its resource name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub(super) fn number(&self, place: &Place) -> Result<u64> {
        place.answered(&self.name)?.version.ok_or_else(|| unexpected("has a version without a number"))
    }

    /// What is known of it. Which aliases point to it, only the secret tells.
    pub(super) fn info(&self, place: &Place) -> Result<VersionInfo> {
        let state = match self.state.as_str() {
            "ENABLED" => VersionState::Enabled,
            "DISABLED" => VersionState::Disabled,
            "DESTROYED" => VersionState::Destroyed,
            _ => return Err(unexpected("has a version in a state that is not documented")),
        };
        Ok(VersionInfo {
            version: Version::number(self.number(place)?),
            labels: Vec::new(),
            created: self.create_time.as_deref().and_then(UnixMillis::from_rfc3339),
            state,
        })
    }
}
