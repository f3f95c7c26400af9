//! The Google Cloud projects of a configuration.

use std::path::Path;
use std::sync::Arc;

use lockstep_core::Result;
use lockstep_providers::Credential;
use lockstep_providers::gcp::{GcpAuth, GcpSecretManager, GcpSettings, GcpSource, GcpTokenType};

use super::remote::{self, profile, there};
use super::{Config, Made, Ports};
use crate::settings;

pub(super) fn make(config: &Config, ports: &Ports, gcp: &settings::GcpSecretManager) -> Result<Made> {
    let (source, impersonate) = match &gcp.auth {
        settings::GcpAuth::Default(login) => {
            if let Some(path) = ports.env.var("GOOGLE_APPLICATION_CREDENTIALS") {
                there(ports, &Credential::File(Path::new(&path).into()), "Google")?;
            }
            (GcpSource::Default, &login.impersonate)
        }
        settings::GcpAuth::Metadata(login) => (GcpSource::Metadata, &login.impersonate),
        settings::GcpAuth::ServiceAccount(login) => {
            let key = config.credential(&login.key);
            (GcpSource::ServiceAccount { key, self_signed: login.self_signed }, &login.impersonate)
        }
        settings::GcpAuth::WorkloadIdentity(login) => {
            let token_type = match login.token_type {
                settings::GcpTokenType::Jwt => GcpTokenType::Jwt,
                settings::GcpTokenType::IdToken => GcpTokenType::IdToken,
                settings::GcpTokenType::Saml2 => GcpTokenType::Saml2,
            };
            let (audience, token) = (login.audience.clone(), config.credential(&login.token));
            (GcpSource::WorkloadIdentity { audience, token, token_type }, &login.impersonate)
        }
    };
    let settings = GcpSettings {
        project: gcp.project.clone(),
        location: gcp.location.clone(),
        endpoint: gcp.endpoint.clone(),
        token_endpoint: gcp.token_endpoint.clone(),
        iam_endpoint: gcp.iam_endpoint.clone(),
        universe_domain: gcp.universe_domain.clone(),
        auth: GcpAuth { source, impersonate: impersonate.clone() },
        members: gcp.max_members as usize,
        environment: String::new(),
    };
    let ports = remote::ports(ports, &profile(config, &gcp.tls))?;
    Ok((Arc::new(GcpSecretManager::new(&settings, ports)?), None))
}
