//! `demo`: builds the `lockstep` command and becomes `lockstep dev`.
//!
//! It becomes it in the literal sense (exec): signals and the exit code are the command's own, and nothing is left
//! behind but the build. The development profile is honest here: it is the quickest to the first answer.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;

use crate::failure::{Failure, Outcome};
use crate::process;
use crate::workspace::Workspace;

/// Builds and runs; comes back only when that fails.
pub(crate) fn run(workspace: &Workspace, arguments: &[OsString]) -> Outcome {
    process::run(&mut workspace.cargo(&["build", "--package", "lockstep-cli", "--bin", "lockstep"]))?;
    let program = workspace.target().join("debug/lockstep");
    let error = workspace.program(&program).arg("dev").args(arguments).exec();
    Err(Failure::new(format!("can't run {}: {error}", program.display())))
}
