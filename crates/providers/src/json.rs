//! [`read`]: an answer's JSON as a type, and [`members`] and [`items`], which take one level of it apart.
//!
//! Every level is split into pieces that borrow from the answer before a type looks at them: the text is read by one
//! piece of code for all types, and not by one that is derived for each. A type gets what its members say in the order in
//! which it names them. A member that is not there is as good as `null` to who can do with that.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, Expected, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};
use serde_json::value::RawValue;

/// Reads a `T`, borrowing from the text.
///
/// # Errors
/// Says where, and never what stands there.
pub(crate) fn read<'de, T: Deserialize<'de>>(text: &'de [u8]) -> Result<T, Mistake> {
    T::deserialize(Raw(Some(whole(text)?)))
}

/// What stands in the text, if it is JSON and nothing else.
fn whole(text: &[u8]) -> Result<&str, Mistake> {
    serde_json::from_slice::<&RawValue>(text).map(RawValue::get).map_err(|error| Mistake::of_text(&error))
}

/// The members of an object in their order, doubled ones included.
pub(crate) fn members(text: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, Mistake> {
    serde_json::from_slice::<Members<'_>>(text.as_bytes()).map(|members| members.0).map_err(|_| Mistake::shape())
}

/// The items of a list.
fn items(text: &str) -> Result<Vec<&RawValue>, Mistake> {
    serde_json::from_slice(text.as_bytes()).map_err(|_| Mistake::shape())
}

/// What is wrong with a text, and where: it quotes nothing but the names of members that a type has.
#[derive(Debug)]
pub(crate) struct Mistake(Box<Place>);

#[derive(Debug)]
enum Place {
    /// It is no JSON.
    Text { ends: bool, line: usize, column: usize },
    /// It is not of the type that was asked for; from the innermost step outwards.
    Shape(Vec<Step>),
    /// The member of this number, of those that a type has, is not there.
    Lacks(usize),
}

#[derive(Debug)]
enum Step {
    Member(&'static str),
    Item(usize),
}

impl Mistake {
    fn shape() -> Self {
        Self(Box::new(Place::Shape(Vec::new())))
    }

    fn of_text(error: &serde_json::Error) -> Self {
        Self(Box::new(Place::Text { ends: error.is_eof(), line: error.line(), column: error.column() }))
    }

    fn under(mut self, step: Step) -> Self {
        if let Place::Shape(steps) = &mut *self.0 {
            steps.push(step);
        }
        self
    }

    fn of(mut self, names: &[&'static str]) -> Self {
        if let Place::Lacks(number) = *self.0 {
            *self.0 = Place::Shape(names.get(number).map(|name| Step::Member(name)).into_iter().collect());
        }
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps = match &*self.0 {
            Place::Text { ends: true, line, column } => {
                return write!(f, "ends too early (line {line}, column {column})");
            }
            Place::Text { ends: false, line, column } => return write!(f, "is no JSON (line {line}, column {column})"),
            Place::Shape(steps) => steps.as_slice(),
            Place::Lacks(_) => &[],
        };
        f.write_str("is not of the documented shape")?;
        for (number, step) in steps.iter().rev().enumerate() {
            f.write_str(if number == 0 { " (at `" } else { "." })?;
            match step {
                Step::Member(name) => f.write_str(name)?,
                Step::Item(number) => write!(f, "{number}")?,
            }
        }
        f.write_str(if steps.is_empty() { "" } else { "`)" })
    }
}

impl std::error::Error for Mistake {}

impl serde::de::Error for Mistake {
    /// What serde says may quote the text.
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::shape()
    }

    fn invalid_type(_: serde::de::Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::shape()
    }

    fn invalid_value(_: serde::de::Unexpected<'_>, _: &dyn Expected) -> Self {
        Self::shape()
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        Self(Box::new(Place::Lacks(length)))
    }
}

/// A value of the answer; `None` stands for one that is not there.
#[derive(Clone, Copy)]
struct Raw<'de>(Option<&'de str>);

impl<'de> Raw<'de> {
    fn text(self) -> Result<&'de str, Mistake> {
        self.0.ok_or_else(Mistake::shape)
    }
}

/// What has nothing inside that a type could look at.
macro_rules! leaves {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
            let mut value = serde_json::Deserializer::from_slice(self.text()?.as_bytes());
            value.$method(visitor).map_err(|_| Mistake::shape())
        }
    )*};
}

