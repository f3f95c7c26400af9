//! [`Text`] and [`Body`]: what is written of a request, with places for values. A body is taken apart as JSON before a
//! value gets into it: no value can add to its structure.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::{Error, ErrorKind, Result, SecretValue};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::document::Document;

/// What a header of HTTP's basic authentication begins with; `user:password` behind it is encoded here.
const BASIC: &str = "Basic ";

/// What is put into the places.
pub(super) struct Values<'a> {
    /// `{new}`
    pub(super) new: &'a SecretValue,
    /// `{current}`
    pub(super) current: &'a SecretValue,
    /// `{secret.KEY}`
    pub(super) secret: &'a SecretValue,
    /// `{master}`, `{master.KEY}`
    pub(super) master: Option<&'a SecretValue>,
}

/// A text with places.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Plain(Box<str>),
    New,
    Current,
    Secret(Box<str>),
    Master(Option<Box<str>>),
}

/// A JSON document whose texts have places.
pub(super) struct Body(Node);

enum Node {
    Text(Text),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
    /// A number, `true`, `false` or `null`.
    Other(Value),
}

impl Text {
    /// Reads it. A brace that is not followed by a word and another brace is a brace.
    ///
    /// # Errors
    /// `Config` for a place that nothing is put into.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find('{') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            let place = rest[1..].split_once('}').map(|(word, _)| word).filter(|word| is_word(word));
            let Some(word) = place else {
                plain.push('{');
                rest = &rest[1..];
                continue;
            };
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain).into()));
            }
            parts.push(Part::parse(word)?);
            rest = &rest[word.len() + 2..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain.into()));
        }
        Ok(Self(parts))
    }

    pub(super) fn asks_new(&self) -> bool {
        self.0.contains(&Part::New)
    }

    pub(super) fn asks_current(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Current | Part::Secret(_)))
    }

    pub(super) fn asks_master(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Master(_)))
    }

    /// With the values.
    ///
    /// # Errors
    /// A key that a secret does not have.
    pub(super) fn with(&self, values: &Values<'_>) -> Result<SecretValue> {
        let parts = self.0.iter().map(|part| part.with(values)).collect::<Result<Vec<_>>>()?;
        // Counted first: a buffer that grows leaves its old blocks behind.
        let mut whole = Zeroizing::new(Vec::with_capacity(parts.iter().map(SecretValue::len).sum()));
        for part in &parts {
            whole.extend_from_slice(part.expose());
        }
        Ok(SecretValue::from(std::mem::take(&mut *whole)))
    }

    /// The same for a header.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub(super) fn in_header(&self, values: &Values<'_>) -> Result<SecretValue> {
        let whole = self.with(values)?;
        match whole.expose().strip_prefix(BASIC.as_bytes()) {
            None => Ok(whole),
            Some(pair) => {
                let encoded = Zeroizing::new(STANDARD.encode(pair));
                let mut header = Vec::with_capacity(BASIC.len() + encoded.len());
                header.extend_from_slice(BASIC.as_bytes());
                header.extend_from_slice(encoded.as_bytes());
                Ok(SecretValue::from(header))
            }
        }
    }
}

impl Part {
    fn parse(word: &str) -> Result<Self> {
        match word.split_once('.') {
            None if word == "new" => Ok(Self::New),
            None if word == "current" => Ok(Self::Current),
            None if word == "master" => Ok(Self::Master(None)),
            Some(("secret", key)) => Ok(Self::Secret(key.into())),
            Some(("master", key)) => Ok(Self::Master(Some(key.into()))),
            _ => {
                let message = format!(
                    "nothing is put into `{{{word}}}`; write one of {{new}}, {{current}}, {{secret.KEY}}, {{master}}, \
                     {{master.KEY}}"
                );
                Err(Error::new(ErrorKind::Config, message))
            }
        }
    }

    fn with(&self, values: &Values<'_>) -> Result<SecretValue> {
        let none = || Error::new(ErrorKind::Internal, "a request asks for a secret that was not read");
        match self {
            Self::Plain(text) => Ok(SecretValue::from(&**text)),
            Self::New => Ok(values.new.duplicate()),
            Self::Current => Ok(values.current.duplicate()),
            Self::Secret(key) => Document::read(values.secret, "secret's")?.required(key),
            Self::Master(None) => values.master.map(SecretValue::duplicate).ok_or_else(none),
            Self::Master(Some(key)) => Document::read(values.master.ok_or_else(none)?, "master's")?.required(key),
        }
    }
}

