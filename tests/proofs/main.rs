//! Proofs: what the design promises of every layer, every kind of failure and every route, shown through the built
//! command with a fake or a mock behind it.
//!
//! Each proof walks a list that the code itself keeps (layers, kinds, routes), so that a new member without a proof
//! fails. A security property stands in the name of its test; "Break:" names the line to break to see it fail.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod backends;
mod borders;
mod canary;
mod kinds;
mod layers;
mod search;
