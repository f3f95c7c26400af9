//! The ports on Linux: clocks, HTTP out, files, the environment, programs, random bytes, audit, logs, signals, and the local
//! listener.
//!
//! The only crate that touches tokio's I/O, the system's clocks and the process itself. It depends on `core` alone and
//! knows no provider, no route and no configuration file.

#![forbid(unsafe_code)]

mod audit;
mod background;
mod bindings;
mod clock;
mod env;
mod exec;
mod files;
mod harden;
mod listener;
mod log;
#[cfg(feature = "otlp")]
mod otlp;
mod random;
mod sign;
mod signal;
mod socket;
mod spawn;
mod tally;
mod tls;
mod transport;

pub use self::audit::{AuditLines, AuditSettings, Rotation, chain_writer};
pub use self::background::Background;
pub use self::bindings::NoBindings;
pub use self::clock::SystemClock;
pub use self::env::ProcessEnv;
pub use self::exec::LocalExec;
pub use self::files::LocalFiles;
pub use self::harden::harden;
pub use self::listener::{Listener, ListenerSettings};
pub use self::log::{LogFormat, LogLevel, quiet_panics, start_log};
#[cfg(feature = "otlp")]
pub use self::otlp::{OtlpExporter, OtlpHeaders, OtlpParts};
pub use self::random::OsRandom;
pub use self::sign::RingSigner;
pub use self::signal::StopSignals;
pub use self::socket::TcpSockets;
pub use self::spawn::TokioSpawn;
#[cfg(feature = "tls-listener")]
pub use self::tls::{ServerTls, ServerTlsSettings};
pub use self::transport::{HttpTransports, TransportSettings, local_transport};
