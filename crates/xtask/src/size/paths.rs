//! The folders of who builds: kept out of what ships. A panic's place would tell them, and their length counts.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Doing as _, Outcome};
use crate::process;
use crate::workspace::{Workspace, variable};

/// Between the flags of `CARGO_ENCODED_RUSTFLAGS`.
const BETWEEN: &str = "\u{1f}";

/// Has every source named by its place in its package's folder, in Rust's or in the checkout: `hyper-1.0.0/src/lib.rs`,
/// `library/core/src/str.rs`, `crates/core/src/name.rs`.
pub(super) fn shorten(workspace: &Workspace, target: &str, command: &mut Command) -> Outcome {
    let flags: Vec<String> = sources(workspace)?
        .iter()
        .map(|(folder, name)| format!("--remap-path-prefix={}={name}", folder.display()))
        .collect();
    // Joined by cargo with what `.cargo/config.toml` says for the target. Rust's list of texts is one of TOML too.
    command.args(["--config", &format!("target.{target}.rustflags={flags:?}")]);
    // Whoever has one of these takes the place of all settings.
    if let Some(given) = variable("CARGO_ENCODED_RUSTFLAGS") {
        command.env("CARGO_ENCODED_RUSTFLAGS", given + BETWEEN + &flags.join(BETWEEN));
    } else if let Some(given) = variable("RUSTFLAGS") {
        let given: Vec<&str> = given.split_whitespace().collect();
        command.env("CARGO_ENCODED_RUSTFLAGS", given.join(BETWEEN) + BETWEEN + &flags.join(BETWEEN));
    }
    Ok(())
}

/// Folders with sources, and what they are called instead. The later one counts where two of them fit.
fn sources(workspace: &Workspace) -> Outcome<Vec<(PathBuf, &'static str)>> {
    let mut sources = vec![(workspace.root().to_owned(), ""), (workspace.target(), "target")];
    sources.push((toolchain(workspace)?.join("lib/rustlib/src/rust"), ""));
    if let Some(home) = cargo_home() {
        // A folder per registry.
        let registries = home.join("registry/src");
        if registries.is_dir() {
            for registry in std::fs::read_dir(&registries).at("read", &registries)? {
                sources.push((registry.at("read", &registries)?.path(), ""));
            }
        }
    }
    Ok(sources)
}

/// The first of the builder's folders whose name stands in a program.
pub(super) fn held(workspace: &Workspace, program: &[u8]) -> Outcome<Option<PathBuf>> {
    let mut folders = vec![workspace.root().to_owned(), workspace.target(), toolchain(workspace)?];
    folders.extend(cargo_home());
    folders.extend(home());
    Ok(folders.into_iter().find(|folder| names(program, folder)))
}

/// Whether something in this folder is named.
fn names(program: &[u8], folder: &Path) -> bool {
    let mut wanted = folder.as_os_str().to_owned().into_vec();
    wanted.push(b'/');
    // The root is in every path.
    wanted != b"//" && program.windows(wanted.len()).any(|part| part == wanted)
}

fn toolchain(workspace: &Workspace) -> Outcome<PathBuf> {
    let said = process::capture(workspace.program("rustc").args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(OsString::from(said.trim_end())))
}

fn cargo_home() -> Option<PathBuf> {
    variable("CARGO_HOME").map(PathBuf::from).or_else(|| home().map(|home| home.join(".cargo")))
}

fn home() -> Option<PathBuf> {
    variable("HOME").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: look for the folder without the slash behind it, or leave out the look for the root.
    #[test]
    fn a_folder_is_found_where_something_in_it_is_named() {
        let folder = Path::new("/builds/me");
        assert!(names(b"\0/builds/me/src/lib.rs\0", folder));
        assert!(!names(b"\0/builds/merry/src/lib.rs", folder));
        assert!(!names(b"me/src/lib.rs", folder));
        assert!(!names(b"http://", Path::new("/")));
    }
}
