//! [`VaultProvider`]: which requests an operation is, and what the answers mean.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ::http::{Response, StatusCode};
use async_trait::async_trait;
use bytes::Bytes;
use lockstep_core::{
    Call, CanonicalId, Capabilities, Error, ErrorKind, Filter, Lease, Metadata, Operation, Page, Paged, Provider,
    Result, Retry, Scope, ScopeParts, Secret, SecretName, Selector, VersionInfo,
};
use serde::{Deserialize, Serialize};

use super::answer::Envelope;
use super::cluster::Cluster;
use super::http::{Ask, Http, body, encoded};
use super::index::Index;
use super::kv::{Found, History, made, version_1, version_2};
use super::listing::{Folders, Walk};
use super::login::Login;
use super::mounts::{MountInfo, Mounts, Place};
use super::settings::{MountKind, VaultSettings, namespace_header};
use super::status::malformed;
use crate::Ports;
use crate::paging::page_of;

/// How many items a list answers when nobody says.
const PAGE: u16 = 100;

/// A Vault or OpenBao.
pub struct VaultProvider {
    scope: Scope,
    http: Arc<Http>,
    login: Login,
    mounts: Mounts,
}

#[derive(Serialize)]
struct LeaseBody<'a> {
    lease_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    increment: Option<u64>,
}

/// `GET sys/internal/ui/mounts`: the mounts that the token may see.
#[derive(Deserialize)]
struct Visible {
    #[serde(default)]
    secret: BTreeMap<String, MountInfo>,
}

