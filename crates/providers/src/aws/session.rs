//! [`Session`]: one login in one region, and the ports that everything of AWS goes through.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use lockstep_core::{Error, ErrorKind, Limits, MAX_MEMBERS, Result, Scope, ScopeParts, Timeline, UnixMillis};

use super::credentials::{AHEAD, Chain, profile};
use super::endpoint::{Endpoint, Region, Service};
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
    pub(super) credentials: LoginCache<Chain>,
    pub(super) region: Region,
    pub(super) timeline: Arc<Timeline>,
    insecure: bool,
    identity: String,
    environment: String,
    skew_millis: AtomicI64,
}

impl Session {
    /// A session of these settings. Nothing is sent and no credential is loaded yet.
    ///
    /// # Errors
    /// `Config` when there is no region, or when region, profile or an endpoint variable is wrong.
    pub fn new(settings: &SessionSettings, ports: Ports) -> Result<Arc<Self>> {
        let timeline = Arc::new(Timeline::new(ports.clock.clone()));
        let region = region(settings, &ports)?;
        let sts = match Endpoint::configured(Service::Sts, None, settings.insecure, &*ports.env)? {
            Some(endpoint) => endpoint,
            None => Endpoint::of(Service::Sts, &region)?,
        };
        let identity = settings
            .profile
            .clone()
            .or_else(|| ports.env.var("AWS_PROFILE"))
            .or_else(|| ports.env.var("AWS_ROLE_ARN"))
            .unwrap_or_default();
        let credentials =
            LoginCache::new(Chain::new(settings.profile.as_deref(), sts, &ports), AHEAD, timeline.clone());
        Ok(Arc::new(Self {
            ports,
            credentials,
            region,
            timeline,
            insecure: settings.insecure,
            identity,
            environment: settings.environment.clone(),
            skew_millis: AtomicI64::new(0),
        }))
    }

    /// The operator's endpoint of a service, if there is one.
    pub(super) fn endpoint(&self, service: Service, setting: Option<&str>) -> Result<Option<Endpoint>> {
        Endpoint::configured(service, setting, self.insecure, &*self.ports.env)
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

    /// Who logs in, as far as the configuration says.
    #[cfg(feature = "vault")]
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// The time for a signature: the wall clock, corrected by what AWS said of it.
    pub(super) fn signing_time(&self) -> UnixMillis {
        let skew = self.skew_millis.load(Ordering::Acquire);
        UnixMillis(self.timeline.now().wall.0.saturating_add_signed(skew))
    }

    /// Learns how far the wall clock is off. True when a request that was signed for `signed` was off by more than a
    /// minute, so that signing it again helps, also when another request has corrected the clock meanwhile.
    pub(super) fn correct_clock(&self, signed: UnixMillis, theirs: UnixMillis) -> bool {
        let helps = theirs.0.abs_diff(signed.0) > 60_000;
        if helps {
            let ours = self.timeline.now().wall;
            let skew = i64::try_from(theirs.0).unwrap_or(i64::MAX).saturating_sub_unsigned(ours.0);
            self.skew_millis.store(skew, Ordering::Release);
        }
        helps
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
    let text = match settings.region.clone().or_else(from_env) {
        Some(text) => text,
        None => profile::region(settings.profile.as_deref(), &*ports.env, &*ports.files)?.ok_or_else(|| {
            Error::new(ErrorKind::Config, "AWS has no region; set `region`, or the variable AWS_REGION")
        })?,
    };
    Region::parse(&text)
        .ok_or_else(|| Error::new(ErrorKind::Config, "the AWS region is not one; write it like `eu-west-1`"))
}
