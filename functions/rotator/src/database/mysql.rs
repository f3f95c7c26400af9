//! MySQL and MariaDB: a login, an account that changes its own password, and second accounts that may what the first may.
//!
//! These servers take a password as text alone, and leave it out of their own logs. So it stands in a statement here,
//! quoted for a mode of SQL that is set before: statements are not logged by us, and no error has one.

use lockstep_core::{Error, ErrorKind, Random, Result, SecretValue, hex};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySqlConnection, Row as _};
use zeroize::Zeroizing;

use super::failure::{Attempt, attempt, failure};
use super::grants::{account, literal, replayed};
use super::{Login, Tls};
use crate::login::is_clone;

/// Quotes and backslashes mean what they mean by default, whatever the server's own mode is.
const MODE: &str = "SET SESSION sql_mode = ''";

/// What an account has to show of TLS, and the hosts that it is for.
const ACCOUNTS: &str = "SELECT Host, ssl_type, ssl_cipher, x509_issuer, x509_subject FROM mysql.user WHERE User = ?";

/// Opens a connection.
///
/// # Errors
/// Whatever it is but a refusal.
pub(super) async fn login(login: &Login, tls: &Tls) -> Result<Attempt<MySqlConnection>> {
    let mut options = MySqlConnectOptions::new()
        .host(&login.host)
        .port(login.port)
        .username(&login.username)
        .password(login.password.expose_text().unwrap_or_default())
        .statement_cache_capacity(0)
        .disable_statement_logging();
    if let Some(database) = &login.database {
        options = options.database(database);
    }
    options = match tls {
        Tls::Off => options.ssl_mode(MySqlSslMode::Disabled),
        Tls::Verified(roots) => {
            let verified = options.ssl_mode(MySqlSslMode::VerifyIdentity);
            roots.iter().fold(verified, |options, roots| options.ssl_ca_from_pem(roots.clone()))
        }
    };
    attempt(options.connect().await)
}

/// Has the account that is logged in change its own password.
///
/// # Errors
/// The server refuses.
pub(super) async fn change_own(connection: &mut MySqlConnection, pending: &Login) -> Result<()> {
    run(connection, MODE, "set its mode").await?;
    let password = Zeroizing::new(literal(pending.password.expose_text().unwrap_or_default()));
    // Each knows one that needs no right to change others.
    let statement = Zeroizing::new(if is_mariadb(connection).await? {
        format!("SET PASSWORD = PASSWORD({})", *password)
    } else {
        format!("ALTER USER USER() IDENTIFIED BY {}", *password)
    });
    run(connection, &statement, "change a password").await
}

/// Has the master give the accounts whose turn it is a new password. The clone's accounts are made where they are
/// missing, for the hosts of the first one's, and are granted what those are.
///
/// The password comes last: until then nobody can log in, and who tries knows that the rest is not done.
///
/// # Errors
/// The server refuses, or the first of the two users is not there.
pub(super) async fn make_other(
    connection: &mut MySqlConnection,
    current: &Login,
    pending: &Login,
    random: &dyn Random,
) -> Result<()> {
    run(connection, MODE, "set its mode").await?;
    if is_clone(&pending.username) {
        for accounts in accounts(connection, &current.username).await? {
            clone_account(connection, &accounts, &current.username, &pending.username, random).await?;
        }
    }
    let hosts = accounts(connection, &pending.username).await?;
    if hosts.is_empty() {
        let message =
            format!("there is no user `{}`; make it, or give the rotation one that is there", pending.username);
        return Err(Error::new(ErrorKind::Conflict, message));
    }
    let password = Zeroizing::new(literal(pending.password.expose_text().unwrap_or_default()));
    let each =
        hosts.iter().map(|host| format!("{} IDENTIFIED BY {}", account(&pending.username, &host.host), *password));
    let statement = Zeroizing::new(format!("ALTER USER {}", each.collect::<Vec<_>>().join(", ")));
    run(connection, &statement, "change the other user's password").await
}

/// A user is one account for each host that it may come from.
struct Account {
    host: String,
    /// What it requires of TLS, as SQL has it.
    requires: String,
}

async fn clone_account(
    connection: &mut MySqlConnection,
    of: &Account,
    base: &str,
    clone: &str,
    random: &dyn Random,
) -> Result<()> {
    let made = "make a second user";
    let account_of_clone = account(clone, &of.host);
    // Nobody knows it, and it is gone before this is done.
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    let unknown = SecretValue::from(format!("aA1_{}", hex::text(&*bytes)));
    let unknown = Zeroizing::new(literal(unknown.expose_text().unwrap_or_default()));
    let create = Zeroizing::new(format!(
        "CREATE USER IF NOT EXISTS {account_of_clone} IDENTIFIED BY {} REQUIRE {}",
        *unknown, of.requires
    ));
    run(connection, &create, made).await?;
    let shown = format!("SHOW GRANTS FOR {}", account(base, &of.host));
    let rows = sqlx::raw_sql(AssertSqlSafe(shown)).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| failure(&error, "show what a user may"))?;
    for row in &rows {
        // It may hold the first user's hash.
        let granted = Zeroizing::new(text(row, 0)?);
        match replayed(&granted, (base, &of.host), clone) {
            Ok(Some(statement)) => run(connection, &statement, "grant a second user what the first may").await?,
            Ok(None) => {}
            Err(()) => {
                let message = "what the first user may is said in a way that is not understood: make the second user by \
                               hand, with its rights";
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        }
    }
    Ok(())
}

async fn accounts(connection: &mut MySqlConnection, user: &str) -> Result<Vec<Account>> {
    let doing = "look for a user's accounts";
    let rows = sqlx::query(ACCOUNTS).bind(user).fetch_all(&mut *connection).await;
    let rows = rows.map_err(|error| failure(&error, doing))?;
    let read = |row: &sqlx::mysql::MySqlRow| {
        let [cipher, issuer, subject] = [text(row, 2)?, text(row, 3)?, text(row, 4)?];
        let requires = match text(row, 1)?.as_str() {
            "" => "NONE".to_owned(),
            "ANY" => "SSL".to_owned(),
            "X509" => "X509".to_owned(),
            _ => {
                let parts = [("CIPHER", cipher), ("ISSUER", issuer), ("SUBJECT", subject)];
                let parts = parts.iter().filter(|(_, value)| !value.is_empty());
                parts.map(|(word, value)| format!("{word} {}", literal(value))).collect::<Vec<_>>().join(" AND ")
            }
        };
        Ok(Account { host: text(row, 0)?, requires })
    };
    rows.iter().map(read).collect()
}

async fn is_mariadb(connection: &mut MySqlConnection) -> Result<bool> {
    let row = sqlx::raw_sql("SELECT VERSION()").fetch_one(&mut *connection).await;
    let row = row.map_err(|error| failure(&error, "say its version"))?;
    Ok(text(&row, 0)?.contains("MariaDB"))
}

/// These servers say of some texts that they are bytes.
fn text(row: &sqlx::mysql::MySqlRow, at: usize) -> Result<String> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).map_err(|error| failure(&error, "read an answer"))?;
    let broken = |_| Error::new(ErrorKind::Malformed, "the server's answer is no text");
    String::from_utf8(bytes.unwrap_or_default()).map_err(broken)
}

async fn run(connection: &mut MySqlConnection, statement: &str, doing: &str) -> Result<()> {
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(connection).await;
    done.map(drop).map_err(|error| failure(&error, doing))
}