impl VaultProvider {
    /// A provider that has not asked the server anything yet.
    ///
    /// # Errors
    /// `Config` when an address or the namespace can't be one, and when the method can't do what is asked of it.
    pub fn new(settings: VaultSettings, ports: Ports) -> Result<Self> {
        let cluster = Cluster::new(&settings.addresses, ports.clock.clone())?;
        let namespace = settings.namespace.as_deref().map(namespace_header).transpose()?;
        if settings.inline && settings.mounts.is_empty() {
            // `sys/internal/ui/mounts` takes no login within a request.
            let message = "with `inline` the server can't be asked what is mounted where; write it under `mounts`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let transport = ports.transport.clone();
        let login = Login::new(settings.auth, settings.inline, ports)?;
        let scope = Scope::new(ScopeParts {
            provider: "vault".into(),
            endpoint: cluster.text(),
            identity: login.identity(),
            namespace: settings.namespace.as_deref().unwrap_or_default().trim_matches('/').to_owned(),
            environment: settings.environment,
            ..ScopeParts::default()
        });
        let http = Http {
            cluster,
            index: Index::default(),
            namespace,
            transport,
            members: settings.members,
            forward_stale: settings.forward_stale,
        };
        Ok(Self { scope, http: Arc::new(http), login, mounts: Mounts::new(&settings.mounts) })
    }

    /// One request of who is logged in. A 403 is explained before it is passed on.
    async fn send(&self, call: &Call, ask: Ask) -> Result<Response<Bytes>> {
        let access = self.login.access(call, &self.http).await?;
        let response = self.http.send(call, &access.on(ask)?).await?;
        self.login.judged(call, &self.http, &access, response).await
    }

    async fn read(&self, call: &Call, path: &str) -> Result<Response<Bytes>> {
        self.send(call, Ask::get(path)).await
    }

    /// Where a name is, asking the server once per mount.
    async fn place(&self, call: &Call, name: &SecretName) -> Result<Place> {
        // `auth/token/lookup-self` answers with our own token, for one. Nothing below these is a secret of somebody's.
        if matches!(name.segments().next(), Some("auth" | "sys")) {
            return Err(not_a_secret());
        }
        if let Some(place) = self.mounts.find(name) {
            return Ok(place);
        }
        let path = format!("sys/internal/ui/mounts/{}", encoded(name.as_str().trim_start_matches('/')));
        let response = self.read(call, &path).await.map_err(|error| match error.kind() {
            // The server does not tell a mount that isn't there from one that the token may not see.
            ErrorKind::Denied => Error::new(
                ErrorKind::Denied,
                "nothing is mounted there, or the policies hide it; write the mount and its kind under `mounts`, \
                 or grant the path",
            )
            .upstream("", 403),
            _ => error,
        })?;
        let info: MountInfo = Envelope::of(&response)?.data()?;
        self.mounts.learn(info.path(), &info).ok_or_else(not_a_secret)?;
        self.mounts
            .find(name)
            .ok_or_else(|| Error::new(ErrorKind::InvalidName, "the name is a mount; write `mount/path` of a secret"))
    }

    fn id(&self, place: &Place) -> Result<CanonicalId> {
        let name = SecretName::parse(&format!("{}/{}", place.mount, place.path))?;
        Ok(CanonicalId { scope: self.scope.clone(), name })
    }

    async fn get_inner(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let place = self.place(call, name).await?;
        let id = self.id(&place)?;
        match (place.kind, selector) {
            (MountKind::Kv2, Selector::Current) => self.data(call, &place, id, None).await,
            (MountKind::Kv2, Selector::Previous) => self.previous(call, &place, id).await,
            (MountKind::Kv2, Selector::Id(version)) => {
                // Version 0 is the current one to the server; here it is none.
                let version = version.parse::<u32>().ok().filter(|version| *version > 0).ok_or_else(no_version)?;
                self.data(call, &place, id, Some(version.into())).await
            }
            (MountKind::Kv1, Selector::Current) => {
                let response = self.read(call, &format!("{}/{}", encoded(&place.mount), encoded(&place.path))).await?;
                version_1(&response, id, call.clock().wall())
            }
            (MountKind::Dynamic, Selector::Current) => self.credential(call, &place, id).await,
            (_, Selector::Label(_)) => Err(Error::unsupported("read a label: versions of KV v2 have numbers alone")),
            _ => Err(Error::unsupported("read an older version: only KV v2 keeps them")),
        }
    }

    async fn found(&self, call: &Call, place: &Place, id: CanonicalId, version: Option<u64>) -> Result<Found> {
        let version = version.map_or_else(String::new, |version| format!("?version={version}"));
        let path = format!("{}/data/{}{version}", encoded(&place.mount), encoded(&place.path));
        let response = self.read(call, &path).await?;
        version_2(&response, id, call.clock().wall()).inspect_err(|error| {
            if error.kind() == ErrorKind::Config {
                // The mount may have been replaced by one of another kind.
                self.mounts.forget(&place.mount);
            }
        })
    }

    async fn data(&self, call: &Call, place: &Place, id: CanonicalId, version: Option<u64>) -> Result<Secret> {
        match self.found(call, place, id.clone(), version).await? {
            Found::Value(secret) => Ok(*secret),
            Found::Gone(_, error) => Err(error),
            Found::Nothing if version.is_none() => Err(not_found()),
            // The server answers alike for a missing version and a missing secret.
            Found::Nothing => Err(match self.found(call, place, id, None).await? {
                Found::Nothing => not_found(),
                Found::Value(_) | Found::Gone(..) => no_version(),
            }),
        }
    }

    async fn previous(&self, call: &Call, place: &Place, id: CanonicalId) -> Result<Secret> {
        let current = match self.found(call, place, id.clone(), None).await? {
            Found::Value(secret) => secret.version.and_then(|version| version.order).ok_or_else(malformed)?,
            Found::Gone(version, _) => version,
            Found::Nothing => return Err(not_found()),
        };
        let before = current.checked_sub(1).filter(|version| *version > 0).ok_or_else(no_version)?;
        match self.found(call, place, id, Some(before)).await? {
            Found::Value(secret) => Ok(*secret),
            Found::Gone(_, error) => Err(error),
            Found::Nothing => Err(no_version()),
        }
    }

    /// Has a credential made. The request is sent once, whatever comes of it: what was made on a lost answer is in the
    /// hands of nobody, and a second one would be too many.
    async fn credential(&self, call: &Call, place: &Place, id: CanonicalId) -> Result<Secret> {
        // These are read, not made.
        let is_static = place.is_static();
        if self.login.is_inline() && !is_static {
            return Err(Error::unsupported(
                "read what has a lease with `inline`: the lease would end with the request; log in without it",
            ));
        }
        let access = self.login.access(call, &self.http).await?;
        let path = format!("{}/{}", encoded(&place.mount), encoded(&place.path));
        let ask = access.on(Ask::get(path))?;
        let ask = if is_static { ask } else { ask.once() };
        let outcome = match self.http.send(call, &ask).await {
            Ok(response) => self
                .login
                .judged(call, &self.http, &access, response)
                .await
                .and_then(|response| made(&response, id, call.clock().wall(), is_static)),
            Err(error) => Err(error),
        };
        if is_static { outcome } else { outcome.map_err(|error| error.retry(Retry::Never)) }
    }

    async fn history(&self, call: &Call, name: &SecretName) -> Result<(CanonicalId, History)> {
        let place = self.place(call, name).await?;
        if place.kind != MountKind::Kv2 {
            return Err(Error::unsupported("describe it: only KV v2 keeps metadata"));
        }
        let path = format!("{}/metadata/{}", encoded(&place.mount), encoded(&place.path));
        let response = self.read(call, &path).await?;
        let history = Envelope::of(&response)?.data()?;
        Ok((self.id(&place)?, history))
    }

    /// The mounts that names with this prefix can be in, each with `/` at its end.
    async fn roots(&self, call: &Call, prefix: &str) -> Result<Vec<String>> {
        if let Some(place) = self.mounts.find_text(prefix) {
            return Ok(vec![format!("{}/", place.mount)]);
        }
        let is_kv = |(mount, kind): (String, MountKind)| (kind != MountKind::Dynamic).then(|| format!("{mount}/"));
        if self.login.is_inline() {
            return Ok(self.mounts.all().into_iter().filter_map(is_kv).collect());
        }
        let response = self.read(call, "sys/internal/ui/mounts").await?;
        let visible: Visible = Envelope::of(&response)?.data()?;
        let learned = visible.secret.iter().filter_map(|(path, info)| self.mounts.learn(path, info));
        Ok(learned.filter_map(is_kv).collect())
    }

    async fn list_inner(&self, call: &Call, prefix: &str, page: Page) -> Result<Paged<Metadata>> {
        let prefix = prefix.trim_start_matches('/');
        let roots = self.roots(call, prefix).await?;
        let mut walk = Walk {
            folders: &Listing { provider: self, call },
            prefix,
            after: page.token.unwrap_or_default(),
            limit: usize::from(page.limit.unwrap_or(PAGE).clamp(1, PAGE)),
            found: Vec::new(),
            read: 0,
        };
        let next = walk.run(roots).await?;
        let metadata =
            |name: SecretName| Metadata::new(CanonicalId { scope: self.scope.clone(), name: name.clone() }, name);
        Ok(Paged { items: walk.found.into_iter().map(metadata).collect(), next })
    }

    async fn lease(&self, call: &Call, path: &str, lease: &Lease, increment: bool) -> Result<Response<Bytes>> {
        let lease_id = lease
            .id
            .expose_text()
            .ok_or_else(|| Error::new(ErrorKind::Internal, "the lease is not one of this provider"))?;
        let increment = increment.then_some(lease.duration.as_secs());
        let sent = body(&LeaseBody { lease_id, increment }, 64 + 6 * lease_id.len())?;
        let response = self.send(call, Ask::post(path, sent)).await?;
        if response.status() == StatusCode::BAD_REQUEST {
            let message = "the lease is over or can't be renewed; read the secret again";
            return Err(Error::new(ErrorKind::NotFound, message).upstream("", 400));
        }
        Ok(response)
    }
}

/// The folders of one provider, for one call.
struct Listing<'a> {
    provider: &'a VaultProvider,
    call: &'a Call,
}

