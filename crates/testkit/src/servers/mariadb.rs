//! A MariaDB of a test's own, with TLS, and one user who may do everything.

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::{Running, free_port};
use crate::server_certificate;

/// Starting beside a build on two cores takes its time.
const PATIENCE: Duration = Duration::from_mins(1);
/// What makes the tables of a new server, in this order, in `usr/share/mysql`.
const TABLES: [&str; 3] = ["mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"];

/// A server on loopback; it ends when it is dropped.
#[derive(Debug)]
pub struct MariaDbServer {
    port: u16,
    folder: PathBuf,
    _running: Running,
}

impl MariaDbServer {
    /// The user who may do everything, from loopback.
    pub const ADMIN: (&str, &str) = ("lockstep", "lockstep-test");

    /// Starts the server that is unpacked in `home`; `folder` takes its data, and its certificate for `localhost`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(home: &Path, folder: &Path) -> Self {
        let (data, temporary) = (folder.join("data"), folder.join("tmp"));
        for made in [&data, &temporary] {
            std::fs::create_dir(made).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
        }
        let (certificate, key) = server_certificate("localhost");
        for (name, text) in [("server.pem", certificate), ("server.key.pem", key)] {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        let log = |name: &str| File::create(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let command = || {
            let share = home.join("usr/share/mysql");
            let library = home.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
            let mut command = Command::new(home.join("usr/sbin/mariadbd"));
            command.env("LD_LIBRARY_PATH", library).args(["--no-defaults", "--skip-name-resolve"]);
            command.arg(format!("--datadir={}", data.display())).arg(format!("--lc-messages-dir={}", share.display()));
            // Each that starts clears the folder of what others have left in it, or are about to use.
            command.arg(format!("--tmpdir={}", temporary.display()));
            command.arg(format!("--character-sets-dir={}", share.join("charsets").display()));
            // It wants to be told that it is meant to be root.
            if std::fs::metadata(&data).is_ok_and(|data| data.uid() == 0) {
                command.arg("--user=root");
            }
            command
        };
        let tables = TABLES.map(|name| {
            let path = home.join("usr/share/mysql").join(name);
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        });
        let (user, password) = Self::ADMIN;
        let admin = format!("CREATE USER '{user}'@'127.0.0.1' IDENTIFIED BY '{password}';\n");
        let grant = format!("GRANT ALL PRIVILEGES ON *.* TO '{user}'@'127.0.0.1' WITH GRANT OPTION;\n");
        let script =
            ["CREATE DATABASE mysql;\nUSE mysql;\n", &tables.concat(), "\nFLUSH PRIVILEGES;\n", &admin, &grant];
        let made = folder.join("make.sql");
        std::fs::write(&made, script.concat()).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
        let script = File::open(&made).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
        let mut bootstrap = command();
        bootstrap.arg("--bootstrap").stdin(script).stdout(Stdio::null()).stderr(log("make.log"));
        let status = bootstrap.status().unwrap_or_else(|error| panic!("MariaDB: {error}"));
        let said = || std::fs::read_to_string(folder.join("make.log")).unwrap_or_default();
        assert!(status.success(), "MariaDB could not make its tables: {}", said());

        let port = free_port().unwrap_or_else(|error| panic!("a port: {error}"));
        let mut serve = command();
        serve.args(["--bind-address=127.0.0.1", &format!("--port={port}")]);
        serve.arg(format!("--socket={}", folder.join("socket").display()));
        serve.arg(format!("--ssl-cert={}", folder.join("server.pem").display()));
        serve.arg(format!("--ssl-key={}", folder.join("server.key.pem").display()));
        serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log("server.log"));
        let started = Running::start(&mut serve).and_then(|mut running| {
            running.listening(port, PATIENCE)?;
            Ok(running)
        });
        let running = started.unwrap_or_else(|error| panic!("MariaDB: {error}"));
        Self { port, folder: folder.to_owned(), _running: running }
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate for `localhost`, in PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.pem")
    }
}
