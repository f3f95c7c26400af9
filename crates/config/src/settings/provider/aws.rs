//! `type = "aws-secrets-manager"` and `type = "aws-parameter-store"`.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::shape::{Needs, provider};
use super::{Credential, Need, Tls};
use crate::units::Period;

/// The keys of every kind that asks AWS, and after them those of one kind; after `instead of region`, the key that may
/// name several.
macro_rules! aws {
    ($(#[$about:meta])* pub struct $name:ident { $($own:tt)* } $(instead of region: $regions:ident)?) => {
        provider! {
            $(#[$about])*
            pub struct $name asks {
                /// The region; else `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub region: Option<String>,
                /// A profile of the shared credentials and config files, as the only source of credentials.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub profile: Option<String>,
                /// A role to assume with those credentials, by its ARN.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub role: Option<String>,
                /// Instead of `role`: roles that are assumed one after the other, each with the credentials of the one
                /// before.
                #[serde(default, skip_serializing_if = "Vec::is_empty")]
                pub roles: Vec<AwsRole>,
                /// Asks hosts with validated cryptographic modules; else `AWS_USE_FIPS_ENDPOINT` or the profile's
                /// `use_fips_endpoint`.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub use_fips: Option<bool>,
                /// Asks hosts that IPv6 reaches too; else `AWS_USE_DUALSTACK_ENDPOINT` or the profile's
                /// `use_dualstack_endpoint`.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub use_dualstack: Option<bool>,
                $($own)*
            }
        }

        impl $name {
            /// How it logs in.
            pub fn login(&self) -> AwsLogin<'_> {
                let region = self.region.as_ref();
                $(let region = self.$regions.first().or(region);)?
                AwsLogin {
                    region: region.map(String::as_str),
                    profile: self.profile.as_deref(),
                    role: self.role.as_deref(),
                    roles: &self.roles,
                    use_fips: self.use_fips,
                    use_dualstack: self.use_dualstack,
                    endpoint: self.endpoint.as_deref(),
                    insecure: self.insecure,
                    tls: &self.tls,
                }
            }
        }

        impl Needs for $name {
            fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
                self.login().needs()
            }
        }
    };
}

aws! {
    /// AWS Secrets Manager. Credentials come from AWS's own chain: environment, profile, web identity, container,
    /// instance.
    pub struct AwsSecretsManager {
        /// Instead of `region`, for secrets with replicas: the first one is asked, and the others, in this order, while
        /// it does not answer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub regions: Vec<String>,
        /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_SECRETS_MANAGER` and
        /// `AWS_ENDPOINT_URL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
    }
    instead of region: regions
}

aws! {
    /// AWS Systems Manager Parameter Store. Credentials come from AWS's own chain.
    pub struct AwsParameterStore {
        /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_SSM` and `AWS_ENDPOINT_URL`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub endpoint: Option<String>,
        /// Whether `SecureString` parameters are decrypted.
        #[serde(default = "yes")]
        pub decrypt: bool,
    }
}

fn yes() -> bool {
    true
}

/// A role that is assumed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AwsRole {
    /// Its ARN, such as `arn:aws:iam::123456789012:role/reader`.
    pub arn: String,
    /// What the role's trust policy asks for: a text, `{ env = "NAME" }` or `{ file = "PATH" }`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<AwsExternalId>,
    /// What AWS's own records call the session; without it, `lockstep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// How long one session lasts, from 15m to 12h; 1h at most, and without it, for a role that is assumed with another
    /// one's credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Period>,
}

/// An external id, which is no secret to AWS: itself, or where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsExternalId {
    /// The id.
    Text(String),
    /// Where it is.
    From(Credential),
}

impl<'de> Deserialize<'de> for AwsExternalId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AwsExternalId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, `{ env = \"NAME\" }` or `{ file = \"PATH\" }`")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AwsExternalId, E> {
                Ok(AwsExternalId::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AwsExternalId, A::Error> {
                Credential::deserialize(MapAccessDeserializer::new(map)).map(AwsExternalId::From)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Serialize for AwsExternalId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::From(credential) => credential.serialize(serializer),
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for AwsExternalId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AwsExternalId".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let credential = generator.subschema_for::<Credential>();
        schemars::json_schema!({
            "description": "An external id: the text itself, or where it is.",
            "anyOf": [{ "type": "string", "minLength": 2, "maxLength": 1224 }, credential],
        })
    }
}

/// What makes a login at AWS, whatever the service.
#[derive(Debug, Clone, Copy)]
pub struct AwsLogin<'a> {
    /// The one region, or the first of several.
    pub region: Option<&'a str>,
    /// The profile.
    pub profile: Option<&'a str>,
    /// The one role.
    pub role: Option<&'a str>,
    /// The roles, if there is not one.
    pub roles: &'a [AwsRole],
    /// Hosts with validated modules.
    pub use_fips: Option<bool>,
    /// Hosts that IPv6 reaches.
    pub use_dualstack: Option<bool>,
    /// An endpoint instead of AWS's own.
    pub endpoint: Option<&'a str>,
    /// Allows plain http.
    pub insecure: bool,
    /// Whom TLS trusts.
    pub tls: &'a Tls,
}

impl<'a> AwsLogin<'a> {
    fn needs(&self) -> Vec<(&'static str, Need<'a>)> {
        let ids = self.roles.iter().filter_map(|role| role.external_id.as_ref());
        let read = |id: &'a AwsExternalId| match id {
            AwsExternalId::Text(_) => None,
            AwsExternalId::From(credential) => Some(("roles", Need::Credential(credential))),
        };
        ids.filter_map(read).collect()
    }
}
