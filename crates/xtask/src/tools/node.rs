//! Tools from npm: each in a folder of its own, from a locked list in `crates/xtask/pins`.

use std::path::PathBuf;
use std::process::Command;

use super::Cache;
use super::cache::fingerprint;
use crate::failure::{Doing as _, Outcome};
use crate::process;

/// oauth2-mock-server, an issuer of signed tokens. The program takes the port.
pub(crate) fn oidc(cache: &Cache) -> Outcome<PathBuf> {
    let files = [
        ("package.json", include_str!("../../pins/oidc/package.json")),
        ("package-lock.json", include_str!("../../pins/oidc/package-lock.json")),
        ("server.mjs", include_str!("../../pins/oidc/server.mjs")),
    ];
    Ok(locked(cache, "oidc", &files)?.join("server.mjs"))
}

/// TypeScript's compiler, and workerd with what starts it: the folder that holds `node_modules`.
pub(crate) fn clients(cache: &Cache) -> Outcome<PathBuf> {
    let files = [
        ("package.json", include_str!("../../pins/clients/package.json")),
        ("package-lock.json", include_str!("../../pins/clients/package-lock.json")),
    ];
    locked(cache, "clients", &files)
}

/// A folder with these files, and what its lock names. No script of a package is run.
fn locked(cache: &Cache, name: &str, files: &[(&str, &str)]) -> Outcome<PathBuf> {
    let all: String = files.iter().map(|(_, text)| *text).collect();
    cache.install(&format!("{name}-{}", fingerprint(&all)), |folder, log| {
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::write(&path, text).at("write", &path)?;
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
        process::logged(&mut install, log)
    })
}
