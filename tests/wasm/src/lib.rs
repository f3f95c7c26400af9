//! The contract suite of the providers where there is no thread, no socket and no clock of the system: as a module of
//! wasm in Node, whose way out is `fetch`.
//!
//! [`world`] says which provider and where its server is, one harness per provider writes behind its back through the
//! server's own routes, and nothing of that knows wasm. [`fetch`] alone does, with [`contract`]. So the same suite runs
//! natively too (`tests/contract.rs`), and both have to come to the same end.

#![forbid(unsafe_code)]

mod aws;
mod azure;
mod bench;
pub mod fetch;
mod gcp;
mod kubernetes;
mod memory;
mod vault;
pub mod world;

use std::sync::Arc;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use self::fetch::{Fetch, Tasks};
use self::world::{Host, World};

/// Runs the suite and gives the sections that it went through, as a list in JSON. `world` is a [`World`] in JSON.
///
/// # Errors
/// When `world` is none. A broken promise is a panic: Node sees it as an error, and its message on standard error.
#[wasm_bindgen]
pub async fn contract(world: String) -> Result<String, JsValue> {
    fetch::tell_panics();
    let world: World = serde_json::from_str(&world).map_err(|error| JsValue::from_str(&error.to_string()))?;
    let host = Host { transport: Arc::new(Fetch), spawn: Arc::new(Tasks) };
    let ran = world.sections(host).await;
    serde_json::to_string(&ran).map_err(|error| JsValue::from_str(&error.to_string()))
}
