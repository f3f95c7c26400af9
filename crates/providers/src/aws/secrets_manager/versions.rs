//! [`RotationSecrets`]: what a rotation reads and writes: the labels of a secret's versions, a version's value, a new
//! version, a label that moves. No provider: a resolver never writes.
//!
//! What the versions hold is the caller's. Nothing is retried here but what AWS refused for our credentials or our clock,
//! once. The service model is 2017-10-17.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use lockstep_core::{Call, Error, ErrorKind, Result, Retry, SecretName, SecretValue};
use serde::Serialize;

use super::super::arn::Arn;
use super::super::endpoint::Service;
use super::super::json::JsonClient;
use super::super::session::{ServiceSettings, Session};
use super::region_of;
use super::wire::{
    DescribeSecret, GetSecretValue, PutSecretValue, SecretEntry, SecretValueEntry, UpdateSecretVersionStage,
};
use crate::body::{Body, unexpected};

/// The label of the version that everybody reads.
const CURRENT: &str = "AWSCURRENT";
/// The label of the version that a rotation makes.
const PENDING: &str = "AWSPENDING";
/// The label of the version that was current before.
const PREVIOUS: &str = "AWSPREVIOUS";

/// A client of Secrets Manager that writes.
pub struct RotationSecrets(JsonClient);

/// A secret and the labels of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotatedSecret {
    /// The whole ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Whether a rotation is set up and on. A secret that never had one says nothing.
    pub rotation_enabled: Option<bool>,
    /// Staging labels by version id.
    pub stages: BTreeMap<String, Vec<String>>,
}

/// Which version of a secret: by its label, one of those that rotations move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged<'a> {
    /// What everybody reads.
    Current,
    /// What was current before.
    Previous,
    /// What the rotation of this token makes, and no other one's.
    Pending(&'a str),
}

impl RotatedSecret {
    /// The labels of a version; `None` when there is no such version.
    pub fn labels(&self, version: &str) -> Option<&[String]> {
        self.stages.get(version).map(Vec::as_slice)
    }

    /// Whether everybody reads this version.
    pub fn is_current(&self, version: &str) -> bool {
        self.has(version, CURRENT)
    }

    /// Whether this version waits to become current.
    pub fn is_pending(&self, version: &str) -> bool {
        self.has(version, PENDING)
    }

    /// The version that everybody reads.
    pub fn current(&self) -> Option<&str> {
        self.stages.keys().map(String::as_str).find(|version| self.is_current(version))
    }

    /// The account that it belongs to: 12 digits.
    ///
    /// # Errors
    /// `Malformed` when AWS answered with an ARN that is none.
    pub fn account(&self) -> Result<&str> {
        account_of(&self.arn).map_err(|_| unexpected("has an ARN that is none"))
    }

    fn has(&self, version: &str, label: &str) -> bool {
        self.labels(version).is_some_and(|labels| labels.iter().any(|have| have == label))
    }
}

