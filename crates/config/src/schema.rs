//! The JSON Schema of a configuration, for editors. Only the command carries it.

use schemars::generate::SchemaSettings;

use crate::settings::Settings;

/// The schema as text, the way it is checked in.
pub fn json_schema() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Settings>();
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
