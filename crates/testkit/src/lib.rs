//! What tests are made of: a clock moved by hand, ports in memory, hostile servers, real servers, and the contracts
//! that every provider and every journal keeps.
//!
//! Nothing here is shipped. It may use tokio and the file system; it may not use another crate of ours than `core`, so
//! that every crate can use it. Without the feature `native` it is what a test on wasm can have: the contracts, the
//! clock, the ports in memory.

#![forbid(unsafe_code)]

pub mod clock;
pub mod contract;
#[cfg(feature = "native")]
mod elsewhere;
#[cfg(feature = "native")]
pub mod fake;
pub mod host;
pub mod journal;
#[cfg(feature = "native")]
mod keys;
#[cfg(feature = "native")]
mod runtime;
#[cfg(feature = "native")]
pub mod servers;
#[cfg(feature = "native")]
pub mod transport;

pub use self::clock::ManualClock;
#[cfg(feature = "native")]
pub use self::elsewhere::{ELSEWHERE, assert_only, elsewhere_than};
pub use self::host::{TestBindings, TestEnv, TestExec, TestFiles, TestRandom, TestSigner};
#[cfg(feature = "native")]
pub use self::keys::{RSA_KEY, client_certificate, rsa_public_key, server_certificate};
#[cfg(feature = "native")]
pub use self::runtime::{TokioSpawn, call};
#[cfg(feature = "native")]
pub use self::transport::{FakeTransport, Gate, OneTransport, Piece, Reply};
