//! `size`: the extension as it ships (release, static musl, stripped) against its bar.

mod crates;
mod paths;

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::tools::{self, Cache};
use crate::workspace::{ARM64, Workspace, X86_64};

/// The bar: the stripped extension, with every provider of the release.
const BAR: u64 = 4 * 1024 * 1024;
/// The crate that only a listener with TLS needs.
const HTTP2: &str = "h2";
/// How many crates are named beside it.
const LARGEST: usize = 20;

/// Builds and checks; with `deep` arm64 too.
pub(crate) fn run(workspace: &Workspace, deep: bool) -> Outcome {
    check(workspace, X86_64)?;
    if deep {
        check(workspace, ARM64)?;
    }
    Ok(())
}

/// The extension's release binary for a musl target, built when it isn't current.
pub(crate) fn extension(workspace: &Workspace, target: &str) -> Outcome<PathBuf> {
    let map = format!("-Clink-arg=-Map={}", map(workspace, target).display());
    build(workspace, target, "rustc", &["--package", "lockstep-extension", "--bin", "lockstep-extension", "--", &map])?;
    Ok(workspace.target().join(target).join("release/lockstep-extension"))
}

/// Where the linker says what it put into the extension.
fn map(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.target().join(target).join("release/lockstep-extension.map")
}

/// `cargo build --release` for a musl target.
pub(crate) fn release(workspace: &Workspace, target: &str, what: &[&str]) -> Outcome {
    build(workspace, target, "build", what)
}

/// Rust's own linker links for both (`.cargo/config.toml`). What ring has of C needs no C library: on the machine's own
/// architecture its gcc compiles it, for the other one zig does.
fn build(workspace: &Workspace, target: &str, verb: &str, what: &[&str]) -> Outcome {
    tools::targets(workspace, &[target])?;
    let mut command = workspace.cargo(&[verb, "--release", "--target", target]);
    if tools::std_source(workspace)? {
        // Rust's own library as it comes reads debug information to print backtraces: 216 KB, and a program that is
        // stripped has none to read. Built without that from the sources of the pinned toolchain, which is what the
        // variable is for: the flags are not stable.
        command.env("RUSTC_BOOTSTRAP", "1");
        command.args(["-Zbuild-std=std,panic_unwind", "-Zbuild-std-features=optimize_for_size"]);
    } else {
        println!(
            "the sources of Rust's library are not here (rustup adds them): built with backtraces, which is larger"
        );
    }
    paths::shorten(workspace, target, &mut command)?;
    command.args(what);
    let variable = target.replace('-', "_");
    if target == host_musl() {
        if crate::workspace::variable(&format!("CC_{variable}")).is_none() {
            // Some distributions turn this on by default, and musl has no such functions.
            command.env(format!("CC_{variable}"), "gcc").env(format!("CFLAGS_{variable}"), "-U_FORTIFY_SOURCE");
        }
    } else {
        let wrapper = zig_wrapper(workspace, target)?;
        command.env(format!("CC_{variable}"), &wrapper).env("CRATE_CC_NO_DEFAULTS", "1");
    }
    process::run(&mut command)
}

/// The musl target that the machine's own C compiler can build.
fn host_musl() -> &'static str {
    if std::env::consts::ARCH == "aarch64" { ARM64 } else { X86_64 }
}

/// A script that is `zig cc` for a target: a compiler is one word to cargo.
fn zig_wrapper(workspace: &Workspace, target: &str) -> Outcome<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let zig = tools::zig(&Cache::open()?)?;
    let folder = workspace.scratch("zig")?;
    let script = folder.join("cc");
    let triple = target.replace("-unknown", "");
    // zig builds its libc once per cache: kept over runs, and out of the user's own folders.
    let cache = workspace.target().join("xtask/zig-cache");
    // Without a level zig compiles for debugging, with checks that call into a library of its own.
    let text = format!(
        "#!/bin/sh\nexport ZIG_GLOBAL_CACHE_DIR='{}'\nexec '{}' cc -target {triple} -O2 \"$@\"\n",
        cache.display(),
        zig.display()
    );
    fs::write(&script, text).at("write", &script)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).at("make executable", &script)?;
    Ok(script)
}

fn check(workspace: &Workspace, target: &str) -> Outcome {
    let binary = extension(workspace, target)?;
    let bytes = fs::read(&binary).at("read", &binary)?;
    let size = bytes.len() as u64;
    println!("extension: {size} bytes of {BAR} ({} %), {}", size * 100 / BAR, binary.display());
    largest(&map(workspace, target))?;
    match wants_loader(&bytes) {
        None => return Err(Failure::new(format!("{} is no 64-bit ELF file", binary.display()))),
        Some(true) => return Err(Failure::new(format!("{} is not static: it asks for a loader", binary.display()))),
        Some(false) => {}
    }
    if let Some(folder) = paths::held(workspace, &bytes)? {
        return Err(Failure::new(format!(
            "{} names files in {}, which tells who built it and where: have `size/paths.rs` name those sources otherwise",
            binary.display(),
            folder.display()
        )));
    }
    if size > BAR {
        return Err(Failure::new(format!("the extension is {} bytes larger than its bar of {BAR}", size - BAR)));
    }
    Ok(())
}

/// Prints whose code is the largest part, and refuses what has no business there.
fn largest(map: &Path) -> Outcome {
    let text = fs::read_to_string(map).at("read", map)?;
    let crates = crates::by_size(&text);
    println!("the largest crates, in bytes of code:");
    for (name, size) in crates.iter().take(LARGEST) {
        println!("  {size:>8}  {name}");
    }
    if crates.iter().any(|(name, _)| *name == HTTP2) {
        return Err(Failure::new(format!(
            "the extension has code of {HTTP2}, and speaks HTTP/1.1 alone: \
             `cargo tree --package lockstep-extension --edges features --invert {HTTP2}` says what wants it"
        )));
    }
    Ok(())
}

/// Whether an ELF file has a `PT_INTERP` program header; `None` when it isn't a little-endian ELF64 file.
fn wants_loader(bytes: &[u8]) -> Option<bool> {
    const PT_INTERP: u64 = 3;
    let number = |at: usize, length: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(length)?)?;
        Some(field.iter().rev().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
    };
    if !bytes.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    // e_phoff, e_phentsize, e_phnum of the ELF64 header.
    let (table, entry, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    for index in 0..count {
        let at = usize::try_from(table + index * entry).ok()?;
        if number(at, 4)? == PT_INTERP {
            return Some(true);
        }
    }
    Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dynamic_program_is_told_apart() {
        // This very test is linked dynamically.
        let own = fs::read("/proc/self/exe").unwrap();
        assert_eq!(wants_loader(&own), Some(true));
        assert_eq!(wants_loader(b"#!/bin/sh"), None);
        let mut header = b"\x7fELF\x02\x01".to_vec();
        header.resize(64, 0);
        assert_eq!(wants_loader(&header), Some(false));
    }
}
