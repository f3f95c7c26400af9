//! From core's types to what stands in a line, and back.

use std::borrow::Cow;
use std::time::Duration;

use lockstep_core::{
    CanonicalId, Error, ErrorKind, Field, Lease, Metadata, Paged, Payload, Result, Retry, Rotation, Scope, Secret,
    SecretName, UnixMillis, Version, VersionInfo,
};

use super::{
    Again, Answer, Failed, FieldForm, Identity, MetadataForm, PayloadForm, SecretForm, Value, VersionForm,
    VersionInfoForm,
};
use crate::binary::decoded;

impl<'a> Answer<'a> {
    pub(in crate::simulation) fn of<T>(outcome: &'a Result<T>) -> Self
    where
        Self: From<&'a T>,
    {
        outcome.as_ref().map_or_else(|error| Self::Failed(error.into()), Self::from)
    }
}

impl<'a> From<&'a Secret> for Answer<'a> {
    fn from(secret: &'a Secret) -> Self {
        let field =
            |field: &'a Field| FieldForm { encoding: field.encoding, value: Value::Bytes(field.value.expose()) };
        Self::Secret(Box::new(SecretForm {
            of: Identity::of(&secret.id, &secret.name),
            version: secret.version.as_ref().map(Into::into),
            labels: secret.labels.clone(),
            payload: match &secret.payload {
                Payload::Whole(whole) => PayloadForm::Whole(field(whole)),
                Payload::Fields(fields) => {
                    PayloadForm::Fields(fields.iter().map(|(name, value)| (name.clone(), field(value))).collect())
                }
            },
            created: millis(secret.created),
            expires: millis(secret.expires),
            attributes: secret.attributes.iter().map(|(key, text)| (Cow::Borrowed(*key), text.clone())).collect(),
        }))
    }
}

impl From<&Metadata> for Answer<'_> {
    fn from(metadata: &Metadata) -> Self {
        Self::Metadata(Box::new(metadata.into()))
    }
}

impl From<&Paged<VersionInfo>> for Answer<'_> {
    fn from(page: &Paged<VersionInfo>) -> Self {
        Self::Versions(page.items.iter().map(Into::into).collect(), page.next.clone())
    }
}

impl From<&Paged<Metadata>> for Answer<'_> {
    fn from(page: &Paged<Metadata>) -> Self {
        Self::List(page.items.iter().map(Into::into).collect(), page.next.clone())
    }
}

impl From<&Rotation> for Answer<'_> {
    fn from(rotation: &Rotation) -> Self {
        Self::Rotated(rotation.version.as_ref().map(Into::into))
    }
}

/// Its id is not for a file.
impl From<&Lease> for Answer<'_> {
    fn from(_: &Lease) -> Self {
        Self::Done
    }
}

impl From<&()> for Answer<'_> {
    fn from((): &()) -> Self {
        Self::Done
    }
}

impl Identity {
    fn of(id: &CanonicalId, name: &SecretName) -> Self {
        let parts = id.scope.parts();
        Self {
            id: id.name.as_str().into(),
            account: parts.account.as_str().into(),
            region: parts.region.as_str().into(),
            name: name.as_str().into(),
        }
    }

    fn read(&self, scope: &Scope) -> Result<(CanonicalId, SecretName)> {
        let id = CanonicalId { scope: scope.located(&self.account, &self.region), name: SecretName::parse(&self.id)? };
        Ok((id, SecretName::parse(&self.name)?))
    }
}

impl From<&Version> for VersionForm {
    fn from(version: &Version) -> Self {
        Self { id: version.id.clone(), order: version.order }
    }
}

impl From<VersionForm> for Version {
    fn from(form: VersionForm) -> Self {
        Self { id: form.id, order: form.order }
    }
}

impl From<&Metadata> for MetadataForm {
    fn from(metadata: &Metadata) -> Self {
        Self {
            of: Identity::of(&metadata.id, &metadata.name),
            version: metadata.version.as_ref().map(Into::into),
            description: metadata.description.clone(),
            tags: metadata.tags.clone(),
            created: millis(metadata.created),
            changed: millis(metadata.changed),
            next_rotation: millis(metadata.next_rotation),
            rotation_enabled: metadata.rotation_enabled,
            deleted: millis(metadata.deleted),
        }
    }
}

