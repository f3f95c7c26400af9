//! [`Login`]: the secret of a user of a database, in the form that AWS's own rotations have given it.

use lockstep_core::{Error, ErrorKind, Result, SecretValue};

use crate::document::Document;

/// What the second of two users that take turns has behind its name.
const CLONE: &str = "_clone";

/// What kind of database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// PostgreSQL, and what speaks like it.
    Postgres,
    /// MySQL.
    Mysql,
    /// MariaDB.
    MariaDb,
}

/// How one user gets in.
pub(crate) struct Login {
    pub(crate) engine: Engine,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) database: Option<String>,
    pub(crate) username: String,
    pub(crate) password: SecretValue,
    /// The ARN of the secret of whoever may make and change users.
    pub(crate) master: Option<String>,
}

impl Engine {
    fn parse(word: &str) -> Result<Self> {
        match word {
            "postgres" | "postgresql" | "aurora-postgresql" => Ok(Self::Postgres),
            "mysql" | "aurora-mysql" => Ok(Self::Mysql),
            "mariadb" => Ok(Self::MariaDb),
            _ => {
                let message = "the secret's `engine` is none that is known here; it is one of `postgres`, \
                               `aurora-postgresql`, `mysql`, `aurora-mysql` and `mariadb`";
                Err(Error::new(ErrorKind::Unsupported, message))
            }
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::Mysql | Self::MariaDb => 3306,
        }
    }

    /// The longest name of a user: PostgreSQL's in bytes and cut off in silence, MySQL's and MariaDB's in characters.
    fn longest_name(self) -> usize {
        match self {
            Self::Postgres => 63,
            Self::Mysql => 32,
            Self::MariaDb => 80,
        }
    }

    /// Its name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Mysql => "MySQL",
            Self::MariaDb => "MariaDB",
        }
    }
}

impl Login {
    /// Reads the secret. `whose` says which version it is, or that it is the master's.
    ///
    /// # Errors
    /// `Unsupported`, with the key that is missing or can't be what it says.
    pub(crate) fn read(text: &SecretValue, whose: &str) -> Result<Self> {
        Self::parts(&Document::read(text, whose)?).map_err(|error| {
            let message = format!("{} (the {whose} value of the secret)", error.message());
            Error::new(error.kind(), message)
        })
    }

    fn parts(document: &Document) -> Result<Self> {
        let wrong = |message: &str| Error::new(ErrorKind::Unsupported, message);
        let plain = |value: SecretValue| value.expose_text().unwrap_or_default().to_owned();
        let engine = Engine::parse(&plain(document.required("engine")?))?;
        let host = plain(document.required("host")?);
        // Anything else is no host but a path or a part of an address.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:".contains(&byte);
        if !host.bytes().all(fits) {
            return Err(wrong("the secret's `host` is no name or address of a host; write it without port or path"));
        }
        let port = match document.text("port")? {
            None => engine.port(),
            Some(port) => {
                let port = plain(port).parse().ok().filter(|port| *port > 0);
                port.ok_or_else(|| wrong("the secret's `port` is no number from 1 to 65535"))?
            }
        };
        let login = Self {
            engine,
            host,
            port,
            database: document.text("dbname")?.map(plain).filter(|name| !name.is_empty()),
            username: plain(document.required("username")?),
            password: document.required("password")?,
            master: document.text("masterarn")?.map(plain).filter(|arn| !arn.is_empty()),
        };
        let has_control = |text: &str| text.chars().any(char::is_control);
        if has_control(&login.username) || login.database.as_deref().is_some_and(has_control) {
            return Err(wrong("the secret's `username` or `dbname` has a control character"));
        }
        if engine == Engine::Postgres && !login.password.expose().is_ascii() {
            return Err(wrong("the secret's `password` has characters beyond ASCII; rotate it to one that has none"));
        }
        Ok(login)
    }

    /// Whether this is said to the same database as another login: what is secret never goes to another one.
    ///
    /// # Errors
    /// `Conflict`, with the key in which they differ.
    pub(crate) fn ensure_same_place(&self, as_current: &Self, whose: &str) -> Result<()> {
        let differs = |key: &str| {
            let message = format!(
                "`{key}` of the {whose} value is not that of the current one, and a password is never sent to another \
                 place: put the current place into both"
            );
            Error::new(ErrorKind::Conflict, message)
        };
        if self.engine != as_current.engine {
            return Err(differs("engine"));
        }
        if !self.host.eq_ignore_ascii_case(&as_current.host) {
            return Err(differs("host"));
        }
        if self.port == as_current.port { Ok(()) } else { Err(differs("port")) }
    }

    /// The same, and the same database on it.
    ///
    /// # Errors
    /// As [`ensure_same_place`](Self::ensure_same_place).
    pub(crate) fn ensure_same_database(&self, as_current: &Self, whose: &str) -> Result<()> {
        self.ensure_same_place(as_current, whose)?;
        if self.database == as_current.database {
            return Ok(());
        }
        let message = format!("`dbname` of the {whose} value is not that of the current one: put the same into both");
        Err(Error::new(ErrorKind::Conflict, message))
    }

