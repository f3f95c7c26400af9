//! [`AllowList`]: which names may be used, by anyone who is let in at all.
//!
//! What no rule allows is denied. The resolver asks for the name as it was asked for, and again for the name that the
//! provider answers with, so both have to be allowed.

use std::fmt;
use std::sync::Arc;

use lockstep_core::{
    Action, Alias, Authorizer, Decision, Error, ErrorKind, Login, Pattern, Principal, Resource, Result,
};

/// What an Amazon Resource Name begins with.
const ARN: &str = "arn:";

/// Allows every action on names that fit one of its rules: a [`Pattern`], or `alias://pattern` for the names of one
/// provider.
///
/// A rule about names says nothing about ARNs, since an ARN can point into another account: `db/**` and `*` match none.
/// Only `**`, which is everything, and patterns that begin with `arn:` do; and the name behind the ARN has to be allowed
/// too.
///
/// ```
/// use lockstep_auth::AllowList;
/// use lockstep_core::{Action, Alias, Authorizer, Principal, Resource};
/// let list = AllowList::parse(["db/**", "aws://prod/*"])?;
/// let (who, aws) = (Principal::new("local"), Alias::parse("aws")?);
/// let allowed = |name| list.decide(&who, Action::Get, Resource { provider: &aws, name, tags: None }).allowed;
/// assert!(allowed("db/creds") && allowed("prod/key"));
/// assert!(!allowed("test/key"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AllowList {
    rules: Vec<Rule>,
    /// Whether no policies stand behind it.
    alone: bool,
    denial: Arc<str>,
}

struct Rule {
    alias: Option<Alias>,
    pattern: Pattern,
    /// Whether it speaks of ARNs.
    arns: bool,
    /// For the audit record.
    policy: Arc<str>,
}

impl AllowList {
    /// A list of these rules. Without any it denies everything.
    ///
    /// # Errors
    /// `Config`, with what to write, when a rule can't be read.
    pub fn parse<T: AsRef<str>>(rules: impl IntoIterator<Item = T>) -> Result<Self> {
        let rules = rules.into_iter().map(|rule| Rule::parse(rule.as_ref())).collect::<Result<_>>()?;
        Ok(Self { rules, alone: false, denial: Arc::from("allow-list: no rule fits") })
    }

    /// The same with no policies behind it. It tells no caller from another, so whoever comes from elsewhere may only
    /// read: to rotate and to invalidate, which others feel, is for this machine.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

impl Authorizer for AllowList {
    fn decide(&self, who: &Principal, action: Action, resource: Resource<'_>) -> Decision {
        let is_local = matches!(who.login, Login::Local | Login::Socket);
        if self.alone && !is_local && matches!(action, Action::Rotate | Action::Invalidate) {
            return Decision::new(false, "allow-list: it takes a policy to let a login rotate or invalidate");
        }
        match self.rules.iter().find(|rule| rule.fits(action, resource)) {
            Some(rule) => Decision::new(true, rule.policy.clone()),
            None => Decision::new(false, self.denial.clone()),
        }
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &dyn fmt::Display| {
            Error::new(ErrorKind::Config, format!("the allow rule `{}` is wrong: {why}", text.escape_debug()))
        };
        let (alias, pattern) = match text.split_once("://") {
            None => (None, text),
            Some((alias, pattern)) => (Some(Alias::parse(alias).map_err(|error| wrong(&error))?), pattern),
        };
        let pattern = Pattern::parse(pattern).map_err(|error| wrong(&error))?;
        let arns = pattern.as_str() == "**" || pattern.as_str().starts_with(ARN);
        Ok(Self { alias, pattern, arns, policy: Arc::from(format!("allow-list: {text}")) })
    }

    fn fits(&self, action: Action, resource: Resource<'_>) -> bool {
        let Resource { provider, name, .. } = resource;
        if self.alias.as_ref().is_some_and(|alias| alias != provider) || (name.starts_with(ARN) && !self.arns) {
            return false;
        }
        // The prefix of a list is no name; what is listed under it is decided one by one.
        if action == Action::List { self.pattern.may_match_under(name) } else { self.pattern.matches(name) }
    }
}

impl fmt::Debug for AllowList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules.iter().map(|rule| &rule.policy)).finish()
    }
}

#[cfg(test)]
#[path = "allow_list/tests.rs"]
mod tests;
