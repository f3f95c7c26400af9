//! [`Session`]: one login in one region, and the ports that everything of AWS goes through.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Error, ErrorKind, Limits, MAX_MEMBERS, Result, Scope, ScopeParts};

use super::addresses::{Addresses, Wanted};
use super::clock::SigningClock;
use super::credentials::{AHEAD, AssumedRole, Chain, Source};
use super::endpoint::Endpoint;
use super::region::Region;
use super::role::Role;
use super::shared::{SharedFiles, chosen};
use super::sts::Sts;
use crate::Ports;
use crate::login::LoginCache;

/// What a [`Session`] is made of; everything has AWS's own default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionSettings {
    /// Else `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's `region`.
    pub region: Option<String>,
    /// A profile of the shared credentials and config files. Named here, it is the only source of credentials; else
    /// `AWS_PROFILE` names the one that the chain looks at.
    pub profile: Option<String>,
    /// The environment of the configuration that the providers belong to; a part of their scope.
    pub environment: String,
    /// Allows plain http to hosts other than this one, for every endpoint of the session.
    pub insecure: bool,
    /// Whether hosts with validated cryptographic modules are asked; else `AWS_USE_FIPS_ENDPOINT`, the profile's
    /// `use_fips_endpoint`.
    pub fips: Option<bool>,
    /// Whether hosts that IPv6 reaches are asked; else `AWS_USE_DUALSTACK_ENDPOINT`, the profile's
    /// `use_dualstack_endpoint`.
    pub dual_stack: Option<bool>,
}

/// What every service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSettings {
    /// Scheme, host and port to ask instead of AWS's own; else `AWS_ENDPOINT_URL_<SERVICE>` and `AWS_ENDPOINT_URL`.
    pub endpoint: Option<String>,
    /// What one call may take. The time is cut to what is left of the call's.
    pub limits: Limits,
}

impl Default for ServiceSettings {
    /// No endpoint, 5 s, 4 MiB, [`MAX_MEMBERS`].
    fn default() -> Self {
        Self {
            endpoint: None,
            limits: Limits { time: Duration::from_secs(5), response_bytes: 4 << 20, members: MAX_MEMBERS },
        }
    }
}

/// One login in one region. Share it between providers, and they share the credentials.
pub struct Session {
    pub(super) ports: Ports,
    pub(super) credentials: Arc<LoginCache<Source>>,
    pub(super) region: Region,
    pub(super) clock: Arc<SigningClock>,
    pub(super) addresses: Arc<Addresses>,
    sts: Arc<Sts>,
    identity: String,
    environment: String,
    /// How many roles were assumed, one with the credentials of the one before.
    roles: usize,
}

impl Session {
    /// A session of these settings. Nothing is sent and no credential is loaded yet.
    ///
    /// # Errors
    /// `Config` when there is no region, or when region, profile or an endpoint variable is wrong; `Unauthenticated` when
    /// the file of a profile can't be read.
    pub fn new(settings: &SessionSettings, ports: Ports) -> Result<Arc<Self>> {
        let region = region(settings, &ports)?;
        let wanted = Wanted {
            profile: settings.profile.as_deref(),
            insecure: settings.insecure,
            fips: settings.fips,
            dual_stack: settings.dual_stack,
        };
        let addresses = Addresses::find(&wanted, &*ports.env, &*ports.files)?;
        let clock = Arc::new(SigningClock::new(ports.clock.clone()));
        let sts = Arc::new(Sts::new(ports.transport.clone(), clock.clone(), addresses.sts(&region)?));
        let identity = settings
            .profile
            .clone()
            .or_else(|| ports.env.var("AWS_PROFILE"))
            .or_else(|| ports.env.var("AWS_ROLE_ARN"))
            .unwrap_or_default();
        let chain = Chain::new(settings.profile.as_deref(), sts.clone(), &ports);
        Ok(Arc::new(Self {
            credentials: Arc::new(LoginCache::new(Source::Chain(chain), AHEAD, clock.timeline())),
            ports,
            region,
            clock,
            addresses: Arc::new(addresses),
            sts,
            identity,
            environment: settings.environment.clone(),
            roles: 0,
        }))
    }

    /// A session of a role that is assumed with the credentials of this one. Nothing is sent yet. Sessions of different
    /// roles share the login that they were assumed with.
    ///
    /// # Errors
    /// `Config` when five roles were assumed already, or when the role's sessions are longer than the hour that AWS
    /// allows for a role that is assumed with another role's credentials.
    pub fn assume(self: &Arc<Self>, role: &Role) -> Result<Arc<Self>> {
        role.stands_at(self.roles)?;
        let source = Source::Role(AssumedRole {
            base: Arc::clone(&self.credentials),
            role: role.clone(),
            sts: Arc::clone(&self.sts),
            env: self.ports.env.clone(),
            files: self.ports.files.clone(),
        });
        Ok(Arc::new(Self {
            credentials: Arc::new(LoginCache::new(source, AHEAD, self.clock.timeline())),
            ports: self.ports.clone(),
            region: self.region.clone(),
            clock: Arc::clone(&self.clock),
            addresses: Arc::clone(&self.addresses),
            sts: Arc::clone(&self.sts),
            identity: format!("{} > {} as {}", self.identity, role.arn(), role.name()),
            environment: self.environment.clone(),
            roles: self.roles + 1,
        }))
    }

    /// Who logs in, as far as the configuration says.
    #[cfg(feature = "vault")]
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The scope of a provider of this session. The account is learned from ARNs that are answered.
    pub(super) fn scope(&self, provider: &str, endpoint: Option<&Endpoint>, transform: &str) -> Scope {
        Scope::new(ScopeParts {
            provider: provider.to_owned(),
            endpoint: endpoint.map(ToString::to_string).unwrap_or_default(),
            region: self.region.as_str().to_owned(),
            identity: self.identity.clone(),
            environment: self.environment.clone(),
            transform: transform.to_owned(),
            ..ScopeParts::default()
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("region", &self.region)
            .field("identity", &self.identity)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

fn region(settings: &SessionSettings, ports: &Ports) -> Result<Region> {
    let from_env = || ["AWS_REGION", "AWS_DEFAULT_REGION"].into_iter().find_map(|variable| ports.env.var(variable));
    let text = if let Some(text) = settings.region.clone().or_else(from_env) {
        text
    } else {
        let (name, _) = chosen(settings.profile.as_deref(), &*ports.env);
        let shared = SharedFiles::config(&*ports.env, &*ports.files)?;
        let region = shared.profile(&name).get("region").map(str::to_owned);
        let missing = "AWS has no region; set `region`, or the variable AWS_REGION";
        region.ok_or_else(|| Error::new(ErrorKind::Config, missing))?
    };
    Region::parse(&text)
        .ok_or_else(|| Error::new(ErrorKind::Config, "the AWS region is not one; write it like `eu-west-1`"))
}
