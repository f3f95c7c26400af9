//! What tests are made of: a clock moved by hand, ports in memory, hostile servers, real servers, and the contract that
//! every provider keeps.
//!
//! Nothing here is shipped. It may use tokio and the file system; it may not use another crate of ours than `core`, so
//! that every crate can use it.

#![forbid(unsafe_code)]

pub mod clock;
pub mod contract;
pub mod fake;
pub mod host;
mod keys;
pub mod servers;
pub mod transport;

pub use self::clock::ManualClock;
pub use self::host::{TestBindings, TestEnv, TestExec, TestFiles, TestRandom, TestSigner, TokioSpawn, call};
pub use self::keys::{RSA_KEY, client_certificate, rsa_public_key};
pub use self::transport::{FakeTransport, Gate, OneTransport, Piece, Reply};
