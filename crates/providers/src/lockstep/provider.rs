//! [`LockstepProvider`]: which requests an operation is, and what the answers mean.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, IF_NONE_MATCH};
use http::{Method, Request, Response, StatusCode};
use lockstep_core::{
    Call, Capabilities, Error, ErrorKind, Filter, HOPS_HEADER, Limits, Metadata, Operation, Page, Paged, Provider,
    Result, Retry, Rotation, Scope, ScopeParts, Secret, SecretName, Selector, VersionInfo,
};

use super::status::{error_of, told};
use super::wire::{Batch, Known, List, Released, Results, Rotated, TAG, Versions, Wanted, relay, tag};
use crate::Ports;
use crate::address::Address;
use crate::body::{Body, unexpected};
use crate::credential::Credential;
use crate::exchange::exchange;
use crate::form::append_fields;
use crate::oauth::bearer;
use crate::payload::duplicate;

/// The largest answer that is read: a batch of large secrets.
const RESPONSE_BYTES: usize = 16 << 20;
/// How many secrets one request asks for, which every endpoint answers unless it is told to answer fewer.
const BATCH: usize = 20;

/// Which endpoint, and how to log in there.
#[derive(Debug, Clone)]
pub struct LockstepSettings {
    /// The endpoint, such as `https://secrets.internal:2773`.
    pub address: String,
    /// The token that it asks for. It is read anew for each request: whoever rotates it writes another one there.
    pub token: Credential,
    /// The provider that is asked there; without one, its routes decide.
    pub provider: Option<String>,
    /// Keys and items that an answer may have; [`MAX_MEMBERS`](lockstep_core::MAX_MEMBERS) unless told otherwise.
    pub members: usize,
    /// The environment of its scope.
    pub environment: String,
}

/// Another endpoint.
pub struct LockstepProvider {
    settings: LockstepSettings,
    address: Address,
    scope: Scope,
    ports: Ports,
}

impl LockstepProvider {
    /// A provider that has not asked the endpoint anything yet.
    ///
    /// # Errors
    /// `Config` when the address can't be one.
    pub fn new(settings: LockstepSettings, ports: Ports) -> Result<Self> {
        let address = Address::parse(&settings.address).ok_or_else(|| {
            let message =
                "`address` of an endpoint is a URL without user and query; write `https://secrets.internal:2773`";
            Error::new(ErrorKind::Config, message)
        })?;
        let scope = Scope::new(ScopeParts {
            provider: "lockstep".into(),
            endpoint: address.text(),
            identity: format!("{:?}", settings.token),
            mount: settings.provider.clone().unwrap_or_default(),
            environment: settings.environment.clone(),
            ..ScopeParts::default()
        });
        Ok(Self { settings, address, scope, ports })
    }

