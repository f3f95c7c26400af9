//! `lockstep config check | show`. (`schema` needs no configuration and stands in `main`.)

use lockstep_host::Console;
use serde_json::json;

use crate::arguments::{ConfigVerb, Everywhere};
use crate::failure::Failure;
use crate::host::Host;
use crate::output::Output;

pub(crate) fn run(everywhere: &Everywhere, what: ConfigVerb, host: &Host, output: Output) -> Result<(), Failure> {
    let config = host.config(everywhere)?;
    match what {
        ConfigVerb::Show if output.json => output.json(&config.to_json()),
        ConfigVerb::Show => output.data(&config.to_toml()),
        ConfigVerb::Check => {
            let ports = host.ports(&config, Console::Taken)?;
            let assembly = config.assemble(&ports)?;
            config.endpoint(&ports, &assembly)?;
            host.tracer(&config)?;
            if output.json {
                return output.json(&json!({ "ok": true, "warnings": assembly.warnings }));
            }
            for warning in &assembly.warnings {
                output.note(&format!("warning: {warning}"));
            }
            output.data("the configuration is fine\n")
        }
        ConfigVerb::Schema => output.data(&lockstep_config::json_schema()),
    }
}
