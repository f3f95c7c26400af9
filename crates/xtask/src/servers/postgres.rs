//! PostgreSQL for the dynamic credentials of OpenBao: a database of its own for one run, gone with it.
//!
//! PostgreSQL refuses to run as root. Started by root it runs as another user, in a folder of the system's temporary
//! one: whoever that user is, root's own folders are closed to him.

use std::fs::{self, DirBuilder};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{PATIENCE, TRIES};
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process::{self, Recipe, Service, User, free_port};
use crate::tools;

/// A running server; dropped, it ends and its data go.
#[derive(Debug)]
pub(super) struct Postgres {
    service: Option<Service>,
    port: u16,
    password: String,
    folder: PathBuf,
}

impl Postgres {
    /// Makes the database below `scratch`, starts it, and waits until it takes logins.
    pub(super) fn start(programs: &tools::Postgres, scratch: &Path) -> Outcome<Self> {
        let log = scratch.join("postgres-initdb.log");
        let user = other_user()?;
        let folder = match user {
            Some(_) => std::env::temp_dir().join(format!("lockstep-postgres-{}", std::process::id())),
            None => scratch.join("postgres"),
        };
        DirBuilder::new().mode(0o700).create(&folder).at("create", &folder)?;
        // From here on whatever fails takes the folder away.
        let mut postgres = Self { service: None, port: 0, password: password()?, folder };
        let folder = postgres.folder.clone();
        let mut bin = programs.programs.clone();
        let mut libraries = programs.unpacked.clone();
        if let (Some(unpacked), Some(_)) = (&programs.unpacked, user) {
            let copy = folder.join("programs");
            process::logged(Command::new("cp").arg("-a").arg(unpacked).arg(&copy), &log)?;
            bin = copy.join(bin.strip_prefix(unpacked).unwrap_or(Path::new("bin")));
            libraries = Some(copy);
        }
        let command = |name: &str| {
            let mut command = Command::new(bin.join(name));
            if let Some(home) = &libraries {
                let library = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
                command.env("LD_LIBRARY_PATH", home.join(library));
            }
            command
        };
        let secret = folder.join("password");
        fs::write(&secret, &postgres.password).at("write", &secret)?;
        if let Some(user) = user {
            for path in [&folder, &secret] {
                chown(path, Some(user.id), Some(user.group)).at("give away", path)?;
            }
        }
        let data = folder.join("data");
        let mut make = command("initdb");
        make.args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        make.arg("--pwfile").arg(&secret).arg("--pgdata").arg(&data).current_dir(&folder);
        if let Some(user) = user {
            make.uid(user.id).gid(user.group);
        }
        process::logged(&mut make, &log)?;

        let recipe = Recipe { name: "postgres", folder: &folder, ready: "", patience: PATIENCE };
        for left in (0..TRIES).rev() {
            postgres.port = free_port()?;
            let mut serve = command("postgres");
            serve.arg("-D").arg(&data).args(["-p", &postgres.port.to_string()]);
            // A run's data need not outlive a power cut, and a query this small needs no compiler.
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "jit=off"] {
                serve.args(["-c", setting]);
            }
            let port = postgres.port;
            // The one before holds the data.
            drop(postgres.service.take());
            let service = postgres.service.insert(Service::start_as(user, &recipe, &serve)?);
            match service.ready_when(PATIENCE, || takes_logins(port)) {
                Ok(()) => break,
                Err(failure) if left == 0 => return Err(failure),
                Err(_) => {}
            }
        }
        Ok(postgres)
    }

    /// Where it listens, for the owner of everything in it.
    pub(super) fn address(&self) -> String {
        format!("postgresql://postgres:{}@127.0.0.1:{}/postgres?sslmode=disable", self.password, self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.service.take());
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            println!("can't remove {}: {error}", self.folder.display());
        }
    }
}

/// Whom to run as when we are root.
fn other_user() -> Outcome<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let known = Path::new("/etc/passwd");
    let known = fs::read_to_string(known).at("read", known)?;
    let found = ["postgres", "nobody"].into_iter().find_map(|name| user_of(&known, name));
    found.map(Some).ok_or_else(|| Failure::new("PostgreSQL can't run as root, and there is no user postgres or nobody"))
}

/// The user of that name in a text like `/etc/passwd`.
fn user_of(known: &str, name: &str) -> Option<User> {
    let mut fields = known.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?.split(':').skip(1);
    Some(User { id: fields.next()?.parse().ok()?, group: fields.next()?.parse().ok()? })
}

pub(super) fn password() -> Outcome<String> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    fs::File::open(source).and_then(|mut file| file.read_exact(&mut bytes)).at("read", source)?;
    Ok(format!("{:032x}", u128::from_le_bytes(bytes)))
}

/// Whether a login would be answered with the question for its password; while it starts, the server says an error.
fn takes_logins(port: u16) -> bool {
    // Protocol 3.0's start of a session: length, version, user.
    let start = b"\0\0\0\x17\0\x03\0\0user\0postgres\0\0";
    let asked = || -> std::io::Result<u8> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(start)?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        Ok(kind[0])
    };
    asked().is_ok_and(|kind| kind == b'R')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let known = "root:x:0:0:root:/:/bin/sh\nnobody2:x:1:1::/:\nnobody:x:65534:65533:nobody:/none:/bin/false\n";
        assert_eq!(user_of(known, "nobody"), Some(User { id: 65534, group: 65533 }));
        assert_eq!(user_of(known, "postgres"), None);
    }

    #[test]
    fn each_password_is_another_and_fits_into_an_address() {
        let (one, two) = (password().unwrap(), password().unwrap());
        assert!(one != two && one.len() == 32 && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
