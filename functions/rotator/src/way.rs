//! [`Way`]: how a secret is rotated, and [`Ways`], which finds the one for a secret: what is written for its name, else the
//! `engine` that the secret itself says.

use std::path::PathBuf;
use std::sync::Arc;

use lockstep_config::settings::{self, DatabaseRotator, PasswordRules};
use lockstep_config::{Config, Ports};
use lockstep_core::{Error, ErrorKind, Pattern, Random, Result, SecretValue};

use crate::database::Database;
use crate::document::Document;
use crate::http_api::HttpApi;
use crate::password::Rules;
use crate::steps::Rotation;

/// How a secret is rotated.
pub(crate) enum Way {
    Database(Database),
    Http(Box<HttpApi>),
    /// A new value for this key, or for the whole, and nobody to tell.
    Random(Option<Box<str>>),
}

/// A way, and what its values are made of.
pub(crate) struct Chosen {
    pub(crate) way: Way,
    pub(crate) rules: Rules,
}

/// Every way that is written, and the one for secrets that say what they are.
pub(crate) struct Ways {
    written: Vec<(Pattern, Chosen)>,
    unwritten: Chosen,
}

impl Ways {
    /// Reads them.
    ///
    /// # Errors
    /// `Config`, with the rotator's place in the list.
    pub(crate) fn new(config: &Config, ports: &Ports) -> Result<Self> {
        let chosen = |way, rules: &PasswordRules| -> Result<Chosen> {
            Ok(Chosen { way, rules: Rules::new(rules, &*ports.env)? })
        };
        let database = |written: Option<(&DatabaseRotator, Option<PathBuf>)>| {
            Database::new(written, &*ports.env, &*ports.files, Arc::clone(&ports.random))
        };
        let unwritten = chosen(Way::Database(database(None)?), &PasswordRules::default())?;
        let one = |rotator: &settings::Rotator| -> Result<(Pattern, Chosen)> {
            let way = match rotator {
                settings::Rotator::Database(written) => {
                    let roots = written.ca_file.as_ref().map(|path| config.path(path));
                    Way::Database(database(Some((written, roots)))?)
                }
                settings::Rotator::Http(written) => {
                    let transport = config.rotator_transport(ports, &written.tls)?;
                    Way::Http(Box::new(HttpApi::new(written, transport)?))
                }
                settings::Rotator::Random(written) => Way::Random(written.key.as_deref().map(Box::from)),
            };
            Ok((rotator.pattern().0.clone(), chosen(way, rotator.password())?))
        };
        let written = config.settings().rotators.iter().enumerate().map(|(at, rotator)| {
            one(rotator)
                .map_err(|error: Error| Error::new(ErrorKind::Config, format!("`rotators.{at}`: {}", error.message())))
        });
        Ok(Self { written: written.collect::<Result<_>>()?, unwritten })
    }

    /// The way for a secret of this name: the first that is written for it.
    pub(crate) fn of(&self, name: &str) -> &Chosen {
        let found = self.written.iter().find(|(pattern, _)| pattern.matches(name));
        found.map_or(&self.unwritten, |(_, chosen)| chosen)
    }
}

impl Way {
    /// The current secret with a new value in it.
    pub(crate) fn renewed(&self, current: &SecretValue, rules: &Rules, random: &dyn Random) -> Result<SecretValue> {
        match self {
            Self::Database(database) => database.renewed(current, rules, random),
            Self::Http(api) => renewed(api.key(), current, rules, random),
            Self::Random(key) => renewed(key.as_deref(), current, rules, random),
        }
    }

    pub(crate) async fn set(
        &self,
        rotation: &Rotation<'_>,
        current: &SecretValue,
        pending: &SecretValue,
    ) -> Result<()> {
        match self {
            Self::Database(database) => database.set(rotation, current, pending).await,
            Self::Http(api) => api.set(rotation, current, pending).await,
            Self::Random(_) => Ok(()),
        }
    }

    pub(crate) async fn test(
        &self,
        rotation: &Rotation<'_>,
        current: &SecretValue,
        pending: &SecretValue,
    ) -> Result<()> {
        match self {
            Self::Database(database) => database.test(rotation, current, pending).await,
            Self::Http(api) => api.test(rotation, pending).await,
            Self::Random(_) => Ok(()),
        }
    }
}

fn renewed(key: Option<&str>, current: &SecretValue, rules: &Rules, random: &dyn Random) -> Result<SecretValue> {
    let value = rules.password(random)?;
    match key {
        None => Ok(value),
        Some(key) => Document::read(current, "current")?.replaced(key, value).written(),
    }
}
