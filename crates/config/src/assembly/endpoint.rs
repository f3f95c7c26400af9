//! [`Endpoint`]: the API behind a listener, with its callers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use lockstep_api::{Api, ApiLimits, ApiParts, AwsSurface};
use lockstep_core::{Alias, Error, FrontDoor, Pace, Peer, SecretValue};

use super::{Assembly, Ports, TokenOrigin, providers};
use crate::config::Config;
use crate::problem::Problems;
use crate::settings::{AliasName, Provider};

/// Who takes requests in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    /// A listener of this process, as `[listen]` says.
    Listener,
    /// The platform that runs this process, such as Lambda behind a function URL. It ends TLS and decides which names lead
    /// here, and everybody may try: so callers log in, or have the token of `listen.token`. No other token exists, since
    /// the variables that may hold one hold the session of the function itself.
    Platform,
}

/// The API, ready for a listener.
pub struct Endpoint {
    api: Arc<Api>,
    /// Where the local token came from, if there is one.
    pub token: Option<TokenOrigin>,
    /// The token itself, if it was made at this start: its owner has to be told once.
    pub made_token: Option<SecretValue>,
}

impl Config {
    /// Builds the endpoint of a listener over an assembled resolver.
    ///
    /// # Errors
    /// What is wrong with the callers or the AWS surface, with its place.
    pub fn endpoint(&self, ports: &Ports, assembly: &Assembly) -> Result<Endpoint, Problems> {
        self.endpoint_behind(Front::Listener, ports, assembly)
    }

    /// Builds the endpoint over an assembled resolver, for requests that come in this way.
    ///
    /// # Errors
    /// What is wrong with the callers or the AWS surface, with its place; behind a platform also that nobody could call.
    pub fn endpoint_behind(&self, front: Front, ports: &Ports, assembly: &Assembly) -> Result<Endpoint, Problems> {
        let settings = self.settings();
        let callers = self.callers(front, ports, assembly.resolver.timeline())?;
        let origin = callers.token.as_ref().map(|token| token.origin().clone());
        let made_token = callers.token.as_ref().and_then(lockstep_auth::LocalToken::reveal);
        let mut allowed_hosts = match front {
            Front::Listener => ApiParts::default_hosts(),
            Front::Platform => Vec::new(),
        };
        allowed_hosts.extend(settings.listen.allowed_hosts.iter().map(|host| host.as_str().into()));
        let token_headers = self.token_headers();
        let api = Api::new(ApiParts {
            resolver: Arc::clone(&assembly.resolver),
            clock: Arc::clone(&ports.clock),
            spawn: Arc::clone(&ports.spawn),
            random: Arc::clone(&ports.random),
            metrics: assembly.metrics.clone(),
            trace: settings.trace.enabled,
            callers,
            hide_denied: settings.auth.hide_denied,
            token_headers,
            local: front == Front::Listener && !settings.listen.allow_remote,
            forwarded_headers: Vec::new(),
            allowed_hosts,
            limits: ApiLimits {
                request_time: settings.listen.request_timeout.get(),
                batch_items: usize::try_from(settings.listen.max_batch_items).unwrap_or(usize::MAX),
                under_way: usize::try_from(settings.listen.max_requests).unwrap_or(usize::MAX),
                address: Pace::new(settings.listen.address_rate, settings.listen.address_burst),
                caller: Pace::new(settings.listen.caller_rate, settings.listen.caller_burst),
                reports: Pace::new(settings.listen.report_rate, settings.listen.report_burst),
                counted: usize::try_from(settings.listen.max_counted).unwrap_or(usize::MAX),
                #[cfg(feature = "changes")]
                waits: front == Front::Listener,
                ..ApiLimits::default()
            },
            aws: self.aws_surface()?,
        })
        .map_err(|error| self.problem("aws.path_prefix", error.message()))?;
        #[cfg(feature = "events")]
        let api = self.with_events(api, ports, assembly)?;
        #[cfg(feature = "otlp")]
        let api = match &assembly.tracer {
            Some(tracer) => api.with_tracer(Arc::clone(tracer)),
            None => api,
        };
        #[cfg(feature = "vault-surface")]
        let api = self.with_vault(api)?;
        Ok(Endpoint { api: Arc::new(api), token: origin, made_token })
    }

