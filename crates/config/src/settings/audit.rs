//! `[audit]`: where the records of accesses go, and what is done when they can't.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Credential, Tls};
use crate::units::{Period, Size};

/// `[audit]`: one line of JSON per access, never with a value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// `summary` folds cached hits into exact counts per name and caller; `full` writes one record each, which is the
    /// default where callers log in (`auth.jwt`, `auth.keys`, `auth.aws_iam`, `auth.certificates`).
    pub hits: AuditHits,
    /// How often folded counts are written; from 10ms to 1h.
    pub flush: Period,
    /// Records that may wait for `{ http = … }`, from 1 to 1000000.
    pub queue: u32,
    /// What is done while no record can be taken, since the queue or the disk is full: `block` releases nothing, `drop`
    /// loses the records and counts them.
    pub when_full: AuditWhenFull,
    /// Whether each line holds the hash of what stands before it. Else it does in files and over HTTP, and does not on
    /// standard output and standard error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<bool>,
    /// Where records go: `stderr`, `stdout`, `none`, `{ file = "PATH" }` or `{ http = "URL" }`, or a list of those.
    pub sink: AuditSinks,
    /// The key of the chain, of at least 32 bytes. Without one, whoever can write the file can make the chain anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Credential>,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            hits: AuditHits::Summary,
            flush: Period::of(Duration::from_secs(10)),
            queue: 10_000,
            when_full: AuditWhenFull::Drop,
            chain: None,
            key: None,
            sink: AuditSinks::One(AuditSinkKind::Stderr),
        }
    }
}

impl Audit {
    /// Whether the lines of a sink are chained.
    pub fn is_chained(&self, sink: &AuditSinkKind) -> bool {
        self.chain.unwrap_or(matches!(sink, AuditSinkKind::File(_) | AuditSinkKind::Http(_)))
    }
}

/// Where audit records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditSinks {
    /// To one place.
    One(AuditSinkKind),
    /// To each of these.
    Several(Vec<AuditSinkKind>),
}

impl AuditSinks {
    /// Whether a list names a place twice, or `none` beside others, or nothing.
    pub(crate) fn is_at_odds(&self) -> bool {
        let Self::Several(sinks) = self else { return false };
        let is_twice = |at: usize, sink: &AuditSinkKind| sinks.iter().take(at).any(|before| before.is_same_place(sink));
        sinks.is_empty()
            || sinks.iter().enumerate().any(|(at, sink)| *sink == AuditSinkKind::None || is_twice(at, sink))
    }

    /// Each of them, with the key that it stands at.
    pub fn by_key(&self) -> impl Iterator<Item = (String, &AuditSinkKind)> {
        let sinks = match self {
            Self::One(sink) => std::slice::from_ref(sink),
            Self::Several(sinks) => sinks,
        };
        let key = |index| match self {
            Self::One(_) => "audit.sink".to_owned(),
            Self::Several(_) => format!("audit.sink.{index}"),
        };
        sinks.iter().enumerate().map(move |(index, sink)| (key(index), sink))
    }
}

/// A place that audit records go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditSinkKind {
    /// Standard error.
    Stderr,
    /// Standard output.
    Stdout,
    /// Nowhere.
    None,
    /// A file.
    File(AuditFile),
    /// Another system.
    Http(Box<AuditHttp>),
}

impl AuditSinkKind {
    /// Whether both would write to the same place.
    fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.file == other.file,
            (Self::Http(one), Self::Http(other)) => one.http == other.http,
            _ => self == other,
        }
    }
}

/// `{ file = … }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditFile {
    /// The file, which is only appended to; a relative path begins at the configuration's folder.
    pub file: PathBuf,
    /// Where it is moved to `PATH.1`, and another one begun. Without it, it grows without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotate_bytes: Option<Size>,
    /// How many files are kept that were moved.
    pub keep: u32,
}

/// `{ http = … }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditHttp {
    /// Where batches are posted to.
    pub http: String,
    /// The bearer token that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<Credential>,
    /// Allows `http://` to another machine.
    pub insecure: bool,
    /// Records of one batch.
    pub batch_records: u32,
    /// Bytes of one batch.
    pub batch_bytes: Size,
    /// How long a batch that is not full waits for more.
    pub batch_wait: Period,
    /// How long one attempt may take.
    pub timeout: Period,
    /// Whom it trusts.
    #[serde(skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
}

/// How cached hits are audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AuditHits {
    /// Folded into exact counts.
    Summary,
    /// One record each.
    Full,
}

/// What is done while no record can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AuditWhenFull {
    /// Nothing is released.
    Block,
    /// Records are lost, and counted.
    Drop,
}

/// A sink is a word or a table, or there is a list of them: their serde stands apart.
mod sink {
    use std::fmt;
    use std::path::PathBuf;
    use std::time::Duration;

    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Error, MapAccess, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{AuditFile, AuditHttp, AuditSinkKind, AuditSinks, Credential, Period, Size, Tls};

    const SINK: &str = "`\"stderr\"`, `\"stdout\"`, `\"none\"`, `{ file = \"PATH\" }` or `{ http = \"URL\" }`";

