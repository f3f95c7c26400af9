//! A [`Node`] as a serde deserializer, and [`decode`], which does not stop at the first mistake.
//!
//! Serde stops at its first error, and a person wants them all. So what is wrong is noted, taken out of the tree, and
//! the rest is read again, until nothing is wrong any more.
//!
//! An enum is written as a string, or as a table whose `type` (`method` for a login) names the variant.

mod fault;

use std::borrow::Cow;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
    Visitor,
};
use serde::{Deserializer, forward_to_deserialize_any};

use self::fault::Fault;
use crate::problem::Problem;
use crate::tree::{Entry, Node, Step, Value, json_value};

/// Reads a `T` from the tree. Everything wrong is listed and taken out of the tree; the value is what is left.
pub(crate) fn decode<T: DeserializeOwned + Default>(root: &mut Node) -> (T, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut taken: Vec<Vec<Step>> = Vec::new();
    loop {
        let fault = match T::deserialize(Decoder { node: root, tag: None }) {
            Ok(value) => return (value, problems),
            Err(fault) => fault.at(&root.place),
        };
        let path = fault.path();
        let removed = root.remove(&path);
        // What is missing only because it was wrong and taken out is no second mistake.
        if !fault.missing().is_some_and(|key| taken.iter().any(|taken| is_child(taken, &path, key))) {
            problems.push(fault.into_problem());
        }
        taken.push(path);
        if !removed {
            return (T::default(), problems);
        }
    }
}

fn is_child(path: &[Step], parent: &[Step], key: &str) -> bool {
    path.split_last().is_some_and(|(last, above)| above == parent && *last == Step::Key(key.to_owned()))
}

/// Which key of a table names the variant of an enum: a login has a method, everything else a type.
fn tag_of(enumeration: &str) -> &'static str {
    if enumeration.ends_with("Auth") { "method" } else { "type" }
}

#[derive(Clone, Copy)]
struct Decoder<'a> {
    node: &'a Node,
    /// The key that has been read already, because it named the variant.
    tag: Option<&'static str>,
}

impl Decoder<'_> {
    fn wrong(&self, expected: &dyn serde::de::Expected) -> Fault {
        Fault::custom_text(format!("{} is written here; write {expected}", self.node.value.kind()))
    }

    /// What is written as a list, or in a variable as a JSON list or with commas.
    fn list(&self) -> Result<Cow<'_, [Node]>, Fault> {
        match &self.node.value {
            Value::List(items) => Ok(Cow::Borrowed(items)),
            Value::Variable(text) if text.trim_start().starts_with('[') => {
                match json_value(text, &self.node.place).map(|node| node.value) {
                    Ok(Value::List(items)) => Ok(Cow::Owned(items)),
                    _ => Err(Fault::custom_text("write a JSON list, or items with commas between them")),
                }
            }
            Value::Variable(text) => {
                let part = |item: &str| Node {
                    value: Value::Variable(item.trim().to_owned()),
                    place: self.node.place.clone(),
                };
                Ok(text.split(',').filter(|item| !item.trim().is_empty()).map(part).collect())
            }
            other => Err(Fault::custom_text(format!("{} is written here; write a list", other.kind()))),
        }
    }

    /// What is written as a table, or in a variable as a JSON object.
    fn table(&self) -> Result<Cow<'_, [Entry]>, Fault> {
        match &self.node.value {
            Value::Table(entries) => Ok(Cow::Borrowed(entries)),
            Value::Variable(text) if text.trim_start().starts_with('{') => {
                match json_value(text, &self.node.place).map(|node| node.value) {
                    Ok(Value::Table(entries)) => Ok(Cow::Owned(entries)),
                    _ => Err(Fault::custom_text("write a JSON object")),
                }
            }
            other => Err(Fault::custom_text(format!("{} is written here; write a table", other.kind()))),
        }
    }

    fn number<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (Value::Number(text) | Value::Variable(text)) = &self.node.value else {
            return Err(self.wrong(&"a whole number"));
        };
        match text.replace('_', "").parse::<u64>() {
            Ok(number) => visitor.visit_u64(number),
            Err(_) => Err(Fault::custom_text("write a whole number, not negative")),
        }
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Text(text) | Value::Variable(text) => visitor.visit_str(text),
            _ => Err(self.wrong(&visitor)),
        }
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Variable(text) if text.trim_start().starts_with('{') => self.deserialize_map(visitor),
            Value::Variable(text) if text.trim_start().starts_with('[') => self.deserialize_seq(visitor),
            Value::Text(text) | Value::Variable(text) => visitor.visit_str(text),
            Value::Number(text) => match text.replace('_', "").parse::<u64>() {
                Ok(number) => visitor.visit_u64(number),
                // Out of range, negative or a fraction: its type says what to write.
                Err(_) => visitor.visit_f64(f64::NAN),
            },
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Other(_) => visitor.visit_unit(),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Table(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Variable(text) if text == "true" => visitor.visit_bool(true),
            Value::Variable(text) if text == "false" => visitor.visit_bool(false),
            _ => Err(Fault::custom_text("write `true` or `false`")),
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.number(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Number(text) | Value::Variable(text) => {
                visitor.visit_f64(text.replace('_', "").parse().unwrap_or(f64::NAN))
            }
            _ => Err(self.wrong(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_seq(Items { items: &self.list()?, next: 0 })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Entries { all: &self.table()?, tag: self.tag, next: 0 })
    }

    /// A table of settings is handed over as the list of what its keys say, in the order of the type and with nothing
    /// for what is not written: to look for keys is done here, once, and not in what serde derives for each type.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let entries = self.table()?;
        known(&entries, keys, self.tag)?;
        visitor.visit_seq(Named { entries: &entries, keys, next: 0 }).map_err(|fault| fault.of_keys(keys))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.node.value {
            Value::Variable(text) if text.trim_start().starts_with('{') => {
                let value = Value::Table(self.table()?.into_owned());
                let node = Node { value, place: self.node.place.clone() };
                visitor.visit_enum(Tagged { node: &node, tag: tag_of(name), variants })
            }
            Value::Text(text) | Value::Variable(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            Value::Table(_) => visitor.visit_enum(Tagged { node: self.node, tag: tag_of(name), variants }),
            other => Err(Fault::custom_text(format!("{} is written here; write one of {variants:?}", other.kind()))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.text(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
    }
}

/// Refuses a key that the type has not.
fn known(entries: &[Entry], keys: &'static [&'static str], tag: Option<&str>) -> Result<(), Fault> {
    match entries.iter().find(|entry| tag != Some(&*entry.key) && !keys.contains(&&*entry.key)) {
        None => Ok(()),
        Some(extra) => Err(<Fault as serde::de::Error>::unknown_field(&extra.key, keys).of_key(extra)),
    }
}

struct Items<'a> {
    items: &'a [Node],
    next: usize,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.items.get(self.next) else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(Decoder { node, tag: None })
            .map(Some)
            .map_err(|fault| fault.at(&node.place).under(Step::Index(index)))
    }
}

/// What the keys of a table say, in the order of `keys`.
struct Named<'a> {
    entries: &'a [Entry],
    keys: &'static [&'static str],
    next: usize,
}

