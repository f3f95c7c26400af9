//! What providers may be asked for, and where from: `only`, and `[context]`.

use lockstep_core::{Context as CoreContext, Reach, Segment};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Glob;

/// What a provider may be asked for, whoever asks. What is outside is denied before any call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Only {
    /// Patterns over the provider's own names, such as `app/prod/**`; an ARN fits none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<Glob>,
    /// Tags or labels that a secret must have: `name` or `name=value`. They are looked at before the value is read, which
    /// costs one call more per fetch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

impl Only {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Only> for Reach {
    fn from(only: &Only) -> Self {
        Self {
            names: only.names.iter().map(|glob| glob.0.clone()).collect(),
            tags: only.tags.iter().map(|tag| (tag.name.clone(), tag.value.clone())).collect(),
        }
    }
}

/// A tag, and its value unless any will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    name: String,
    value: Option<String>,
}

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err(D::Error::custom("a tag is `name` or `name=value`; write for example `team=payments`"));
        }
        Ok(Self { name, value })
    }
}

impl Serialize for Tag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            None => serializer.serialize_str(&self.name),
            Some(value) => serializer.collect_str(&format_args!("{}={value}", self.name)),
        }
    }
}

/// `[context]`: what the variables of a `name_template` stand for. Each is one segment of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Context {
    /// `{organization}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<Word>,
    /// `{parent_stack}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_stack: Option<Word>,
    /// `{client_stack}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_stack: Option<Word>,
    /// `{environment}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Word>,
}

impl Context {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Context> for CoreContext {
    fn from(context: &Context) -> Self {
        let segment = |word: &Option<Word>| word.as_ref().map(|word| word.segment.clone());
        Self {
            organization: segment(&context.organization),
            parent_stack: segment(&context.parent_stack),
            client_stack: segment(&context.client_stack),
            environment: segment(&context.environment),
        }
    }
}

/// What one variable stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    text: String,
    segment: Segment,
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let segment = Segment::parse(&text).map_err(|error| D::Error::custom(error.message()))?;
        Ok(Self { text, segment })
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    impl JsonSchema for super::Tag {
        fn schema_name() -> Cow<'static, str> {
            "Tag".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({ "description": "A tag: `name` or `name=value`.", "type": "string", "pattern": "^[^=]+" })
        }
    }

    impl JsonSchema for super::Word {
        fn schema_name() -> Cow<'static, str> {
            "Segment".into()
        }
        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            json_schema!({
                "description": "One segment of a name, without any of `* + , { } % : ?`.",
                "type": "string",
                "pattern": "^[^/*+,{}%:?]+$",
            })
        }
    }
}
