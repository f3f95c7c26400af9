//! `[[routes]]`.

use lockstep_core::Fallback;
use serde::{Deserialize, Serialize};

use super::{AliasName, Glob};
use crate::units::Period;

/// One of `[[routes]]`: names that match are asked of these providers, in this order.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Which names, such as `db/**`.
    #[serde(rename = "match")]
    pub pattern: Glob,
    /// Aliases, asked in this order; the next one only after "not found" or a failure to answer.
    pub providers: Vec<AliasName>,
    /// Instead of `cache.ttl` and `cache.ttl_with_journal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// Instead of `freshness.max_staleness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_staleness: Option<Period>,
    /// What comes first while the first provider can't be asked: its stale value (`stale_first`), or the next
    /// provider's fresh one (`next_first`).
    #[serde(default, with = "words")]
    #[cfg_attr(feature = "schema", schemars(with = "words::Word"))]
    pub fallback: Fallback,
}

/// Core's enum has no serde; its words stand here.
mod words {
    use lockstep_core::Fallback;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Default, Deserialize, Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    #[cfg_attr(feature = "schema", schemars(rename = "Fallback"))]
    #[serde(rename_all = "snake_case")]
    pub(super) enum Word {
        #[default]
        StaleFirst,
        NextFirst,
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it like this")]
    pub(super) fn serialize<S: Serializer>(value: &Fallback, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Fallback::StaleFirst => Word::StaleFirst.serialize(serializer),
            Fallback::NextFirst => Word::NextFirst.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Fallback, D::Error> {
        Ok(match Word::deserialize(deserializer)? {
            Word::StaleFirst => Fallback::StaleFirst,
            Word::NextFirst => Fallback::NextFirst,
        })
    }
}
