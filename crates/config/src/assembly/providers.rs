//! The providers of a configuration, each with its upstream stack.

mod missing;

use std::collections::BTreeMap;
use std::sync::Arc;

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store", feature = "vault"))]
use lockstep_core::TlsProfile;
use lockstep_core::{
    Alias, ChangeSource, Error, ErrorKind, MetricsSink, Mount, Provider as CoreProvider, Result, Upstream,
};

use super::{Built, Ports};
use crate::config::Config;
use crate::problem::{Problem, Problems};
use crate::settings::Provider;
#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store", feature = "vault"))]
use crate::settings::Tls;

/// A provider, and what tells of its changes.
type Made = (Arc<dyn CoreProvider>, Option<Box<dyn ChangeSource>>);

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
use self::aws::Sessions as Logins;

/// Without AWS there is no login to share.
#[cfg(not(any(feature = "aws-secrets-manager", feature = "aws-parameter-store")))]
#[derive(Default)]
struct Logins;

/// Builds them all. What is wrong is listed for every one of them.
pub(super) fn build(config: &Config, ports: &Ports, metrics: &dyn MetricsSink) -> Result<Built, Problems> {
    let twin = if config.needs_twin() { config.parameter_store() } else { None };
    let mut built = Built { mounts: Vec::new(), sources: BTreeMap::new() };
    let mut problems: Vec<Problem> = Vec::new();
    let mut logins = Logins::default();
    for (alias, provider) in &config.settings().providers {
        let alias = &alias.0;
        let mut mount = |alias: &Alias, provider: &Provider| -> Result<()> {
            let (inner, source) = make(config, ports, &mut logins, alias, provider)?;
            let (clock, random) = (Arc::clone(&ports.clock), Arc::clone(&ports.random));
            let stack =
                Upstream::new(alias.clone(), inner, provider.upstream().into(), clock, random, metrics.meter(alias));
            let ttl = provider.ttl().map(|ttl| lockstep_core::Ttl::new(ttl.get())).transpose()?;
            // The journal of one process hears of no changes but those that this process sees itself.
            let journaled = source.is_some();
            built.mounts.push(Mount { alias: alias.clone(), provider: Arc::new(stack), ttl, journaled });
            built.sources.extend(source.map(|source| (alias.clone(), source)));
            Ok(())
        };
        let mut result = mount(alias, provider);
        if let (Ok(()), Provider::AwsParameterStore(settings), true) = (&result, provider, twin.as_ref() == Some(alias))
        {
            let mut encrypted = settings.clone();
            encrypted.decrypt = false;
            result = twin_of(alias).and_then(|twin| mount(&twin, &Provider::AwsParameterStore(encrypted)));
        }
        let missing = missing::of(config, ports, alias, provider);
        // What is missing has a place of its own, and is mostly why the provider can't be made.
        if let (Err(error), true) = (result, missing.is_empty()) {
            problems.push(config.problem(&format!("providers.{alias}"), error.message()));
        }
        problems.extend(missing);
    }
    Problems::from_list(problems).map_or(Ok(built), Err)
}

/// The alias of a Parameter Store's twin that does not decrypt.
pub(super) fn twin_of(alias: &Alias) -> Result<Alias> {
    Alias::parse(&format!("{alias}-encrypted")).map_err(|error| Error::new(ErrorKind::Config, error.to_string()))
}

