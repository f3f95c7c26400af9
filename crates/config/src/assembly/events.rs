//! From `[events]` to the places where notifications come in.

use std::sync::Arc;

use lockstep_api::{Api, EventSource, Events};
use lockstep_core::{Error, ErrorKind, Result, SecretValue, TlsProfile};
use lockstep_events::decode::Accepted;
use lockstep_events::intake::{Intake, Sender};
use lockstep_events::verify::{GitHubVerifier, SnsSettings, SnsVerifier, StandardWebhooksVerifier};

use super::{Assembly, Ports};
use crate::config::Config;
use crate::problem::Problems;
use crate::settings::{self, Credential};

impl Config {
    /// Adds the places where notifications come in, if there are any.
    pub(super) fn with_events(&self, api: Api, ports: &Ports, assembly: &Assembly) -> Result<Api, Problems> {
        let events = &self.settings().events;
        if events.is_empty() {
            return Ok(api);
        }
        let Some(journal) = &assembly.journal else {
            let message = "there is no journal that could keep what a notification tells; write `freshness.journal`";
            return Err(self.problem("events", message).into());
        };
        #[cfg(feature = "feed")]
        if matches!(self.settings().freshness.journal, Some(settings::Journal::Endpoint(_))) {
            let message =
                "the feed of another endpoint is read, and not written: let notifications go to that endpoint";
            return Err(self.problem("events", message).into());
        }
        let (mut sources, mut problems) = (Vec::new(), Vec::new());
        for (name, source) in events {
            match self.intake(source, ports, assembly) {
                Ok((intake, senders)) => {
                    let senders = senders.iter().map(|sender| sender.as_str().into()).collect();
                    sources.push(EventSource { name: name.0.as_str().into(), intake, senders });
                }
                Err(error) => problems.push(self.problem(&format!("events.{}", name.0), error.message())),
            }
        }
        match Problems::from_list(problems) {
            Some(problems) => Err(problems),
            None => Ok(api.with_events(Events::new(sources, Arc::clone(journal)))),
        }
    }

    /// What comes in here, and who may deliver.
    fn intake<'s>(
        &self,
        source: &'s settings::EventSource,
        ports: &Ports,
        assembly: &Assembly,
    ) -> Result<(Intake, &'s [String])> {
        let known = Accepted::of(assembly.scopes.iter().map(lockstep_core::Scope::parts));
        Ok(match source {
            settings::EventSource::EventBridge(source) => {
                let accepted = Accepted { accounts: accounts(source.accounts.as_deref())?, ..known };
                (Intake { sender: Sender::EventBridge, accepted }, logged_in(&source.senders)?)
            }
            settings::EventSource::Sns(source) => {
                let topics = source.topics.clone();
                let settings = SnsSettings { topics: topics.clone(), sha1: source.sha1, ..SnsSettings::default() };
                let transport = ports.transports.build(&TlsProfile::default())?;
                let verifier = SnsVerifier::new(settings, transport, Arc::clone(&ports.clock))?;
                let accounts = accounts(source.accounts.as_deref())?;
                let accepted = Accepted { topics: Some(topics), accounts, ..known };
                (Intake { sender: Sender::Sns(verifier), accepted }, &[])
            }
            settings::EventSource::PubSub(source) => {
                let message = "name the subscriptions that may deliver, like `projects/acme/subscriptions/lockstep`";
                let subscriptions = some(&source.subscriptions, message)?;
                let accepted = Accepted { subscriptions: Some(subscriptions), ..known };
                (Intake { sender: Sender::PubSub, accepted }, logged_in(&source.senders)?)
            }
            settings::EventSource::EventGrid(source) => {
                let message = "name the vaults or topics that may deliver, by their resource ids \
                               (`/subscriptions/…/providers/Microsoft.KeyVault/vaults/…`)";
                let topics = Some(some(&source.topics, message)?);
                let accepted = Accepted { topics, subscriptions: source.subscriptions.clone(), ..known };
                let sender = Sender::EventGrid { origins: source.origins.clone() };
                (Intake { sender, accepted }, logged_in(&source.senders)?)
            }
            settings::EventSource::Github(source) => {
                let verifier = GitHubVerifier::new(self.shared(&source.secrets, ports)?)?;
                (Intake { sender: Sender::GitHub(verifier), accepted: known }, &[])
            }
            settings::EventSource::StandardWebhooks(source) => {
                let verifier = StandardWebhooksVerifier::new(&self.shared(&source.secrets, ports)?)?;
                (Intake { sender: Sender::StandardWebhooks(verifier), accepted: known }, &[])
            }
        })
    }

    fn shared(&self, secrets: &[Credential], ports: &Ports) -> Result<Vec<SecretValue>> {
        secrets.iter().map(|secret| self.credential(secret).read(&*ports.env, &*ports.files)).collect()
    }
}

/// Accounts of AWS, if some are written.
fn accounts(written: Option<&[String]>) -> Result<Option<Vec<String>>> {
    let is_account = |text: &String| text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    match written {
        Some(accounts) if accounts.is_empty() || !accounts.iter().all(is_account) => {
            let message = "write each account of AWS whose events count by its 12 digits, like `123456789012`";
            Err(Error::new(ErrorKind::Config, message))
        }
        written => Ok(written.map(<[String]>::to_vec)),
    }
}

/// Nobody's delivery is taken because it looks right.
fn logged_in(senders: &[String]) -> Result<&[String]> {
    let message = "these deliveries are not signed, so their sender logs in: write `senders` with what the audit calls it, \
                   such as `key:eventbridge`";
    some(senders, message)?;
    Ok(senders)
}

fn some(texts: &[String], message: &'static str) -> Result<Vec<String>> {
    if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(texts.to_vec())
}
