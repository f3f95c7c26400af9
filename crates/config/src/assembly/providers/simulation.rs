//! Providers around another one of the configuration.

use std::path::Path;
use std::sync::Arc;

use lockstep_core::{Alias, Error, ErrorKind, Result};
use lockstep_providers::simulation::{self, Placeholder, Recording};

use super::{Config, Logins, Made, Ports, make};
use crate::settings::{self, AliasName};

pub(super) fn record(config: &Config, ports: &Ports, logins: &mut Logins, record: &settings::Record) -> Result<Made> {
    let (inner, source) = inner(config, ports, logins, &record.of)?;
    let recorded = simulation::Record::new(inner, recording(config, &record.file, &record.key), ports.into())?;
    // What it tells of its changes holds for it recorded too.
    Ok((Arc::new(recorded), source))
}

pub(super) fn replay(config: &Config, ports: &Ports, replay: &settings::Replay) -> Result<Made> {
    let replayed = simulation::Replay::new(recording(config, &replay.file, &replay.key), &ports.into())?;
    Ok((Arc::new(replayed), None))
}

pub(super) fn dry_run(config: &Config, ports: &Ports, logins: &mut Logins, dry: &settings::DryRun) -> Result<Made> {
    let (inner, _) = inner(config, ports, logins, &dry.of)?;
    let placeholder = |placeholder: &settings::Placeholder| Placeholder {
        pattern: placeholder.pattern.0.clone(),
        text: placeholder.text.as_str().into(),
    };
    Ok((Arc::new(simulation::DryRun::new(inner, dry.placeholders.iter().map(placeholder).collect())), None))
}

/// The provider of that alias, made once more. The checks of the configuration have found it, and no circle.
fn inner(config: &Config, ports: &Ports, logins: &mut Logins, of: &AliasName) -> Result<Made> {
    let missing = || Error::new(ErrorKind::Config, format!("there is no provider `{}`", of.0));
    let alias: &Alias = &of.0;
    make(config, ports, logins, alias, config.settings().providers.get(of).ok_or_else(missing)?)
}

fn recording(config: &Config, file: &Path, key: &settings::Credential) -> Recording {
    Recording { file: config.path(file).into_boxed_path(), key: config.credential(key) }
}

impl From<&Ports> for simulation::Ports {
    fn from(ports: &Ports) -> Self {
        Self {
            env: Arc::clone(&ports.env),
            files: Arc::clone(&ports.files),
            clock: Arc::clone(&ports.clock),
            random: Arc::clone(&ports.random),
        }
    }
}
