//! [`Body`] and [`text`]: an answer's bytes, wiped on drop, and the one way to secret text inside it.
//!
//! A JSON parser unescapes strings in buffers of its own and leaves them behind. So secret members are kept as raw
//! JSON that borrows from the body, and unescaped here into memory that is wiped.

use bytes::Bytes;
use lockstep_core::{Error, ErrorKind, Result, SecretValue};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::binary::decoded;
use crate::json;
use crate::wiped::{unescape, wiped};

/// The bytes of an answer. They are wiped on drop when nobody else holds them.
pub(crate) struct Body(Bytes);

impl Body {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(wiped(bytes))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parses the JSON, borrowing from it.
    ///
    /// # Errors
    /// `Malformed`, saying where, and never what stands there.
    pub(crate) fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T> {
        json::read(&self.0).map_err(|mistake| malformed(&mistake))
    }
}

/// What is wrong with an answer, as an error.
pub(crate) fn malformed(mistake: &json::Mistake) -> Error {
    Error::new(ErrorKind::Malformed, format!("the answer {mistake}; look at the endpoint and what is before it"))
}

/// The answer is JSON, but not one that the service documents.
pub(crate) fn unexpected(what: &str) -> Error {
    Error::new(ErrorKind::Malformed, format!("the answer {what}; look at the endpoint and what is before it"))
}

/// A member that may be `null` where the model has none.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// The token of the next page. Some answer an empty one at the end.
pub(crate) fn next<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::deserialize(from)?.filter(|token: &String| !token.is_empty()))
}

/// The text of a raw JSON string, unescaped into memory that is wiped.
pub(crate) fn text(raw: &RawValue) -> Result<SecretValue> {
    unescape(raw.get()).map(SecretValue::from).ok_or_else(|| unexpected("has a secret that is no JSON string"))
}

/// The bytes of a raw JSON string of base64.
pub(crate) fn binary(raw: &RawValue) -> Result<SecretValue> {
    decoded(text(raw)?.expose()).ok_or_else(|| unexpected("has a binary secret that is no base64"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    proptest! {
        #[test]
        fn text_is_what_a_json_parser_reads(original in ".*") {
            let json = serde_json::to_string(&original).unwrap();
            let read = text(&raw(&json)).unwrap();
            prop_assert_eq!(read.expose(), original.as_bytes());
        }

        #[test]
        fn escaped_units_are_what_a_json_parser_reads(units in proptest::collection::vec(any::<u16>(), 0..6)) {
            use std::fmt::Write as _;
            let mut json = String::from("\"");
            for unit in units {
                write!(json, "\\u{unit:04x}").unwrap();
            }
            json.push('"');
            let theirs = serde_json::from_str::<String>(&json).ok().map(String::into_bytes);
            prop_assert_eq!(unescape(&json), theirs);
        }
    }

    #[test]
    fn short_escapes_are_read() {
        assert_eq!(text(&raw(r#""\"\\\/\b\f\n\r\t""#)).unwrap().expose(), b"\"\\/\x08\x0c\n\r\t");
    }

    #[test]
    fn what_is_no_string_is_malformed_and_not_quoted() {
        for json in ["17", "null", "{\"canary\":1}", r#""\ud800""#] {
            let error = text(&raw(json)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(!error.to_string().contains("canary"));
        }
        assert_eq!(binary(&raw("\"canary!\"")).unwrap_err().kind(), ErrorKind::Malformed);
        assert_eq!(binary(&raw("\"AAEC\\/w==\"")).unwrap().expose(), [0, 1, 2, 255]);
    }

    /// Break: give what is no JSON string as it stands there, in `text`.
    #[test]
    fn o3_a_deep_answer_is_refused_and_breaks_nothing() {
        #[derive(Deserialize)]
        struct Shape<'a> {
            #[serde(borrow)]
            secret: &'a RawValue,
        }
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        let body = Body::new(Bytes::from(format!(r#"{{"ignored":{deep},"secret":{deep}}}"#)));
        let error = body.json::<Shape<'_>>().and_then(|shape| text(shape.secret)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(body.json::<serde_json::Value>().is_err());
    }

    /// Break: keep what serde says in `Mistake`.
    #[test]
    fn m1_a_json_error_never_quotes_the_answer() {
        #[derive(Deserialize)]
        struct Shape {
            #[serde(rename = "Name")]
            _name: u32,
        }
        for answer in [r#"{"Name":"canary"}"#, r#"{"Name":canary"#, r#"{"Name":"canary"#] {
            let body = Body::new(Bytes::from_static(answer.as_bytes()));
            let Err(error) = body.json::<Shape>() else { panic!("it parsed") };
            assert_eq!(error.kind(), ErrorKind::Malformed);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
