//! [`ClaimPattern`]: what a claim has to be.

use std::fmt;

use serde_json::Value;

/// A text in which `*` stands for any run of characters, none included; every other character stands for itself, and case
/// is significant. `repo:acme/*` fits what begins like that, whatever follows.
///
/// ```
/// use lockstep_auth::ClaimPattern;
/// let pattern = ClaimPattern::new("repo:acme/shop:*");
/// assert!(pattern.fits("repo:acme/shop:ref:refs/heads/main"));
/// assert!(!pattern.fits("repo:acme/shop-evil:ref:refs/heads/main"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ClaimPattern(Box<str>);

impl ClaimPattern {
    /// The pattern that this text is. Every text is one.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// Whether a text fits, in a time of its length.
    pub fn fits(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return *self.0 == *text };
        let Some(text) = text.strip_prefix(first) else { return false };
        let (middle, last) = rest.rsplit_once('*').map_or(("", rest), |(middle, last)| (middle, last));
        let Some(mut between) = text.strip_suffix(last) else { return false };
        // The first place where a part fits is as good as any later one.
        middle.split('*').all(|part| {
            let Some(at) = between.find(part) else { return false };
            between = &between[at + part.len()..];
            true
        })
    }

    /// Whether a claim fits: as a text, as `true` or `false`, as a number as it is written, or by one item of a list.
    pub(crate) fn fits_claim(&self, claim: &Value) -> bool {
        match claim {
            Value::Array(items) => items.iter().any(|item| self.fits_one(item)),
            one => self.fits_one(one),
        }
    }

    fn fits_one(&self, claim: &Value) -> bool {
        match claim {
            Value::String(text) => self.fits(text),
            Value::Bool(_) | Value::Number(_) => self.fits(&claim.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        }
    }
}

impl fmt::Debug for ClaimPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Break: the prefix, the suffix, or the order of the middle parts in `fits`.
    #[test]
    fn a_star_is_any_run_of_characters_and_nothing_else_is_special() {
        for (pattern, text, fits) in [
            ("acme", "acme", true),
            ("acme", "acme2", false),
            ("acme", "ACME", false),
            ("acme/*", "acme/shop", true),
            ("acme/*", "acme/", true),
            ("acme/*", "acme", false),
            ("*/shop", "acme/shop", true),
            ("*/shop", "shop", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("a*bb*bc", "abbc", false),
            ("*", "", true),
            ("**", "x", true),
            ("a.c", "abc", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(ClaimPattern::new(pattern).fits(text), fits, "{pattern} {text}");
        }
        for (pattern, claim, fits) in [
            ("true", json!(true), true),
            ("true", json!("true"), true),
            ("17", json!(17), true),
            ("a", json!(["b", "a"]), true),
            ("a", json!([["a"]]), false),
            ("*", json!({"a": "a"}), false),
            ("*", json!(null), false),
            ("*", json!([]), false),
        ] {
            assert_eq!(ClaimPattern::new(pattern).fits_claim(&claim), fits, "{pattern} {claim}");
        }
    }
}
