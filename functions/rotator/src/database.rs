//! [`Database`]: users of databases: one that changes its own password, or two that take turns.
//!
//! A login that succeeds with what is pending says that there is nothing to do: whatever was cut off is done again, and
//! whatever was done is left alone. What a server says of an error is never passed on, its code is.

mod failure;
mod grants;
mod mysql;
mod postgres;
mod verifier;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lockstep_config::settings::{DatabaseRotator, Users};
use lockstep_core::{Call, Env, Error, ErrorKind, Files, Random, Result, SecretValue};
use lockstep_providers::aws::{RotationSecrets, Staged};

use self::failure::Attempt;
use crate::document::Document;
use crate::login::{Engine, Login};
use crate::password::Rules;
use crate::steps::Rotation;

/// The longest that one login may take.
const LOGIN_TIME: Duration = Duration::from_secs(5);
/// The largest file of roots: Amazon's for RDS in all regions is far smaller.
const MAX_ROOTS: usize = 4 << 20;

/// How databases are reached, and how many users a rotation has.
pub(crate) struct Database {
    users: Option<Users>,
    tls: Tls,
    random: Arc<dyn Random>,
}

/// Whether a database has to show who it is.
pub(crate) enum Tls {
    /// By a certificate for its host, from the built-in roots or from these in PEM.
    Verified(Option<Vec<u8>>),
    /// It is written that it need not.
    Off,
}

/// An open connection.
enum Connection {
    Postgres(sqlx::PgConnection),
    Mysql(sqlx::MySqlConnection),
}

impl Database {
    /// From what is written; without anything, as databases are reached that no rotator was written for.
    ///
    /// # Errors
    /// `Config` when the file of roots can't be read.
    pub(crate) fn new(
        written: Option<(&DatabaseRotator, Option<PathBuf>)>,
        env: &dyn Env,
        files: &dyn Files,
        random: Arc<dyn Random>,
    ) -> Result<Self> {
        let insecure = written.as_ref().is_some_and(|(written, _)| written.insecure);
        let users = written.as_ref().and_then(|(written, _)| written.users);
        // As everywhere else in Lockstep: the variable names roots for whoever was given none.
        let roots = written.and_then(|(_, ca_file)| ca_file).or_else(|| env.var("SSL_CERT_FILE").map(PathBuf::from));
        let tls = match roots {
            _ if insecure => Tls::Off,
            None => Tls::Verified(None),
            Some(path) => {
                let read = files.read(&path, MAX_ROOTS).map_err(|error| {
                    let message = format!("the roots in {} can't be read; look at its path", path.display());
                    Error::new(ErrorKind::Config, message).because(error)
                })?;
                Tls::Verified(Some(read.bytes.to_vec()))
            }
        };
        Ok(Self { users, tls, random })
    }

    /// The secret with a new password, and with the other user where two take turns.
    ///
    /// # Errors
    /// The current value is no login, or two users can't take turns.
    pub(crate) fn renewed(&self, current: &SecretValue, rules: &Rules, random: &dyn Random) -> Result<SecretValue> {
        let login = Login::read(current, "current")?;
        let password = rules.password(random)?;
        let mut document = Document::read(current, "current")?.replaced("password", password);
        if self.alternates(&login)? {
            document = document.replaced("username", login.other_user()?.into());
        }
        document.written()
    }

