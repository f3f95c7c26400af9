//! `type = "mock"`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::shape::{Needs, provider};
use crate::units::Period;

provider! {
    /// Made-up secrets and failures, for tests and dry runs. Never write a real secret here.
    pub struct Mock {
        /// Its secrets, by name.
        #[serde(default)]
        pub secrets: BTreeMap<String, MockSecret>,
        /// How long every call takes.
        #[serde(default)]
        pub delay: Period,
    }
}

/// One secret of a mock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct MockSecret {
    /// Its versions, oldest first; the last one is current.
    pub versions: Vec<MockValue>,
    /// What rotations will bring, in order.
    pub rotations: Vec<MockValue>,
    /// What every call on this secret answers instead: the code of an error, such as `denied` or `throttled`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long every call on this secret takes.
    pub delay: Period,
}

/// A made-up value. It is not shown either: a test may hold a real one by mistake.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MockValue(pub(crate) String);

impl fmt::Debug for MockValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockValue(…)")
    }
}

impl Serialize for MockValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("(not shown)")
    }
}

impl Needs for Mock {}
