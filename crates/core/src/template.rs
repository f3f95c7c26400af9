//! [`Template`]: the name that a provider is asked for, made of the name that a caller asks for and of where it asks
//! from.
//!
//! Whoever fills a variable fills one segment: nothing that it holds can reach into another one.

use std::borrow::Cow;

use crate::{Error, ErrorKind, Result, SecretName};

/// The variable that stands for the name asked for.
const KEY: &str = "key";

/// What every variable but `{key}` stands for. One that nobody set is in no template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context {
    /// `{organization}`.
    pub organization: Option<Segment>,
    /// `{parent_stack}`.
    pub parent_stack: Option<Segment>,
    /// `{client_stack}`.
    pub client_stack: Option<Segment>,
    /// `{environment}`.
    pub environment: Option<Segment>,
}

impl Context {
    /// The names of its variables.
    const VARIABLES: [&'static str; 4] = ["organization", "parent_stack", "client_stack", "environment"];

    fn get(&self, variable: &str) -> Option<&Option<Segment>> {
        match variable {
            "organization" => Some(&self.organization),
            "parent_stack" => Some(&self.parent_stack),
            "client_stack" => Some(&self.client_stack),
            "environment" => Some(&self.environment),
            _ => None,
        }
    }
}

/// One segment of a name, without a character that means something to a pattern, a policy or a list of names.
///
/// ```
/// use lockstep_core::Segment;
/// assert!(Segment::parse("prod-eu").is_ok());
/// assert!(Segment::parse("prod/eu").is_err() && Segment::parse("*").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment(Box<str>);

impl Segment {
    /// Reads one.
    ///
    /// # Errors
    /// `InvalidName`, with what to write, when it is no segment of a [`SecretName`], or holds one of `* + , { } % : ?`.
    pub fn parse(text: &str) -> Result<Self> {
        let name = SecretName::parse(text)?;
        if name.as_str().contains(['/', '*', '+', ',', '{', '}', '%', ':', '?']) {
            let message = "this fills one segment of a name; write it without `/` and without any of `* + , { } % : ?`";
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        Ok(Self(text.into()))
    }
}

/// A template whose variables are filled: only `{key}` is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: Box<str>,
    after: Box<str>,
}

impl Template {
    /// Reads a template such as `{organization}/{environment}/{key}`.
    ///
    /// # Errors
    /// `Config`, with what to write, when a variable is unknown or not set, `{key}` does not stand there once, or what
    /// is made of it can't be a name.
    pub fn parse(text: &str, context: &Context) -> Result<Self> {
        let (mut filled, mut before) = (String::new(), None);
        let mut rest = text;
        while let Some((literal, after)) = rest.split_once('{') {
            let Some((variable, next)) = after.split_once('}') else {
                return Err(wrong("has a `{` without its `}`; write a variable like `{key}`"));
            };
            filled.push_str(literal);
            rest = next;
            if variable == KEY {
                if before.is_some() {
                    return Err(wrong("has `{key}` twice; write it once"));
                }
                before = Some(std::mem::take(&mut filled));
                continue;
            }
            match context.get(variable) {
                Some(Some(segment)) => filled.push_str(&segment.0),
                Some(None) => {
                    return Err(wrong(&format!("has `{{{variable}}}`, which is not set; set `context.{variable}`")));
                }
                None => {
                    let known = Context::VARIABLES.map(|variable| format!("`{{{variable}}}`")).join(", ");
                    return Err(wrong(&format!("has a variable that is unknown; there are {known} and `{{key}}`")));
                }
            }
        }
        filled.push_str(rest);
        let before = before.ok_or_else(|| wrong("has no `{key}`; write it where the name asked for belongs"))?;
        let template = Self { before: before.into(), after: filled.into() };
        let sample = SecretName::parse("key").map_err(Error::from)?;
        template
            .name(&sample)
            .map_err(|_| wrong("makes no valid name; write segments with single `/` between them"))?;
        Ok(template)
    }

