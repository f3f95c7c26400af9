//! What the tasks need beside Rust, fetched by themselves: pinned, into one versioned folder of the user's cache.
//!
//! Nothing is installed system-wide and nothing that stands on the machine by chance is relied on. A tool's folder is
//! named after its version and its pins, made in a partial folder and renamed when whole: it is there or it is not.

mod cache;
mod cargo;
mod debian;
mod kubernetes;
mod node;
mod python;

pub(crate) use self::cache::Cache;
pub(crate) use self::cargo::{
    agent, cargo_deny, cargo_fuzz, cargo_mutants, nextest, std_source, targets, wasm_bindgen,
};
pub(crate) use self::debian::{Postgres, Wrk, faketime, mariadb, postgres, prometheus, redis, wrk};
pub(crate) use self::kubernetes::{Kubernetes, kubernetes};
pub(crate) use self::node::{clients, oidc};
pub(crate) use self::python::{
    aws, azure, events, gcp, hvac, lambda_emulator, ministack, mypy, openbao, otlp, schemathesis, zig,
};

use crate::failure::Outcome;
use crate::workspace::Workspace;

/// Fetches everything that `cargo xtask test` needs, one after the other; what is there already costs nothing.
pub(crate) fn fetch(workspace: &Workspace, cache: &Cache) -> Outcome {
    openbao(cache)?;
    hvac(cache)?;
    otlp(cache)?;
    schemathesis(cache)?;
    mypy(cache)?;
    let aws = aws(cache)?;
    ministack(cache)?;
    azure(cache)?;
    events(cache)?;
    gcp(cache)?;
    oidc(cache)?;
    clients(cache)?;
    lambda_emulator(cache, &aws)?;
    faketime(cache)?;
    mariadb(cache)?;
    postgres(cache)?;
    prometheus(cache)?;
    redis(cache)?;
    kubernetes(cache)?;
    nextest(workspace, cache)?;
    cargo_deny(workspace, cache)?;
    wasm_bindgen(workspace, cache)?;
    Ok(())
}
