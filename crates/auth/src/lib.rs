//! Who calls a Lockstep, and what they may do.
//!
//! The environment, files and random bytes come in through core's ports; nothing here reads a clock or a socket. What is
//! decided here is recorded by the resolver, as [`AuditRecord`](lockstep_core::AuditRecord)s.

#![forbid(unsafe_code)]

mod allow_list;
mod local_token;

pub use self::allow_list::AllowList;
pub use self::local_token::{LocalToken, MAX_TOKEN_BYTES, TOKEN_VARIABLES, TokenOrigin};
