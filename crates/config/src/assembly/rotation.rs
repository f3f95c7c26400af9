//! What the function rotator does its work with. Nothing is asked here.

use std::sync::Arc;

use lockstep_core::{Result, TlsProfile, Transport};
use lockstep_providers::aws::{RotationSecrets, ServiceSettings, Session, SessionSettings};

use super::Ports;
use super::providers::remote;
use crate::config::Config;
use crate::settings::Tls;

/// The variable in which AWS's own rotation functions have the endpoint.
const ENDPOINT: &str = "SECRETS_MANAGER_ENDPOINT";

impl Config {
    /// Secrets Manager as a rotation reads and writes it: with the login and in the region of this process, since it is
    /// Secrets Manager itself that has asked for it.
    ///
    /// # Errors
    /// `Config` when there is no region, or when an endpoint of the environment is wrong.
    pub fn rotation_secrets(&self, ports: &Ports) -> Result<RotationSecrets> {
        let session = Session::new(&SessionSettings::default(), remote::ports(ports, &TlsProfile::default())?)?;
        let endpoint = ports.env.var(ENDPOINT);
        RotationSecrets::new(session, &ServiceSettings { endpoint, ..ServiceSettings::default() })
    }

    /// The way to something that takes its new value over HTTP.
    ///
    /// # Errors
    /// `Config` when a file of its TLS can't be used.
    pub fn rotator_transport(&self, ports: &Ports, tls: &Tls) -> Result<Arc<dyn Transport>> {
        ports.transports.build(&remote::profile(self, tls))
    }
}
