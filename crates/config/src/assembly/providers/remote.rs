//! What every provider has that asks a server: its way out.

use std::path::PathBuf;
use std::sync::Arc;

use lockstep_core::{Pem, Result, TlsProfile};
use lockstep_providers::Ports as ProviderPorts;

pub(super) use super::credential::credential;
use super::{Config, Ports};
use crate::settings::Tls;

/// The ports of a provider with this TLS profile.
pub(super) fn ports(ports: &Ports, tls: &TlsProfile) -> Result<ProviderPorts> {
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
pub(super) fn profile(config: &Config, tls: &Tls) -> TlsProfile {
    let pem = |path: &PathBuf| Pem::File(config.path(path).into_boxed_path());
    TlsProfile {
        ca: tls.ca_file.as_ref().map(pem),
        client: tls.client_cert.as_ref().zip(tls.client_key.as_ref()).map(|(cert, key)| (pem(cert), pem(key))),
    }
}
