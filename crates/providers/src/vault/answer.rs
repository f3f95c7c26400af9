//! The envelope around every answer, and values out of it without losing how numbers are spelled.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use ::http::Response;
use bytes::Bytes;
use lockstep_core::{Encoding, Field, Lease, Payload, Result, SecretValue};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::status::{error_of, malformed};
use crate::json;
use crate::wiped::unescape;

/// What every answer of the API is wrapped in.
#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(borrow, default)]
    lease_id: Option<Cow<'a, str>>,
    #[serde(default)]
    renewable: bool,
    /// Seconds. A negative number is no answer of this API.
    #[serde(default)]
    pub(super) lease_duration: u64,
    #[serde(borrow, default)]
    pub(super) data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) auth: Option<Auth<'a>>,
}

/// A login.
#[derive(Deserialize)]
pub(super) struct Auth<'a> {
    #[serde(borrow)]
    pub(super) client_token: Cow<'a, str>,
    /// Seconds; 0 never ends.
    pub(super) lease_duration: u64,
    #[serde(default)]
    pub(super) renewable: bool,
    #[serde(borrow, default)]
    pub(super) mfa_requirement: Option<&'a RawValue>,
}

impl<'a> Envelope<'a> {
    /// The envelope of a success.
    pub(super) fn of(response: &'a Response<Bytes>) -> Result<Self> {
        if !response.status().is_success() {
            return Err(error_of(response.status(), response.headers(), response.body()));
        }
        Self::read(response.body()).ok_or_else(malformed)
    }

    /// The envelope of a body, whatever its status.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        json::read(body).ok()
    }

    /// The data, in the form that the API promises.
    pub(super) fn data<T: Deserialize<'a>>(&self) -> Result<T> {
        let data = self.data.ok_or_else(malformed)?;
        json::read(data.get().as_bytes()).map_err(|_| malformed())
    }

    /// The lease, if there is one.
    pub(super) fn lease(&self) -> Option<Lease> {
        let id = self.lease_id.as_deref().filter(|id| !id.is_empty())?;
        let duration = Duration::from_secs(self.lease_duration);
        Some(Lease { id: SecretValue::from(id), duration, renewable: self.renewable })
    }
}

/// Named values: text as itself, everything else as its source.
pub(super) fn fields(data: &BTreeMap<String, &RawValue>) -> Result<Payload> {
    let mut fields = BTreeMap::new();
    for (key, raw) in data {
        let field = if raw.get().starts_with('"') {
            Field { value: unescape(raw.get()).ok_or_else(malformed)?.into(), encoding: Encoding::Text }
        } else {
            Field { value: raw.get().into(), encoding: Encoding::Json }
        };
        fields.insert(key.as_str().into(), field);
    }
    Ok(Payload::Fields(fields))
}