impl From<&VersionInfo> for VersionInfoForm {
    fn from(info: &VersionInfo) -> Self {
        Self {
            version: (&info.version).into(),
            labels: info.labels.clone(),
            created: millis(info.created),
            state: info.state,
        }
    }
}

impl From<&Error> for Failed {
    fn from(error: &Error) -> Self {
        Self {
            kind: error.kind().code().into(),
            message: error.message().into(),
            retry: match error.retry_hint() {
                Retry::Never => Again::Never,
                Retry::After(pause) => {
                    Again::After(pause.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)))
                }
                Retry::OnceWithFreshCredentials => Again::Once,
            },
            upstream: error.upstream_code().map(Into::into).zip(error.upstream_status()),
        }
    }
}

impl SecretForm<'_> {
    /// The secret, in this scope. `word` gives the attributes their names.
    pub(in crate::simulation) fn read(
        self,
        scope: &Scope,
        mut word: impl FnMut(&str) -> Result<&'static str>,
    ) -> Result<Secret> {
        let (id, name) = self.of.read(scope)?;
        let payload = match self.payload {
            PayloadForm::Whole(field) => Payload::Whole(field.read()?),
            PayloadForm::Fields(fields) => Payload::Fields(
                fields.into_iter().map(|(name, field)| Ok((name, field.read()?))).collect::<Result<_>>()?,
            ),
        };
        let attributes = self.attributes.into_iter().map(|(key, text)| Ok((word(&key)?, text)));
        Ok(Secret {
            version: self.version.map(Into::into),
            labels: self.labels,
            created: self.created.map(UnixMillis),
            expires: self.expires.map(UnixMillis),
            attributes: attributes.collect::<Result<_>>()?,
            ..Secret::new(id, name, payload)
        })
    }
}

impl FieldForm<'_> {
    fn read(self) -> Result<Field> {
        let value = match self.value {
            Value::Base64(text) => decoded(text.as_bytes()),
            Value::Bytes(bytes) => Some(bytes.into()),
        };
        let value = value.ok_or_else(|| Error::new(ErrorKind::Decrypt, "a value of the recording is no base64"))?;
        Ok(Field { value, encoding: self.encoding })
    }
}

impl MetadataForm {
    pub(in crate::simulation) fn read(self, scope: &Scope) -> Result<Metadata> {
        let (id, name) = self.of.read(scope)?;
        Ok(Metadata {
            id,
            name,
            version: self.version.map(Into::into),
            description: self.description,
            tags: self.tags,
            created: self.created.map(UnixMillis),
            changed: self.changed.map(UnixMillis),
            next_rotation: self.next_rotation.map(UnixMillis),
            rotation_enabled: self.rotation_enabled,
            deleted: self.deleted.map(UnixMillis),
        })
    }
}

impl VersionInfoForm {
    pub(in crate::simulation) fn read(self) -> VersionInfo {
        VersionInfo {
            version: self.version.into(),
            labels: self.labels,
            created: self.created.map(UnixMillis),
            state: self.state,
        }
    }
}

impl Failed {
    pub(in crate::simulation) fn read(&self) -> Result<Error> {
        let kind = ErrorKind::ALL.into_iter().find(|kind| kind.code() == &*self.kind);
        let kind = kind.ok_or_else(|| Error::new(ErrorKind::Decrypt, "the recording has an unknown kind of error"))?;
        let error = Error::new(kind, self.message.clone()).retry(match self.retry {
            Again::Never => Retry::Never,
            Again::After(pause) => Retry::After(pause.map(Duration::from_millis)),
            Again::Once => Retry::OnceWithFreshCredentials,
        });
        Ok(match &self.upstream {
            Some((code, status)) => error.upstream(code, *status),
            None => error,
        })
    }
}

fn millis(time: Option<UnixMillis>) -> Option<u64> {
    time.map(|time| time.0)
}
