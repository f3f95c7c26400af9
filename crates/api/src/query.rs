//! The parameters of a query: only known ones, each once. What they mean is up to the route.

use std::borrow::Cow;

use crate::refusal::Refusal;
use crate::target::Target;

/// The longest unknown parameter that is repeated in an answer, in characters.
const MAX_ECHO: usize = 64;

/// A query's parameters.
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Reads the query. Every parameter must be known; only those in `repeated` may stand more than once, since of two
    /// values no reader could say which one counts.
    pub(crate) fn parse(target: &Target<'a>, known: &[&str], repeated: &[&str]) -> Result<Self, Refusal> {
        let mut pairs: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        for pair in target.parameters() {
            let (name, value) = pair.map_err(|_| Refusal::Target)?;
            let may_repeat = repeated.contains(&&*name);
            if !may_repeat && !known.contains(&&*name) {
                return Err(Refusal::Parameter(format!("unknown parameter: {}", echo(&name)).into()));
            }
            if !may_repeat && pairs.iter().any(|(other, _)| *other == name) {
                return Err(Refusal::Parameter(format!("duplicate parameter: {name}").into()));
            }
            // The agent reads its switch when it comes to it: of two wrong parameters the first is told.
            if name == "refreshNow" {
                switch("refreshNow", &value)?;
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// All values of a parameter that may be repeated.
    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// A switch as the AWS agent reads it: `true`, `false`, `1` or `0`, in any case; off when it is not there.
    pub(crate) fn switch(&self, name: &str) -> Result<bool, Refusal> {
        self.get(name).map_or(Ok(false), |text| switch(name, text))
    }
}

/// A switch that is on or off, in words that clients send: Python's begin with a capital.
pub(crate) fn switch(name: &str, text: &str) -> Result<bool, Refusal> {
    match text {
        "1" => Ok(true),
        "0" => Ok(false),
        _ if text.eq_ignore_ascii_case("true") => Ok(true),
        _ if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(Refusal::Parameter(format!("invalid {name} value").into())),
    }
}

/// The name as it may stand in an answer: controls and `<` escaped, and cut, since the caller chose it.
fn echo(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars().take(MAX_ECHO) {
        if c.is_control() || matches!(c, '<' | '>') {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}
