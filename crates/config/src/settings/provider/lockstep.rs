//! `type = "lockstep"`.

use super::shape::{Needs, provider};
use super::{Credential, Need};
use crate::settings::AliasName;

provider! {
    /// Another Lockstep endpoint, whose cache is shared by all who ask it. How long it has kept a value counts here too.
    pub struct Lockstep asks {
        /// The endpoint, such as `https://secrets.internal:2773`.
        pub address: String,
        /// The token that it asks for.
        pub token: Credential,
        /// The provider that is asked there, by its alias; without it, the routes there decide.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub provider: Option<AliasName>,
    }
}

impl Needs for Lockstep {
    fn needs(&self) -> Vec<(&'static str, Need<'_>)> {
        vec![("token", Need::Credential(&self.token))]
    }
}