    /// The headers that may hold a token. Vault's clients know one alone, so it is among them where they call.
    fn token_headers(&self) -> Vec<HeaderName> {
        let settings = self.settings();
        let named = settings.aws.ssrf_headers.iter().filter_map(|header| header.parse().ok());
        #[cfg(feature = "vault-surface")]
        let named = named.chain(settings.vault.enabled.then(|| HeaderName::from_static("x-vault-token")));
        named.collect()
    }

    pub(super) fn aws_surface(&self) -> Result<Option<AwsSurface>, Problems> {
        let aws = &self.settings().aws;
        if !aws.enabled {
            return Ok(None);
        }
        let parameter_store = self.parameter_store();
        let encrypted = match (&aws.parameter_store_encrypted, self.aws_alias(None, is_encrypted_store)) {
            (Some(alias), _) => Some(alias.0.clone()),
            (None, Some(alias)) => Some(alias),
            (None, None) => match parameter_store.as_ref().filter(|alias| self.is_parameter_store(alias)) {
                Some(alias) => {
                    let twin = providers::twin_of(alias);
                    Some(twin.map_err(|error: Error| self.problem("aws.parameter_store", error.message()))?)
                }
                // Only a Parameter Store has a twin; another provider has nothing encrypted to answer.
                None => None,
            },
        };
        Ok(Some(AwsSurface {
            secrets_manager: self
                .aws_alias(aws.secrets_manager.as_ref(), |provider| matches!(provider, Provider::AwsSecretsManager(_))),
            parameter_store,
            parameter_store_encrypted: encrypted,
            path_prefix: aws.path_prefix.as_str().into(),
            roles: aws.roles.iter().map(|(role, alias)| (role.as_str().into(), alias.0.clone())).collect(),
        }))
    }

    fn is_parameter_store(&self, alias: &Alias) -> bool {
        let provider = self.settings().providers.get(&AliasName(alias.clone()));
        matches!(provider, Some(Provider::AwsParameterStore(_)))
    }

    /// The provider behind the decrypting Parameter Store routes, if there is one.
    pub(super) fn parameter_store(&self) -> Option<Alias> {
        self.aws_alias(
            self.settings().aws.parameter_store.as_ref(),
            |provider| matches!(provider, Provider::AwsParameterStore(settings) if settings.decrypt),
        )
    }

    /// Whether the AWS surface needs a twin of its Parameter Store that does not decrypt.
    pub(super) fn needs_twin(&self) -> bool {
        let aws = &self.settings().aws;
        aws.enabled && aws.parameter_store_encrypted.is_none() && self.aws_alias(None, is_encrypted_store).is_none()
    }

    fn aws_alias(&self, named: Option<&AliasName>, fits: impl Fn(&Provider) -> bool) -> Option<Alias> {
        let first = || self.settings().providers.iter().find(|(_, provider)| fits(provider)).map(|(alias, _)| alias);
        named.or_else(first).map(|alias| alias.0.clone())
    }
}

fn is_encrypted_store(provider: &Provider) -> bool {
    matches!(provider, Provider::AwsParameterStore(settings) if !settings.decrypt)
}

#[cfg(feature = "vault-surface")]
impl Endpoint {
    /// What stands behind the listener for Vault's clients, if that is on.
    pub fn vault(&self) -> Option<lockstep_api::VaultDoor> {
        self.api.vault_door()
    }
}

impl FrontDoor for Endpoint {
    fn at_once(&self, peer: &Peer, head: &http::request::Parts) -> Option<Response<Bytes>> {
        self.api.at_once(peer, head)
    }

    async fn call(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        self.api.call(peer, request).await
    }
}