impl<'a> Named<'a> {
    fn take(&mut self) -> Option<&'a Entry> {
        let key = self.keys.get(self.next)?;
        self.next += 1;
        self.entries.iter().find(|entry| entry.key == *key)
    }
}

impl<'de> SeqAccess<'de> for Named<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(entry) = self.take() else { return Ok(None) };
        seed.deserialize(Decoder { node: &entry.node, tag: None }).map(Some).map_err(|fault| fault.of_value(entry))
    }
}

struct Entries<'a> {
    all: &'a [Entry],
    tag: Option<&'static str>,
    next: usize,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        while self.all.get(self.next).is_some_and(|entry| self.tag == Some(entry.key.as_str())) {
            self.next += 1;
        }
        let Some(entry) = self.all.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| fault.of_key(entry))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some(entry) = self.all.get(self.next) else {
            return Err(Fault::custom_text("the table ends too early"));
        };
        self.next += 1;
        seed.deserialize(Decoder { node: &entry.node, tag: None }).map_err(|fault| fault.of_value(entry))
    }
}

struct Tagged<'a> {
    node: &'a Node,
    tag: &'static str,
    variants: &'static [&'static str],
}

impl<'de, 'a> EnumAccess<'de> for Tagged<'a> {
    type Error = Fault;
    type Variant = Decoder<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Decoder<'a>), Fault> {
        let Some(tag) = self.node.child(self.tag) else {
            return Err(Fault::missing_tag(self.tag, self.variants));
        };
        let (Value::Text(word) | Value::Variable(word)) = &tag.value else {
            return Err(Fault::missing_tag(self.tag, self.variants).at(&tag.place));
        };
        let word: StrDeserializer<'_, Fault> = word.as_str().into_deserializer();
        // The path stays that of the table: without its tag the rest of it means nothing.
        let variant = seed.deserialize(word).map_err(|fault| fault.at(&tag.place).of_tag(self.tag))?;
        Ok((variant, Decoder { node: self.node, tag: Some(self.tag) }))
    }
}

impl<'de> VariantAccess<'de> for Decoder<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        known(self.node.entries(), &[], self.tag)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        Err(serde::de::Error::invalid_type(Unexpected::TupleVariant, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, keys: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_struct("", keys, visitor)
    }
}
