//! The journal of a configuration. Nothing is asked here.

use std::sync::Arc;

use lockstep_core::{Journal, MemoryJournal};

use super::Ports;
use crate::config::Config;
use crate::problem::Problems;
use crate::settings;

/// Changes that the journal of one process keeps.
const KEPT_CHANGES: usize = 4096;

/// The journal, if there is one.
///
/// # Errors
/// What is wrong with its settings, at the place of `freshness.journal` or of its token.
pub(super) fn build(config: &Config, ports: &Ports) -> Result<Option<Arc<dyn Journal>>, Problems> {
    let Some(journal) = &config.settings().freshness.journal else { return Ok(None) };
    Ok(Some(match journal {
        settings::Journal::Memory => Arc::new(MemoryJournal::new(ports.clock.wall().0, KEPT_CHANGES)),
        #[cfg(feature = "dynamodb")]
        settings::Journal::DynamoDb(address) => {
            dynamodb(ports, address).map_err(|error| config.problem("freshness.journal", error.message()))?
        }
        #[cfg(feature = "redis")]
        settings::Journal::Redis(address) => redis(config, ports, address)?,
        #[cfg(feature = "feed")]
        settings::Journal::Endpoint(address) => endpoint(config, ports, address)?,
    }))
}

/// It logs in as AWS's providers do; its endpoint is AWS's own or that of the environment.
#[cfg(feature = "dynamodb")]
fn dynamodb(ports: &Ports, address: &settings::TableAddress) -> lockstep_core::Result<Arc<dyn Journal>> {
    use lockstep_events::journal::{DynamoDbJournal, DynamoDbSettings};
    use lockstep_providers::aws::{ServiceSettings, Session, SessionSettings};
    let session = SessionSettings { region: address.region.clone(), ..SessionSettings::default() };
    let ports_of_session = super::providers::remote::ports(ports, &lockstep_core::TlsProfile::default())?;
    let session = Session::new(&session, ports_of_session)?;
    let settings = DynamoDbSettings { table: address.table.clone(), service: ServiceSettings::default() };
    Ok(Arc::new(DynamoDbJournal::new(&settings, session, Arc::clone(&ports.random))?))
}

#[cfg(feature = "redis")]
fn redis(config: &Config, ports: &Ports, address: &settings::ServerAddress) -> Result<Arc<dyn Journal>, Problems> {
    use lockstep_core::{SocketTarget, TlsProfile, is_loopback};
    use lockstep_events::journal::{RedisJournal, RedisPorts, RedisSettings};
    let freshness = &config.settings().freshness;
    if !address.tls && !freshness.insecure && !is_loopback(&address.host) {
        let message = "`redis://` to another machine is open to whoever listens or answers in its place; write \
                       `rediss://`, or add `freshness.insecure = true` if that is what you want";
        return Err(config.problem("freshness.journal", message).into());
    }
    let token = freshness.journal_token.as_ref();
    if let Some(missing) =
        token.and_then(|token| super::providers::missing(config, ports, "freshness.journal_token", token))
    {
        return Err(missing.into());
    }
    let settings = RedisSettings {
        target: SocketTarget {
            host: address.host.as_str().into(),
            port: address.port,
            tls: address.tls.then(TlsProfile::default),
        },
        name: address.name.clone(),
        user: address.user.clone(),
        password: token.map(|token| config.credential(token)),
    };
    let ports = RedisPorts {
        sockets: Arc::clone(&ports.sockets),
        env: Arc::clone(&ports.env),
        files: Arc::clone(&ports.files),
        random: Arc::clone(&ports.random),
    };
    let made = RedisJournal::new(settings, ports);
    made.map(|journal| Arc::new(journal) as _)
        .map_err(|error| config.problem("freshness.journal", error.message()).into())
}

#[cfg(feature = "feed")]
fn endpoint(config: &Config, ports: &Ports, address: &str) -> Result<Arc<dyn Journal>, Problems> {
    use lockstep_providers::lockstep::{LockstepJournal, LockstepProvider, LockstepSettings};
    let freshness = &config.settings().freshness;
    let wrong = |message: &str| Problems::from(config.problem("freshness.journal", message));
    crate::checks::address(address, freshness.insecure).map_err(wrong)?;
    let Some(token) = &freshness.journal_token else {
        return Err(wrong("an endpoint asks for a token; write `freshness.journal_token = { env = \"…\" }`"));
    };
    if let Some(missing) = super::providers::missing(config, ports, "freshness.journal_token", token) {
        return Err(missing.into());
    }
    let settings = LockstepSettings {
        address: address.to_owned(),
        token: config.credential(token),
        provider: None,
        members: lockstep_core::MAX_MEMBERS,
        environment: String::new(),
    };
    let made = super::providers::remote::ports(ports, &lockstep_core::TlsProfile::default())
        .and_then(|ports| LockstepProvider::new(settings, ports));
    made.map(|endpoint| Arc::new(LockstepJournal::new(endpoint)) as _).map_err(|error| wrong(error.message()))
}
