//! Configurations of providers whose clouds are imitated, for whatever answers at an address.

use lockstep_testkit::fake::azure::{CLIENT_ID, TENANT};
use lockstep_testkit::fake::gcp::PROJECT;

/// The file with the key of Google's service account, beside the configuration.
pub const KEY_FILE: &str = "key.json";

/// `[providers.azure]` at this address, with the client secret in `AZURE_CLIENT_SECRET`.
pub fn azure(url: &str) -> String {
    format!(
        "[providers.azure]\ntype = \"azure-key-vault\"\naddress = \"{url}\"\ninsecure = true\ntenant = \"{TENANT}\"\n\
         auth = {{ method = \"client-secret\", client_id = \"{CLIENT_ID}\" }}\n"
    )
}

/// `[providers.gcp]` at this address, with the key in [`KEY_FILE`], for which tokens are fetched.
pub fn gcp(url: &str) -> String {
    format!(
        "[providers.gcp]\ntype = \"gcp-secret-manager\"\nproject = \"{PROJECT}\"\nendpoint = \"{url}\"\n\
         token_endpoint = \"{url}/token\"\niam_endpoint = \"{url}\"\n\
         auth = {{ method = \"service-account\", key = {{ file = \"{KEY_FILE}\" }}, self_signed = false }}\n"
    )
}
