//! [`Reach`]: the part of a provider that this instance may touch, whoever asks.

use crate::{Action, Pattern};

/// What a provider may be asked for. Empty lists are no bound.
#[derive(Debug, Clone, Default)]
pub struct Reach {
    /// Names, as the provider has them. What fits none is denied before any call.
    pub names: Vec<Pattern>,
    /// Tags or labels that a secret must have, each with its value unless any will do. They are looked at before the
    /// value is read: that costs one call more per fetch.
    pub tags: Vec<(String, Option<String>)>,
}

impl Reach {
    /// Whether a name is within it; for a list, whether any name with this prefix can be. An ARN says nothing of a name.
    pub(crate) fn has_name(&self, action: Action, name: &str) -> bool {
        let fits = |pattern: &Pattern| {
            if action == Action::List { pattern.may_match_under(name) } else { pattern.matches(name) }
        };
        self.names.is_empty() || self.names.iter().any(fits)
    }
}
