//! [`Database`]: a real server, its users, and logins as any application makes them.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use lockstep_testkit::servers::{MariaDbServer, unique};
use serde_json::{Value, json};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// What every user may read.
const TABLE: &str = "rotated_orders";
const PASSWORD: &str = "first-password-of-the-story";

pub(crate) struct Database {
    engine: &'static str,
    pub(crate) host: &'static str,
    port: u16,
    dbname: &'static str,
    admin: (String, String),
    /// How long a client waits between two logins: fifty that never rest would take all the time there is from whoever
    /// rotates, the more so where a login is thousands of rounds of a hash.
    pub(crate) rest: Duration,
    /// What the rotator has to know of it.
    pub(crate) reached_by: String,
    _server: Option<MariaDbServer>,
}

impl Database {
    /// The PostgreSQL at this address, which has no TLS.
    pub(crate) fn postgres(url: &str) -> Self {
        let rest = url.strip_prefix("postgresql://postgres:").unwrap();
        let (password, rest) = rest.split_once('@').unwrap();
        let port = rest.split_once(':').unwrap().1.split_once('/').unwrap().0.parse().unwrap();
        let database = Self {
            engine: "postgres",
            host: "127.0.0.1",
            port,
            dbname: "postgres",
            admin: ("postgres".to_owned(), password.to_owned()),
            rest: Duration::from_secs(2),
            reached_by: "insecure = true".to_owned(),
            _server: None,
        };
        database.run(&format!("CREATE TABLE IF NOT EXISTS {TABLE} (id int)"));
        database
    }

    /// A MariaDB of the test's own, which shows a certificate.
    pub(crate) fn mariadb(home: &Path, folder: &Path) -> Self {
        let server = MariaDbServer::start(home, folder);
        let (user, password) = MariaDbServer::ADMIN;
        let database = Self {
            engine: "mariadb",
            host: "localhost",
            port: server.port(),
            dbname: "shop",
            admin: (user.to_owned(), password.to_owned()),
            rest: Duration::from_millis(200),
            reached_by: format!("ca_file = \"{}\"", server.certificate().display()),
            _server: Some(server),
        };
        database.run("CREATE DATABASE shop");
        database.run(&format!("CREATE TABLE shop.{TABLE} (id int)"));
        database
    }

    /// A user that may read the table.
    pub(crate) fn make_user(&self) -> String {
        let user = unique("rotated").replace('-', "_");
        if self.engine == "postgres" {
            self.run(&format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'"));
            self.run(&format!("GRANT SELECT ON {TABLE} TO {user}"));
        } else {
            self.run(&format!("CREATE USER {user}@'%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL"));
            self.run(&format!("GRANT SELECT ON shop.{TABLE} TO {user}@'%'"));
        }
        user
    }

    pub(crate) fn secret(&self, user: &str) -> Value {
        json!({ "engine": self.engine, "host": self.host, "port": self.port, "dbname": self.dbname, "username": user,
            "password": PASSWORD })
    }

    pub(crate) fn admin(&self) -> Value {
        json!({ "engine": self.engine, "host": self.host, "port": self.port, "username": self.admin.0,
            "password": self.admin.1 })
    }

    /// Logs in; whether the server took the password.
    pub(crate) async fn login(&self, secret: &Value) -> bool {
        self.connected(secret, None).await
    }

    /// Whether who logs in with this may read the table.
    pub(crate) fn may_read(&self, secret: &Value) -> bool {
        wait(self.connected(secret, Some(&format!("SELECT count(*) FROM {TABLE}"))))
    }

    fn run(&self, statement: &str) {
        assert!(wait(self.connected(&self.admin(), Some(statement))), "{statement}");
    }

    async fn connected(&self, secret: &Value, statement: Option<&str>) -> bool {
        let text = |key: &str| secret[key].as_str().unwrap_or_default().to_owned();
        let refused = |error: sqlx::Error| {
            let code = error.as_database_error().and_then(|error| error.code().map(std::borrow::Cow::into_owned));
            let is_refusal = code.is_some_and(|code| code.starts_with("28"));
            assert!(is_refusal, "the server did not answer: {error}");
            false
        };
        let statement = statement.map(str::to_owned);
        if self.engine == "postgres" {
            let options = PgConnectOptions::new_without_pgpass().host(self.host).port(self.port);
            let options = options.username(&text("username")).password(&text("password")).database(self.dbname);
            let opened: Result<PgConnection, _> = options.ssl_mode(PgSslMode::Disable).connect().await;
            match opened {
                Err(error) => refused(error),
                Ok(mut connection) => {
                    if let Some(statement) = statement {
                        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
                    }
                    connection.close().await.unwrap();
                    true
                }
            }
        } else {
            let options = MySqlConnectOptions::new().host("127.0.0.1").port(self.port).username(&text("username"));
            let options = options.password(&text("password")).ssl_mode(MySqlSslMode::Required);
            let options = if text("dbname").is_empty() { options } else { options.database(self.dbname) };
            let opened: Result<MySqlConnection, _> = options.connect().await;
            match opened {
                Err(error) => refused(error),
                Ok(mut connection) => {
                    if let Some(statement) = statement {
                        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
                    }
                    connection.close().await.unwrap();
                    true
                }
            }
        }
    }
}

/// Runs one thing of sqlx to its end.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