fn make(config: &Config, ports: &Ports, logins: &mut Logins, alias: &Alias, provider: &Provider) -> Result<Made> {
    match provider {
        #[cfg(feature = "aws-secrets-manager")]
        Provider::AwsSecretsManager(settings) => {
            use lockstep_providers::aws::{SecretsManager, SecretsManagerSettings};
            let login = aws::Login {
                region: settings.region.as_deref(),
                profile: settings.profile.as_deref(),
                insecure: settings.insecure,
                tls: &settings.tls,
            };
            let service = aws::service(settings.endpoint.as_deref(), settings.upstream.timeout, settings.max_members);
            let session = logins.session(config, ports, &login)?;
            Ok((Arc::new(SecretsManager::new(session, &SecretsManagerSettings { service })?), None))
        }
        #[cfg(feature = "aws-parameter-store")]
        Provider::AwsParameterStore(settings) => {
            use lockstep_providers::aws::{ParameterStore, ParameterStoreSettings};
            let login = aws::Login {
                region: settings.region.as_deref(),
                profile: settings.profile.as_deref(),
                insecure: settings.insecure,
                tls: &settings.tls,
            };
            let service = aws::service(settings.endpoint.as_deref(), settings.upstream.timeout, settings.max_members);
            let session = logins.session(config, ports, &login)?;
            let settings = ParameterStoreSettings { service, decrypt: settings.decrypt };
            Ok((Arc::new(ParameterStore::new(session, &settings)?), None))
        }
        #[cfg(feature = "vault")]
        Provider::Vault(settings) => vault::make(config, ports, settings),
        #[cfg(feature = "file")]
        Provider::File(settings) => {
            use lockstep_providers::file::{FileChanges, FileProvider, FileSettings};
            let mut file = FileSettings::new(config.path(&settings.path));
            file.insecure_permissions = settings.insecure_permissions;
            file.members = settings.max_members as usize;
            file.poll = settings.poll.get();
            let provider = Arc::new(FileProvider::new(file, Arc::clone(&ports.files), &*ports.random)?);
            let source = FileChanges::new(Arc::clone(&provider), Arc::clone(&ports.clock));
            Ok((provider, Some(Box::new(source))))
        }
        #[cfg(feature = "mock")]
        Provider::Mock(settings) => {
            use lockstep_providers::mock::MockProvider;
            Ok((Arc::new(MockProvider::new(mock::settings(alias, settings))?), None))
        }
        #[expect(clippy::allow_attributes, reason = "which arms are there depends on the features")]
        #[allow(unreachable_patterns, reason = "which arms are there depends on the features")]
        other => {
            let _ = (config, ports, logins, alias);
            let message = format!("a provider of type `{}` is not in this build; use another build", other.kind());
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store", feature = "vault"))]
fn profile(config: &Config, tls: &Tls) -> TlsProfile {
    let path = |path: &std::path::PathBuf| config.path(path).into_boxed_path();
    TlsProfile {
        ca_file: tls.ca_file.as_ref().map(path),
        client: tls.client_cert.as_ref().zip(tls.client_key.as_ref()).map(|(cert, key)| (path(cert), path(key))),
    }
}

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
mod aws {
    use std::sync::Arc;
    use std::time::Duration;

    use lockstep_core::{Limits, Result, TlsProfile};
    use lockstep_providers::aws::{Ports as AwsPorts, ServiceSettings, Session, SessionSettings};

    use super::{Config, Ports, Tls, profile};
    use crate::units::Period;

    /// What an AWS session is made of.
    pub(super) struct Login<'a> {
        pub(super) region: Option<&'a str>,
        pub(super) profile: Option<&'a str>,
        pub(super) insecure: bool,
        pub(super) tls: &'a Tls,
    }

    /// The sessions made so far: providers that log in alike share one, and its credentials.
    #[derive(Default)]
    pub(super) struct Sessions(Vec<(SessionSettings, TlsProfile, Arc<Session>)>);

    impl Sessions {
        pub(super) fn session(&mut self, config: &Config, ports: &Ports, login: &Login<'_>) -> Result<Arc<Session>> {
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
            let ports = AwsPorts {
                env: Arc::clone(&ports.env),
                files: Arc::clone(&ports.files),
                transport: ports.transports.build(&tls)?,
                clock: Arc::clone(&ports.clock),
                random: Arc::clone(&ports.random),
            };
            let session = Session::new(&settings, ports)?;
            self.0.push((settings, tls, Arc::clone(&session)));
            Ok(session)
        }
    }

    /// One call of a service may take as long as one attempt of its upstream stack; without that, as its deadline says.
    pub(super) fn service(endpoint: Option<&str>, timeout: Period, members: u32) -> ServiceSettings {
        let time = if timeout.is_zero() { Duration::from_mins(10) } else { timeout.get() };
        let defaults = ServiceSettings::default();
        ServiceSettings {
            endpoint: endpoint.map(str::to_owned),
            limits: Limits { time, members: members as usize, ..defaults.limits },
        }
    }
}

#[cfg(feature = "vault")]
mod vault {
    use std::sync::Arc;

    use lockstep_core::Result;
    use lockstep_providers::Credential as ProviderCredential;
    use lockstep_providers::vault::{MountKind, VaultAuth, VaultPorts, VaultProvider, VaultSettings};

    use super::{Config, Made, Ports, profile};
    use crate::settings::{self, Credential, VaultMount};

    pub(super) fn make(config: &Config, ports: &Ports, vault: &settings::Vault) -> Result<Made> {
        let credential = |credential: &Credential| match credential {
            Credential::Env(name) => ProviderCredential::Env(name.as_str().into()),
            Credential::File(path) => ProviderCredential::File(config.path(path).into_boxed_path()),
        };
        let auth = match &vault.auth {
            settings::VaultAuth::Token { token } => VaultAuth::Token(credential(token)),
            settings::VaultAuth::AppRole { mount, role_id, secret_id } => VaultAuth::AppRole {
                mount: mount.clone(),
                role_id: role_id.clone(),
                secret_id: secret_id.as_ref().map(credential),
            },
        };
        let kind = |mount: &VaultMount| match mount {
            VaultMount::Kv1 => MountKind::Kv1,
            VaultMount::Kv2 => MountKind::Kv2,
            VaultMount::Dynamic => MountKind::Dynamic,
        };
        let settings = VaultSettings {
            address: vault.address.clone(),
            namespace: vault.namespace.clone(),
            auth,
            mounts: vault.mounts.iter().map(|(path, mount)| (path.clone(), kind(mount))).collect(),
            members: vault.max_members as usize,
            environment: String::new(),
        };
        let ports = VaultPorts {
            transport: ports.transports.build(&profile(config, &vault.tls))?,
            env: Arc::clone(&ports.env),
            files: Arc::clone(&ports.files),
            clock: Arc::clone(&ports.clock),
        };
        Ok((Arc::new(VaultProvider::new(settings, ports)?), None))
    }
}

#[cfg(feature = "mock")]
mod mock {
    use lockstep_core::{Alias, Payload};
    use lockstep_providers::mock::{MockSecret, MockSettings};

    use crate::checks::error_kind;
    use crate::settings::{self, MockValue};

    pub(super) fn settings(alias: &Alias, mock: &settings::Mock) -> MockSettings {
        let payloads = |values: &[MockValue]| values.iter().map(|value| Payload::text(value.0.as_str())).collect();
        let secret = |secret: &settings::MockSecret| MockSecret {
            versions: payloads(&secret.versions),
            rotations: payloads(&secret.rotations),
            error: secret.error.as_deref().and_then(error_kind),
            delay: secret.delay.get(),
        };
        MockSettings {
            instance: alias.to_string(),
            environment: String::new(),
            secrets: mock.secrets.iter().map(|(name, kept)| (name.clone(), secret(kept))).collect(),
            delay: mock.delay.get(),
        }
    }
}
