//! `schema`: what is generated and checked in. The config's JSON Schema, as the `lockstep` command prints it, and the
//! description of the API, as a test of `lockstep-api` makes it.

use std::fs;
use std::path::PathBuf;

use crate::failure::{Doing as _, Failure, Outcome};
use crate::process;
use crate::workspace::Workspace;

/// Where the test is told to write the description.
const OPENAPI: &str = "LOCKSTEP_WRITE_OPENAPI";

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

/// Writes the files anew.
pub(crate) fn write(workspace: &Workspace) -> Outcome {
    let file = file(workspace);
    let text = generated(workspace)?;
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).at("create", folder)?;
    }
    fs::write(&file, text).at("write", &file)?;
    describe(workspace)
}

/// Writes the description of the API. The gate's tests check it, so there is nothing to check here.
fn describe(workspace: &Workspace) -> Outcome {
    let file = workspace.root().join("crates/api/openapi.json");
    let before = fs::read(&file).unwrap_or_default();
    let mut test = workspace.cargo(&["test", "--quiet", "--package", "lockstep-api", "--lib", "what_is_checked_in"]);
    // It compares with what it was built with, and fails when it has just written something else.
    let ran = process::run(test.env(OPENAPI, &file));
    if fs::read(&file).at("read", &file)? == before { ran } else { Ok(()) }
}

/// Fails when the config's schema is not what the command prints.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let file = file(workspace);
    let kept = fs::read_to_string(&file).at("read", &file)?;
    if kept == generated(workspace)? {
        return Ok(());
    }
    Err(Failure::new("crates/config/schema/lockstep.schema.json is not current: run `cargo xtask schema`"))
}
