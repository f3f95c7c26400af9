//! Tools from crates.io, and the parts of the toolchain that some steps need.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Cache;
use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::workspace::Workspace;

const NEXTEST: &str = "0.9.143";
const DENY: &str = "0.20.2";
const FUZZ: &str = "0.13.2";
const MUTANTS: &str = "27.1.0";
const AGENT: &str = "3.1.2";

/// `cargo-nextest`: the machine's own when it has this version, else from the cache.
pub(crate) fn nextest(workspace: &Workspace, cache: &Cache) -> Outcome<PathBuf> {
    on_path_or_built(workspace, cache, &Tool::of("cargo-nextest", &["nextest", "--version"]), NEXTEST)
}

/// `cargo-deny`, likewise.
pub(crate) fn cargo_deny(workspace: &Workspace, cache: &Cache) -> Outcome<PathBuf> {
    on_path_or_built(workspace, cache, &Tool::of("cargo-deny", &["--version"]), DENY)
}

/// `cargo-fuzz`, likewise.
pub(crate) fn cargo_fuzz(workspace: &Workspace, cache: &Cache) -> Outcome<PathBuf> {
    on_path_or_built(workspace, cache, &Tool::of("cargo-fuzz", &["--version"]), FUZZ)
}

/// `cargo-mutants`, likewise.
pub(crate) fn cargo_mutants(workspace: &Workspace, cache: &Cache) -> Outcome<PathBuf> {
    on_path_or_built(workspace, cache, &Tool::of("cargo-mutants", &["mutants", "--version"]), MUTANTS)
}

/// `wasm-bindgen`, likewise, in the version of the locked crate: what the one writes into a module the other reads, and
/// no other version of it.
pub(crate) fn wasm_bindgen(workspace: &Workspace, cache: &Cache) -> Outcome<PathBuf> {
    let program = "wasm-bindgen";
    let lock = workspace.root().join("Cargo.lock");
    let text = std::fs::read_to_string(&lock).at("read", &lock)?;
    let version = locked(&text, program)?;
    // Its features are for another program of the package: TLS, to fetch browsers with.
    let more = &["--no-default-features"];
    let tool = Tool { package: "wasm-bindgen-cli", program, ask: &["--version"], more };
    on_path_or_built(workspace, cache, &tool, &version)
}

/// AWS's Workload Credentials Provider: the agent that `bench hit` measures us against, built as its users build it.
pub(crate) fn agent(workspace: &Workspace, cache: &Cache) -> Outcome<PathBuf> {
    let name = "aws_workload_credentials_provider";
    let home = cache.install(&format!("{name}-{AGENT}"), |folder, log| {
        process::logged(&mut installation(workspace, name, AGENT, folder), log)?;
        clean(folder)
    })?;
    Ok(home.join("bin/aws-workload-credentials-provider"))
}

/// Adds the targets that are missing from the pinned toolchain.
///
/// The toolchain file names them too, but with rustup's own installation switched off it installs nothing. Without
/// rustup (a distribution's Rust) the build itself says what is missing.
pub(crate) fn targets(workspace: &Workspace, wanted: &[&str]) -> Outcome {
    added(workspace, "target", wanted).map(drop)
}

/// Adds the sources of Rust's own library to the pinned toolchain; `false` where there is no rustup to do it.
pub(crate) fn std_source(workspace: &Workspace) -> Outcome<bool> {
    added(workspace, "component", &["rust-src"])
}

/// Adds what is missing of these parts; `false` without rustup.
fn added(workspace: &Workspace, part: &str, wanted: &[&str]) -> Outcome<bool> {
    let Ok(installed) = workspace.program("rustup").args([part, "list", "--installed"]).output() else {
        return Ok(false);
    };
    let installed = String::from_utf8_lossy(&installed.stdout).into_owned();
    for one in wanted.iter().filter(|one| !installed.lines().any(|line| line == **one)) {
        process::run(workspace.program("rustup").args([part, "add", one]))?;
    }
    Ok(true)
}

/// What crates.io has under the name of a package.
struct Tool {
    package: &'static str,
    program: &'static str,
    /// What makes it say its version.
    ask: &'static [&'static str],
    /// More words for its installation.
    more: &'static [&'static str],
}

impl Tool {
    /// A package whose one program is called like it.
    fn of(name: &'static str, ask: &'static [&'static str]) -> Self {
        Self { package: name, program: name, ask, more: &[] }
    }
}

fn on_path_or_built(workspace: &Workspace, cache: &Cache, tool: &Tool, version: &str) -> Outcome<PathBuf> {
    let Tool { package, program, ask, more } = *tool;
    let answer = Command::new(program).args(ask).output();
    if answer.is_ok_and(|output| has_version(&String::from_utf8_lossy(&output.stdout), program, version)) {
        return Ok(PathBuf::from(program));
    }
    let home = cache.install(&format!("{program}-{version}"), |folder, log| {
        let mut command = installation(workspace, package, version, folder);
        command.args(["--bin", program]).args(more);
        // It runs for seconds and is built for minutes: a light build is the faster of the two.
        command
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "false");
        process::logged(&mut command, log)?;
        clean(folder)
    })?;
    Ok(home.join("bin").join(program))
}

fn installation(workspace: &Workspace, name: &str, version: &str, folder: &Path) -> Command {
    let mut command = workspace.cargo(&["install", "--locked", "--version", version, name, "--root"]);
    command.arg(folder).arg("--target-dir").arg(folder.join("target"));
    command.env_remove("RUSTFLAGS").env_remove("CARGO_TARGET_DIR");
    command
}

fn clean(folder: &Path) -> Outcome {
    let built = folder.join("target");
    std::fs::remove_dir_all(&built).at("remove", &built)
}

/// The version that a package has in `Cargo.lock`.
fn locked(text: &str, name: &str) -> Outcome<String> {
    #[derive(serde::Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(serde::Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let lock: Lock = toml::from_str(text).map_err(|error| Failure::new(format!("Cargo.lock: {error}")))?;
    let found = lock.package.into_iter().find(|package| package.name == name);
    found.map(|package| package.version).ok_or_else(|| Failure::new(format!("Cargo.lock has no {name}")))
}

/// Whether `NAME VERSION …` is the first line of what a tool says of itself.
fn has_version(said: &str, name: &str, version: &str) -> bool {
    let mut words = said.split_whitespace();
    words.next() == Some(name) && words.next() == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_of_another_version_is_not_taken() {
        for (said, taken) in [
            ("cargo-nextest 0.9.143 (60fa45f63 2026-08-04)\nrelease: 0.9.143", true),
            ("cargo-nextest 0.9.143", true),
            ("cargo-nextest 0.9.1430", false),
            ("cargo-deny 0.9.143", false),
            ("", false),
        ] {
            assert_eq!(has_version(said, "cargo-nextest", NEXTEST), taken, "{said:?}");
        }
    }

    #[test]
    fn the_version_of_a_package_is_the_one_that_is_locked() {
        let lock = "version = 4\n[[package]]\nname = \"a-b\"\nversion = \"0.1.0\"\n\
                    [[package]]\nname = \"a\"\nversion = \"0.2.129\"\ndependencies = [\"a-b\"]\n";
        assert_eq!(locked(lock, "a").unwrap(), "0.2.129");
        assert!(locked(lock, "b").is_err());
    }
}
