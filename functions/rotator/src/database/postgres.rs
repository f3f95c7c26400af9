//! PostgreSQL: a login, a role that changes its own password, and a second role that is as good as the first.
//!
//! Passwords never stand in a statement: the server is sent what it would store of them.

use lockstep_core::{Error, ErrorKind, Random, Result};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection};

use super::failure::{Attempt, attempt, failure};
use super::verifier::scram;
use super::{Login, Tls};
use crate::login::is_clone;

/// The database that everybody has, where the secret names none; as AWS's own rotations take it.
const DATABASE: &str = "postgres";
/// Before it no verifier of SCRAM was known: it would be taken for the password itself.
const FIRST_VERSION: u32 = 100_000;

/// Opens a connection.
///
/// # Errors
/// Whatever it is but a refusal.
pub(super) async fn login(login: &Login, tls: &Tls) -> Result<Attempt<PgConnection>> {
    // Everything that the environment could say is said here, but for a client's certificate.
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&login.host)
        .port(login.port)
        .username(&login.username)
        .password(login.password.expose_text().unwrap_or_default())
        .database(login.database.as_deref().unwrap_or(DATABASE))
        .application_name("lockstep-rotator")
        .statement_cache_capacity(0)
        .disable_statement_logging();
    options = match tls {
        Tls::Off => options.ssl_mode(PgSslMode::Disable),
        Tls::Verified(roots) => {
            let verified = options.ssl_mode(PgSslMode::VerifyFull);
            roots.iter().fold(verified, |options, roots| options.ssl_root_cert_from_pem(roots.clone()))
        }
    };
    attempt(options.connect().await)
}

/// Has the role that is logged in change its own password.
///
/// # Errors
/// The server refuses.
pub(super) async fn change_own(connection: &mut PgConnection, pending: &Login, random: &dyn Random) -> Result<()> {
    speaks_scram(connection)?;
    let verifier = scram(&pending.password, random)?;
    // The role that is logged in, whatever role it has taken on since.
    run(connection, "SET ROLE NONE", "change a password").await?;
    let statement = format!("ALTER ROLE {} PASSWORD '{verifier}'", name(&pending.username));
    run(connection, &statement, "change a password").await
}

/// Has the master give the role whose turn it is a new password. A clone that is not there yet is made: it is a member of
/// the role that it is made after, and becomes that role when it logs in, so that what either of them makes belongs to
/// both.
///
/// # Errors
/// The server refuses, or the first of the two roles is not there. Then nothing has changed.
pub(super) async fn make_other(
    connection: &mut PgConnection,
    current: &Login,
    pending: &Login,
    random: &dyn Random,
) -> Result<()> {
    speaks_scram(connection)?;
    let verifier = scram(&pending.password, random)?;
    let (clone, base) = (name(&pending.username), name(&current.username));
    let found = sqlx::query("SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1").bind(&pending.username);
    let found = found.fetch_optional(&mut *connection).await.map_err(|error| failure(&error, "look for a role"))?;
    if found.is_some() {
        let statement = format!("ALTER ROLE {clone} LOGIN PASSWORD '{verifier}'");
        return run(connection, &statement, "change the other role's password").await;
    }
    if !is_clone(&pending.username) {
        let message = format!("there is no role `{}`, which `{}` was made after", pending.username, current.username);
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let made = "make a second role";
    let mut transaction = connection.begin().await.map_err(|error| failure(&error, made))?;
    for statement in [
        format!("CREATE ROLE {clone} LOGIN PASSWORD '{verifier}'"),
        format!("GRANT {base} TO {clone}"),
        format!("ALTER ROLE {clone} SET role TO {base}"),
    ] {
        run(&mut transaction, &statement, made).await?;
    }
    transaction.commit().await.map_err(|error| failure(&error, made))
}

fn speaks_scram(connection: &PgConnection) -> Result<()> {
    if connection.server_version_num().is_some_and(|version| version >= FIRST_VERSION) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Unsupported, "the server is older than PostgreSQL 10, or does not say its version"))
}

async fn run(connection: &mut PgConnection, statement: &str, doing: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.map(drop).map_err(|error| failure(&error, doing))
}

/// A name as SQL has it. Zero bytes, which no name can have, were refused when the secret was read.
fn name(plain: &str) -> String {
    format!("\"{}\"", plain.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: leave out `replace`.
    #[test]
    fn a_name_is_one_name_whatever_stands_in_it() {
        assert_eq!(name("app"), "\"app\"");
        assert_eq!(name("a\"; DROP ROLE x; --"), "\"a\"\"; DROP ROLE x; --\"");
    }
}
