//! [`Function`]: what one invocation is: one step of one rotation, and its record.
//!
//! An invocation that fails is asked for again by Secrets Manager, as is the whole rotation. So whatever can't be done
//! now fails, and says what to do about it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockstep_config::Config;
use lockstep_core::{AuditRecord, AuditSink as _, Error, Outcome, SecretValue, UnixMillis};
use lockstep_host::lambda::{self, Diagnostic, Handler, Invocation};
use lockstep_host::{Audit, Console, Host};
use lockstep_providers::aws::RotationSecrets;
use serde::{Deserialize, Deserializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::steps::{Done, Rotation, Step};
use crate::way::Ways;

/// The longest that a step may take. It is all the time there is where nobody says more.
const STEP_TIME: Duration = Duration::from_mins(2);
/// What is left of an invocation's time to say that the step has failed.
const MARGIN: Duration = Duration::from_millis(500);

/// Secrets Manager, and how each secret is rotated.
pub(crate) struct Function {
    host: Arc<Host>,
    secrets: RotationSecrets,
    ways: Ways,
    audit: Arc<Audit>,
}

/// What Secrets Manager sends. `aws_lambda_events` has no rotation token.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    step: String,
    secret_id: String,
    client_request_token: String,
    #[serde(default)]
    rotation_token: Option<Hidden>,
}

/// A token that nobody sees.
struct Hidden(SecretValue);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(|text| Self(text.into()))
    }
}

/// Why an invocation failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The event is no step of a rotation.
    NoStep,
    /// The step of this name failed, for the secret of this name.
    Step(&'static str, String, Error),
    /// The step is done, and its record could not be written.
    Unrecorded,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStep => f.write_str(
                "this is no step of a rotation: set up a rotation of Secrets Manager with this function, and let nobody \
                 else invoke it",
            ),
            Self::Step(step, secret, error) => write!(f, "{step} of `{secret}`: {}", error.message()),
            Self::Unrecorded => {
                f.write_str("the step is done, and the audit could not be told; look at `audit.sink`")
            }
        }
    }
}

impl From<Failed> for Diagnostic {
    fn from(failed: Failed) -> Self {
        let kind = match &failed {
            Failed::NoStep => "NoStep".to_owned(),
            Failed::Step(_, _, error) => format!("{:?}", error.kind()),
            Failed::Unrecorded => "Unrecorded".to_owned(),
        };
        Self { error_type: format!("Lockstep.{kind}"), error_message: failed.to_string() }
    }
}

impl Function {
    /// Reads the configuration. Of its providers nothing counts here: a rotation is of Secrets Manager, and of the
    /// account and region that this function is in.
    ///
    /// # Errors
    /// `Config`, with what is wrong and where.
    pub(crate) fn start(host: &Arc<Host>, config: &Config) -> lockstep_core::Result<Self> {
        let audit = Arc::new(host.audit(config, Console::Free)?);
        let ports = host.ports(Arc::clone(&audit) as _);
        let secrets = config.rotation_secrets(&ports)?;
        let ways = Ways::new(config, &ports)?;
        for (at, rotator) in config.settings().rotators.iter().enumerate() {
            if rotator.is_insecure() {
                tracing::warn!("`rotators.{at}` is told to be insecure");
            }
        }
        tracing::info!(version = env!("CARGO_PKG_VERSION"), rotators = config.settings().rotators.len(), "ready");
        Ok(Self { host: Arc::clone(host), secrets, ways, audit })
    }

    /// Does what an invocation asks for.
    ///
    /// # Errors
    /// It is not done, or not recorded. Whoever asked asks again.
    pub(crate) async fn take(&self, event: &str, invocation: &Invocation) -> Result<(), Failed> {
        // serde_json would quote the event.
        let event: Event = serde_json::from_str(event).map_err(|_| Failed::NoStep)?;
        let step = Step::parse(&event.step).ok_or(Failed::NoStep)?;
        let mut secret = event.secret_id.clone();
        let done = self.step(step, &event, invocation, &mut secret).await;
        let recorded = self.record(step, &event, invocation, &secret, &done);
        match done {
            Err(error) => Err(Failed::Step(step.word(), secret, error)),
            Ok(done) if recorded => {
                tracing::info!(step = step.word(), secret, before = done == Done::Before, "a step is done");
                Ok(())
            }
            Ok(_) => Err(Failed::Unrecorded),
        }
    }