impl RotationSecrets {
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config` when the endpoint is wrong.
    pub fn new(session: Arc<Session>, settings: &ServiceSettings) -> Result<Self> {
        JsonClient::new(session, Service::SecretsManager, settings).map(Self)
    }

    /// The account in the ARN of a secret: 12 digits. Before any call, for an ARN that stood in a secret.
    ///
    /// # Errors
    /// `InvalidName` when it is no whole ARN of a secret.
    pub fn account_of(arn: &str) -> Result<&str> {
        account_of(arn)
    }

    /// The labels of a secret's versions (`DescribeSecret`).
    ///
    /// # Errors
    /// What the table of AWS's errors says; `Deleted` for a secret that is scheduled for deletion.
    pub async fn describe(&self, call: &Call, secret: &str) -> Result<RotatedSecret> {
        let body = self.send(call, "DescribeSecret", secret, &DescribeSecret { secret_id: secret.into() }).await?;
        let entry: SecretEntry = body.json()?;
        if entry.is_deleted() {
            return Err(Error::new(
                ErrorKind::Deleted,
                "the secret is scheduled for deletion; restore it to rotate it",
            ));
        }
        let (arn, name, rotation_enabled, stages) = entry.into_versions();
        Ok(RotatedSecret { arn, name, rotation_enabled, stages })
    }

    /// The text of one version (`GetSecretValue`), asked for by its label, and by its id where that is known.
    ///
    /// # Errors
    /// What the table of AWS's errors says: `VersionNotFound` or `NotFound` for a version that has no value yet, as one
    /// that is pending; `Unsupported` for a binary secret.
    pub async fn value(&self, call: &Call, secret: &str, version: Staged<'_>) -> Result<SecretValue> {
        let (version_id, stage) = match version {
            Staged::Current => (None, CURRENT),
            Staged::Previous => (None, PREVIOUS),
            Staged::Pending(token) => (Some(token), PENDING),
        };
        let input = GetSecretValue { secret_id: secret.into(), version_id, version_stage: Some(stage) };
        let body = self.send(call, "GetSecretValue", secret, &input).await?;
        let entry = body.json::<SecretValueEntry<'_>>()?;
        if version_id.is_some_and(|id| id != entry.version_id()) {
            let message = "AWS answered with another version than the one asked for";
            return Err(Error::new(ErrorKind::VersionNotFound, message));
        }
        let binary =
            || Error::new(ErrorKind::Unsupported, "the secret is binary; a rotation is of text (SecretString)");
        entry.text()?.ok_or_else(binary)
    }

    /// Writes the pending version of a rotation (`PutSecretValue`). The same token with the same value is done once;
    /// `rotation_token` is the one that Secrets Manager sent along, where it did.
    ///
    /// # Errors
    /// What the table of AWS's errors says: `Conflict` when the token's version has another value already.
    pub async fn put_pending(
        &self,
        call: &Call,
        secret: &str,
        token: &str,
        value: &SecretValue,
        rotation_token: Option<&SecretValue>,
    ) -> Result<()> {
        let broken = || Error::new(ErrorKind::Internal, "a new value or the rotation's token is no text");
        let input = PutSecretValue {
            secret_id: secret,
            client_request_token: token,
            secret_string: value.expose_text().ok_or_else(broken)?,
            version_stages: [PENDING],
            rotation_token: rotation_token.map(|token| token.expose_text().ok_or_else(broken)).transpose()?,
        };
        self.send(call, "PutSecretValue", secret, &input).await.map(drop)
    }

    /// Makes a version the current one (`UpdateSecretVersionStage`), only if `from` is still the one that is.
    /// `AWSPREVIOUS` follows by itself.
    ///
    /// # Errors
    /// What the table of AWS's errors says: `VersionNotFound` or `Conflict` when the label is on another version.
    pub async fn make_current(&self, call: &Call, secret: &str, version: &str, from: Option<&str>) -> Result<()> {
        let input = UpdateSecretVersionStage {
            secret_id: secret,
            version_stage: CURRENT,
            remove_from_version_id: from,
            move_to_version_id: version,
        };
        self.send(call, "UpdateSecretVersionStage", secret, &input).await.map(drop)
    }

    /// The region of an ARN overrides the session's.
    async fn send(
        &self,
        call: &Call,
        operation: &'static str,
        secret: &str,
        input: &(impl Serialize + Sync),
    ) -> Result<Body> {
        let name = SecretName::parse(secret)
            .map_err(|error| Error::new(ErrorKind::InvalidName, format!("the secret's id can't be one: {error}")))?;
        let region = region_of(&name)?;
        let sent = self.0.send(call, operation, region.as_ref(), input).await;
        let sent = match sent {
            Err(error) if error.retry_hint() == Retry::OnceWithFreshCredentials => {
                self.0.send(call, operation, region.as_ref(), input).await
            }
            sent => sent,
        };
        sent.map_err(|error| error.on(&name))
    }
}

impl fmt::Debug for RotationSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RotationSecrets").field("session", self.0.session()).finish()
    }
}

fn account_of(arn: &str) -> Result<&str> {
    let none = || Error::new(ErrorKind::InvalidName, "this is no ARN of a secret; write the whole of it");
    let parsed = Arn::parse(arn, Service::SecretsManager)?.ok_or_else(none)?;
    if parsed.resource.starts_with("secret:") { Ok(parsed.account) } else { Err(none()) }
}

#[cfg(test)]
mod tests;
