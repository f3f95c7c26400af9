//! `[auth.keys.<name>]`, `[auth.aws_iam]`, `[auth.certificates.<name>]`: callers without a signed token.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::settings::AliasName;
use crate::units::Period;

/// `[auth.keys.<name>]`.
pub type ApiKeys = BTreeMap<AliasName, ApiKey>;
/// `[auth.aws_iam]`.
pub type AwsIdentities = Option<AwsIam>;
/// `[auth.certificates.<name>]`.
pub type Certificates = BTreeMap<AliasName, Certificate>;

/// An API key. The configuration holds no key, only the hash of its secret part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKey {
    /// The id that stands in the key: 1 to 32 small letters, digits and `-`; without it, the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What `lockstep key` has printed beside the key; two while an old one is replaced by a new one.
    pub hashes: Vec<ApiKeyHash>,
    /// What policies may know of its holder.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A hash that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApiKeyHash {
    /// `sha256:` and 64 hex digits.
    pub hash: String,
    /// Until when, such as `2027-01-31T00:00:00Z`; without it, for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

/// Identities of AWS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsIam {
    /// The accounts whose identities are let in, by their 12 digits.
    pub accounts: Vec<String>,
    /// The name of this endpoint, which a caller signs in `X-Lockstep-Server-Id`; each endpoint needs its own, mostly its
    /// address. Without it only callers are let in whom AWS has verified in front of a function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// The regions whose STS may be asked who has signed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Whether the STS without a region may be asked too.
    #[serde(default)]
    pub global: bool,
    /// How old a signature may be; from 1s to 15m.
    #[serde(default = "max_age")]
    pub max_age: Period,
    /// How long one that STS has confirmed is remembered; at most 15m.
    #[serde(default = "remember")]
    pub remember: Period,
    /// Where STS is reached instead of its own address, such as a VPC endpoint or a stand-in. What callers sign stays the
    /// same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Allows `http://` to another machine.
    #[serde(default)]
    pub insecure: bool,
}

fn max_age() -> Period {
    Period::of(Duration::from_mins(15))
}

fn remember() -> Period {
    Period::of(Duration::from_mins(1))
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// What it has to have, to the letter: a URI such as `spiffe://acme/ns/prod/sa/api`, `dns:api.acme.internal`, or
    /// `sha256:` and 64 hex digits. One of them has to fit.
    pub any_of: Vec<String>,
    /// Who has to have issued it, such as `CN=Acme CA, O=Acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}
