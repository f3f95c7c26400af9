//! What stands in the place of callers' settings in a program that answers its own machine alone.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// A key of the configuration that this program does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Absent;

#[cfg(not(feature = "callers"))]
mod of_callers {
    pub(in super::super) type ApiKeys = super::Absent;
    pub(in super::super) type AwsIdentities = super::Absent;
    pub(in super::super) type Certificates = super::Absent;
    pub(in super::super) type Issuers = super::Absent;
}
#[cfg(not(feature = "callers"))]
pub(super) use self::of_callers::{ApiKeys, AwsIdentities, Certificates, Issuers};

#[cfg(not(feature = "policy"))]
mod of_policies {
    pub(in super::super) type PolicyFiles = super::Absent;
    pub(in super::super) type PolicyText = super::Absent;
}
#[cfg(not(feature = "policy"))]
pub(super) use self::of_policies::{PolicyFiles, PolicyText};

#[expect(clippy::unused_self, reason = "it is read like the settings that it stands for")]
impl Absent {
    pub(super) fn is_empty(&self) -> bool {
        true
    }

    pub(super) fn is_none(&self) -> bool {
        true
    }

    pub(super) fn is_some(&self) -> bool {
        false
    }
}

impl<'de> Deserialize<'de> for Absent {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom(
            "this program answers callers of its own machine alone, by `auth.allow`; remove this, or let `lockstep serve` answer",
        ))
    }
}