    /// Whose turn is next: `u` after `u_clone`, and `u_clone` after `u`.
    ///
    /// # Errors
    /// `Unsupported` when that is longer than a name of this engine can be.
    pub(crate) fn other_user(&self) -> Result<String> {
        if let Some(base) = self.username.strip_suffix(CLONE).filter(|base| !base.is_empty()) {
            return Ok(base.to_owned());
        }
        let clone = format!("{}{CLONE}", self.username);
        let length = if self.engine == Engine::Postgres { clone.len() } else { clone.chars().count() };
        if length <= self.engine.longest_name() {
            return Ok(clone);
        }
        let message = format!(
            "`{clone}` is longer than the {} that a user of {} can have; take a shorter name, or rotate a single user",
            self.engine.longest_name(),
            self.engine.name()
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

/// Whether this is the second of two users that take turns.
pub(crate) fn is_clone(username: &str) -> bool {
    username.strip_suffix(CLONE).is_some_and(|base| !base.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn secret(changes: &Value) -> Value {
        let mut secret =
            json!({ "engine": "postgres", "host": "db.internal", "username": "app", "password": "c4n4ry" });
        secret.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        secret
    }

    fn login(changes: &Value) -> Result<Login> {
        Login::read(&SecretValue::from(secret(changes).to_string()), "pending")
    }

    /// Break: a default, or the reading of any key.
    #[test]
    fn a_secret_of_aws_form_is_read_with_its_defaults() {
        let read = login(&json!({})).unwrap();
        assert_eq!(
            (read.engine, read.host.as_str(), read.port, read.database),
            (Engine::Postgres, "db.internal", 5432, None)
        );
        let given = json!({ "engine": "mariadb", "port": "3307", "dbname": "shop", "masterarn": "arn:x" });
        let read = login(&given).unwrap();
        assert_eq!((read.engine, read.port, read.database.as_deref()), (Engine::MariaDb, 3307, Some("shop")));
        assert_eq!(read.master.as_deref(), Some("arn:x"));
        assert_eq!(login(&json!({ "engine": "mysql", "port": 3308 })).unwrap().port, 3308);
        assert_eq!(login(&json!({ "engine": "aurora-mysql", "port": null })).unwrap().port, 3306);
    }

    /// Break: any refusal of `parts`.
    #[test]
    fn a_secret_that_is_no_login_is_refused_and_not_quoted() {
        for (changes, expected) in [
            (json!({ "engine": "oracle" }), "`engine` is none"),
            (json!({ "engine": null }), "no key `engine`"),
            (json!({ "password": "" }), "no key `password`"),
            (json!({ "password": "c4n4ry\u{e4}" }), "beyond ASCII"),
            (json!({ "host": "/run/postgresql" }), "no name or address"),
            (json!({ "host": "db.internal@evil" }), "no name or address"),
            (json!({ "port": "0" }), "no number from 1"),
            (json!({ "port": 70000 }), "no number from 1"),
            (json!({ "username": "a\u{0}b" }), "control character"),
        ] {
            let error = login(&changes).err().unwrap();
            assert!(error.message().contains(expected), "{changes}: {error}");
            assert!(error.message().contains("pending value") && !format!("{error:?}").contains("c4n4ry"), "{error:?}");
        }
    }

    /// Break: any comparison of `ensure_same_place` or `ensure_same_database`.
    #[test]
    fn a_password_is_never_sent_to_another_place_than_the_current_one() {
        let current = login(&json!({})).unwrap();
        for changes in [
            json!({ "host": "evil.example" }),
            json!({ "port": 5433 }),
            json!({ "engine": "mysql", "port": 5432 }),
            json!({ "dbname": "other" }),
        ] {
            let refused = login(&changes).unwrap().ensure_same_database(&current, "pending").unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::Conflict, "{changes}");
        }
        login(&json!({ "host": "DB.internal" })).unwrap().ensure_same_database(&current, "pending").unwrap();
    }

    /// Break: the bound of a name, or either way round.
    #[test]
    fn two_users_take_turns_and_no_name_gets_too_long() {
        let other = |engine: &str, name: &str| {
            login(&json!({ "engine": engine, "username": name })).unwrap().other_user().map_err(|error| error.kind())
        };
        for (engine, longest) in [("postgres", 63), ("mysql", 32), ("mariadb", 80)] {
            let name = "a".repeat(longest - CLONE.len());
            let clone = format!("{name}_clone");
            assert_eq!(other(engine, &name), Ok(clone.clone()));
            assert_eq!(other(engine, &clone), Ok(name.clone()));
            assert_eq!(other(engine, &format!("{name}b")), Err(ErrorKind::Unsupported));
        }
        assert_eq!(other("postgres", "_clone").as_deref(), Ok("_clone_clone"));
        assert_eq!((is_clone("a_clone"), is_clone("a"), is_clone("_clone")), (true, false, false));
        // Bytes count in PostgreSQL.
        assert!(other("postgres", &"ä".repeat(29)).is_err() && other("mysql", &"ä".repeat(26)).is_ok());
    }
}