    /// `name` becomes the secret's name once it is known.
    async fn step(
        &self,
        step: Step,
        event: &Event,
        invocation: &Invocation,
        name: &mut String,
    ) -> lockstep_core::Result<Done> {
        let call = self.host.call(&invocation.id, self.time(invocation.deadline));
        let secret = self.secrets.describe(&call, &event.secret_id).await?;
        name.clone_from(&secret.name);
        let rotation =
            Rotation { secrets: &self.secrets, call: &call, secret: &secret, token: &event.client_request_token };
        let token = event.rotation_token.as_ref().map(|token| &token.0);
        rotation.run(step, self.ways.of(&secret.name), &*self.host.random, token).await
    }

    /// Whether the record of a step was written.
    fn record(
        &self,
        step: Step,
        event: &Event,
        invocation: &Invocation,
        secret: &str,
        done: &lockstep_core::Result<Done>,
    ) -> bool {
        let outcome = done.as_ref().map_or_else(|error| Outcome::Failed(error.kind()), |_| Outcome::Released);
        let written = self.audit.write(&AuditRecord {
            at: self.host.clock.wall(),
            request_id: invocation.id.as_str().into(),
            principal: "event:lambda".into(),
            peer: None,
            action: step.action(),
            provider: None,
            name: secret.into(),
            version: Some(event.client_request_token.as_str().into()),
            outcome,
            cached: false,
            policy: None,
            count: 1,
        });
        if let Err(error) = &written {
            tracing::error!(%error, "the record of a step could not be written");
        }
        written.is_ok()
    }

    fn time(&self, deadline: UnixMillis) -> Duration {
        match deadline.saturating_since(self.host.clock.wall()) {
            Duration::ZERO => STEP_TIME,
            left => left.saturating_sub(MARGIN.min(left / 2)).min(STEP_TIME),
        }
    }
}

impl Handler for Function {
    async fn invoked(&self, event: &str, invocation: &Invocation) -> Result<Box<RawValue>, Diagnostic> {
        let taken = self.take(event, invocation).await;
        if let Err(failed) = &taken {
            tracing::error!(invocation = invocation.id, reason = %failed, "a step failed");
        }
        lambda::send_audit(&self.audit, &*self.host.clock, invocation.deadline).await;
        taken?;
        to_raw_value(&()).map_err(|_| Failed::NoStep.into())
    }

    async fn rest(&self) {}
}

#[cfg(test)]
mod tests {
    use lockstep_core::ErrorKind;

    use super::*;

    /// M1. Break: say serde's error, derive `Debug` for the event, or leave a word out of `Step::parse`.
    #[test]
    fn m1_an_event_is_read_and_its_token_is_never_shown() {
        for (word, step) in [
            ("createSecret", Step::Create),
            ("setSecret", Step::Set),
            ("testSecret", Step::Test),
            ("finishSecret", Step::Finish),
        ] {
            let event = format!(
                r#"{{"Step":"{word}","SecretId":"arn","ClientRequestToken":"t","RotationToken":"c4n4ry","New":1}}"#
            );
            let read: Event = serde_json::from_str(&event).unwrap();
            assert_eq!(Step::parse(&read.step), Some(step));
            assert_eq!(read.rotation_token.map(|token| token.0.expose().to_vec()).as_deref(), Some(&b"c4n4ry"[..]));
        }
        assert_eq!(Step::parse("deleteSecret"), None);
        assert!(serde_json::from_str::<Event>(r#"{"Step":"createSecret"}"#).is_err());
        let said = Diagnostic::from(Failed::NoStep);
        assert!(said.error_type == "Lockstep.NoStep" && said.error_message.contains("set up a rotation"), "{said:?}");
        let denied = Error::new(ErrorKind::Denied, "look at it");
        let said = Diagnostic::from(Failed::Step("setSecret", "db/app".to_owned(), denied));
        assert_eq!(said.error_message, "setSecret of `db/app`: look at it");
        assert_eq!(said.error_type, "Lockstep.Denied");
    }
}
