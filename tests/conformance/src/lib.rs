//! What every Lockstep endpoint answers, asked over HTTP.
//!
//! The suite is told an address, a credential and a prefix ([`Inputs`]), expects [`seed`]s below that prefix, and touches
//! nothing else. So it asks `lockstep serve`, a function behind its gateways and a Worker in the same way. What a front
//! of somebody else's makes different is listed with its reason ([`Differences`]) and has to be different.
//!
//! The drop-in surfaces are not asked: a remote endpoint need not have them.

#![forbid(unsafe_code)]

mod calls;
mod cases;
mod endpoint;
mod report;
pub mod seed;

pub use self::calls::{CALLS, Call, calls, outcome_over_http};
pub use self::endpoint::{Ask, Endpoint, Inputs, Said, Stop, Verdict};
pub use self::report::{Came, Differences, Report, run};
