//! What `cargo xtask transcript` and the replay share: the requests, the world that they are asked in, and how they are
//! put on the wire. Both compile these files, so that the agent and ours are asked the same bytes.
//!
//! It may open loopback sockets. It may start no program, and know nothing of who is asked.

pub(crate) mod faulty;
pub(crate) mod script;
pub(crate) mod wire;
pub(crate) mod world;