    /// One request. What it has come through travels along, so that no endpoint is asked twice.
    async fn send(&self, call: &Call, method: Method, path: &str, body: Option<Bytes>) -> Result<Response<Bytes>> {
        let token = self.settings.token.read(&*self.ports.env, &*self.ports.files)?;
        let mut request = Request::builder()
            .method(method)
            .uri(self.address.uri(path)?)
            .header(AUTHORIZATION, bearer(&token)?)
            .header("x-request-id", call.request_id().to_string());
        if !call.hops.as_str().is_empty() {
            request = request.header(HOPS_HEADER, call.hops.as_str());
        }
        if let Some(trace) = &call.trace.0 {
            request = request.header("traceparent", &**trace);
        }
        if call.skip_caches {
            request = request.header(CACHE_CONTROL, "no-cache");
        }
        if let Some(tag) = call.held.as_ref().and_then(|held| held.attributes.get(TAG)) {
            request = request.header(IF_NONE_MATCH, &**tag);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let broken = |_| Error::new(ErrorKind::Internal, "the request to the endpoint can't be built");
        let request = request.body(body.unwrap_or_default()).map_err(broken)?;
        let limits = Limits { time: call.remaining(), response_bytes: RESPONSE_BYTES, members: self.settings.members };
        exchange(&*self.ports.transport, request, limits).await
    }

    /// The body of a success.
    pub(super) async fn ask(&self, call: &Call, method: Method, path: &str) -> Result<Body> {
        let response = self.send(call, method, path, None).await?;
        if response.status() == StatusCode::OK { Ok(Body::new(response.into_body())) } else { Err(error_of(&response)) }
    }

    /// A route with its parameters: a name with slashes stands in `name`, which no gateway decodes on its way.
    fn route(&self, route: &str, parameters: &[(&str, &str)]) -> String {
        let provider = self.settings.provider.as_deref().map(|provider| ("provider", provider));
        let mut fields = parameters.iter().chain(&provider).copied().peekable();
        let mut path = format!("api/v1/{route}");
        if fields.peek().is_some() {
            path.push('?');
        }
        append_fields(&mut path, fields);
        path
    }

    async fn read(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let version = version_of(selector).map(|version| ("version", version));
        let parameters: Vec<_> = [("name", name.as_str())].into_iter().chain(version).collect();
        let response = self.send(call, Method::GET, &self.route("secrets", &parameters), None).await?;
        let relay = relay(response.headers())?;
        let tag = tag(response.headers());
        match (response.status(), &call.held) {
            (StatusCode::OK, _) => {
                let body = Body::new(response.into_body());
                let mut secret = body.json::<Released<'_>>()?.secret(&self.scope, relay, call.clock().wall())?;
                secret.attributes.extend(tag.map(|tag| (TAG, tag)));
                Ok(secret)
            }
            (StatusCode::NOT_MODIFIED, Some(held)) => {
                let mut secret = Secret::new(held.id.clone(), held.name.clone(), duplicate(&held.payload));
                secret.version.clone_from(&held.version);
                secret.labels.clone_from(&held.labels);
                (secret.created, secret.expires, secret.relay) = (held.created, held.expires, relay);
                secret.attributes.clone_from(&held.attributes);
                Ok(secret)
            }
            _ => Err(error_of(&response)),
        }
    }

    async fn read_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Result<Vec<Result<Secret>>> {
        let one = |(name, selector): &'_ (SecretName, Selector)| {
            (name.as_str().to_owned(), version_of(selector).map(str::to_owned))
        };
        let asked: Vec<_> = wanted.iter().map(one).collect();
        let secrets = asked
            .iter()
            .map(|(name, version)| Wanted {
                name,
                provider: self.settings.provider.as_deref(),
                version: version.as_deref(),
            })
            .collect();
        let sent = serde_json::to_vec(&Batch { secrets })
            .map_err(|_| Error::new(ErrorKind::Internal, "the names can't be written as JSON"))?;
        let response = self.send(call, Method::POST, "api/v1/secrets:batch", Some(sent.into())).await?;
        if response.status() != StatusCode::OK {
            return Err(error_of(&response));
        }
        let head = response.map(Body::new);
        let results: Results<'_> = head.body().json()?;
        if results.results.len() != wanted.len() {
            return Err(unexpected("has another number of results than was asked for"));
        }
        let (relay, now) = (relay(head.headers())?, call.clock().wall());
        let status = head.status();
        let secrets = results.results.into_iter().map(|result| match (result.secret, result.error) {
            (Some(secret), _) => secret.secret(&self.scope, relay, now),
            (None, Some(problem)) => {
                let mut told_as = Response::new(Bytes::new());
                *told_as.status_mut() = status;
                Err(told(&told_as, &problem))
            }
            (None, None) => Err(unexpected("has a result without secret and error")),
        });
        Ok(secrets.collect())
    }

