//! [`Role`]: a role that is assumed, checked before STS is asked.

use std::time::Duration;

use lockstep_core::{Env, Error, ErrorKind, Files, Operation, Result, SecretValue};

use crate::Credential;

/// Roles in a row: nobody needs more, and each one is a call before the first secret is read.
pub(crate) const MAX_ROLES: usize = 5;

/// The longest session of a role that is assumed with another role's credentials.
pub(crate) const MAX_CHAINED: Duration = Duration::from_hours(1);

/// Where an external id comes from. It is no secret to AWS, but some keep it as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExternalId {
    /// The id itself.
    Text(Box<str>),
    /// A variable or a file that holds it, read anew for each login.
    From(Credential),
}

/// A role to assume: `AssumeRole` of STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    arn: Box<str>,
    session_name: Box<str>,
    external_id: Option<ExternalId>,
    duration: Duration,
}

impl Role {
    /// A role, with the session name `lockstep`, no external id and sessions of an hour.
    ///
    /// # Errors
    /// `Config` when the text is not the ARN of a role.
    ///
    /// # Example
    /// ```
    /// use lockstep_providers::aws::Role;
    ///
    /// assert!(Role::new("arn:aws:iam::123456789012:role/app/reader").is_ok());
    /// assert!(Role::new("arn:aws:iam::123456789012:user/somebody").is_err());
    /// ```
    pub fn new(arn: &str) -> Result<Self> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let is_role = match parts[..] {
            ["arn", partition, "iam", "", account, resource] => {
                (partition == "aws" || partition.starts_with("aws-"))
                    && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
                    && account.len() == 12
                    && account.bytes().all(|b| b.is_ascii_digit())
                    && resource.len() <= 1024
                    && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty() && !name.ends_with('/'))
                    && resource.bytes().all(|b| b.is_ascii_graphic())
            }
            _ => false,
        };
        if !is_role {
            return Err(wrong("this is not the ARN of a role; write it like `arn:aws:iam::123456789012:role/name`"));
        }
        Ok(Self { arn: arn.into(), session_name: "lockstep".into(), external_id: None, duration: MAX_CHAINED })
    }

    /// The same with this session name, which AWS's own records show.
    ///
    /// # Errors
    /// `Config` when it has not 2 to 64 letters, digits and `_+=,.@-`.
    pub fn session_name(mut self, name: &str) -> Result<Self> {
        if !(2..=64).contains(&name.len())
            || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b))
        {
            return Err(wrong("a session name has 2 to 64 letters, digits and `_+=,.@-`"));
        }
        self.session_name = name.into();
        Ok(self)
    }

    /// The same with an external id, as the role's trust policy asks for it.
    ///
    /// # Errors
    /// `Config` when the text has not 2 to 1224 letters, digits and `_+=,.@:/-`.
    pub fn external_id(mut self, id: ExternalId) -> Result<Self> {
        if let ExternalId::Text(text) = &id {
            checked(text).map_err(|()| wrong(EXTERNAL_ID))?;
        }
        self.external_id = Some(id);
        Ok(self)
    }

    /// The same with sessions of this length. A role that is assumed with the credentials of another one can't have
    /// more than an hour.
    ///
    /// # Errors
    /// `Config` when it is below 15 min or above 12 h.
    pub fn duration(mut self, duration: Duration) -> Result<Self> {
        if !(Duration::from_mins(15)..=Duration::from_hours(12)).contains(&duration) {
            return Err(wrong("a role's session lasts from 15 min to 12 h"));
        }
        self.duration = duration;
        Ok(self)
    }

    /// The ARN.
    pub fn arn(&self) -> &str {
        &self.arn
    }

    /// How long a session lasts.
    pub(crate) fn lifetime(&self) -> Duration {
        self.duration
    }

    /// The session's name.
    pub(crate) fn name(&self) -> &str {
        &self.session_name
    }

    /// The external id, as it is now.
    pub(crate) fn read_external_id(&self, env: &dyn Env, files: &dyn Files) -> Result<Option<SecretValue>> {
        match &self.external_id {
            None => Ok(None),
            Some(ExternalId::Text(text)) => Ok(Some((&**text).into())),
            Some(ExternalId::From(credential)) => {
                let value = credential.read(env, files).map_err(|error| error.during(Operation::Login))?;
                let text = value.expose_text().unwrap_or_default();
                checked(text)
                    .map_err(|()| Error::new(ErrorKind::Unauthenticated, EXTERNAL_ID).during(Operation::Login))?;
                Ok(Some(value))
            }
        }
    }

    /// Whether it can stand at this place of a chain, counted from 0.
    ///
    /// # Errors
    /// `Config` when the chain is too long, or the role's sessions are longer than AWS allows there.
    pub fn stands_at(&self, place: usize) -> Result<()> {
        if place >= MAX_ROLES {
            return Err(wrong("there are more than five roles in a row; assume the last one from nearer by"));
        }
        if place > 0 && self.duration > MAX_CHAINED {
            return Err(wrong("a role that is assumed with another role's credentials lasts 1 h at most; write less"));
        }
        Ok(())
    }
}

const EXTERNAL_ID: &str = "an external id has 2 to 1224 letters, digits and `_+=,.@:/-`";

fn checked(id: &str) -> Result<(), ()> {
    let fits =
        (2..=1224).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b));
    fits.then_some(()).ok_or(())
}

fn wrong(what: &str) -> Error {
    Error::new(ErrorKind::Config, what)
}

#[cfg(test)]
mod tests;
