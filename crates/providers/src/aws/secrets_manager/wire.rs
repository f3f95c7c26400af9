//! What Secrets Manager sends and answers, as its service model (2017-10-17) has it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use lockstep_core::{
    CanonicalId, Encoding, Error, Field, Metadata, Payload, Result, Scope, Secret, SecretName, UnixMillis, Version,
    VersionInfo, VersionState,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::arn::Arn;
use super::super::endpoint::Service;
use super::super::region::Region;
use super::regions::spelled;
use crate::body::{binary, next, or_default, text, unexpected};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSecretValue<'a> {
    pub(super) secret_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) version_stage: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchGetSecretValue<'a> {
    pub(super) secret_id_list: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeSecret<'a> {
    pub(super) secret_id: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RotateSecret<'a> {
    pub(super) secret_id: &'a str,
    pub(super) client_request_token: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecretVersionIds<'a> {
    pub(super) secret_id: &'a str,
    pub(super) include_deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_results: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecrets<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_results: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) filters: Vec<ListFilter<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListFilter<'a> {
    pub(super) key: &'static str,
    pub(super) values: [&'a str; 1],
}

/// Staging labels of a secret's versions, as a rotation moves them.
#[cfg(feature = "aws-rotation")]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecretVersionStage<'a> {
    pub(super) secret_id: &'a str,
    pub(super) version_stage: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remove_from_version_id: Option<&'a str>,
    pub(super) move_to_version_id: &'a str,
}

/// A new version. It has no `Debug`: it holds the value, and the token of the rotation.
#[cfg(feature = "aws-rotation")]
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSecretValue<'a> {
    pub(super) secret_id: &'a str,
    pub(super) client_request_token: &'a str,
    pub(super) secret_string: &'a str,
    pub(super) version_stages: [&'a str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rotation_token: Option<&'a str>,
}

/// `GetSecretValue`'s answer, and a member of `BatchGetSecretValue`'s. The value stays raw until it is moved out.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecretValueEntry<'a> {
    #[serde(rename = "ARN")]
    pub(super) arn: String,
    pub(super) name: String,
    version_id: String,
    #[serde(borrow)]
    secret_string: Option<&'a RawValue>,
    #[serde(borrow)]
    secret_binary: Option<&'a RawValue>,
    #[serde(default, deserialize_with = "or_default")]
    version_stages: Vec<Box<str>>,
    created_date: Option<f64>,
}

impl SecretValueEntry<'_> {
    /// Which version this is.
    #[cfg(feature = "aws-rotation")]
    pub(super) fn version_id(&self) -> &str {
        &self.version_id
    }

    /// The value, if it is text: it is copied into memory that is wiped.
    ///
    /// # Errors
    /// `Malformed` when it is no JSON string.
    #[cfg(feature = "aws-rotation")]
    pub(super) fn text(&self) -> Result<Option<lockstep_core::SecretValue>> {
        self.secret_string.map(text).transpose()
    }

    /// Gives the replica the identity of the secret in this region.
    pub(super) fn stands_for(&mut self, region: Option<&Region>) {
        stands_for(&mut self.arn, region);
    }

    /// The secret, its value copied into memory that is wiped.
    ///
    /// # Errors
    /// `Malformed` when there is no value, or name or ARN is none.
    pub(super) fn secret(&self, scope: &Scope) -> Result<Secret> {
        let (value, encoding) = match (self.secret_string, self.secret_binary) {
            (Some(raw), None) => (text(raw)?, Encoding::Text),
            (None, Some(raw)) => (binary(raw)?, Encoding::Binary),
            _ => return Err(unexpected("has not exactly one of SecretString and SecretBinary")),
        };
        let (id, name) = identity(scope, &self.arn, &self.name)?;
        let mut secret = Secret::new(id, name, Payload::Whole(Field { value, encoding }));
        secret.version = Some(Version::unordered(self.version_id.as_str()));
        secret.labels.clone_from(&self.version_stages);
        secret.created = self.created_date.and_then(UnixMillis::from_seconds);
        Ok(secret)
    }

    /// Whether this is what was asked for: by name, by ARN, or by an ARN without its random suffix.
    pub(super) fn answers(&self, asked: &str) -> bool {
        asked == self.name
            || asked == self.arn
            || self.arn.strip_prefix(asked).is_some_and(|rest| rest.len() == 7 && rest.starts_with('-'))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Batch<'a> {
    #[serde(borrow, default)]
    pub(super) secret_values: Vec<SecretValueEntry<'a>>,
    #[serde(default)]
    pub(super) errors: Vec<BatchError>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchError {
    pub(super) secret_id: String,
    pub(super) error_code: String,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    value: String,
}

/// Staging labels by version id.
type Stages = BTreeMap<String, Vec<String>>;

/// `DescribeSecret`'s answer, and a member of `ListSecrets`'.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecretEntry {
    #[serde(rename = "ARN")]
    arn: String,
    pub(super) name: String,
    description: Option<String>,
    rotation_enabled: Option<bool>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda: Option<String>,
    last_changed_date: Option<f64>,
    created_date: Option<f64>,
    deleted_date: Option<f64>,
    next_rotation_date: Option<f64>,
    #[serde(default, deserialize_with = "or_default")]
    tags: Vec<Tag>,
    // `DescribeSecret` has one name for it, `ListSecrets` the other; some imitations answer both.
    version_ids_to_stages: Option<Stages>,
    secret_versions_to_stages: Option<Stages>,
}

