//! A dynamic secret: OpenBao makes a database user for each read, in a PostgreSQL server that this test starts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use lockstep_stories::{CountingProxy, until};
use lockstep_testkit::servers::{Running as Child, free_port, skip_here};
use lockstep_testkit::{require, servers};
use serde_json::json;
use tempfile::TempDir;

use crate::openbao::{Bao, serve};

const READERS: usize = 20;

/// A PostgreSQL of this test's own. It ends when it is dropped.
struct Postgres {
    port: u16,
    _server: Child,
    _folder: TempDir,
}

/// Where `initdb` and `postgres` are: on the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let debian = (13..=18).rev().map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")));
    let all = ["/usr/local/bin", "/usr/bin"].map(PathBuf::from).into_iter().chain(debian);
    all.into_iter().find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
}

/// The program, as another user than root, whom PostgreSQL refuses.
fn unprivileged(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

impl Postgres {
    fn start() -> Option<Self> {
        let programs = programs()?;
        let folder = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(folder.path(), Some(65534), Some(65534)).unwrap();
        }
        let data = folder.path().join("data");
        let mut initdb = unprivileged(&programs.join("initdb"));
        initdb.args(["--username=admin", "--auth=trust", "--no-sync", "--pgdata"]).arg(&data).stdout(Stdio::null());
        initdb.current_dir(folder.path()).stderr(Stdio::null());
        if !initdb.status().is_ok_and(|status| status.success()) {
            return None;
        }
        let port = free_port().unwrap();
        let mut postgres = unprivileged(&programs.join("postgres"));
        postgres.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "fsync=off", "-k", "", "-D"]).arg(&data);
        postgres.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut server = Child::start(&mut postgres).unwrap();
        server.listening(port, Duration::from_secs(30)).unwrap();
        Some(Self { port, _server: server, _folder: folder })
    }
}

// Break: the single flight of a leased secret, its place in the cache, or `Resolver::shutdown`'s revocations.
#[test]
fn a_dynamic_secret_is_made_once_for_many_readers_renewed_and_revoked_at_the_stop() {
    let bao = Bao { url: require!(servers::openbao()) };
    let Some(postgres) = Postgres::start() else {
        skip_here("there is no PostgreSQL here to make users in (initdb and postgres are looked for)");
        return;
    };
    let mount = bao.mount("database", &json!({}));
    let url =
        format!("postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{}/postgres?sslmode=disable", postgres.port);
    let connection = json!({
        "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url,
        "username": "admin", "password": "none",
    });
    until("the database", || (bao.call("POST", &format!("{mount}/config/pg"), &connection).status < 300).then_some(()));
    let role = json!({
        "db_name": "pg", "default_ttl": "6s", "max_ttl": "1h",
        "creation_statements": "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';",
    });
    bao.done("POST", &format!("{mount}/roles/app"), &role);
    let leases = || {
        let listed = bao.call("LIST", &format!("sys/leases/lookup/{mount}/creds/app"), &json!({}));
        if listed.status == 404 { 0 } else { listed.json()["data"]["keys"].as_array().map_or(0, Vec::len) }
    };

    let proxy = CountingProxy::to(&bao.url);
    let running = serve(&proxy.url(), "", &[("VAULT_TOKEN", servers::OPENBAO_ROOT)]);
    let path = format!("{mount}/creds/app");
    let users: Vec<String> = std::thread::scope(|scope| {
        let readers: Vec<_> =
            (0..READERS).map(|_| scope.spawn(|| running.value(&format!("{path}?key=username")))).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    assert!(!users[0].is_empty() && users.iter().all(|user| *user == users[0]), "{users:?}");
    let fetched = format!("GET /v1/{path} ");
    assert_eq!(proxy.count(&fetched), 1, "one user for {READERS} readers");
    assert_eq!(leases(), 1);
    // It is kept alive, by renewals and not by a new user, for as long as somebody reads it.
    until("a renewal", || {
        assert_eq!(running.value(&format!("{path}?key=username")), users[0]);
        (proxy.count("/v1/sys/leases/renew") > 0).then_some(())
    });
    assert_eq!((proxy.count(&fetched), leases()), (1, 1));
    let output = running.stop();
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(proxy.count("/v1/sys/leases/revoke") > 0, "the stop revokes");
    until("the end of the user", || (leases() == 0).then_some(()));
}
