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
pub mod servers;
pub mod transport;

pub use self::clock::ManualClock;
pub use self::host::{TestBindings, TestEnv, TestFiles, TestRandom, TestSigner, TokioSpawn, call};
pub use self::transport::{FakeTransport, Gate, OneTransport, Reply};

/// An RSA key of 2048 bits in PEM (PKCS #8), for assertions that tests sign. It opens nothing anywhere.
pub const RSA_KEY: &str = include_str!("keys/rsa.pem");
