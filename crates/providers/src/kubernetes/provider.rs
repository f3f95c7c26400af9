//! [`KubernetesProvider`]: which requests an operation is, and what the answers mean.

use std::fmt;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use lockstep_core::{
    Call, Capabilities, Error, ErrorKind, Filter, Metadata, Operation, Page, Paged, Provider, Result, Scope,
    ScopeParts, Secret, SecretName, Selector, Timeline, Transports,
};

use super::access::{METADATA, METADATA_LIST, WHOLE};
use super::client::{Client, LoggedIn};
use super::login::{AHEAD, Login, State, parsed};
use super::name::{Place, check_namespace, secrets, selector};
use super::settings::{KubernetesAuth, KubernetesSettings};
use super::{answer, watch};
use crate::Ports;
use crate::form::append_fields;
use crate::login::LoginCache;

/// How many items a list answers when nobody says, and at most.
const PAGE: u16 = 100;
const LONGEST_PAGE: u16 = 500;

/// A Kubernetes cluster.
pub struct KubernetesProvider {
    scope: Scope,
    pub(super) client: Arc<Client>,
    watches: bool,
    pub(super) watch_names: Vec<SecretName>,
    pub(super) random: Arc<dyn lockstep_core::Random>,
}

impl KubernetesProvider {
    /// A provider that has not logged in yet. Its way out is built at the first login, which says whom to trust: `ports`
    /// has one too, which is not used.
    ///
    /// # Errors
    /// `Config` when an address, a namespace or a name to watch can't be one.
    pub fn new(settings: KubernetesSettings, ports: Ports, transports: Arc<dyn Transports>) -> Result<Self> {
        let auth = settings.auth.unwrap_or_else(|| KubernetesAuth::found(&*ports.env));
        if let KubernetesAuth::Token { address, .. } = &auth {
            parsed(address)?;
        }
        let config = |error: Error| Error::new(ErrorKind::Config, error.message());
        if let Some(namespace) = &settings.namespace {
            check_namespace(namespace).map_err(config)?;
        }
        let watch_names = watch::names(&settings.watch_names, settings.namespace.as_deref()).map_err(config)?;
        let place = auth.place(&*ports.env);
        let scope = Scope::new(ScopeParts {
            provider: "kubernetes".into(),
            // Names of two clusters are alike, so a Change has to say which one it is of.
            account: place.clone(),
            endpoint: place,
            identity: auth.identity(),
            namespace: settings.namespace.clone().unwrap_or_default(),
            environment: settings.environment,
            ..ScopeParts::default()
        });
        let timeline = Arc::new(Timeline::new(Arc::clone(&ports.clock)));
        let random = Arc::clone(&ports.random);
        let login = Login {
            auth,
            namespace: settings.namespace,
            tls: settings.tls,
            insecure: settings.insecure,
            ports,
            transports,
            state: Mutex::new(State::default()),
        };
        let client = Client { login: LoginCache::new(login, AHEAD, timeline), members: settings.members };
        Ok(Self { scope, client: Arc::new(client), watches: settings.watch, watch_names, random })
    }

    /// One object.
    async fn object(
        &self,
        call: &Call,
        name: &SecretName,
        accept: &'static str,
    ) -> Result<(Place, http::Response<Bytes>)> {
        let access = self.client.access(call).await?;
        let place = Place::of(name, access.credential.namespace.as_deref())?;
        let request = access.credential.request(Method::GET, &place.path(), accept, Bytes::new())?;
        let response = self.client.send(call, &access, request).await?;
        Ok((place, response))
    }

    async fn get_inner(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        if *selector != Selector::Current {
            return Err(Error::unsupported("read another version than the current one: Kubernetes keeps one"));
        }
        let (place, response) = self.object(call, name, WHOLE).await?;
        answer::secret(response, &self.scope, &place)
    }

    async fn list_inner(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let access = self.client.access(call).await?;
        let (namespace, begins) = Self::listed(&access, prefix)?;
        let limit = page.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
        let labels = selector(&filter.tags)?;
        let mut query = vec![("limit", limit.to_string())];
        query.extend((!labels.is_empty()).then_some(("labelSelector", labels)));
        let goes_on = page.token.is_some();
        query.extend(page.token.map(|token| ("continue", token)));
        let path = queried(secrets(&namespace), &query);
        let request = access.credential.request(Method::GET, &path, METADATA_LIST, Bytes::new())?;
        let response = self.client.send(call, &access, request).await.map_err(|error| {
            // A token that is none is told from all else that a server may not like only by who brought it.
            if goes_on && error.upstream_status() == Some(400) { Page::bad_token() } else { error }
        })?;
        let list = answer::list(response, &namespace)?;
        let items = list.items.into_iter().map(|item| item.metadata).filter(|meta| meta.name.starts_with(&begins));
        let items = items.map(|meta| meta.told(&self.scope)).collect::<Result<_>>()?;
        Ok(Paged { items, next: list.metadata.next })
    }

    /// Which namespace a prefix is in, and how the names in it begin.
    fn listed(access: &LoggedIn, prefix: &str) -> Result<(String, String)> {
        let prefix = prefix.trim_start_matches('/');
        let own = access.credential.namespace.as_deref().filter(|own| own.starts_with(prefix));
        let (namespace, begins) = match (prefix.split_once('/'), own) {
            (Some((namespace, begins)), _) => (namespace, begins),
            (None, Some(own)) => (own, ""),
            (None, None) => {
                return Err(Error::unsupported(
                    "list more than one namespace; write the whole of its name, as in `namespace/`",
                ));
            }
        };
        check_namespace(namespace)?;
        Ok((namespace.to_owned(), begins.to_owned()))
    }

    async fn check_inner(&self, call: &Call) -> Result<()> {
        let access = self.client.access(call).await?;
        let mut spec = serde_json::json!({ "verb": "get", "resource": "secrets" });
        if let (Some(namespace), Some(spec)) = (&access.credential.namespace, spec.as_object_mut()) {
            spec.insert("namespace".to_owned(), namespace.as_str().into());
        }
        // Everybody who is logged in may ask what they may do, and nobody else.
        let body = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": spec },
        });
        let path = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        let request = access.credential.request(Method::POST, path, WHOLE, Bytes::from(body.to_string()))?;
        self.client.send(call, &access, request).await.map(|_| ())
    }
}

/// A path with this query, its values encoded.
pub(super) fn queried(mut path: String, query: &[(&str, String)]) -> String {
    path.push('?');
    append_fields(&mut path, query.iter().map(|(name, value)| (*name, value.as_str())));
    path
}

impl fmt::Debug for KubernetesProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubernetesProvider").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for KubernetesProvider {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { list: true, describe: true, watch: self.watches, ..Capabilities::default() }
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(Selector::Label(text.into()))
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.get_inner(call, name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let described = async {
            let (place, response) = self.object(call, name, METADATA).await?;
            answer::metadata(response, &self.scope, &place)
        };
        described.await.map_err(|error| error.during(Operation::Describe).on(name))
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        self.list_inner(call, prefix, filter, page).await.map_err(|error| error.during(Operation::List))
    }

    async fn check(&self, call: &Call) -> Result<()> {
        self.check_inner(call).await.map_err(|error| error.during(Operation::Check))
    }
}
