//! [`Document`]: the JSON of a secret: a key is read, or replaced, and everything else stays as it is written.
//!
//! No error quotes a value, and copies of one are wiped.

use std::collections::BTreeMap;

use lockstep_core::{Encoding, Error, ErrorKind, Field, KeyPath, Payload, Result, SecretValue};
use serde_json::value::RawValue;

/// A secret that is one JSON object.
pub(crate) struct Document(Payload);

impl Document {
    /// Takes the members apart.
    ///
    /// # Errors
    /// `Unsupported` when it is no JSON object. `whose` says which version it is.
    pub(crate) fn read(text: &SecretValue, whose: &str) -> Result<Self> {
        let none = || {
            let message = format!("the {whose} value is no JSON object; store one, such as {{\"username\": …}}");
            Error::new(ErrorKind::Unsupported, message)
        };
        let text = text.expose_text().ok_or_else(none)?;
        let members: BTreeMap<Box<str>, &RawValue> = serde_json::from_slice(text.as_bytes()).map_err(|_| none())?;
        let field = |raw: &RawValue| Field { value: SecretValue::from(raw.get()), encoding: Encoding::Json };
        Ok(Self(Payload::Fields(members.into_iter().map(|(key, raw)| (key, field(raw))).collect())))
    }

    /// The text of a string or of a number; `None` when the key is not there or `null`.
    ///
    /// # Errors
    /// `Unsupported` when it is something else.
    pub(crate) fn text(&self, key: &str) -> Result<Option<SecretValue>> {
        let Payload::Fields(fields) = &self.0 else { return Ok(None) };
        let Some(field) = fields.get(key) else { return Ok(None) };
        // A key of its own, which no name can be taken for a pointer or a path in.
        let alone = Payload::text(wrapped(field.value.expose()));
        match alone.select(&KeyPath::parse("/0")?) {
            Ok(Field { value, encoding: Encoding::Text }) => Ok(Some(value)),
            Ok(Field { value, .. }) if value.expose().first().is_some_and(u8::is_ascii_digit) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::VersionNotFound => Ok(None),
            _ => Err(Error::new(ErrorKind::Unsupported, format!("the key `{key}` of the secret is no text"))),
        }
    }

    /// The text of a key that has to be there.
    ///
    /// # Errors
    /// `Unsupported` when it is not, or no text.
    pub(crate) fn required(&self, key: &str) -> Result<SecretValue> {
        let missing = || Error::new(ErrorKind::Unsupported, format!("the secret has no key `{key}`; add it"));
        self.text(key)?.filter(|text| !text.is_empty()).ok_or_else(missing)
    }

    /// The same secret with another text for this key.
    pub(crate) fn replaced(mut self, key: &str, value: SecretValue) -> Self {
        if let Payload::Fields(fields) = &mut self.0 {
            fields.insert(key.into(), Field { value, encoding: Encoding::Text });
        }
        self
    }

    /// The JSON.
    ///
    /// # Errors
    /// None that the members as they were read could bring about.
    pub(crate) fn written(&self) -> Result<SecretValue> {
        Ok(self.0.to_field()?.value)
    }
}

/// A list of the one value.
fn wrapped(raw: &[u8]) -> Vec<u8> {
    let mut list = Vec::with_capacity(raw.len() + 2);
    list.push(b'[');
    list.extend_from_slice(raw);
    list.push(b']');
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: any arm of `text`, or `Encoding::Json` in `read`.
    #[test]
    fn a_key_is_read_and_replaced_and_the_rest_stays_as_it_is_written() {
        let text =
            r#"{"username":"app\u0022x","port":5432,"n":1.50,"tags":{"a":[1, 2]},"none":null,"on":true,"/p":"q"}"#;
        let read = || Document::read(&SecretValue::from(text), "current").unwrap();
        let value = |key: &str| read().text(key).unwrap().map(|value| value.expose_text().unwrap().to_owned());
        assert_eq!(value("username").as_deref(), Some("app\"x"));
        assert_eq!((value("port").as_deref(), value("/p").as_deref()), (Some("5432"), Some("q")));
        assert_eq!((value("none"), value("missing")), (None, None));
        for key in ["on", "tags"] {
            assert_eq!(read().text(key).unwrap_err().kind(), ErrorKind::Unsupported, "{key}");
        }
        assert!(read().required("none").unwrap_err().message().contains("has no key `none`"));
        let written = read().replaced("password", SecretValue::from("p\"\\\n")).written().unwrap();
        assert_eq!(
            written.expose_text().unwrap(),
            r#"{"/p":"q","n":1.50,"none":null,"on":true,"password":"p\"\\\n","port":5432,"tags":{"a":[1, 2]},"username":"app\u0022x"}"#
        );
        for wrong in ["c4n4ry", "[1]", "\"c4n4ry\"", ""] {
            let error = Document::read(&SecretValue::from(wrong), "pending").err().unwrap();
            assert!(error.message().contains("the pending value") && !error.to_string().contains("c4n4ry"), "{error}");
        }
    }
}