    /// Makes the database take what is pending.
    ///
    /// # Errors
    /// It takes none of the passwords that the secret knows, or does not let itself be changed.
    pub(crate) async fn set(
        &self,
        rotation: &Rotation<'_>,
        current: &SecretValue,
        pending: &SecretValue,
    ) -> Result<()> {
        let current = Login::read(current, "current")?;
        let pending = Login::read(pending, "pending")?;
        pending.ensure_same_database(&current, "pending")?;
        let alternates = self.alternates(&current)?;
        let expected = if alternates { current.other_user()? } else { current.username.clone() };
        if pending.username != expected {
            let message = format!(
                "the pending value is of the user `{}`, and it is the turn of `{expected}`: cancel the rotation, and \
                 rotate anew",
                pending.username
            );
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        if let Attempt::In(connection) = self.login(rotation.call, &pending).await? {
            connection.close().await;
            return Ok(());
        }
        if alternates {
            return self.set_by_master(rotation, &current, &pending).await;
        }
        let mut connection = self.login_as_before(rotation, current).await?;
        rotation.call.bounded(connection.change_own(&pending, &*self.random)).await?;
        connection.close().await;
        Ok(())
    }

    /// Whether the database takes what is pending.
    ///
    /// # Errors
    /// It does not, or does not answer.
    pub(crate) async fn test(
        &self,
        rotation: &Rotation<'_>,
        current: &SecretValue,
        pending: &SecretValue,
    ) -> Result<()> {
        let current = Login::read(current, "current")?;
        let pending = Login::read(pending, "pending")?;
        pending.ensure_same_database(&current, "pending")?;
        match self.login(rotation.call, &pending).await? {
            Attempt::In(connection) => {
                connection.close().await;
                Ok(())
            }
            Attempt::Refused => {
                let message = format!(
                    "{} does not take the pending password of `{}`; look at what it is restricted to (hosts, \
                     databases, an end)",
                    pending.engine.name(),
                    pending.username
                );
                Err(Error::new(ErrorKind::Denied, message))
            }
        }
    }

    /// Two users take turns where it is written, else where the secret names who changes them.
    fn alternates(&self, current: &Login) -> Result<bool> {
        let missing = "two users are to take turns, and the secret has no `masterarn` of whoever makes and changes them; \
                       add it";
        match (self.users, &current.master) {
            (Some(Users::Single), _) | (None, None) => Ok(false),
            (_, Some(_)) => Ok(true),
            (Some(Users::Alternating), None) => Err(Error::new(ErrorKind::Unsupported, missing)),
        }
    }

    /// By the current password, else by the one before: a rotation may have been cut off between the two.
    async fn login_as_before(&self, rotation: &Rotation<'_>, current: Login) -> Result<Connection> {
        if let Attempt::In(connection) = self.login(rotation.call, &current).await? {
            return Ok(connection);
        }
        if let Some(previous) = rotation.previous().await? {
            let previous = Login::read(&previous, "previous")?;
            previous.ensure_same_database(&current, "previous")?;
            if previous.username == current.username
                && let Attempt::In(connection) = self.login(rotation.call, &previous).await?
            {
                return Ok(connection);
            }
        }
        let message = format!(
            "{} takes neither the pending password of `{}` nor the current nor the previous one: set the current one \
             by hand, then rotate again",
            current.engine.name(),
            current.username
        );
        Err(Error::new(ErrorKind::Denied, message))
    }

    async fn set_by_master(&self, rotation: &Rotation<'_>, current: &Login, pending: &Login) -> Result<()> {
        // Whoever can write the secret must not have the master change users that they can't be themselves.
        match self.login(rotation.call, current).await? {
            Attempt::In(connection) => connection.close().await,
            Attempt::Refused => {
                let message = format!(
                    "{} does not take the current password of `{}`: set it by hand, then rotate again",
                    current.engine.name(),
                    current.username
                );
                return Err(Error::new(ErrorKind::Denied, message));
            }
        }
        let master = self.master(rotation, current).await?;
        if [&current.username, &pending.username].contains(&&master.username) {
            let message = "the master would change itself: `masterarn` names the secret of one of the two users";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        match self.login(rotation.call, &master).await? {
            Attempt::In(mut connection) => {
                let work = connection.make_other(current, pending, &*self.random);
                rotation.call.bounded(work).await?;
                connection.close().await;
                Ok(())
            }
            Attempt::Refused => {
                let message = format!("{} does not take the login of the master", current.engine.name());
                Err(Error::new(ErrorKind::Denied, format!("{message}; look at the secret that `masterarn` names")))
            }
        }
    }

    /// The master's login, for the database of the secret that is rotated and no other.
    async fn master(&self, rotation: &Rotation<'_>, current: &Login) -> Result<Login> {
        let arn = current.master.as_deref().unwrap_or_default();
        let account = RotationSecrets::account_of(arn).map_err(|error| {
            let message = format!("the secret's `masterarn`: {}", error.message());
            Error::new(ErrorKind::InvalidName, message)
        })?;
        if account != rotation.secret.account()? {
            let message = "the secret's `masterarn` is of another account than the secret itself: a rotation uses no \
                           rights of others";
            return Err(Error::new(ErrorKind::Denied, message));
        }
        let master = rotation.secrets.value(rotation.call, arn, Staged::Current).await?;
        let master = Login::read(&master, "master's")?;
        master.ensure_same_place(current, "master's")?;
        Ok(Login { database: current.database.clone(), ..master })
    }

    async fn login(&self, call: &Call, login: &Login) -> Result<Attempt<Connection>> {
        let call = call.within(LOGIN_TIME);
        let opened = call.bounded(async {
            match login.engine {
                Engine::Postgres => Ok(postgres::login(login, &self.tls).await?.map(Connection::Postgres)),
                Engine::Mysql | Engine::MariaDb => Ok(mysql::login(login, &self.tls).await?.map(Connection::Mysql)),
            }
        });
        opened.await.map_err(|error| {
            let message =
                format!("no login at {} on {}:{}: {}", login.engine.name(), login.host, login.port, error.message());
            Error::new(error.kind(), message)
        })
    }
}

impl Connection {
    async fn change_own(&mut self, pending: &Login, random: &dyn Random) -> Result<()> {
        match self {
            Self::Postgres(connection) => postgres::change_own(connection, pending, random).await,
            Self::Mysql(connection) => mysql::change_own(connection, pending).await,
        }
    }

    async fn make_other(&mut self, current: &Login, pending: &Login, random: &dyn Random) -> Result<()> {
        match self {
            Self::Postgres(connection) => postgres::make_other(connection, current, pending, random).await,
            Self::Mysql(connection) => mysql::make_other(connection, current, pending, random).await,
        }
    }

    /// Says goodbye. Whatever there was to do is done: a connection that breaks now changes nothing.
    async fn close(self) {
        use sqlx::Connection as _;
        let closed = match self {
            Self::Postgres(connection) => connection.close().await,
            Self::Mysql(connection) => connection.close().await,
        };
        if closed.is_err() {
            tracing::debug!("a connection to a database broke before it was closed");
        }
    }
}
