//! [`Login`]: who we are at Google, one file per credential source, and whose place we then take.

mod file;
mod impersonation;
mod metadata;
mod service_account;
mod workload_identity;

use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, Result, SecretValue};

use self::file::{Key, Plan, Source, Subject};
use self::workload_identity::Federated;
use super::hosts::Hosts;
use super::settings::{GcpAuth, GcpSource};
use crate::login::{Granted, LoginSource};
use crate::{Credential, Ports};

/// What tokens are for: Secret Manager knows no narrower scope.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// The variable that names a credentials file.
const FILE_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
/// For messages.
const GOOGLE: &str = "Google";

/// The login of one provider.
pub(super) struct Login {
    auth: GcpAuth,
    hosts: Arc<Hosts>,
    ports: Ports,
}

impl Login {
    pub(super) fn new(auth: GcpAuth, hosts: Arc<Hosts>, ports: Ports) -> Self {
        Self { auth, hosts, ports }
    }

    /// What tells two logins apart, without a credential.
    pub(super) fn identity(auth: &GcpAuth) -> String {
        let source = match &auth.source {
            GcpSource::Default => "default".to_owned(),
            GcpSource::ServiceAccount { key, .. } => format!("service-account {key:?}"),
            GcpSource::Metadata => "metadata".to_owned(),
            GcpSource::WorkloadIdentity { audience, token, .. } => format!("workload-identity {audience} {token:?}"),
        };
        auth.impersonate.iter().fold(source, |source, account| format!("{source} as {account}"))
    }

    /// Looks at the credentials file, where there is one to be read: what is wrong with it is said at start. A file
    /// that is missing may come yet, and is said at the first login.
    ///
    /// # Errors
    /// As [`Plan`] says of the file.
    pub(super) fn inspect(&self) -> Result<()> {
        let Some((credential, is_key)) = self.credentials_file() else { return Ok(()) };
        match credential.document(&*self.ports.env, &*self.ports.files) {
            Ok(text) => self.read(&text, is_key).map(|_| ()),
            Err(_) => Ok(()),
        }
    }

    /// The credentials file, and whether it must hold a key. It is looked up anew each time: the variable is the host's.
    fn credentials_file(&self) -> Option<(Credential, bool)> {
        match &self.auth.source {
            GcpSource::Default => {
                let path = self.ports.env.var(FILE_VARIABLE)?;
                Some((Credential::File(std::path::Path::new(&path).into()), false))
            }
            GcpSource::ServiceAccount { key, .. } => Some((key.clone(), true)),
            GcpSource::Metadata | GcpSource::WorkloadIdentity { .. } => None,
        }
    }

    fn read(&self, text: &SecretValue, is_key: bool) -> Result<Plan> {
        let plan = file::read(text, &self.hosts, is_key)?;
        if let (Source::Key(key), false) = (&plan.source, self.signs()) {
            self.hosts.oauth(key.token_uri.as_deref())?;
        }
        Ok(plan)
    }

    /// Whether tokens are signed here.
    fn signs(&self) -> bool {
        !matches!(self.auth.source, GcpSource::ServiceAccount { self_signed: false, .. })
    }

    fn plan(&self) -> Result<Plan> {
        if let Some((credential, is_key)) = self.credentials_file() {
            return self.read(&credential.document(&*self.ports.env, &*self.ports.files)?, is_key);
        }
        Ok(Plan::new(match &self.auth.source {
            GcpSource::WorkloadIdentity { audience, token, token_type } => Source::Federated(Federated {
                audience: audience.clone(),
                token_type: token_type.urn().to_owned(),
                token_url: None,
                subject: Subject { from: token.clone(), member: None },
            }),
            _ => Source::Metadata,
        }))
    }

    async fn source(&self, call: &Call, source: &Source) -> Result<Granted<SecretValue>> {
        match source {
            Source::Key(key) if self.signs() => service_account::sign(&self.ports, call, key).await,
            Source::Key(key) => service_account::exchange(&self.ports, &self.hosts, call, key).await,
            Source::Metadata => metadata::log_in(&self.ports, call).await,
            Source::Federated(federated) => workload_identity::log_in(&self.ports, &self.hosts, call, federated).await,
        }
    }
}

#[async_trait]
impl LoginSource for Login {
    type Credential = Arc<SecretValue>;

    async fn log_in(&self, call: &Call) -> Result<Granted<Arc<SecretValue>>> {
        let plan = self.plan()?;
        let mut granted = self.source(call, &plan.source).await?;
        // First whose place the file says, then whose the configuration says: the file's account may be the one that
        // is allowed to.
        if let Some((account, delegates)) = &plan.impersonate {
            granted =
                impersonation::log_in(&self.ports, &self.hosts, call, &granted.credential, account, delegates).await?;
        }
        if let Some(account) = &self.auth.impersonate {
            granted = impersonation::log_in(&self.ports, &self.hosts, call, &granted.credential, account, &[]).await?;
        }
        let Granted { credential, end, beyond } = granted;
        Ok(Granted { credential: Arc::new(credential), end, beyond })
    }
}
