//! From `[notify]` to who is told of rotations.

use std::sync::Arc;

use lockstep_core::{Result, TlsProfile};
use lockstep_events::notify::{Form, Occasion, Subscriber, Subscribers};
use lockstep_events::verify::StandardWebhooksVerifier;

use super::Ports;
use crate::config::Config;
use crate::problem::Problems;
use crate::settings;

impl Config {
    /// Who is told of rotations.
    ///
    /// # Errors
    /// What is wrong with an address or a secret, with the subscriber's place.
    pub fn subscribers(&self, ports: &Ports) -> Result<Subscribers, Problems> {
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        for (name, subscriber) in &self.settings().notify {
            match self.subscriber(name.0.as_str(), subscriber, ports) {
                Ok(subscriber) => all.push(subscriber),
                Err(error) => problems.push(self.problem(&format!("notify.{}", name.0), error.message())),
            }
        }
        let transport = ports.transports.build(&TlsProfile::default());
        let transport = transport.map_err(|error| self.problem("notify", error.message()))?;
        match Problems::from_list(problems) {
            Some(problems) => Err(problems),
            None => Ok(Subscribers::new(all, transport, Arc::clone(&ports.clock))),
        }
    }

    fn subscriber(&self, name: &str, written: &settings::Subscriber, ports: &Ports) -> Result<Subscriber> {
        let read = |from: &settings::Credential| self.credential(from).read(&*ports.env, &*ports.files);
        let (url, form, on, insecure) = match written {
            settings::Subscriber::StandardWebhooks(signed) => {
                let key = StandardWebhooksVerifier::new(&[read(&signed.secret)?])?;
                (&signed.url, Form::Signed(key), &signed.on, signed.insecure)
            }
            settings::Subscriber::Slack(slack) => (&slack.url, Form::Slack, &slack.on, slack.insecure),
        };
        let on = on.iter().map(|occasion| match occasion {
            settings::Occasion::Rotated => Occasion::Rotated,
            settings::Occasion::Failed => Occasion::Failed,
            settings::Occasion::Overdue => Occasion::Overdue,
        });
        Subscriber::new(name, &read(url)?, form, on.collect(), insecure)
    }
}
