//! The AWS providers of a configuration, and the logins that they share.

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Limits, Result, TlsProfile};
use lockstep_providers::aws::{ExternalId, Role, ServiceSettings, Session, SessionSettings};

use super::remote::{self, profile};
use super::{Config, Made, Ports};
use crate::settings::{AwsExternalId, AwsLogin, AwsParameterStore, AwsRole, AwsSecretsManager};
use crate::units::Period;

#[cfg(feature = "aws-secrets-manager")]
pub(super) fn secrets_manager(
    config: &Config,
    ports: &Ports,
    sessions: &mut Sessions,
    settings: &AwsSecretsManager,
) -> Result<Made> {
    use lockstep_providers::aws::{SecretsManager, SecretsManagerSettings};
    let service = service(settings.endpoint.as_deref(), settings.upstream.timeout, settings.max_members);
    let session = sessions.session(config, ports, &settings.login())?;
    let replicas = settings.regions.get(1..).unwrap_or_default().to_vec();
    Ok((Arc::new(SecretsManager::new(session, &SecretsManagerSettings { service, replicas })?), None))
}

#[cfg(feature = "aws-parameter-store")]
pub(super) fn parameter_store(
    config: &Config,
    ports: &Ports,
    sessions: &mut Sessions,
    settings: &AwsParameterStore,
) -> Result<Made> {
    use lockstep_providers::aws::{ParameterStore, ParameterStoreSettings};
    let service = service(settings.endpoint.as_deref(), settings.upstream.timeout, settings.max_members);
    let session = sessions.session(config, ports, &settings.login())?;
    let settings = ParameterStoreSettings { service, decrypt: settings.decrypt };
    Ok((Arc::new(ParameterStore::new(session, &settings)?), None))
}

/// What makes a session one of its own: settings, trust, and the roles that were assumed.
type Key = (SessionSettings, TlsProfile, Vec<Role>);

/// The sessions made so far: providers that log in alike share one, and its credentials. There are no more than the
/// configuration has providers and roles.
#[derive(Default)]
pub(super) struct Sessions(Vec<(Key, Arc<Session>)>);

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
        let login = AwsLogin {
            region: Some(region),
            profile,
            role: None,
            roles: &[],
            use_fips: None,
            use_dualstack: None,
            endpoint: None,
            insecure: false,
            tls: &crate::settings::Tls::default(),
        };
        self.session(config, ports, &login)
    }

    fn session(&mut self, config: &Config, ports: &Ports, login: &AwsLogin<'_>) -> Result<Arc<Session>> {
        let settings = SessionSettings {
            region: login.region.map(str::to_owned),
            profile: login.profile.map(str::to_owned),
            environment: String::new(),
            insecure: login.insecure,
            fips: login.use_fips,
            dual_stack: login.use_dualstack,
        };
        let mut key = (settings, profile(config, login.tls), Vec::new());
        let base = |key: &Key| Session::new(&key.0, remote::ports(ports, &key.1)?);
        let mut session = self.shared(&key, base)?;
        for role in roles(config, login)? {
            key.2.push(role);
            session = self.shared(&key, |key| match key.2.last() {
                Some(role) => session.assume(role),
                None => Ok(Arc::clone(&session)),
            })?;
        }
        Ok(session)
    }

    /// The session that is there already, or a new one.
    fn shared(&mut self, key: &Key, make: impl FnOnce(&Key) -> Result<Arc<Session>>) -> Result<Arc<Session>> {
        if let Some((_, session)) = self.0.iter().find(|(known, _)| known == key) {
            return Ok(Arc::clone(session));
        }
        let session = make(key)?;
        self.0.push((key.clone(), Arc::clone(&session)));
        Ok(session)
    }
}

/// The roles to assume, in order.
fn roles(config: &Config, login: &AwsLogin<'_>) -> Result<Vec<Role>> {
    let one = login.role.map(Role::new).transpose()?;
    let several = login.roles.iter().map(|settings| role(config, settings));
    one.map(Ok).into_iter().chain(several).collect()
}

fn role(config: &Config, settings: &AwsRole) -> Result<Role> {
    let mut role = Role::new(&settings.arn)?;
    if let Some(name) = &settings.session_name {
        role = role.session_name(name)?;
    }
    if let Some(id) = &settings.external_id {
        role = role.external_id(match id {
            AwsExternalId::Text(text) => ExternalId::Text(text.as_str().into()),
            AwsExternalId::From(credential) => ExternalId::From(config.credential(credential)),
        })?;
    }
    match settings.duration {
        Some(duration) => role.duration(duration.get()),
        None => Ok(role),
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
