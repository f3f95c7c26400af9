//! What stands in a line of a recording, as JSON. The way from and to core's own types is in `convert`.
//!
//! Values are base64 and read where they stand: no parser of JSON makes a copy of one. A lease never gets here: whoever
//! has its id can end it.

mod convert;

use std::borrow::Cow;
use std::collections::BTreeMap;

use lockstep_core::{Capabilities, Encoding, Filter, Page, Result, SecretName, Selector, VersionState};
use serde::de::Deserializer;
use serde::ser::{Error as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::binary::encoded;

/// One line.
#[derive(Serialize, Deserialize)]
pub(super) struct Line<'a> {
    /// The run of a recorder that wrote it.
    pub(super) run: Cow<'a, str>,
    /// Its place in the run, from 0.
    pub(super) number: u64,
    /// When, in milliseconds since 1970.
    pub(super) at: u64,
    /// How many accesses of the run before it could not be written.
    pub(super) lost: u64,
    #[serde(borrow)]
    pub(super) holds: Holds<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Holds<'a> {
    /// The first line of a run.
    Begin(Begin),
    /// Every other one.
    Access(Asked, #[serde(borrow)] Answer<'a>),
}

/// What a run begins with.
#[derive(Serialize, Deserialize)]
pub(super) struct Begin {
    #[serde(with = "CapabilitiesForm")]
    pub(super) capabilities: Capabilities,
    /// How many lines there were before, and how the last one of them ended: none of them can go, or move, unseen.
    pub(super) after: usize,
    pub(super) tail: Box<str>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Capabilities")]
#[expect(clippy::struct_excessive_bools, reason = "the form of core's own")]
struct CapabilitiesForm {
    versions: bool,
    labels: bool,
    list: bool,
    describe: bool,
    rotate: bool,
    batch: bool,
    watch: bool,
    leased: bool,
}

/// What was asked: an operation and all that tells two of its kind apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Asked {
    Get(Box<str>, Which),
    Describe(Box<str>),
    Versions(Box<str>, Part),
    List { prefix: Box<str>, tags: Vec<(String, Option<String>)>, part: Part },
    Rotate(Box<str>),
    Renew,
    Revoke,
}

/// A [`Selector`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Which {
    Current,
    Previous,
    Id(Box<str>),
    Label(Box<str>),
}

/// A [`Page`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Part {
    token: Option<String>,
    limit: Option<u16>,
}

impl Asked {
    pub(super) fn get(name: &SecretName, selector: &Selector) -> Self {
        let which = match selector {
            Selector::Current => Which::Current,
            Selector::Previous => Which::Previous,
            Selector::Id(id) => Which::Id(id.clone()),
            Selector::Label(label) => Which::Label(label.clone()),
        };
        Self::Get(name.as_str().into(), which)
    }

    pub(super) fn describe(name: &SecretName) -> Self {
        Self::Describe(name.as_str().into())
    }

    pub(super) fn versions(name: &SecretName, page: &Page) -> Self {
        Self::Versions(name.as_str().into(), page.into())
    }

    pub(super) fn list(prefix: &str, filter: &Filter, page: &Page) -> Self {
        Self::List { prefix: prefix.into(), tags: filter.tags.clone(), part: page.into() }
    }

    pub(super) fn rotate(name: &SecretName) -> Self {
        Self::Rotate(name.as_str().into())
    }
}

impl From<&Page> for Part {
    fn from(page: &Page) -> Self {
        Self { token: page.token.clone(), limit: page.limit }
    }
}

/// What was answered.
#[derive(Serialize, Deserialize)]
pub(super) enum Answer<'a> {
    Secret(#[serde(borrow)] Box<SecretForm<'a>>),
    Metadata(Box<MetadataForm>),
    Versions(Vec<VersionInfoForm>, Option<String>),
    List(Vec<MetadataForm>, Option<String>),
    Rotated(Option<VersionForm>),
    Done,
    Failed(Failed),
}

#[derive(Serialize, Deserialize)]
pub(super) struct SecretForm<'a> {
    of: Identity,
    version: Option<VersionForm>,
    labels: Vec<Box<str>>,
    #[serde(borrow)]
    payload: PayloadForm<'a>,
    created: Option<u64>,
    expires: Option<u64>,
    attributes: BTreeMap<Cow<'a, str>, Box<str>>,
}

/// Which secret: its canonical name, where that is, and its friendly name.
#[derive(Serialize, Deserialize)]
struct Identity {
    id: Box<str>,
    account: Box<str>,
    region: Box<str>,
    name: Box<str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct VersionForm {
    id: Box<str>,
    order: Option<u64>,
}

#[derive(Serialize, Deserialize)]
enum PayloadForm<'a> {
    Whole(#[serde(borrow)] FieldForm<'a>),
    Fields(#[serde(borrow)] BTreeMap<Box<str>, FieldForm<'a>>),
}

#[derive(Serialize, Deserialize)]
struct FieldForm<'a> {
    #[serde(with = "EncodingForm")]
    encoding: Encoding,
    #[serde(borrow)]
    value: Value<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Encoding")]
enum EncodingForm {
    Text,
    Binary,
    Json,
}

/// A value: its bytes on the way out, its base64 where it stands on the way in.
enum Value<'a> {
    Bytes(&'a [u8]),
    Base64(&'a str),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Bytes(bytes) => {
                let text = encoded(bytes);
                serializer.serialize_str(std::str::from_utf8(&text).map_err(S::Error::custom)?)
            }
            Self::Base64(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <&str>::deserialize(from).map(Self::Base64)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct MetadataForm {
    of: Identity,
    version: Option<VersionForm>,
    description: Option<String>,
    tags: BTreeMap<String, String>,
    created: Option<u64>,
    changed: Option<u64>,
    next_rotation: Option<u64>,
    rotation_enabled: Option<bool>,
    deleted: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct VersionInfoForm {
    version: VersionForm,
    labels: Vec<Box<str>>,
    created: Option<u64>,
    #[serde(with = "StateForm")]
    state: VersionState,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "VersionState")]
enum StateForm {
    Enabled,
    Disabled,
    Deleted,
    Destroyed,
}

#[derive(Serialize, Deserialize)]
pub(super) struct Failed {
    kind: Box<str>,
    message: Box<str>,
    retry: Again,
    upstream: Option<(Box<str>, u16)>,
}

/// A [`Retry`].
#[derive(Serialize, Deserialize)]
enum Again {
    Never,
    /// After so many milliseconds, if the provider said how long.
    After(Option<u64>),
    Once,
}