    impl<'de> Deserialize<'de> for AuditSinks {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_any(Written)
        }
    }

    impl<'de> Deserialize<'de> for AuditSinkKind {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            match AuditSinks::deserialize(deserializer)? {
                AuditSinks::One(sink) => Ok(sink),
                AuditSinks::Several(_) => Err(Error::custom(format!("a list has no list in it; write {SINK}"))),
            }
        }
    }

    struct Written;

    /// Both tables at once: which one it is, is known when it is read.
    #[derive(Deserialize, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Table {
        file: Option<PathBuf>,
        rotate_bytes: Option<Size>,
        keep: Option<u32>,
        http: Option<String>,
        token: Option<Credential>,
        insecure: Option<bool>,
        batch_records: Option<u32>,
        batch_bytes: Option<Size>,
        batch_wait: Option<Period>,
        timeout: Option<Period>,
        tls: Option<Tls>,
    }

    impl Table {
        fn is_of_file(&self) -> bool {
            self.rotate_bytes.is_some() || self.keep.is_some()
        }

        fn is_of_http(&self) -> bool {
            let batch = self.batch_records.is_some() || self.batch_bytes.is_some() || self.batch_wait.is_some();
            batch || self.token.is_some() || self.insecure.is_some() || self.timeout.is_some() || self.tls.is_some()
        }

        fn into_sink(self) -> Option<AuditSinkKind> {
            match (self.file.clone(), self.http.clone()) {
                (Some(file), None) if !self.is_of_http() && !file.as_os_str().is_empty() => {
                    let keep = self.keep.unwrap_or(10);
                    Some(AuditSinkKind::File(AuditFile { file, rotate_bytes: self.rotate_bytes, keep }))
                }
                (None, Some(http)) if !self.is_of_file() => Some(AuditSinkKind::Http(Box::new(AuditHttp {
                    http,
                    token: self.token,
                    insecure: self.insecure.unwrap_or(false),
                    batch_records: self.batch_records.unwrap_or(500),
                    batch_bytes: self.batch_bytes.unwrap_or(Size::of(256 << 10)),
                    batch_wait: self.batch_wait.unwrap_or(Period::of(Duration::from_secs(1))),
                    timeout: self.timeout.unwrap_or(Period::of(Duration::from_secs(10))),
                    tls: self.tls.unwrap_or_default(),
                }))),
                _ => None,
            }
        }
    }

    impl<'de> Visitor<'de> for Written {
        type Value = AuditSinks;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(SINK)
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<AuditSinks, E> {
            let sink = match text {
                "stderr" => AuditSinkKind::Stderr,
                "stdout" => AuditSinkKind::Stdout,
                "none" => AuditSinkKind::None,
                _ => return Err(E::custom(format!("this is no place for audit records; write {SINK}"))),
            };
            Ok(AuditSinks::One(sink))
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AuditSinks, A::Error> {
            let mut sinks = Vec::new();
            while let Some(sink) = list.next_element()? {
                sinks.push(sink);
            }
            Ok(AuditSinks::Several(sinks))
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AuditSinks, A::Error> {
            let table = Table::deserialize(MapAccessDeserializer::new(map))?;
            let wrong = || {
                A::Error::custom(
                    "write either `{ file = \"PATH\", rotate_bytes = \"64MiB\", keep = 10 }` or `{ http = \"URL\", \
                     token = { env = \"NAME\" } }`, and of each only its own keys",
                )
            };
            table.into_sink().map(AuditSinks::One).ok_or_else(wrong)
        }
    }

    impl Serialize for AuditSinks {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::One(sink) => sink.serialize(serializer),
                Self::Several(sinks) => sinks.serialize(serializer),
            }
        }
    }

    impl Serialize for AuditSinkKind {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Stderr => serializer.serialize_str("stderr"),
                Self::Stdout => serializer.serialize_str("stdout"),
                Self::None => serializer.serialize_str("none"),
                Self::File(file) => file.serialize(serializer),
                Self::Http(http) => http.serialize(serializer),
            }
        }
    }

    #[cfg(feature = "schema")]
    impl schemars::JsonSchema for AuditSinks {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "AuditSinks".into()
        }
        fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
            let sink = generator.subschema_for::<AuditSinkKind>();
            schemars::json_schema!({
                "anyOf": [
                    sink,
                    { "type": "array", "items": sink, "minItems": 1, "uniqueItems": true },
                ],
            })
        }
    }

    #[cfg(feature = "schema")]
    impl schemars::JsonSchema for AuditSinkKind {
        fn schema_name() -> std::borrow::Cow<'static, str> {
            "AuditSink".into()
        }
        fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
            let (credential, tls) = (generator.subschema_for::<Credential>(), generator.subschema_for::<Tls>());
            let (size, period) = (generator.subschema_for::<Size>(), generator.subschema_for::<Period>());
            schemars::json_schema!({
                "oneOf": [
                    { "enum": ["stderr", "stdout", "none"] },
                    {
                        "type": "object",
                        "properties": {
                            "file": { "type": "string", "minLength": 1 },
                            "rotate_bytes": size,
                            "keep": { "type": "integer", "minimum": 1, "maximum": 1000, "default": 10 },
                        },
                        "required": ["file"],
                        "additionalProperties": false,
                    },
                    {
                        "type": "object",
                        "properties": {
                            "http": { "type": "string", "minLength": 1 },
                            "token": credential,
                            "insecure": { "type": "boolean", "default": false },
                            "batch_records": { "type": "integer", "minimum": 1, "maximum": 10000, "default": 500 },
                            "batch_bytes": size,
                            "batch_wait": period,
                            "timeout": period,
                            "tls": tls,
                        },
                        "required": ["http"],
                        "additionalProperties": false,
                    },
                ],
            })
        }
    }
}
