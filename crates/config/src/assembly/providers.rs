//! The providers of a configuration, each with its upstream stack.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "azure-key-vault")]
mod azure;
#[cfg(feature = "gcp-secret-manager")]
mod gcp;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(feature = "lockstep")]
mod lockstep;
mod missing;
#[cfg(feature = "mock")]
mod mock;
#[cfg(feature = "remote")]
pub(super) mod remote;
#[cfg(feature = "simulation")]
mod simulation;
#[cfg(feature = "vault")]
mod vault;

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_core::{
    Alias, ChangeSource, Error, ErrorKind, MetricsSink, Mount, Provider as CoreProvider, Reach, Result, Template,
    Upstream,
};

#[cfg(any(feature = "redis", feature = "feed"))]
pub(super) use self::missing::credential as missing;
use super::{Built, Ports};
use crate::config::Config;
use crate::problem::{Problem, Problems};
use crate::settings::Provider;

/// A provider, and what tells of its changes.
type Made = (Arc<dyn CoreProvider>, Option<Box<dyn ChangeSource>>);

#[cfg(feature = "aws")]
use self::aws::Sessions as Logins;

/// Without AWS there is no login to share.
#[cfg(not(feature = "aws"))]
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
        let mut mount = |alias: &Alias, ruled_as: Option<&Alias>, provider: &Provider| -> Result<()> {
            let (inner, source) = make(config, ports, &mut logins, alias, provider)?;
            let common = provider.common();
            let reach = Reach::from(common.only);
            // A replay is read when it is asked, and says then what it lacks.
            let is_asked = !matches!(provider, Provider::Replay(_));
            if !reach.tags.is_empty() && is_asked && !inner.capabilities().describe {
                let message = "this provider can't tell the tags of a secret; leave `only.tags` out";
                return Err(Error::new(ErrorKind::Config, message));
            }
            let context = (&config.settings().context).into();
            let template = common.name_template.map(|text| Template::parse(text, &context)).transpose()?;
            let (clock, random) = (Arc::clone(&ports.clock), Arc::clone(&ports.random));
            let stack =
                Upstream::new(alias.clone(), inner, common.upstream.into(), clock, random, metrics.meter(alias));
            let ttl = common.ttl.map(|ttl| lockstep_core::Ttl::new(ttl.get())).transpose()?;
            // The journal of one process hears of no changes but those that this process sees itself.
            let journaled = source.as_ref().is_some_and(|source| source.misses_nothing());
            let ruled_as = ruled_as.cloned();
            let stack = Mount::new(alias.clone(), Arc::new(stack));
            built.mounts.push(Mount { ruled_as, ttl, journaled, template, reach, ..stack });
            built.sources.extend(source.map(|source| (alias.clone(), source)));
            Ok(())
        };
        let mut result = mount(alias, None, provider);
        if let (Ok(()), Provider::AwsParameterStore(settings), true) = (&result, provider, twin.as_ref() == Some(alias))
        {
            let mut encrypted = settings.clone();
            encrypted.decrypt = false;
            result = twin_of(alias).and_then(|twin| {
                // Nobody wrote it down, so nobody wrote a rule for it: those of the store count.
                mount(&twin, Some(alias), &Provider::AwsParameterStore(encrypted))
            });
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
        Provider::AwsSecretsManager(settings) => aws::secrets_manager(config, ports, logins, settings),
        #[cfg(feature = "aws-parameter-store")]
        Provider::AwsParameterStore(settings) => aws::parameter_store(config, ports, logins, settings),
        #[cfg(feature = "gcp-secret-manager")]
        Provider::GcpSecretManager(settings) => gcp::make(config, ports, settings),
        #[cfg(feature = "vault")]
        Provider::Vault(settings) => vault::make(config, ports, logins, settings),
        #[cfg(feature = "lockstep")]
        Provider::Lockstep(settings) => lockstep::make(config, ports, settings),
        #[cfg(feature = "cloudflare-secrets-store")]
        Provider::CloudflareSecretsStore(settings) => {
            use lockstep_providers::cloudflare::{SecretsStore, SecretsStoreSettings};
            ports.bindings.available()?;
            let settings = SecretsStoreSettings { secrets: settings.secrets.clone(), environment: String::new() };
            Ok((Arc::new(SecretsStore::new(&settings, Arc::clone(&ports.bindings))?), None))
        }
        #[cfg(feature = "azure-key-vault")]
        Provider::AzureKeyVault(settings) => azure::make(config, ports, settings),
        #[cfg(feature = "kubernetes")]
        Provider::Kubernetes(settings) => kubernetes::make(config, ports, settings),
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
        #[cfg(feature = "simulation")]
        Provider::Record(settings) => simulation::record(config, ports, logins, settings),
        #[cfg(feature = "simulation")]
        Provider::Replay(settings) => simulation::replay(config, ports, settings),
        #[cfg(feature = "simulation")]
        Provider::DryRun(settings) => simulation::dry_run(config, ports, logins, settings),
        #[expect(clippy::allow_attributes, reason = "which arms are there depends on the features")]
        #[allow(unreachable_patterns, reason = "which arms are there depends on the features")]
        other => {
            let _ = (config, ports, logins, alias);
            let message = format!("a provider of type `{}` is not in this build; use another build", other.word());
            Err(Error::new(ErrorKind::Config, message))
        }
    }
}