    fn page<'a>(page: &'a Page, limit: &'a str) -> impl Iterator<Item = (&'static str, &'a str)> {
        let limit = page.limit.map(|_| ("limit", limit));
        page.token.as_deref().map(|token| ("page", token)).into_iter().chain(limit)
    }
}

/// What a selector is to the endpoint; nothing is the current version.
fn version_of(selector: &Selector) -> Option<&str> {
    match selector {
        Selector::Current => None,
        other => Some(other.as_str()),
    }
}

impl fmt::Debug for LockstepProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockstepProvider").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for LockstepProvider {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What the providers behind it can't do, it says itself.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            versions: true,
            labels: true,
            list: true,
            describe: true,
            rotate: true,
            batch: true,
            watch: false,
            leased: false,
        }
    }

    /// Which provider will read it is the endpoint's choice, so it may be an id or a label: a label has a TTL.
    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(Selector::Label(text.into()))
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.read(call, name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        let mut all = Vec::with_capacity(wanted.len());
        for part in wanted.chunks(BATCH) {
            match self.read_many(call, part).await {
                Ok(results) => all.extend(results),
                Err(error) => all.extend(part.iter().map(|_| Err(error.clone()))),
            }
        }
        let named = |(result, (name, _)): (Result<Secret>, &(SecretName, Selector))| {
            result.map_err(|error| error.during(Operation::GetMany).on(name))
        };
        all.into_iter().zip(wanted).map(named).collect()
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let known = async {
            let body = self.ask(call, Method::GET, &self.route("metadata", &[("name", name.as_str())])).await?;
            body.json::<Known>()?.metadata(&self.scope)
        };
        known.await.map_err(|error| error.during(Operation::Describe).on(name))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let limit = page.limit.unwrap_or_default().to_string();
        let parameters: Vec<_> = [("name", name.as_str())].into_iter().chain(Self::page(&page, &limit)).collect();
        let versions = async {
            let body = self.ask(call, Method::GET, &self.route("versions", &parameters)).await?;
            let Versions { versions, next } = body.json()?;
            let items = versions.into_iter().map(super::wire::VersionOf::info).collect::<Result<_>>()?;
            Ok(Paged { items, next })
        };
        versions.await.map_err(|error: Error| error.during(Operation::Versions).on(name))
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let limit = page.limit.unwrap_or_default().to_string();
        let tags: Vec<_> = filter
            .tags
            .iter()
            .map(|(name, value)| value.as_ref().map_or_else(|| name.clone(), |value| format!("{name}={value}")))
            .collect();
        let parameters: Vec<_> = [("prefix", prefix)]
            .into_iter()
            .chain(tags.iter().map(|tag| ("tag", tag.as_str())))
            .chain(Self::page(&page, &limit))
            .collect();
        let list = async {
            let body = self.ask(call, Method::GET, &self.route("secrets", &parameters)).await?;
            let List { secrets, next } = body.json()?;
            let items = secrets.into_iter().map(|known| known.metadata(&self.scope)).collect::<Result<_>>()?;
            Ok(Paged { items, next })
        };
        list.await.map_err(|error: Error| error.during(Operation::List))
    }

    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        let rotated = async {
            let body = self.ask(call, Method::POST, &self.route("rotate", &[("name", name.as_str())])).await?;
            Ok(Rotation { version: body.json::<Rotated>()?.version() })
        };
        // That no answer came does not say that no rotation was begun.
        rotated.await.map_err(|error: Error| error.retry(Retry::Never).during(Operation::Rotate).on(name))
    }

    /// A list of one: it needs the token, and asks a provider behind the endpoint.
    async fn check(&self, call: &Call) -> Result<()> {
        let checked = self.ask(call, Method::GET, &self.route("secrets", &[("limit", "1")])).await;
        match checked {
            Ok(_) => Ok(()),
            // It has answered and knows us; what is behind it may not be able to list.
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::InvalidReference) => Ok(()),
            Err(error) => Err(error.during(Operation::Check)),
        }
    }
}
