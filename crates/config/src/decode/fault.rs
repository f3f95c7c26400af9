//! [`Fault`]: what serde found wrong, with the path to it, before it becomes a [`Problem`].

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::place::Place;
use crate::problem::Problem;
use crate::suggestion::{hint, nearest};
use crate::tree::{Entry, Step, dotted};

/// One thing that serde found wrong. It is passed up through every table of the settings, so it is one word long: what it
/// holds would be moved at each of them, in code of its own.
#[derive(Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    what: What,
    place: Option<Place>,
    /// From the innermost step outwards.
    path: Vec<Step>,
    tag: Option<&'static str>,
}

#[derive(Debug)]
enum What {
    UnknownKey(&'static [&'static str]),
    UnknownWord(String, &'static [&'static str]),
    Missing(String),
    /// The key of this number is missing.
    Short(usize),
    Other(String),
}

impl Fault {
    pub(crate) fn custom_text(message: impl Into<String>) -> Self {
        What::Other(message.into()).into()
    }

    /// A table that should say which variant it is, and doesn't.
    pub(crate) fn missing_tag(tag: &str, variants: &[&str]) -> Self {
        let words: Vec<_> = variants.iter().map(|word| format!("`{tag} = \"{word}\"`")).collect();
        Self::custom_text(format!("`{tag}` is missing; write one of {}", words.join(", ")))
    }

    /// Sets the place, unless an inner part has.
    pub(crate) fn at(mut self, place: &Place) -> Self {
        self.0.place.get_or_insert_with(|| place.clone());
        self
    }

    /// What is wrong is a key.
    pub(crate) fn of_key(self, entry: &Entry) -> Self {
        self.at(&entry.key_place).under(Step::Key(entry.key.clone()))
    }

    /// What is wrong is what a key says.
    #[inline(never)]
    pub(crate) fn of_value(self, entry: &Entry) -> Self {
        self.at(&entry.node.place).under(Step::Key(entry.key.clone()))
    }

    pub(crate) fn under(mut self, step: Step) -> Self {
        self.0.path.push(step);
        self
    }

    /// Names the key that is missing, once it is known whose `keys` they are.
    pub(crate) fn of_keys(mut self, keys: &[&str]) -> Self {
        if let What::Short(number) = self.0.what {
            self.0.what = What::Missing(keys.get(number).copied().unwrap_or_default().to_owned());
        }
        self
    }

    pub(crate) fn of_tag(mut self, tag: &'static str) -> Self {
        self.0.tag = Some(tag);
        self
    }

    /// From the root to what has to go.
    pub(crate) fn path(&self) -> Vec<Step> {
        self.0.path.iter().rev().cloned().collect()
    }

    /// The key that is missing, if that is what is wrong.
    pub(crate) fn missing(&self) -> Option<&str> {
        match &self.0.what {
            What::Missing(key) => Some(key),
            _ => None,
        }
    }

    pub(crate) fn into_problem(self) -> Problem {
        let mut path = self.path();
        let Inner { what, place, tag, .. } = *self.0;
        let message = match what {
            What::UnknownKey([]) => "nothing may stand here; remove it".to_owned(),
            What::UnknownKey(known) => {
                let written = path.last().map(|step| dotted(std::slice::from_ref(step))).unwrap_or_default();
                format!("there is no such key{}", hint(&written, known.iter().copied()))
            }
            What::UnknownWord(written, known) => {
                let hint = hint(&written, known.iter().copied());
                // A typo is near a word that we know; anything else may be a secret in the wrong place.
                if nearest(&written, known.iter().copied()).is_some() {
                    format!("`{written}` is not known{hint}")
                } else {
                    format!("this word is not known{hint}")
                }
            }
            What::Missing(key) => format!("`{key}` is missing; add it"),
            What::Short(_) => "the list is too short".to_owned(),
            What::Other(message) => message,
        };
        path.extend(tag.map(|tag| Step::Key(tag.to_owned())));
        Problem::new(place.unwrap_or(Place::Default), dotted(&path), message)
    }
}

impl From<What> for Fault {
    fn from(what: What) -> Self {
        Self(Box::new(Inner { what, place: None, path: Vec::new(), tag: None }))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong")
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::custom_text(message.to_string())
    }

    /// Serde would quote the value here; only its kind is safe to show.
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::custom_text(format!("{} is written here; write {expected}", kind(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = match expected.to_string().as_str() {
            "u16" => format!("a whole number up to {}", u16::MAX),
            "u32" => format!("a whole number up to {}", u32::MAX),
            other => other.to_owned(),
        };
        Self::custom_text(format!("{} does not fit here; write {expected}", kind(&unexpected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        What::UnknownWord(variant.to_owned(), expected).into()
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        What::UnknownKey(expected).into()
    }

    fn missing_field(field: &'static str) -> Self {
        What::Missing(field.to_owned()).into()
    }

    fn invalid_length(length: usize, _: &dyn Expected) -> Self {
        What::Short(length).into()
    }
}

fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Str(_) | Unexpected::Char(_) | Unexpected::Bytes(_) => "a string",
        Unexpected::Seq => "a list",
        Unexpected::Map => "a table",
        _ => "something else",
    }
}
