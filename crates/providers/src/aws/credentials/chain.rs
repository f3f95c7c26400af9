//! The chain of sources, in order. The first that is configured decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use lockstep_core::{Call, Error, ErrorKind, Result};

use super::container::Container;
use super::environment::Environment;
use super::imds::InstanceMetadata;
use super::profile::Profile;
use super::web_identity::WebIdentity;
use super::{CredentialSource, Credentials, refused};
use crate::Ports;
use crate::aws::sts::Sts;
use crate::login::{End, Granted, LoginSource};

/// Where to look, in order.
pub(crate) struct Chain {
    sources: Vec<Box<dyn CredentialSource>>,
    /// Asked when nothing is configured. That it does not answer means nothing, until it has answered once.
    last: Option<Box<dyn CredentialSource>>,
    last_has_answered: AtomicBool,
}

impl Chain {
    /// The whole chain, or the profile alone when one is named.
    pub(crate) fn new(profile: Option<&str>, sts: Arc<Sts>, ports: &Ports) -> Self {
        let (env, files, transport) = (&ports.env, &ports.files, &ports.transport);
        let profile_only = profile.is_some();
        let profile = Profile { named: profile.map(str::to_owned), ports: ports.clone(), sts: sts.clone() };
        if profile_only {
            return Self::of(vec![Box::new(profile)], None);
        }
        let sources: Vec<Box<dyn CredentialSource>> = vec![
            Box::new(Environment(env.clone())),
            Box::new(profile),
            Box::new(WebIdentity { env: env.clone(), files: files.clone(), sts }),
            Box::new(Container { env: env.clone(), files: files.clone(), transport: transport.clone() }),
        ];
        let last = InstanceMetadata {
            env: env.clone(),
            transport: transport.clone(),
            clock: ports.clock.clone(),
            random: ports.random.clone(),
        };
        Self::of(sources, Some(Box::new(last)))
    }

    pub(super) fn of(sources: Vec<Box<dyn CredentialSource>>, last: Option<Box<dyn CredentialSource>>) -> Self {
        Self { sources, last, last_has_answered: AtomicBool::new(false) }
    }

    /// The credentials of the first source that is configured.
    ///
    /// # Errors
    /// That source's error; `Unauthenticated` when none is configured.
    pub(super) async fn load(&self, call: &Call) -> Result<Credentials> {
        for source in &self.sources {
            if let Some(credentials) = source.load(call).await? {
                return Ok(credentials);
            }
        }
        let mut cause = None;
        if let Some(last) = &self.last {
            match last.load(call).await {
                Ok(Some(credentials)) => {
                    self.last_has_answered.store(true, Ordering::Release);
                    return Ok(credentials);
                }
                Ok(None) => {}
                Err(error) if self.last_has_answered.load(Ordering::Acquire) || !is_absent(&error) => {
                    return Err(error);
                }
                Err(error) => cause = Some(error),
            }
        }
        let looked_at: Vec<_> = self.sources.iter().chain(&self.last).map(|source| source.name()).collect();
        let error = refused(format!("there are no AWS credentials; looked at {}", looked_at.join(", ")));
        Err(match cause {
            Some(cause) => error.because(cause),
            None => error,
        })
    }
}

#[async_trait]
impl LoginSource for Chain {
    type Credential = Credentials;

    async fn log_in(&self, call: &Call) -> Result<Granted<Credentials>> {
        let credential = self.load(call).await?;
        let end = credential.expires.map_or(End::Unknown, End::At);
        Ok(Granted { end, beyond: credential.outlives_outage, credential })
    }
}

/// Nobody answered at all, so that nothing is there.
fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Tls)
}
