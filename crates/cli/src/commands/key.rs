//! `lockstep key`: makes an API key. It is printed once; the configuration gets its hash.

use lockstep_auth::{ApiKeys, NewApiKey};
use serde_json::json;

use crate::failure::Failure;
use crate::host::Host;
use crate::output::Output;

pub(crate) fn run(id: &str, host: &Host, output: Output) -> Result<(), Failure> {
    let NewApiKey { text, hash } = ApiKeys::make(id, &*host.ports.random)?;
    let key = text.expose_text().unwrap_or_default();
    if output.json {
        return output.json(&json!({ "id": id, "key": key, "hash": hash.to_string() }));
    }
    output.data(key)?;
    output.data("\n")?;
    output.note(&format!(
        "this key is shown once; give it to its owner, and write its hash into the configuration:\n\n\
         [auth.keys.{id}]\nhashes = [{{ hash = \"{hash}\" }}]"
    ));
    Ok(())
}
