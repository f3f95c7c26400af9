//! `type = "aws-secrets-manager"` and `type = "aws-parameter-store"`.

use serde::{Deserialize, Serialize};

use super::{Common, Tls, Upstream, members};
use crate::units::Period;

/// AWS Secrets Manager. Credentials come from AWS's own chain: environment, profile, web identity, container, instance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AwsSecretsManager {
    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A profile of the shared credentials file, as the only source of credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_SECRETS_MANAGER` and
    /// `AWS_ENDPOINT_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Allows `http://` to other hosts than this one.
    pub insecure: bool,
    /// Keys and items that an answer may have, in all; from 1000 to 1000000.
    pub max_members: u32,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// Whom TLS trusts.
    #[serde(skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// The layers around the provider.
    pub upstream: Upstream,
}

impl Default for AwsSecretsManager {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            endpoint: None,
            insecure: false,
            max_members: members(),
            ttl: None,
            tls: Tls::default(),
            upstream: Upstream::default(),
        }
    }
}

/// AWS Systems Manager Parameter Store. Credentials come from AWS's own chain.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AwsParameterStore {
    /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A profile of the shared credentials file, as the only source of credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Allows `http://` to other hosts than this one.
    pub insecure: bool,
    /// Whether `SecureString` parameters are decrypted.
    pub decrypt: bool,
    /// Keys and items that an answer may have, in all; from 1000 to 1000000.
    pub max_members: u32,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// Whom TLS trusts.
    #[serde(skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// The layers around the provider.
    pub upstream: Upstream,
}

impl Default for AwsParameterStore {
    fn default() -> Self {
        Self {
            region: None,
            profile: None,
            endpoint: None,
            insecure: false,
            decrypt: true,
            max_members: members(),
            ttl: None,
            tls: Tls::default(),
            upstream: Upstream::default(),
        }
    }
}

impl AwsSecretsManager {
    pub(super) fn common(&self) -> Common<'_> {
        Common::new(&self.upstream, self.ttl).answers(self.max_members)
    }
}

impl AwsParameterStore {
    pub(super) fn common(&self) -> Common<'_> {
        Common::new(&self.upstream, self.ttl).answers(self.max_members)
    }
}