impl Body {
    /// Reads it.
    ///
    /// # Errors
    /// `Config` when it is no JSON, or has a place that nothing is put into.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let value = serde_json::from_str(text).map_err(|_| Error::new(ErrorKind::Config, "`body` is no JSON"))?;
        Node::parse(value).map(Self)
    }

    /// Every text in it.
    pub(super) fn texts(&self) -> impl Iterator<Item = &Text> {
        let mut found = Vec::new();
        self.0.collect(&mut found);
        found.into_iter()
    }

    /// The JSON, with the values.
    ///
    /// # Errors
    /// A key that a secret does not have, or a value that is no text.
    pub(super) fn written(&self, values: &Values<'_>) -> Result<SecretValue> {
        // Written twice, first to count.
        let mut counted = Counted(0);
        self.0.write(values, &mut counted)?;
        let mut whole = Zeroizing::new(Vec::with_capacity(counted.0));
        self.0.write(values, &mut *whole)?;
        Ok(SecretValue::from(std::mem::take(&mut *whole)))
    }
}

impl Node {
    fn parse(value: Value) -> Result<Self> {
        Ok(match value {
            Value::String(text) => Self::Text(Text::parse(&text)?),
            Value::Array(items) => Self::List(items.into_iter().map(Self::parse).collect::<Result<_>>()?),
            Value::Object(members) => {
                let each = members.into_iter().map(|(key, value)| Ok((key, Self::parse(value)?)));
                Self::Object(each.collect::<Result<_>>()?)
            }
            other => Self::Other(other),
        })
    }

    fn collect<'a>(&'a self, into: &mut Vec<&'a Text>) {
        match self {
            Self::Text(text) => into.push(text),
            Self::List(items) => items.iter().for_each(|item| item.collect(into)),
            Self::Object(members) => members.iter().for_each(|(_, value)| value.collect(into)),
            Self::Other(_) => {}
        }
    }

    fn write(&self, values: &Values<'_>, out: &mut dyn Write) -> Result<()> {
        let broken = |_: io::Error| Error::new(ErrorKind::Internal, "a body could not be written");
        match self {
            Self::Text(text) => {
                let text = text.with(values)?;
                let none = || Error::new(ErrorKind::Unsupported, "a value is no text");
                let text = text.expose_text().ok_or_else(none)?;
                serde_json::to_writer(out, text).map_err(|error| broken(error.into()))
            }
            Self::List(items) => {
                out.write_all(b"[").map_err(broken)?;
                for (at, item) in items.iter().enumerate() {
                    out.write_all(if at == 0 { b"" } else { b"," }).map_err(broken)?;
                    item.write(values, out)?;
                }
                out.write_all(b"]").map_err(broken)
            }
            Self::Object(members) => {
                out.write_all(b"{").map_err(broken)?;
                for (at, (key, value)) in members.iter().enumerate() {
                    out.write_all(if at == 0 { b"" } else { b"," }).map_err(broken)?;
                    serde_json::to_writer(&mut *out, key).map_err(|error| broken(error.into()))?;
                    out.write_all(b":").map_err(broken)?;
                    value.write(values, out)?;
                }
                out.write_all(b"}").map_err(broken)
            }
            Self::Other(value) => serde_json::to_writer(out, value).map_err(|error| broken(error.into())),
        }
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> String {
        let (new, current) = (SecretValue::from("n\"ew"), SecretValue::from("old"));
        let secret = SecretValue::from(r#"{"username":"app","password":"old"}"#);
        let master = SecretValue::from(r#"{"password":"m"}"#);
        let values = Values { new: &new, current: &current, secret: &secret, master: Some(&master) };
        Text::parse(text).unwrap().in_header(&values).unwrap().expose_text().unwrap().to_owned()
    }

    /// Break: any arm of `Part::with`, `is_word`, or the encoding.
    #[test]
    fn values_are_put_where_their_places_are() {
        for (text, expected) in [
            ("Bearer {current}", "Bearer old"),
            ("{new}{new}", "n\"ewn\"ew"),
            ("Basic {secret.username}:{current}", "Basic YXBwOm9sZA=="),
            ("x {master.password} {", "x m {"),
            ("{ not a place } {}", "{ not a place } {}"),
            ("", ""),
        ] {
            assert_eq!(with(text), expected, "{text}");
        }
        for wrong in ["{nwe}", "{secret}", "{other.key}"] {
            assert_eq!(Text::parse(wrong).unwrap_err().kind(), ErrorKind::Config, "{wrong}");
        }
    }

    /// Break: put values into the text of the body before it is taken apart.
    #[test]
    fn a_value_in_a_body_stays_one_text() {
        let new = SecretValue::from(r#"x","admin":true,"y":"\"#);
        let secret = SecretValue::from("{}");
        let values = Values { new: &new, current: &new, secret: &secret, master: None };
        let body = Body::parse(r#"{"b":[1,"{new}",null],"a":{"p":"<{new}>"}}"#).unwrap();
        let written: Value = serde_json::from_slice(body.written(&values).unwrap().expose()).unwrap();
        let plain = new.expose_text().unwrap();
        assert_eq!(written, serde_json::json!({ "b": [1, plain, null], "a": { "p": format!("<{plain}>") } }));
        assert_eq!(body.texts().count(), 2);
    }
}
