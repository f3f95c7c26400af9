//! Credentials of a role, assumed with other credentials: those of the chain, or of another role.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, Env, Files, Result, SecretValue};

use super::super::errors::Verdict;
use super::super::role::Role;
use super::super::sts::{Sts, granted, of_login};
use super::{AHEAD, Chain, Credentials};
use crate::login::{Ahead, End, Granted, LoginCache, LoginSource};

/// Where the credentials of a session come from.
pub(crate) enum Source {
    /// The chain of AWS's sources.
    Chain(Chain),
    /// A role.
    Role(AssumedRole),
}

#[async_trait]
impl LoginSource for Source {
    type Credential = Credentials;

    async fn log_in(&self, call: &Call) -> Result<Granted<Credentials>> {
        match self {
            Self::Chain(chain) => chain.log_in(call).await,
            Self::Role(role) => role.log_in(call).await,
        }
    }

    /// By the lifetime that was asked for and not by what is left of it: instance metadata hands out credentials that
    /// are hours old, and every process of the machine gets the same ones.
    fn ahead(&self, credential: &Credentials) -> Option<Ahead> {
        credential.assumed_for.map(ahead)
    }
}

/// A role, and what it is assumed with.
pub(crate) struct AssumedRole {
    pub(crate) base: Arc<LoginCache<Source>>,
    pub(crate) role: Role,
    pub(crate) sts: Arc<Sts>,
    pub(crate) env: Arc<dyn Env>,
    pub(crate) files: Arc<dyn Files>,
}

#[async_trait]
impl LoginSource for AssumedRole {
    type Credential = Credentials;

    async fn log_in(&self, call: &Call) -> Result<Granted<Credentials>> {
        let external_id = self.role.read_external_id(&*self.env, &*self.files)?;
        let base = self.base.get(call).await?;
        let assumed = assume(&self.sts, call, &self.role, external_id.as_ref(), &base.credential).await;
        let refuse = || {
            self.base.refuse(&base);
            true
        };
        let credential = assumed.map_err(|verdict| verdict.settled(refuse))?;
        Ok(Granted { end: credential.expires.map_or(End::Unknown, End::At), beyond: None, credential })
    }
}

/// Asks STS for the credentials of a role.
pub(super) async fn assume(
    sts: &Sts,
    call: &Call,
    role: &Role,
    external_id: Option<&SecretValue>,
    signer: &Credentials,
) -> Result<Credentials, Verdict> {
    let seconds = role.lifetime().as_secs().to_string();
    let mut fields = vec![("RoleArn", role.arn()), ("RoleSessionName", role.name()), ("DurationSeconds", &seconds)];
    fields.extend(external_id.and_then(SecretValue::expose_text).map(|id| ("ExternalId", id)));
    let body = sts.ask(call, "AssumeRole", &fields, Some(signer)).await?;
    let credentials = granted(&body).map_err(of_login)?;
    Ok(Credentials { assumed_for: Some(role.lifetime()), ..credentials })
}

/// How long before its end something is renewed that lives so long: as AWS's SDKs do, but not before three quarters of
/// its time are over.
pub(crate) fn ahead(lifetime: Duration) -> Ahead {
    Ahead { advisory: AHEAD.advisory.min(lifetime / 4), mandatory: AHEAD.mandatory.min(lifetime / 6) }
}
