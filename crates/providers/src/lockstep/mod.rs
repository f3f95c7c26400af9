//! Another Lockstep endpoint as a provider, so that edges and extensions share one region's cache.
//!
//! Its native API is asked ([`crate::lockstep`] knows nothing of the providers behind it). What it has kept counts as
//! kept here too: its `Age` uses up the TTL, and what is past its time there says so here.

#[cfg(feature = "lockstep-journal")]
mod journal;
mod provider;
mod status;
mod wire;

#[cfg(test)]
mod tests;

#[cfg(feature = "lockstep-journal")]
pub use self::journal::LockstepJournal;
pub use self::provider::{LockstepProvider, LockstepSettings};
