//! What every provider has that asks a server: its way out.

use std::path::PathBuf;
use std::sync::Arc;

#[cfg(any(feature = "azure-key-vault", feature = "gcp-secret-manager"))]
use lockstep_core::{Error, ErrorKind};
use lockstep_core::{Pem, Result, TlsProfile};
#[cfg(any(feature = "azure-key-vault", feature = "gcp-secret-manager"))]
use lockstep_providers::Credential;
use lockstep_providers::Ports as ProviderPorts;

use super::{Config, Ports};
use crate::settings::Tls;

/// The ports of a provider with this TLS profile.
pub(in crate::assembly) fn ports(ports: &Ports, tls: &TlsProfile) -> Result<ProviderPorts> {
    Ok(ProviderPorts {
        transport: ports.transports.build(tls)?,
        env: Arc::clone(&ports.env),
        files: Arc::clone(&ports.files),
        clock: Arc::clone(&ports.clock),
        random: Arc::clone(&ports.random),
        signer: Arc::clone(&ports.signer),
        exec: Arc::clone(&ports.exec),
    })
}

/// The TLS profile, its paths as the configuration's folder has them.
pub(in crate::assembly) fn profile(config: &Config, tls: &Tls) -> TlsProfile {
    let pem = |path: &PathBuf| Pem::File(config.path(path).into_boxed_path());
    TlsProfile {
        ca: tls.ca_file.as_ref().map(pem),
        client: tls.client_cert.as_ref().zip(tls.client_key.as_ref()).map(|(cert, key)| (pem(cert), pem(key))),
    }
}

/// A file that the environment names has no place in the configuration, and is looked for here. `whom` is whom it is
/// shown to.
///
/// # Errors
/// `Config` when it is not there.
#[cfg(any(feature = "azure-key-vault", feature = "gcp-secret-manager"))]
pub(super) fn there(ports: &Ports, credential: &Credential, whom: &str) -> Result<()> {
    let Credential::File(path) = credential else { return Ok(()) };
    let missing = |error: Error| {
        let message = format!("the environment names a file for the login at {whom}: {}", error.message());
        Error::new(ErrorKind::Config, format!("{message}, or write `auth` for another way to log in"))
    };
    ports.files.stamp(path).map(|_| ()).map_err(missing)
}
