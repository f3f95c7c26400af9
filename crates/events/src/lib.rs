//! Provider notifications become [`Change`](lockstep_core::Change)s.
//!
//! | folder | job |
//! |---|---|
//! | [`decode`] | bytes of a notification to Changes, within bounds, without a network |
//! | `intake` (feature `sns`) | one place where notifications come in: verified, then decoded |
//! | [`verify`] | whether the one who sent it may: signatures and their age |
//! | `notify` (feature `notify`) | who is told of rotations, by HTTP |
//! | `journal` | where Changes are kept for every instance to read; each backend is a feature |
//!
//! A Change is a hint. It never carries a value, and whoever forges one gains a refetch at most. So decoding is kind to
//! the shapes that providers really send, and strict about how much of them there may be. What is no news, is not about a
//! secret that is known here, or can't be read, is left out and said why ([`decode::Reason`]); nothing of a notification
//! but names and versions gets any further.
//!
//! No clock, no socket: the time comes in as an argument, and the one certificate that is fetched comes through
//! [`Transport`](lockstep_core::Transport). Everything compiles for wasm.
//!
//! Bearer tokens (Pub/Sub push, Event Grid) are not looked at here: those are logins, and `lockstep-auth` verifies logins.

#![forbid(unsafe_code)]

pub mod decode;
#[cfg(feature = "sns")]
pub mod intake;
#[cfg(any(feature = "dynamodb", feature = "redis"))]
pub mod journal;
#[cfg(feature = "notify")]
pub mod notify;
pub mod verify;
