//! `[auth]`: who calls, and what they may do.

use serde::{Deserialize, Serialize};

use super::AllowRule;

/// `[auth]`: what callers may read.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Patterns of the names that may be used, or `alias://pattern` for the names of one provider. `["**"]` allows every
    /// name, `[]` none.
    pub allow: Vec<AllowRule>,
}

impl Default for Auth {
    fn default() -> Self {
        Self { allow: vec![AllowRule("**".to_owned())] }
    }
}
