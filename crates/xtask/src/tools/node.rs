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
    let all: String = files.iter().map(|(_, text)| *text).collect();
    let home = cache.install(&format!("oidc-{}", fingerprint(&all)), |folder, log| {
        for (name, text) in files {
            let path = folder.join(name);
            std::fs::write(&path, text).at("write", &path)?;
        }
        let mut install = Command::new("npm");
        install.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(folder);
        process::logged(&mut install, log)
    })?;
    Ok(home.join("server.mjs"))
}
