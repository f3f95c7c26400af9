//! Imitations of clouds that keep state, and the configuration that reads from them.

use std::sync::Arc;

use lockstep_native::SystemClock;
use lockstep_stories::Faked;
pub(crate) use lockstep_stories::{KEY_FILE, azure, gcp};
use lockstep_testkit::fake::azure::{AzureVault, CLIENT_SECRET};
use lockstep_testkit::fake::gcp::Google;
use serde_json::json;

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
