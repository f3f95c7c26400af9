//! [`object`]: a JSON object as it was meant, or none at all.
//!
//! A parser that takes the last of two equal members, and another that takes the first, see two documents in one text.
//! So no object in it may have two members of one name. How much there may be is counted before anything is built.

use std::fmt;

use lockstep_core::Structure;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// The members of the object that a text is; `None` when it is none, has too much in it, or says something twice.
pub(crate) fn object(text: &[u8], bound: Structure) -> Option<Map<String, Value>> {
    bound.check(text).ok()?;
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

/// Builds a value, and refuses members that are there already.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no finite number"))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(Strict)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUND: Structure = Structure { members: 8, depth: 3 };

    /// Break: the look at what `insert` gives back, `reader.end()`, or `bound.check`.
    #[test]
    fn what_can_be_read_in_two_ways_is_no_object() {
        for good in ["{}", r#" {"a":[1,-2,3.5,true,null,"x"]} "#, r#"{"a":{"a":1},"b":{"a":1}}"#] {
            assert!(object(good.as_bytes(), BOUND).is_some(), "{good}");
        }
        for bad in [
            "",
            "null",
            "[]",
            "\"{}\"",
            "{} {}",
            "{}x",
            "\u{feff}{}",
            "{'a':1}",
            r#"{"a":1,}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"{"b":[{"a":1,"a":2}]}"#,
            r#"{"a":1e400}"#,
            r#"{"a":NaN}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":[[[1]]]}"#,
            r#"{"a":[1,2,3,4,5,6,7,8]}"#,
        ] {
            assert!(object(bad.as_bytes(), BOUND).is_none(), "{bad}");
        }
        assert!(object(b"{\"a\":\"\xff\"}", BOUND).is_none());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_a_json_parser_reads(text in r#"[{}\[\]",:a0-9. e\\u-]{0,40}"#) {
            if let Some(members) = object(text.as_bytes(), Structure::default()) {
                prop_assert_eq!(Value::Object(members), serde_json::from_str::<Value>(&text).unwrap());
            }
        }

        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&bytes, BOUND);
        }
    }
}
