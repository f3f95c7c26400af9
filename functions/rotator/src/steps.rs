//! The four steps of a rotation, as Secrets Manager asks for them. What is rotated is a [`Way`]'s to know.
//!
//! Each step can be cut off anywhere and asked for again: it looks at what is there, and does what is missing. A value
//! that is pending is never written over, so that there is one new password, however often it was asked for.

use lockstep_core::{Call, Error, ErrorKind, Random, Result, SecretValue};
use lockstep_providers::aws::{RotatedSecret, RotationSecrets, Staged};

use crate::way::{Chosen, Way};

/// What Secrets Manager asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Set,
    Test,
    Finish,
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// It is done.
    Now,
    /// There was nothing left to do.
    Before,
}

/// One rotation of one secret.
pub(crate) struct Rotation<'a> {
    pub(crate) secrets: &'a RotationSecrets,
    pub(crate) call: &'a Call,
    /// The secret as it was described when the step began.
    pub(crate) secret: &'a RotatedSecret,
    /// The id of the version that becomes current.
    pub(crate) token: &'a str,
}

impl Step {
    /// The word in the event.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Create, Self::Set, Self::Test, Self::Finish].into_iter().find(|step| step.word() == word)
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Create => "createSecret",
            Self::Set => "setSecret",
            Self::Test => "testSecret",
            Self::Finish => "finishSecret",
        }
    }

    /// The word in the audit.
    pub(crate) fn action(self) -> &'static str {
        match self {
            Self::Create => "rotate-create",
            Self::Set => "rotate-set",
            Self::Test => "rotate-test",
            Self::Finish => "rotate-finish",
        }
    }
}

impl Rotation<'_> {
    /// Does a step, as far as it is not done.
    ///
    /// # Errors
    /// What is in the way, and what to do about it.
    pub(crate) async fn run(
        &self,
        step: Step,
        chosen: &Chosen,
        random: &dyn Random,
        rotation_token: Option<&SecretValue>,
    ) -> Result<Done> {
        if !self.is_open()? {
            return Ok(Done::Before);
        }
        match step {
            Step::Create => self.create(chosen, random, rotation_token).await,
            Step::Set => self.set(&chosen.way).await,
            Step::Test => self.test(&chosen.way).await,
            Step::Finish => self.finish().await,
        }
    }

    /// Whether there is anything left to do for this token.
    ///
    /// # Errors
    /// Rotation is off for the secret, or Secrets Manager knows nothing of this rotation.
    fn is_open(&self) -> Result<bool> {
        if self.secret.rotation_enabled != Some(true) {
            let message = "rotation is not enabled for the secret: set it up with `aws secretsmanager rotate-secret \
                           --rotation-lambda-arn`, or cancel what asks for it";
            return Err(Error::new(ErrorKind::RotationNotConfigured, message));
        }
        if self.secret.labels(self.token).is_none() {
            let message = "the secret has no version with the token of this rotation: only Secrets Manager may invoke \
                           this function, and a rotation that was cancelled is over";
            return Err(Error::new(ErrorKind::VersionNotFound, message));
        }
        if self.secret.is_current(self.token) {
            return Ok(false);
        }
        if self.secret.is_pending(self.token) {
            return Ok(true);
        }
        let message = "the version of this rotation is not pending any more (AWSPENDING): another one has begun since";
        Err(Error::new(ErrorKind::Conflict, message))
    }

    /// Makes the value that is to become current, unless it was made already.
    async fn create(&self, chosen: &Chosen, random: &dyn Random, rotation_token: Option<&SecretValue>) -> Result<Done> {
        let current = self.value(Staged::Current).await?;
        if self.pending().await?.is_some() {
            return Ok(Done::Before);
        }
        let renewed = chosen.way.renewed(&current, &chosen.rules, random)?;
        let put = self.secrets.put_pending(self.call, &self.secret.arn, self.token, &renewed, rotation_token).await;
        match put {
            Ok(()) => Ok(Done::Now),
            // Whoever was asked for the same at the same time has made one: that is the one.
            Err(error) if error.kind() == ErrorKind::Conflict && self.pending().await?.is_some() => Ok(Done::Before),
            Err(error) => Err(error),
        }
    }

    /// Has whatever takes the secret take what is pending.
    async fn set(&self, way: &Way) -> Result<Done> {
        let (current, pending) = self.both().await?;
        way.set(self, &current, &pending).await.map(|()| Done::Now)
    }

    /// Shows that what is pending is taken.
    async fn test(&self, way: &Way) -> Result<Done> {
        let (current, pending) = self.both().await?;
        way.test(self, &current, &pending).await.map(|()| Done::Now)
    }

    /// Makes what is pending current, if what was current when the step began still is.
    async fn finish(&self) -> Result<Done> {
        let moved = self.secrets.make_current(self.call, &self.secret.arn, self.token, self.secret.current()).await;
        moved.map(|()| Done::Now)
    }

    /// What was current before the version that is; `None` when there is none.
    pub(crate) async fn previous(&self) -> Result<Option<SecretValue>> {
        there(self.value(Staged::Previous).await)
    }

    /// The pending value; `None` until it was made.
    async fn pending(&self) -> Result<Option<SecretValue>> {
        there(self.value(Staged::Pending(self.token)).await)
    }

    async fn both(&self) -> Result<(SecretValue, SecretValue)> {
        let current = self.value(Staged::Current).await?;
        let missing = "there is no pending value: `createSecret` comes first";
        let pending = self.pending().await?.ok_or_else(|| Error::new(ErrorKind::VersionNotFound, missing))?;
        Ok((current, pending))
    }

    async fn value(&self, version: Staged<'_>) -> Result<SecretValue> {
        self.secrets.value(self.call, &self.secret.arn, version).await
    }
}

/// The secret itself is there: it was described. So it is the version that is not.
fn there(read: Result<SecretValue>) -> Result<Option<SecretValue>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::VersionNotFound | ErrorKind::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
