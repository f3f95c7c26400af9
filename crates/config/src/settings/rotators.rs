//! `[[rotators]]`: what the function rotator does for which secret. Nobody else reads it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::provider::tagged;
use super::{Glob, Tls};
use crate::units::Period;

tagged! {
    /// How the secrets of one pattern are rotated; `type` says in which way. The first that matches decides; a secret
    /// that none matches is of a database if it says its `engine`.
    pub enum Rotator by "type" {
        /// A user of PostgreSQL, MySQL or MariaDB: the secret's `engine` says which.
        Database(DatabaseRotator) = "database",
        /// Something that takes its new value over HTTP.
        Http(Box<HttpRotator>) = "http",
        /// A new random value, and nobody to tell.
        Random(RandomRotator) = "random",
    }
}

/// A user of a database.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DatabaseRotator {
    /// Which secrets, by name.
    #[serde(rename = "match")]
    pub pattern: Glob,
    /// One user, or two that take turns. Without it two where the secret has a `masterarn`, else one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Users>,
    /// A PEM file of roots that the database's certificate may come from, beside the built-in ones: Amazon RDS has roots
    /// of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Talk to the database without TLS: whoever listens on the way reads what is said.
    #[serde(default)]
    pub insecure: bool,
    /// What passwords are made of.
    #[serde(default, skip_serializing_if = "PasswordRules::is_default")]
    pub password: PasswordRules,
}

/// How many users a rotation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Users {
    /// One: it changes its own password.
    Single,
    /// Two, `u` and `u_clone`: that of the secret that `masterarn` names makes and changes the one that nobody uses.
    Alternating,
}

/// Something that takes its new value over HTTP. In texts `{new}`, `{current}`, `{secret.KEY}`, `{master}` and
/// `{master.KEY}` stand for what is in the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HttpRotator {
    /// Which secrets, by name.
    #[serde(rename = "match")]
    pub pattern: Glob,
    /// Which key of the secret's JSON is rotated; without it the whole value is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Where the new value is sent. It never comes from a secret.
    pub url: String,
    /// With which method.
    #[serde(default = "put")]
    pub method: String,
    /// Its headers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Its body, as JSON.
    pub body: String,
    /// The ARN of the secret that `{master}` is read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// What shows that a value is good.
    pub test: HttpTest,
    /// How long one request may take; at most 1m.
    #[serde(default = "ten_seconds")]
    pub timeout: Period,
    /// Whether values may go to another machine in the clear.
    #[serde(default)]
    pub insecure: bool,
    /// Whom its TLS trusts, and what it shows.
    #[serde(default, skip_serializing_if = "Tls::is_default")]
    pub tls: Tls,
    /// What new values are made of.
    #[serde(default, skip_serializing_if = "PasswordRules::is_default")]
    pub password: PasswordRules,
}

/// The request that shows that a value is good: 2xx says that it is, 401 or 403 that it is not.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HttpTest {
    /// Where it is sent.
    pub url: String,
    /// With which method.
    #[serde(default = "get")]
    pub method: String,
    /// Its headers; `{new}` stands for the value that is tried.
    pub headers: BTreeMap<String, String>,
}

/// A new random value.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RandomRotator {
    /// Which secrets, by name.
    #[serde(rename = "match")]
    pub pattern: Glob,
    /// Which key of the secret's JSON is rotated; without it the whole value is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What new values are made of.
    #[serde(default, skip_serializing_if = "PasswordRules::is_default")]
    pub password: PasswordRules,
}

/// What passwords are made of. What is not written here is taken from the variables that AWS's own rotation functions
/// read, such as `PASSWORD_LENGTH`, else from their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PasswordRules {
    /// How many characters, 1 to 4096; else `PASSWORD_LENGTH`, else 32.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Characters that never stand in one; else `EXCLUDE_CHARACTERS`, else `/@"'\`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_characters: Option<String>,
    /// No digits; else `EXCLUDE_NUMBERS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_numbers: Option<bool>,
    /// No punctuation; else `EXCLUDE_PUNCTUATION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_punctuation: Option<bool>,
    /// No upper case; else `EXCLUDE_UPPERCASE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_uppercase: Option<bool>,
    /// No lower case; else `EXCLUDE_LOWERCASE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclude_lowercase: Option<bool>,
    /// At least one of each kind that is not excluded; else `REQUIRE_EACH_INCLUDED_TYPE`, else true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_each_included_type: Option<bool>,
}

impl PasswordRules {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Rotator {
    /// Which secrets it is for.
    pub fn pattern(&self) -> &Glob {
        match self {
            Self::Database(database) => &database.pattern,
            Self::Http(http) => &http.pattern,
            Self::Random(random) => &random.pattern,
        }
    }

    /// Whether something of it may go to another machine in the clear.
    pub fn is_insecure(&self) -> bool {
        match self {
            Self::Database(database) => database.insecure,
            Self::Http(http) => http.insecure,
            Self::Random(_) => false,
        }
    }

    /// What its values are made of.
    pub fn password(&self) -> &PasswordRules {
        match self {
            Self::Database(database) => &database.password,
            Self::Http(http) => &http.password,
            Self::Random(random) => &random.password,
        }
    }
}

fn put() -> String {
    "PUT".to_owned()
}

fn get() -> String {
    "GET".to_owned()
}

fn ten_seconds() -> Period {
    Period::of(Duration::from_secs(10))
}