impl SecretEntry {
    /// Gives the replica the identity of the secret in this region.
    pub(super) fn stands_for(&mut self, region: Option<&Region>) {
        stands_for(&mut self.arn, region);
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleted_date.is_some()
    }

    /// Whether somebody has set up a rotation, ours or a managed one.
    pub(super) fn has_rotation(&self) -> bool {
        self.rotation_enabled == Some(true) || self.rotation_lambda.is_some()
    }

    /// The ARN, the name, whether rotation is enabled, and the labels of every version.
    #[cfg(feature = "aws-rotation")]
    pub(super) fn into_versions(self) -> (String, String, Option<bool>, Stages) {
        let stages = self.version_ids_to_stages.or(self.secret_versions_to_stages).unwrap_or_default();
        (self.arn, self.name, self.rotation_enabled, stages)
    }

    /// Whether a version waits to become current.
    pub(super) fn is_rotating(&self) -> bool {
        let has = |stages: &[String], stage: &str| stages.iter().any(|have| have == stage);
        self.stages().any(|(_, stages)| has(stages, "AWSPENDING") && !has(stages, "AWSCURRENT"))
    }

    fn stages(&self) -> impl Iterator<Item = (&String, &Vec<String>)> {
        self.version_ids_to_stages.iter().chain(&self.secret_versions_to_stages).flatten()
    }

    /// What is known of the secret.
    ///
    /// # Errors
    /// `Malformed` when name or ARN is none.
    pub(super) fn metadata(self, scope: &Scope) -> Result<Metadata> {
        let (id, name) = identity(scope, &self.arn, &self.name)?;
        let time = |seconds: Option<f64>| seconds.and_then(UnixMillis::from_seconds);
        let is_current = |stages: &[String]| stages.iter().any(|stage| stage == "AWSCURRENT");
        let current = self.stages().find(|(_, stages)| is_current(stages));
        Ok(Metadata {
            version: current.map(|(version, _)| Version::unordered(version.as_str())),
            description: self.description.filter(|text| !text.is_empty()),
            tags: self.tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            created: time(self.created_date),
            changed: time(self.last_changed_date),
            next_rotation: time(self.next_rotation_date),
            rotation_enabled: self.rotation_enabled,
            deleted: time(self.deleted_date),
            ..Metadata::new(id, name)
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SecretList {
    #[serde(default)]
    pub(super) secret_list: Vec<SecretEntry>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionList {
    #[serde(default)]
    pub(super) versions: Vec<VersionEntry>,
    #[serde(default, deserialize_with = "next")]
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct VersionEntry {
    version_id: String,
    #[serde(default, deserialize_with = "or_default")]
    version_stages: Vec<Box<str>>,
    created_date: Option<f64>,
}

impl From<VersionEntry> for VersionInfo {
    fn from(entry: VersionEntry) -> Self {
        Self {
            version: Version::unordered(entry.version_id),
            labels: entry.version_stages,
            created: entry.created_date.and_then(UnixMillis::from_seconds),
            state: VersionState::Enabled,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rotated {
    pub(super) version_id: Option<String>,
}

fn stands_for(arn: &mut String, region: Option<&Region>) {
    if let Some(region) = region {
        *arn = spelled(arn, region).into_owned();
    }
}

/// Canonical identity and friendly name of what AWS answered.
fn identity(scope: &Scope, arn: &str, name: &str) -> Result<(CanonicalId, SecretName)> {
    let wrong = |_: Error| unexpected("has an ARN that is none");
    let located = Arn::parse(arn, Service::SecretsManager)
        .map_err(wrong)?
        .ok_or_else(|| unexpected("has an ARN that is none"))?;
    let scope = scope.located(located.account, located.region.as_str());
    let canonical = SecretName::parse(arn).map_err(|_| unexpected("has an ARN that can't be a name"))?;
    let name = SecretName::parse(name).map_err(|_| unexpected("has a name that can't be one"))?;
    Ok((CanonicalId { scope, name: canonical }, name))
}
