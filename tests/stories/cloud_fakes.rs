//! Imitations of clouds that keep state, and the configuration that reads from them.

use std::sync::Arc;

use lockstep_native::SystemClock;
use lockstep_stories::Faked;
use lockstep_testkit::fake::azure::{AzureVault, CLIENT_ID, CLIENT_SECRET, TENANT};
use lockstep_testkit::fake::gcp::{Google, PROJECT};
use serde_json::json;

/// The file with the key of Google's service account.
pub(crate) const KEY_FILE: &str = "key.json";

/// An Azure Key Vault with Entra beside it.
pub(crate) struct Azure {
    pub(crate) vault: Arc<AzureVault>,
    served: Faked,
}

impl Azure {
    pub(crate) fn start() -> Self {
        let vault = AzureVault::new(Arc::new(SystemClock::new()));
        let served = Faked::serve(vault.served());
        vault.at(&served.url());
        Self { vault, served }
    }

    pub(crate) fn url(&self) -> String {
        self.served.url()
    }

    pub(crate) fn put(&self, name: &str, value: &str) {
        self.vault.put(name, &json!({ "value": value }));
    }
}

/// `[providers.azure]` at this address.
pub(crate) fn azure(url: &str) -> String {
    format!(
        "[providers.azure]\ntype = \"azure-key-vault\"\naddress = \"{url}\"\ninsecure = true\ntenant = \"{TENANT}\"\n\
         auth = {{ method = \"client-secret\", client_id = \"{CLIENT_ID}\" }}\n"
    )
}

/// What [`azure`] logs in with, where this is the authority.
pub(crate) fn azure_env(url: &str) -> [(&str, &str); 2] {
    [("AZURE_CLIENT_SECRET", CLIENT_SECRET), ("AZURE_AUTHORITY_HOST", url)]
}

/// Google's Secret Manager with what gives its tokens.
pub(crate) struct Gcp {
    pub(crate) google: Arc<Google>,
    served: Faked,
}

impl Gcp {
    pub(crate) fn start() -> Self {
        let google = Google::new(Arc::new(SystemClock::new()));
        let served = Faked::serve(google.served());
        Self { google, served }
    }

    pub(crate) fn url(&self) -> String {
        self.served.url()
    }
}

/// `[providers.gcp]` at this address, with the key in [`KEY_FILE`], for which tokens are fetched.
pub(crate) fn gcp(url: &str) -> String {
    format!(
        "[providers.gcp]\ntype = \"gcp-secret-manager\"\nproject = \"{PROJECT}\"\nendpoint = \"{url}\"\n\
         token_endpoint = \"{url}/token\"\n\
         auth = {{ method = \"service-account\", key = {{ file = \"{KEY_FILE}\" }}, self_signed = false }}\n"
    )
}