#[async_trait]
impl Folders for Listing<'_> {
    async fn keys(&self, folder: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Keys {
            keys: Vec<String>,
        }
        let Some(place) = self.provider.mounts.find_text(folder) else { return Ok(Vec::new()) };
        let below = encoded(&place.path);
        let mount = encoded(&place.mount);
        // A proxy may refuse the verb LIST; the parameter is the same.
        let path = match place.kind {
            MountKind::Kv2 => format!("{mount}/metadata/{below}?list=true"),
            MountKind::Kv1 | MountKind::Dynamic => format!("{mount}/{below}?list=true"),
        };
        let response = self.provider.read(self.call, &path).await?;
        match Envelope::of(&response).and_then(|envelope| envelope.data::<Keys>()) {
            Ok(data) => Ok(data.keys),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn not_a_secret() -> Error {
    Error::new(ErrorKind::InvalidName, "the name leads into the server itself; write `mount/path` of a secret")
}

fn not_found() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such secret").upstream("", 404)
}

fn no_version() -> Error {
    Error::new(ErrorKind::VersionNotFound, "there is no such version of the secret").upstream("", 404)
}

impl fmt::Debug for VaultProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultProvider").field("scope", &self.scope).finish_non_exhaustive()
    }
}

#[async_trait]
impl Provider for VaultProvider {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { versions: true, list: true, describe: true, leased: true, ..Capabilities::default() }
    }

    /// Vault takes a `/` before the mount, and takes no notice of it.
    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        SecretName::parse(name.as_str().strip_prefix('/')?).ok()
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(if is_number { Selector::Id(text.into()) } else { Selector::Label(text.into()) })
    }

    /// Known from the first read of the mount on. A static credential is kept by the server and can be read again.
    fn mints(&self, name: &SecretName) -> bool {
        self.mounts.find(name).is_some_and(|place| place.kind == MountKind::Dynamic && !place.is_static())
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.get_inner(call, name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let (id, history) =
            self.history(call, name).await.map_err(|error| error.during(Operation::Describe).on(name))?;
        let name = id.name.clone();
        Ok(history.metadata(id, name, call.clock().wall()))
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let named = |error: Error| error.during(Operation::Versions).on(name);
        let (_, history) = self.history(call, name).await.map_err(named)?;
        page_of(history.versions(call.clock().wall()).into_iter(), &page, PAGE).map_err(named)
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        if !filter.tags.is_empty() {
            return Err(Error::unsupported("filter by tags: a list tells names alone").during(Operation::List));
        }
        self.list_inner(call, prefix, page).await.map_err(|error| error.during(Operation::List))
    }

    async fn renew(&self, call: &Call, lease: &Lease) -> Result<Lease> {
        let renewed = async {
            let response = self.lease(call, "sys/leases/renew", lease, true).await?;
            Envelope::of(&response)?.lease().ok_or_else(malformed)
        };
        renewed.await.map_err(|error| error.during(Operation::Renew))
    }

    async fn revoke(&self, call: &Call, lease: &Lease) -> Result<()> {
        let revoked = async {
            let response = self.lease(call, "sys/leases/revoke", lease, false).await?;
            if response.status().is_success() { Ok(()) } else { Envelope::of(&response).map(|_| ()) }
        };
        revoked.await.map_err(|error| error.during(Operation::Revoke))
    }

    async fn check(&self, call: &Call) -> Result<()> {
        let checked = match self.read(call, "auth/token/lookup-self").await {
            Ok(response) => Envelope::of(&response).map(|_| ()),
            // There is no token to look up, and the login that came with the request was accepted.
            Err(error) if self.login.is_inline() && error.kind() == ErrorKind::Denied => Ok(()),
            Err(error) => Err(error),
        };
        checked.map_err(|error| error.during(Operation::Check))
    }
}
