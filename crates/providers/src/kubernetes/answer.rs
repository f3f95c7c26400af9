//! What the API answers with: objects, lists and events. A value stays raw JSON until it is read into memory that is
//! wiped; annotations, which may hold a copy of every value, are left where they are.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use lockstep_core::{
    CanonicalId, Encoding, Field, Metadata, Payload, Result, Scope, Secret, SecretName, SecretValue, UnixMillis,
    Version,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::name::Place;
use crate::body::{Body, binary, or_default, unexpected};

/// What every object has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) uid: String,
    pub(super) resource_version: String,
    creation_timestamp: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    labels: BTreeMap<String, String>,
}

/// An object without what it holds.
#[derive(Deserialize)]
pub(super) struct Partial {
    pub(super) metadata: Meta,
}

#[derive(Deserialize)]
struct Whole<'a> {
    metadata: Meta,
    #[serde(borrow, default, deserialize_with = "or_default")]
    data: BTreeMap<String, &'a RawValue>,
}

/// A page of a list.
#[derive(Deserialize)]
pub(super) struct List {
    pub(super) metadata: ListMeta,
    #[serde(default, deserialize_with = "or_default")]
    pub(super) items: Vec<Partial>,
}

/// What a list has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMeta {
    #[serde(default)]
    pub(super) resource_version: String,
    #[serde(rename = "continue", default, deserialize_with = "crate::body::next")]
    pub(super) next: Option<String>,
}

/// One line of a watch.
#[derive(Deserialize)]
pub(super) struct Event<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(borrow)]
    pub(super) object: &'a RawValue,
}

/// The object of a bookmark: nothing but how far the watch has come.
#[derive(Deserialize)]
pub(super) struct Bookmark {
    pub(super) metadata: BookmarkMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BookmarkMeta {
    pub(super) resource_version: String,
}

impl Meta {
    /// Which of all writes made what it holds: the uid tells two lives of one name apart.
    pub(super) fn version(&self) -> Result<String> {
        let is_word =
            |word: &str| !word.is_empty() && word.len() <= 128 && word.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_word(&self.uid) || !is_word(&self.resource_version) {
            return Err(unexpected("has an object without uid or resourceVersion"));
        }
        Ok(format!("{}.{}", self.uid, self.resource_version))
    }

    fn place(&self) -> Place {
        Place { namespace: self.namespace.clone(), secret: self.name.clone() }
    }

    /// Its full name.
    pub(super) fn named(&self) -> Result<SecretName> {
        self.place().name().map_err(|_| unexpected("has an object whose name is none"))
    }

    /// Checks that it is the object that was asked for.
    fn is(&self, place: &Place) -> Result<()> {
        if self.place() == *place {
            return Ok(());
        }
        Err(unexpected("is another object than the one that was asked for"))
    }

    fn created(&self) -> Option<UnixMillis> {
        self.creation_timestamp.as_deref().and_then(UnixMillis::from_rfc3339)
    }

    /// As metadata of a secret.
    pub(super) fn told(self, scope: &Scope) -> Result<Metadata> {
        let name = self.named()?;
        let mut metadata = Metadata::new(CanonicalId { scope: scope.clone(), name: name.clone() }, name);
        metadata.version = Some(Version::unordered(self.version()?));
        metadata.created = self.created();
        metadata.tags = self.labels;
        Ok(metadata)
    }
}

/// A Secret with its values.
pub(super) fn secret(response: Response<Bytes>, scope: &Scope, place: &Place) -> Result<Secret> {
    let body = Body::new(response.into_body());
    let whole: Whole<'_> = body.json()?;
    whole.metadata.is(place)?;
    let mut fields = BTreeMap::new();
    for (key, raw) in &whole.data {
        fields.insert(key.as_str().into(), field(raw)?);
    }
    let name = place.name()?;
    let id = CanonicalId { scope: scope.clone(), name: name.clone() };
    let mut secret = Secret::new(id, name, Payload::Fields(fields));
    secret.version = Some(Version::unordered(whole.metadata.version()?));
    secret.created = whole.metadata.created();
    Ok(secret)
}

fn field(raw: &RawValue) -> Result<Field> {
    // Go writes bytes that are not there as null.
    let value = if raw.get() == "null" { SecretValue::from("") } else { binary(raw)? };
    let encoding = if value.expose_text().is_some() { Encoding::Text } else { Encoding::Binary };
    Ok(Field { value, encoding })
}

/// The metadata of one object.
pub(super) fn metadata(response: Response<Bytes>, scope: &Scope, place: &Place) -> Result<Metadata> {
    let body = Body::new(response.into_body());
    let partial: Partial = body.json()?;
    partial.metadata.is(place)?;
    partial.metadata.told(scope)
}

/// A page of a list, all of it in the namespace that was asked for.
pub(super) fn list(response: Response<Bytes>, namespace: &str) -> Result<List> {
    let body = Body::new(response.into_body());
    let list: List = body.json()?;
    if list.items.iter().any(|item| item.metadata.namespace != namespace) {
        return Err(unexpected("lists another namespace than the one that was asked for"));
    }
    Ok(list)
}
