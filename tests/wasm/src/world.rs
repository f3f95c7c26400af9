//! [`World`]: which provider is tested, where its server is and who may write there. [`Host`]: what differs between
//! wasm and native.

use std::sync::Arc;

use lockstep_core::{Spawn, Transport};
use lockstep_testkit::contract::{self, Harness};
use serde::{Deserialize, Serialize};

use crate::aws::{Parameters, Secrets};
use crate::azure::Azure;
use crate::bench::Bench;
use crate::gcp::Gcp;
use crate::kubernetes::Kubernetes;
use crate::memory::{InBindings, InFile, InMock};
use crate::vault::Vault;

/// One run of the suite.
#[derive(Debug, Serialize, Deserialize)]
pub struct World {
    /// The time at which the clock of the run stands still, in milliseconds since 1970. The server's has to be near.
    pub now: u64,
    /// The provider and what is behind it.
    pub provider: Backend,
}

/// A provider and what is behind it. Addresses have no slash at their end.
#[derive(Debug, Serialize, Deserialize)]
pub enum Backend {
    /// Azure Key Vault.
    Azure {
        /// The address of the vault and of what gives its tokens.
        url: String,
        /// The tenant.
        tenant: String,
        /// An application that may read and write.
        client_id: String,
        /// Its secret.
        client_secret: String,
    },
    /// GCP Secret Manager, whose metadata server gives tokens with every right.
    Gcp {
        /// The address of all of it.
        url: String,
        /// The project.
        project: String,
    },
    /// Vault or OpenBao: KV v2 in a mount that the run makes.
    Vault {
        /// The address.
        url: String,
        /// A token with every right.
        token: String,
        /// The mount.
        mount: String,
    },
    /// AWS Secrets Manager.
    AwsSecretsManager {
        /// The address of all of it.
        url: String,
        /// A key with every right.
        key_id: String,
        /// Its secret half.
        secret_key: String,
        /// What all names of this run begin with.
        prefix: String,
    },
    /// AWS Systems Manager Parameter Store.
    AwsParameterStore {
        /// The address of all of it.
        url: String,
        /// A key with every right.
        key_id: String,
        /// Its secret half.
        secret_key: String,
        /// What all names of this run begin with.
        prefix: String,
    },
    /// Kubernetes. The host trusts its certificate.
    Kubernetes {
        /// The address of the API server.
        url: String,
        /// The token of who may do everything.
        token: String,
        /// The namespace that the run makes.
        namespace: String,
    },
    /// A file in memory.
    File,
    /// Bindings of Cloudflare's Secrets Store, in memory.
    Bindings,
    /// The mock.
    Mock,
}

/// What the host of a run has.
pub struct Host {
    /// The way out.
    pub transport: Arc<dyn Transport>,
    /// Background work.
    pub spawn: Arc<dyn Spawn>,
}

impl World {
    /// Runs the suite and says which sections there were.
    ///
    /// # Panics
    /// When a promise is broken.
    pub async fn sections(self, host: Host) -> Vec<&'static str> {
        let bench = Bench::new(host, self.now);
        let harness: Box<dyn Harness> = match self.provider {
            Backend::Azure { url, tenant, client_id, client_secret } => {
                Box::new(Azure::new(bench, url, tenant, client_id, client_secret).await)
            }
            Backend::Gcp { url, project } => Box::new(Gcp::new(bench, url, project).await),
            Backend::Vault { url, token, mount } => Box::new(Vault::new(bench, url, token, mount).await),
            Backend::AwsSecretsManager { url, key_id, secret_key, prefix } => {
                Box::new(Secrets::new(bench, url, &key_id, &secret_key, prefix))
            }
            Backend::AwsParameterStore { url, key_id, secret_key, prefix } => {
                Box::new(Parameters::new(bench, url, &key_id, &secret_key, prefix))
            }
            Backend::Kubernetes { url, token, namespace } => {
                Box::new(Kubernetes::new(bench, url, token, namespace).await)
            }
            Backend::File => Box::new(InFile::new(bench)),
            Backend::Bindings => Box::new(InBindings::new(bench)),
            Backend::Mock => Box::new(InMock::new(bench)),
        };
        contract::run(&*harness).await
    }
}
