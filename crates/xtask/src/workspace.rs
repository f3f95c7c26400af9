//! Where things are in this checkout, and how its commands are run: the root, the target folder, cargo, the environment.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;

/// The musl target that the extension ships for, per architecture.
pub(crate) const X86_64: &str = "x86_64-unknown-linux-musl";
pub(crate) const ARM64: &str = "aarch64-unknown-linux-musl";
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// The crates that must compile for wasm.
pub(crate) const WASM_CRATES: [&str; 6] = ["core", "providers", "events", "auth", "api", "config"];

/// The checkout.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout that this program was built from.
    pub(crate) fn open() -> Outcome<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        match folder.ancestors().nth(2) {
            Some(root) if root.join("Cargo.lock").is_file() => Ok(Self { root: root.to_owned() }),
            _ => Err(Failure::new("the checkout that this command was built from has moved: run `cargo xtask` in it")),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The one target folder of every step.
    pub(crate) fn target(&self) -> PathBuf {
        variable("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), |folder| self.root.join(folder))
    }

    /// `cargo` with `arguments`, in the root.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
        command.args(arguments);
        command
    }

    /// A program in the root, without the variables that `cargo run` set for *this* program: C builds watch some of
    /// them, and everything would be built anew for each caller.
    pub(crate) fn program(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_PRIMARY_PACKAGE"
            {
                command.env_remove(&name);
            }
        }
        command
    }

    /// Files that are, or would be, checked in; paths relative to the root.
    pub(crate) fn files(&self) -> Outcome<Vec<PathBuf>> {
        let mut command = self.program("git");
        command.args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
        let listed = process::capture(&mut command)?;
        let mut files: Vec<PathBuf> = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
        files.sort();
        files.dedup();
        files.retain(|path| self.root.join(path).is_file());
        Ok(files)
    }

    /// A fresh, empty folder for one run's logs and sockets: `target/xtask/NAME`.
    pub(crate) fn scratch(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.target().join("xtask").join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder).at("empty", &folder)?;
        }
        std::fs::create_dir_all(&folder).at("create", &folder)?;
        Ok(folder)
    }
}

/// A variable of this program's environment, when it holds something.
#[expect(clippy::disallowed_methods, reason = "a task is a host: nobody fills its ports")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Now, for a step's minutes and a server's patience.
#[expect(clippy::disallowed_methods, reason = "a task is a host: nobody fills its ports")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
