//! Words that can't be wrong once they are read: aliases, patterns, references, and where a credential is read from.

use std::fmt;
use std::path::PathBuf;

use lockstep_auth::AllowList;
use lockstep_core::{Alias, Pattern, SecretRef};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The alias of a provider.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AliasName(pub Alias);

/// A pattern over names: `*` stands for part of one segment, `**` for any number of segments.
#[derive(Clone)]
pub struct Glob(pub Pattern);

/// What may be read: a pattern over names, or `alias://pattern` for the names of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllowRule(pub(crate) String);

/// A reference to a secret: `[alias://]name[#key][@selector]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    text: String,
    /// What the text means.
    pub parsed: SecretRef,
}

/// Where a credential is read from: `{ env = "NAME" }` or `{ file = "PATH" }`. The credential itself never stands in
/// the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Credential {
    /// The environment variable of this name.
    Env(String),
    /// This file; a relative path begins at the configuration's folder.
    File(PathBuf),
}

impl<'de> Deserialize<'de> for AliasName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Alias::parse(&text).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for AliasName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0.as_str(), f)
    }
}

impl PartialEq for Glob {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Glob {}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pattern::parse(&text).map(Self).map_err(D::Error::custom)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for AllowRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        AllowList::parse([&text]).map_err(|error| D::Error::custom(error.message()))?;
        Ok(Self(text))
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parsed = SecretRef::parse(&text).map_err(D::Error::custom)?;
        Ok(Self { text, parsed })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Credential {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Source)
    }
}

struct Source;

impl<'de> Visitor<'de> for Source {
    type Value = Credential;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`{ env = \"NAME\" }` or `{ file = \"PATH\" }`")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Credential, E> {
        Err(E::custom(
            "a secret never stands in the configuration; put it into a variable or a file, and write \
             `{ env = \"NAME\" }` or `{ file = \"PATH\" }`",
        ))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Credential, A::Error> {
        let wrong = || A::Error::custom("write either `{ env = \"NAME\" }` or `{ file = \"PATH\" }`");
        let source = match map.next_key::<String>()?.as_deref() {
            Some("env") => Credential::Env(map.next_value()?),
            Some("file") => Credential::File(map.next_value()?),
            _ => return Err(wrong()),
        };
        if map.next_key::<String>()?.is_some() {
            return Err(wrong());
        }
        match &source {
            // Not quoted: whoever mistakes the key for that of the credential writes the credential here.
            Credential::Env(name) if !is_variable(name) => Err(A::Error::custom(
                "`env` is the name of an environment variable, in letters, digits and `_`; write one such as \
                 `VAULT_TOKEN`, and never the credential itself",
            )),
            Credential::File(path) if path.as_os_str().is_empty() => {
                Err(A::Error::custom("`file` is the path of a file that holds the credential and nothing else"))
            }
            _ => Ok(source),
        }
    }
}

/// Whether it can be the name of a variable: what can't may be the credential itself.
fn is_variable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.len() <= 64 && name.bytes().all(fits) && !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    impl JsonSchema for super::AliasName {
        fn schema_name() -> Cow<'static, str> {
            "Alias".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "The alias of a provider.",
                "type": "string",
                "pattern": "^[a-z][a-z0-9_-]{0,62}$",
            })
        }
    }

    impl JsonSchema for super::Glob {
        fn schema_name() -> Cow<'static, str> {
            "Glob".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description":
                    "A pattern over names: `*` stands for part of one segment, `**` for any number of segments.",
                "type": "string",
                "minLength": 1,
            })
        }
    }

    impl JsonSchema for super::AllowRule {
        fn schema_name() -> Cow<'static, str> {
            "AllowRule".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A pattern over names, or `alias://pattern` for the names of one provider.",
                "type": "string",
                "minLength": 1,
            })
        }
    }

    impl JsonSchema for super::Reference {
        fn schema_name() -> Cow<'static, str> {
            "Reference".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "A reference to a secret: `[alias://]name[#key][@selector]`.",
                "type": "string",
                "minLength": 1,
            })
        }
    }

    impl JsonSchema for super::Credential {
        fn schema_name() -> Cow<'static, str> {
            "Credential".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            let one = |key: &str, pattern: &str, what: &str| {
                serde_json::json!({
                    "type": "object",
                    "properties": { key: { "type": "string", "pattern": pattern, "description": what } },
                    "required": [key],
                    "additionalProperties": false,
                })
            };
            json_schema!({
                "description":
                    "Where a credential is read from. The credential itself never stands in the configuration.",
                "oneOf": [
                    one("env", "^[A-Za-z_][A-Za-z0-9_]{0,63}$", "The environment variable of this name."),
                    one("file", ".", "This file; a relative path begins at the configuration's folder."),
                ],
            })
        }
    }
}
