//! Providers around any other, for tests and rehearsals: `record` writes down what is asked and answered, `replay`
//! answers it again without the provider, `dry-run` asks nobody.
//!
//! A recording holds secrets, so it is sealed line by line with a key of its own, and what was changed in it is
//! refused whole. What stands in a line is said in `form`, how lines follow one another in `recording`. Nothing here
//! knows a provider.

mod dry_run;
mod form;
mod record;
mod recording;
mod replay;
mod seal;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Clock, Env, Files, Random};

pub use self::dry_run::{DryRun, Placeholder};
pub use self::record::Record;
pub use self::replay::Replay;
use crate::Credential;

/// Where a recording is, and what opens it.
#[derive(Debug, Clone)]
pub struct Recording {
    /// The file.
    pub file: Box<Path>,
    /// Its key: 32 bytes in base64.
    pub key: Credential,
}

/// What the host fills in for a recording.
#[derive(Clone)]
pub struct Ports {
    /// The key, in a variable.
    pub env: Arc<dyn Env>,
    /// The recording, and the key in a file.
    pub files: Arc<dyn Files>,
    /// When something was asked.
    pub clock: Arc<dyn Clock>,
    /// What makes each line another one.
    pub random: Arc<dyn Random>,
}
