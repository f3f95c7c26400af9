//! `type = "cloudflare-secrets-store"`.

use std::collections::BTreeMap;

use super::shape::{Needs, provider};

provider! {
    /// Cloudflare Secrets Store, as a Worker has it: every secret by a binding of its deployment.
    pub struct CloudflareSecretsStore {
        /// Its secrets: name -> binding, as `wrangler.toml` names it under `secrets_store_secrets`.
        pub secrets: BTreeMap<String, String>,
    }
}

impl Needs for CloudflareSecretsStore {}