impl<'de> Deserializer<'de> for Raw<'de> {
    type Error = Mistake;

    leaves! { deserialize_any deserialize_bool deserialize_i64 deserialize_u16 deserialize_u32 deserialize_u64
    deserialize_f64 deserialize_str deserialize_string deserialize_identifier }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.0.is_none_or(|text| text == "null") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let mut value = serde_json::Deserializer::from_slice(self.text()?.as_bytes());
        value.deserialize_enum(name, variants, visitor).map_err(|_| Mistake::shape())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        let mut value = serde_json::Deserializer::from_slice(self.text()?.as_bytes());
        value.deserialize_newtype_struct(name, visitor).map_err(|_| Mistake::shape())
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_seq(Items(items(self.text()?)?.into_iter().enumerate()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_map(Entries { rest: members(self.text()?)?.into_iter(), value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let members = members(self.text()?)?;
        visitor.visit_seq(Named { members, names: names.iter() }).map_err(|mistake| mistake.of(names))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

struct Items<'de>(std::iter::Enumerate<std::vec::IntoIter<&'de RawValue>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some((number, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Raw(Some(item.get()))).map(Some).map_err(|mistake| mistake.under(Step::Item(number)))
    }
}

/// What the members of an object say that a type has, in its order.
struct Named<'de> {
    members: Vec<(Cow<'de, str>, &'de RawValue)>,
    names: std::slice::Iter<'static, &'static str>,
}

impl<'de> Named<'de> {
    /// The next one. Which of two with one name counts would be anybody's guess.
    fn next(&mut self) -> Result<Option<(&'static str, Raw<'de>)>, Mistake> {
        let Some(name) = self.names.next() else { return Ok(None) };
        let mut found = self.members.iter().filter(|(key, _)| key == name).map(|(_, value)| value.get());
        let value = found.next();
        match found.next() {
            Some(_) => Err(Mistake::shape().under(Step::Member(name))),
            None => Ok(Some((name, Raw(value)))),
        }
    }
}

impl<'de> SeqAccess<'de> for Named<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let Some((name, value)) = self.next()? else { return Ok(None) };
        match seed.deserialize(value) {
            Ok(value) => Ok(Some(value)),
            // What is not there, and is not taken for `null`, has a default or is missing: the type knows.
            Err(_) if value.0.is_none() => Ok(None),
            Err(mistake) => Err(mistake.under(Step::Member(name))),
        }
    }
}

struct Entries<'de> {
    rest: std::vec::IntoIter<(Cow<'de, str>, &'de RawValue)>,
    value: Option<&'de RawValue>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        match key {
            Cow::Borrowed(key) => seed.deserialize(BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => seed.deserialize(StringDeserializer::new(key)),
        }
        .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        seed.deserialize(Raw(self.value.take().map(RawValue::get)))
    }
}

/// See [`members`].
struct Members<'de>(Vec<(Cow<'de, str>, &'de RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some((Key(key), value)) = entries.next_entry()? {
                    list.push((key, value));
                }
                Ok(Members(list))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Shape<'a> {
        name: String,
        #[serde(borrow)]
        alias: Option<Cow<'a, str>>,
        #[serde(default)]
        labels: Vec<Box<str>>,
        #[serde(default, deserialize_with = "crate::body::or_default")]
        tags: BTreeMap<String, String>,
        inner: Option<Box<Shape<'a>>>,
        #[serde(default)]
        list: Vec<Shape<'a>>,
    }

    fn mistake(text: &str) -> String {
        read::<Shape<'_>>(text.as_bytes()).unwrap_err().to_string()
    }

    /// Break: answer what a member that is not there says with an error, in `Named`.
    #[test]
    fn what_is_not_there_is_none_or_its_default() {
        let least =
            Shape { name: "a".into(), alias: None, labels: vec![], tags: BTreeMap::new(), inner: None, list: vec![] };
        assert_eq!(read::<Shape<'_>>(br#" {"other":{"name":1},"name":"a"} "#).unwrap(), least);
        let nulls = br#"{"name":"a","alias":null,"tags":null,"inner":null}"#;
        assert_eq!(read::<Shape<'_>>(nulls).unwrap(), least);
    }

    #[test]
    fn every_level_is_read_whatever_the_order() {
        let text = r#"{"list":[{"name":"b\n","labels":["x","y"]}],"tags":{"k\u0041":"v"},"inner":{"alias":"c","name":""},"name":"a"}"#;
        let read = read::<Shape<'_>>(text.as_bytes()).unwrap();
        assert_eq!(&*read.list[0].name, "b\n");
        assert_eq!(read.list[0].labels.concat(), "xy");
        assert_eq!(read.tags["kA"], "v");
        assert_eq!(read.inner.unwrap().alias, Some("c".into()));
    }

    /// Break: leave out `under`.
    #[test]
    fn a_mistake_says_where_and_quotes_nothing() {
        for (text, said) in [
            ("{", "ends too early (line 1, column 1)"),
            ("{\"name\":canary}", "is no JSON (line 1, column 9)"),
            ("[]", "is not of the documented shape"),
            ("{}", "is not of the documented shape (at `name`)"),
            (r#"{"name":{"canary":1}}"#, "is not of the documented shape (at `name`)"),
            (
                r#"{"name":"a","list":[{"name":"b"},{"canary":""}]}"#,
                "is not of the documented shape (at `list.1.name`)",
            ),
            (r#"{"name":"a","tags":{"canary":7}}"#, "is not of the documented shape (at `tags`)"),
        ] {
            assert_eq!(mistake(text), said, "{text}");
        }
    }

    /// Break: take the first of two, in `Named::next`.
    #[test]
    fn a_member_that_stands_twice_is_a_mistake() {
        assert_eq!(mistake(r#"{"name":"a","name":"b"}"#), "is not of the documented shape (at `name`)");
    }
}