    /// The name that the provider is asked for.
    ///
    /// # Errors
    /// `InvalidName` when the two make no name together, or the key is an ARN: that names a secret by itself.
    pub fn name(&self, key: &SecretName) -> Result<SecretName> {
        if key.as_str().starts_with("arn:") {
            let message = "names of this provider are made by `name_template`; ask for the key alone, not for an ARN";
            return Err(Error::new(ErrorKind::InvalidName, message));
        }
        Ok(SecretName::parse(&format!("{}{key}{}", self.before, self.after))?)
    }

    /// What the names of keys with this prefix begin with.
    pub(crate) fn prefix(&self, prefix: &str) -> String {
        format!("{}{prefix}", self.before)
    }

    /// The key that makes this name; `None` when none does.
    pub(crate) fn key(&self, name: &str) -> Option<SecretName> {
        let key = name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        SecretName::parse(key).ok()
    }
}

/// The name that a provider is asked for: the one that was asked for, unless a template makes another of it.
pub(crate) fn named<'a>(template: Option<&Template>, asked: &'a SecretName) -> Result<Cow<'a, SecretName>> {
    match template {
        None => Ok(Cow::Borrowed(asked)),
        Some(template) => template.name(asked).map(Cow::Owned),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the template {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        let segment = |text| Some(Segment::parse(text).unwrap());
        Context { organization: segment("acme"), environment: segment("prod"), ..Context::default() }
    }

    fn name(text: &str) -> SecretName {
        SecretName::parse(text).unwrap()
    }

    #[test]
    fn a_template_is_filled_once_and_leads_back_to_the_key() {
        for (text, expected) in [
            ("{key}", "db/creds"),
            ("{organization}/{environment}/{key}", "acme/prod/db/creds"),
            ("/{environment}/{key}/value", "/prod/db/creds/value"),
            ("app-{environment}-{key}", "app-prod-db/creds"),
        ] {
            let template = Template::parse(text, &context()).unwrap();
            let made = template.name(&name("db/creds")).unwrap();
            assert_eq!(made.as_str(), expected, "{text}");
            assert_eq!(template.key(made.as_str()).unwrap(), name("db/creds"), "{text}");
            assert!(made.as_str().starts_with(&template.prefix("db/")), "{text}");
        }
        assert_eq!(Template::parse("a/{key}", &context()).unwrap().key("b/x"), None);
    }

    #[test]
    fn a_wrong_template_says_what_to_write() {
        for (text, hint) in [
            ("{organization}/x", "no `{key}`"),
            ("{key}/{key}", "twice"),
            ("{key", "without its `}`"),
            ("{org}/{key}", "`{organization}`"),
            ("{client_stack}/{key}", "`context.client_stack`"),
            ("a//{key}", "single `/`"),
            ("../{key}", "single `/`"),
        ] {
            let error = Template::parse(text, &context()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
            assert!(error.message().contains(hint), "{text}: {error}");
        }
    }

    /// R4. Break: any character of the check in `Segment::parse`.
    #[test]
    fn r4_what_fills_a_variable_is_one_segment_and_no_pattern() {
        for bad in
            ["*", "a*", "a/b", "a,b", "..", ".", "", "+", "a+b", "{key}", "%2f", "a:b", "a\\b", "a\nb", " a", "?"]
        {
            assert_eq!(Segment::parse(bad).unwrap_err().kind(), ErrorKind::InvalidName, "{bad:?}");
        }
        for good in ["acme", "prod-eu_1", "ünïcode", "a.b"] {
            assert!(Segment::parse(good).is_ok(), "{good}");
        }
    }

    /// R4. Break: leave the check for ARNs out of `Template::name`, or parse nothing there.
    #[test]
    fn r4_no_key_reaches_out_of_its_template() {
        let template = Template::parse("{environment}/{key}", &context()).unwrap();
        for bad in ["/root", "arn:aws:secretsmanager:eu-west-1:1:secret:x-AbCdEf"] {
            assert_eq!(template.name(&name(bad)).unwrap_err().kind(), ErrorKind::InvalidName, "{bad}");
        }
        assert!(SecretName::parse("../other").is_err(), "what would climb out is no name");
    }
}
