//! Programs and libraries from Debian's archive: downloaded with package lists of our own and unpacked, not installed.
//!
//! The versions are those of Debian 12 and its point releases. A package's own dependencies are named here too, where
//! they are not on every machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Cache;
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;

/// libfaketime's shared library, for `LD_PRELOAD`.
pub(crate) fn faketime(cache: &Cache) -> Outcome<PathBuf> {
    let home = unpacked(cache, "libfaketime-0.9.10", &["libfaketime=0.9.10-2.1"])?;
    library(&home, "faketime/libfaketime.so.1")
}

/// wrk and where its libraries are.
#[derive(Debug)]
pub(crate) struct Wrk {
    pub(crate) program: PathBuf,
    pub(crate) libraries: PathBuf,
}

/// wrk, the load of `bench hit`.
pub(crate) fn wrk(cache: &Cache) -> Outcome<Wrk> {
    let packages = ["wrk=4.1.0-3+b2", "libluajit-5.1-2=2.1.0~beta3+git20220320+dfsg-4.1+deb12u1"];
    let home = unpacked(cache, "wrk-4.1.0", &packages)?;
    let libraries = library(&home, "libluajit-5.1.so.2")?;
    let libraries = libraries.parent().map_or_else(|| home.clone(), Path::to_owned);
    Ok(Wrk { program: home.join("usr/bin/wrk"), libraries })
}

/// PostgreSQL's programs and what they need to run.
#[derive(Debug)]
pub(crate) struct Postgres {
    /// Holds `initdb` and `postgres`.
    pub(crate) programs: PathBuf,
    /// The cache's folder of them, when they are not the machine's own: another user can't look into it.
    pub(crate) unpacked: Option<PathBuf>,
}

/// PostgreSQL 15: the machine's own, else Debian's with the libraries that the machine lacks.
///
/// Its version is Debian's current one: security updates take the old one out of the archive.
pub(crate) fn postgres(cache: &Cache) -> Outcome<Postgres> {
    let below = Path::new("usr/lib/postgresql/15/bin");
    let on_path = std::env::split_paths(&crate::workspace::variable("PATH").unwrap_or_default()).collect::<Vec<_>>();
    for folder in std::iter::once(Path::new("/").join(below)).chain(on_path) {
        // What lies on PATH may be a link into the folder with all the rest.
        let Ok(program) = folder.join("initdb").canonicalize() else { continue };
        let Some(programs) = program.parent() else { continue };
        if programs.join("postgres").is_file() {
            return Ok(Postgres { programs: programs.to_owned(), unpacked: None });
        }
    }
    let home = fetched(cache, "postgresql-15", |apt, log| {
        let mut command = apt();
        command.args(["-q", "-y", "--no-install-recommends", "-o", "Debug::NoLocking=true", "--download-only"]);
        process::logged(command.args(["install", "postgresql-15"]), log)
    })?;
    Ok(Postgres { programs: home.join(below), unpacked: Some(home) })
}

/// The folder of `prometheus` and `promtool`: Debian's.
pub(crate) fn prometheus(cache: &Cache) -> Outcome<PathBuf> {
    let home = unpacked(cache, "prometheus-2.42.0", &["prometheus=2.42.0+ds-5*"])?;
    Ok(home.join("usr/bin"))
}

/// `redis-server` and where its libraries are.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) program: PathBuf,
    pub(crate) libraries: PathBuf,
}

/// Redis 7: Debian's. Its server is in the package of its tools.
pub(crate) fn redis(cache: &Cache) -> Outcome<Redis> {
    let packages = ["redis-server=5:7.0.15-*", "redis-tools=5:7.0.15-*", "libjemalloc2", "liblzf1", "libatomic1"];
    let home = unpacked(cache, "redis-7.0.15", &packages)?;
    let libraries = library(&home, "liblzf.so.1")?;
    let libraries = libraries.parent().map_or_else(|| home.clone(), Path::to_owned);
    Ok(Redis { program: home.join("usr/bin/redis-server"), libraries })
}

