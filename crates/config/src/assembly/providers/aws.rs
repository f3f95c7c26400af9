//! The AWS providers of a configuration, and the logins that they share.

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Limits, Result, TlsProfile};
use lockstep_providers::aws::{ServiceSettings, Session, SessionSettings};

use super::remote::{self, profile};
use super::{Config, Made, Ports};
use crate::settings::{AwsParameterStore, AwsSecretsManager, Tls};
use crate::units::Period;

#[cfg(feature = "aws-secrets-manager")]
pub(super) fn secrets_manager(
    config: &Config,
    ports: &Ports,
    sessions: &mut Sessions,
    settings: &AwsSecretsManager,
) -> Result<Made> {
    use lockstep_providers::aws::{SecretsManager, SecretsManagerSettings};
    let login = Login {
        region: settings.region.as_deref(),
        profile: settings.profile.as_deref(),
        insecure: settings.insecure,
        tls: &settings.tls,
    };
    let service = service(settings.endpoint.as_deref(), settings.upstream.timeout, settings.max_members);
    let session = sessions.session(config, ports, &login)?;
    Ok((Arc::new(SecretsManager::new(session, &SecretsManagerSettings { service })?), None))
}

#[cfg(feature = "aws-parameter-store")]
pub(super) fn parameter_store(
    config: &Config,
    ports: &Ports,
    sessions: &mut Sessions,
    settings: &AwsParameterStore,
) -> Result<Made> {
    use lockstep_providers::aws::{ParameterStore, ParameterStoreSettings};
    let login = Login {
        region: settings.region.as_deref(),
        profile: settings.profile.as_deref(),
        insecure: settings.insecure,
        tls: &settings.tls,
    };
    let service = service(settings.endpoint.as_deref(), settings.upstream.timeout, settings.max_members);
    let session = sessions.session(config, ports, &login)?;
    let settings = ParameterStoreSettings { service, decrypt: settings.decrypt };
    Ok((Arc::new(ParameterStore::new(session, &settings)?), None))
}

/// What an AWS session is made of.
struct Login<'a> {
    region: Option<&'a str>,
    profile: Option<&'a str>,
    insecure: bool,
    tls: &'a Tls,
}

/// The sessions made so far: providers that log in alike share one, and its credentials.
#[derive(Default)]
pub(super) struct Sessions(Vec<(SessionSettings, TlsProfile, Arc<Session>)>);

impl Sessions {
    /// The session of who logs in somewhere else with it.
    #[cfg(feature = "vault")]
    pub(super) fn of(
        &mut self,
        config: &Config,
        ports: &Ports,
        region: &str,
        profile: Option<&str>,
    ) -> Result<Arc<Session>> {
        let login = Login { region: Some(region), profile, insecure: false, tls: &Tls::default() };
        self.session(config, ports, &login)
    }

    fn session(&mut self, config: &Config, ports: &Ports, login: &Login<'_>) -> Result<Arc<Session>> {
        let settings = SessionSettings {
            region: login.region.map(str::to_owned),
            profile: login.profile.map(str::to_owned),
            environment: String::new(),
            insecure: login.insecure,
        };
        let tls = profile(config, login.tls);
        if let Some((_, _, session)) = self.0.iter().find(|(known, trust, _)| *known == settings && *trust == tls) {
            return Ok(Arc::clone(session));
        }
        let session = Session::new(&settings, remote::ports(ports, &tls)?)?;
        self.0.push((settings, tls, Arc::clone(&session)));
        Ok(session)
    }
}

/// One call of a service may take as long as one attempt of its upstream stack; without that, as its deadline says.
fn service(endpoint: Option<&str>, timeout: Period, members: u32) -> ServiceSettings {
    let time = if timeout.is_zero() { Duration::from_mins(10) } else { timeout.get() };
    let defaults = ServiceSettings::default();
    ServiceSettings {
        endpoint: endpoint.map(str::to_owned),
        limits: Limits { time, members: members as usize, ..defaults.limits },
    }
}
