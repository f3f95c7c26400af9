//! `[providers.<alias>]`: each kind of provider with its own keys, and the layers around it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lockstep_core::MAX_MEMBERS;
use serde::{Deserialize, Serialize, Serializer};

use super::{Credential, Tls, Upstream};
use crate::units::Period;

/// One provider; `type` says which kind.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(tag = "type"))]
#[serde(rename_all = "kebab-case")]
pub enum Provider {
    /// AWS Secrets Manager.
    AwsSecretsManager(AwsSecretsManager),
    /// AWS Systems Manager Parameter Store.
    AwsParameterStore(AwsParameterStore),
    /// HashiCorp Vault or OpenBao.
    Vault(Vault),
    /// A file of secrets.
    File(File),
    /// Made-up secrets and failures, for tests.
    Mock(Mock),
}

impl Provider {
    /// The word after `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::AwsSecretsManager(_) => "aws-secrets-manager",
            Self::AwsParameterStore(_) => "aws-parameter-store",
            Self::Vault(_) => "vault",
            Self::File(_) => "file",
            Self::Mock(_) => "mock",
        }
    }

    /// The layers around it.
    pub fn upstream(&self) -> &Upstream {
        match self {
            Self::AwsSecretsManager(settings) => &settings.upstream,
            Self::AwsParameterStore(settings) => &settings.upstream,
            Self::Vault(settings) => &settings.upstream,
            Self::File(settings) => &settings.upstream,
            Self::Mock(settings) => &settings.upstream,
        }
    }

    /// Keys and items that an answer of it may have; nothing for what parses no answer.
    pub fn max_members(&self) -> Option<u32> {
        match self {
            Self::AwsSecretsManager(settings) => Some(settings.max_members),
            Self::AwsParameterStore(settings) => Some(settings.max_members),
            Self::Vault(settings) => Some(settings.max_members),
            Self::File(settings) => Some(settings.max_members),
            Self::Mock(_) => None,
        }
    }

    /// Its TTL, instead of the cache's.
    pub fn ttl(&self) -> Option<Period> {
        match self {
            Self::AwsSecretsManager(settings) => settings.ttl,
            Self::AwsParameterStore(settings) => settings.ttl,
            Self::Vault(settings) => settings.ttl,
            Self::File(settings) => settings.ttl,
            Self::Mock(settings) => settings.ttl,
        }
    }
}

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

/// HashiCorp Vault or OpenBao.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Vault {
    /// The server, such as `https://vault.internal:8200`.
    pub address: String,
    /// The namespace, such as `team/prod`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How to log in; without it, the token in the variable `VAULT_TOKEN`.
    #[serde(default)]
    pub auth: VaultAuth,
    /// What is mounted where (mount path -> kind), for policies that do not let Lockstep find out by itself.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<String, VaultMount>,
    /// Allows `http://` to other hosts than this one.
    #[serde(default)]
    pub insecure: bool,
    /// Keys and items that an answer may have, in all; from 1000 to 1000000.
    #[serde(default = "members")]
    pub max_members: u32,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// Whom TLS trusts, and what it shows.
    #[serde(default, skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// The layers around the provider.
    #[serde(default)]
    pub upstream: Upstream,
}

/// How to log in at a Vault; `method` says which way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(tag = "method"))]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum VaultAuth {
    /// A token that somebody else renews.
    Token {
        /// The token.
        token: Credential,
    },
    /// AppRole.
    AppRole {
        /// Where the method is mounted.
        #[serde(default = "approle")]
        mount: String,
        /// The role id. It is a name, not a secret.
        role_id: String,
        /// The secret id; none where the role binds by address alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secret_id: Option<Credential>,
    },
}

fn approle() -> String {
    "approle".to_owned()
}

impl Default for VaultAuth {
    fn default() -> Self {
        Self::Token { token: Credential::Env("VAULT_TOKEN".to_owned()) }
    }
}

/// What a mount of a Vault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum VaultMount {
    /// Key/value without versions.
    Kv1,
    /// Key/value with versions.
    Kv2,
    /// Anything else: each read makes a credential.
    Dynamic,
}

/// A file of secrets: YAML, JSON or TOML.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The file: `….yaml`, `….json` or `….toml`. A relative path begins at the configuration's folder.
    pub path: PathBuf,
    /// Accepts a file that others may read, or that belongs to another user.
    #[serde(default)]
    pub insecure_permissions: bool,
    /// How often to look for an edit; from 10ms to 1h. Edits need a journal to be seen before the TTL.
    #[serde(default = "a_second")]
    pub poll: Period,
    /// Keys that the file may have, in all; from 1000 to 1000000.
    #[serde(default = "members")]
    pub max_members: u32,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// The layers around the provider.
    #[serde(default)]
    pub upstream: Upstream,
}

fn members() -> u32 {
    u32::try_from(MAX_MEMBERS).unwrap_or(u32::MAX)
}

fn a_second() -> Period {
    Period::of(Duration::from_secs(1))
}

/// Made-up secrets and failures, for tests and dry runs. Never write a real secret here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Mock {
    /// Its secrets, by name.
    pub secrets: BTreeMap<String, MockSecret>,
    /// How long every call takes.
    pub delay: Period,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// The layers around the provider.
    pub upstream: Upstream,
}

/// One secret of a mock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MockSecret {
    /// Its versions, oldest first; the last one is current.
    pub versions: Vec<MockValue>,
    /// What rotations will bring, in order.
    pub rotations: Vec<MockValue>,
    /// What every call on this secret answers instead: the code of an error, such as `denied` or `throttled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long every call on this secret takes.
    pub delay: Period,
}

/// A made-up value. It is not shown either: a test may hold a real one by mistake.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MockValue(pub(crate) String);

impl fmt::Debug for MockValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockValue(…)")
    }
}

impl Serialize for MockValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(not shown)")
    }
}

/// How the enums are shown: as tables with their tag, the way they are written.
mod shown {
    use serde::{Serialize, Serializer};

    use super::{AwsParameterStore, AwsSecretsManager, Credential, File, Mock, Provider, Vault, VaultAuth};

    #[derive(Serialize)]
    #[serde(tag = "type", rename_all = "kebab-case")]
    enum ShownProvider<'a> {
        AwsSecretsManager(&'a AwsSecretsManager),
        AwsParameterStore(&'a AwsParameterStore),
        Vault(&'a Vault),
        File(&'a File),
        Mock(&'a Mock),
    }

    impl Serialize for Provider {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let shown = match self {
                Self::AwsSecretsManager(settings) => ShownProvider::AwsSecretsManager(settings),
                Self::AwsParameterStore(settings) => ShownProvider::AwsParameterStore(settings),
                Self::Vault(settings) => ShownProvider::Vault(settings),
                Self::File(settings) => ShownProvider::File(settings),
                Self::Mock(settings) => ShownProvider::Mock(settings),
            };
            shown.serialize(serializer)
        }
    }

    #[derive(Serialize)]
    #[serde(tag = "method", rename_all = "lowercase")]
    enum ShownAuth<'a> {
        Token {
            token: &'a Credential,
        },
        AppRole {
            mount: &'a str,
            role_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            secret_id: Option<&'a Credential>,
        },
    }

    impl Serialize for VaultAuth {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let shown = match self {
                Self::Token { token } => ShownAuth::Token { token },
                Self::AppRole { mount, role_id, secret_id } => {
                    ShownAuth::AppRole { mount, role_id, secret_id: secret_id.as_ref() }
                }
            };
            shown.serialize(serializer)
        }
    }
}
