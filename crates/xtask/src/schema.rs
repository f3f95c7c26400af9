//! `schema`: the config's JSON Schema, as the `lockstep` command prints it, in the file that is checked in.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::workspace::Workspace;

fn file(workspace: &Workspace) -> PathBuf {
    workspace.root().join("crates/config/schema/lockstep.schema.json")
}

fn generated(workspace: &Workspace) -> Outcome<String> {
    process::run(&mut workspace.cargo(&["build", "--quiet", "--package", "lockstep-cli", "--bin", "lockstep"]))?;
    let mut command = workspace.program(workspace.target().join("debug/lockstep"));
    let text = process::capture(command.args(["config", "schema"]))?;
    // An empty schema would compare equal to an empty file.
    if text.contains("\"$schema\"") {
        Ok(text)
    } else {
        Err(Failure::new("`lockstep config schema` printed no schema"))
    }
}

/// Writes the file anew.
pub(crate) fn write(workspace: &Workspace) -> Outcome {
    let file = file(workspace);
    let text = generated(workspace)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).at("create", folder)?;
    }
    fs::write(&file, text).at("write", &file)
}

/// Fails when the file is not what the command prints.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let file = file(workspace);
    let kept = fs::read_to_string(&file).at("read", &file)?;
    if kept == generated(workspace)? {
        return Ok(());
    }
    Err(Failure::new("crates/config/schema/lockstep.schema.json is not current: run `cargo xtask schema`"))
}