/// The folder with MariaDB's server and the libraries that it needs below it: Debian's.
pub(crate) fn mariadb(cache: &Cache) -> Outcome<PathBuf> {
    unpacked(cache, "mariadb-10.11", &["mariadb-server-core=1:10.11.*", "libnuma1", "liburing2"])
}

fn unpacked(cache: &Cache, name: &str, packages: &[&str]) -> Outcome<PathBuf> {
    fetched(cache, name, |apt, log| process::logged(apt().args(["-q", "download"]).args(packages), log))
}

/// A folder with the contents of the packages that `download` leaves in apt's archives or where it runs.
fn fetched(
    cache: &Cache,
    name: &str,
    download: impl FnOnce(&dyn Fn() -> Command, &Path) -> Outcome,
) -> Outcome<PathBuf> {
    cache.install(name, |folder, log| {
        downloaded(&folder.join("apt"), None, log, |apt, packages| {
            download(apt, log)?;
            unpack(packages, folder, log)?;
            unpack(&folder.join("apt/archives"), folder, log)
        })
    })
}

/// Runs `work` with an apt that has package lists of its own in `state`, which is gone afterwards; it gets the folder too
/// in which apt runs. `sources` are other places than the machine's to fetch from.
pub(super) fn downloaded(
    state: &Path,
    sources: Option<&Path>,
    log: &Path,
    work: impl FnOnce(&dyn Fn() -> Command, &Path) -> Outcome,
) -> Outcome {
    for part in ["lists/partial", "archives/partial", "packages"] {
        let part = state.join(part);
        std::fs::create_dir_all(&part).at("create", &part)?;
    }
    let mut options = vec![
        ("Dir::State::lists", state.join("lists").into_os_string()),
        ("Dir::Cache", state.as_os_str().to_owned()),
        ("Dir::Cache::archives", state.join("archives").into_os_string()),
        ("Acquire::Languages", "none".into()),
        // Root's apt would read as another user, who can't see into root's cache folder.
        ("APT::Sandbox::User", "root".into()),
    ];
    if let Some(sources) = sources {
        options.extend([
            ("Dir::Etc::sourcelist", sources.as_os_str().to_owned()),
            ("Dir::Etc::sourceparts", "/dev/null".into()),
        ]);
    }
    let packages = state.join("packages");
    let apt = || {
        let mut command = Command::new("apt-get");
        command.current_dir(&packages);
        for (option, value) in &options {
            let mut setting = std::ffi::OsString::from(format!("{option}="));
            setting.push(value);
            command.arg("-o").arg(setting);
        }
        command
    };
    process::logged(apt().args(["-q", "update"]), log)
        .map_err(|failure| Failure::new(format!("{failure}\n(`cargo xtask test` needs Debian's package archive)")))?;
    work(&apt, &packages)?;
    std::fs::remove_dir_all(state).at("remove", state)
}

/// Unpacks every package of `archives` into `folder`.
pub(super) fn unpack(archives: &Path, folder: &Path, log: &Path) -> Outcome {
    for archive in std::fs::read_dir(archives).at("read", archives)? {
        let archive = archive.at("read", archives)?.path();
        if archive.extension().is_some_and(|extension| extension == "deb") {
            process::logged(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(folder), log)?;
        }
    }
    Ok(())
}

/// A library below `usr/lib/ARCHITECTURE/`.
fn library(home: &Path, below: &str) -> Outcome<PathBuf> {
    let folder = home.join("usr/lib");
    let found = std::fs::read_dir(&folder)
        .at("read", &folder)?
        .filter_map(Result::ok)
        .map(|architecture| architecture.path().join(below))
        .find(|path| path.exists());
    found.ok_or_else(|| {
        Failure::new(format!("{below} is not in {}: delete that folder to fetch it anew", home.display()))
    })
}
