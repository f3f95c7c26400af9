//! A configuration -> an assembled resolver and API; its JSON Schema.
//!
//! [`Config::load`] takes a text that the host has read, and variables through core's `Env`; it lists everything that
//! is wrong, with its place and what to write instead. [`Config::assemble`] builds the whole from the host's ports. No
//! file is opened here but through core's `Files`, and no secret ever stands in the configuration.

#![forbid(unsafe_code)]

mod assembly;
mod checks;
mod config;
mod decode;
mod drop_in;
mod environment;
mod place;
mod problem;
#[cfg(feature = "schema")]
mod schema;
pub mod settings;
mod suggestion;
mod tree;
mod units;

#[cfg(test)]
mod tests;

pub use self::assembly::{Assembly, DeliveryPorts, Endpoint, Front, Ports, TokenOrigin, Watch};
#[cfg(feature = "otlp")]
pub use self::assembly::{Telemetry, TelemetryHeaders};
pub use self::config::{Config, Document, Format};
pub use self::environment::Sources;
pub use self::place::Place;
pub use self::problem::{Problem, Problems};
#[cfg(feature = "schema")]
pub use self::schema::json_schema;
pub use self::settings::Settings;
pub use self::units::{Period, Size};
#[cfg(feature = "vault-surface")]
pub use lockstep_api::VaultDoor;
