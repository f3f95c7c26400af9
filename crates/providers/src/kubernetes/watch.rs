//! [`KubernetesChanges`]: what happens to the Secrets of a namespace, or to single ones, as Changes.
//!
//! Each watch lists, then watches from where the list was, and goes on from the last event or bookmark when the server
//! ends it. History that is gone (410) means listing again: what is different then is what happened meanwhile. Only
//! metadata are asked for. Nothing is lost by dropping [`next`](ChangeSource::next), and nothing is asked twice: what a
//! watch waits for stays here, and the next call waits on.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::select_all;
use http::Method;
use lockstep_core::{
    Call, Change, ChangeKind, ChangeSource, ChangedName, Error, ErrorKind, Random, Result, Retry, SecretName, Source,
    fraction,
};

use super::access::{METADATA, METADATA_LIST};
use super::answer::{self, Bookmark, Event, Partial};
use super::client::{Client, LoggedIn};
use super::lines::Lines;
use super::name::{Place, secrets};
use super::provider::{KubernetesProvider, queried};
use super::status::{Status, error_of_event};
use crate::body::{malformed, unexpected};
use crate::exchange::bounded;
use crate::json;

/// How long the server is asked to keep a watch open. It is opened again at once, so a connection that died in silence is
/// noticed this soon.
const OPEN: Duration = Duration::from_mins(2);
/// The server may be a little late with its end.
const IDLE: Duration = Duration::from_secs(150);
/// What one request that is not a watch may take, its login included.
const TIME: Duration = Duration::from_secs(30);
/// Items of one page.
const PAGE: u16 = 100;
/// The pauses between attempts, before a random part is taken off.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A watch that ended sooner than this, and told nothing, was no success.
const TOO_SHORT: Duration = Duration::from_secs(5);

/// A watch on its way to what it tells next.
type Next = Pin<Box<dyn Future<Output = (Watch, Vec<Change>)> + Send>>;

/// Watches what the settings of its provider say.
pub struct KubernetesChanges {
    /// One per watch. Made anew for each call, the requests of all others would be broken off whenever one tells
    /// something.
    waiting: Vec<Next>,
}

impl KubernetesChanges {
    /// Watches that begin with the first [`next`](ChangeSource::next). `call` is what theirs are made from: its clock
    /// counts, its deadline does not.
    pub fn new(provider: &KubernetesProvider, call: &Call) -> Self {
        let source = Source {
            provider: "kubernetes".into(),
            account: lockstep_core::Provider::scope(provider).parts().account.clone(),
            region: String::new(),
        };
        let watch = |name: Option<SecretName>| Watch {
            client: Arc::clone(&provider.client),
            random: Arc::clone(&provider.random),
            call: call.clone(),
            source: source.clone(),
            name,
            known: None,
            open: None,
            failed: None,
            failures: 0,
            not_before: Duration::ZERO,
        };
        let names = &provider.watch_names;
        let waiting = if names.is_empty() {
            vec![next_of(watch(None))]
        } else {
            names.iter().cloned().map(|name| next_of(watch(Some(name)))).collect()
        };
        Self { waiting }
    }
}

#[async_trait]
impl ChangeSource for KubernetesChanges {
    async fn next(&mut self) -> Vec<Change> {
        let ((watch, changes), at, _) = select_all(self.waiting.iter_mut()).await;
        // The first that is ready is taken, so who has told something goes behind all others.
        drop(self.waiting.remove(at));
        self.waiting.push(next_of(watch));
        changes
    }

    /// The TTL stays what it is without a watch.
    fn misses_nothing(&self) -> bool {
        false
    }
}

/// Waits for what this watch tells next, and gives it back.
fn next_of(mut watch: Watch) -> Next {
    Box::pin(async move {
        let changes = watch.next().await;
        (watch, changes)
    })
}

/// The names to watch, each a Secret that could be.
pub(super) fn names(texts: &[String], namespace: Option<&str>) -> Result<Vec<SecretName>> {
    let name = |text: &String| {
        let name = SecretName::parse(text)?;
        // The namespace of the login is not known yet; any will do to look at the rest.
        Place::of(&name, namespace.or(Some("default"))).map(|_| name)
    };
    texts.iter().map(name).collect()
}

/// One watch: of a namespace, or of one Secret in it.
struct Watch {
    client: Arc<Client>,
    random: Arc<dyn Random>,
    call: Call,
    source: Source,
    name: Option<SecretName>,
    /// What is there, as far as it was told; nothing before the first list, and from where to watch on.
    known: Option<Known>,
    open: Option<Open>,
    /// What failed last, until something works again.
    failed: Option<ErrorKind>,
    failures: u32,
    /// Nothing is asked before this, by the monotonic clock.
    not_before: Duration,
}

struct Known {
    /// Where to watch on; nothing once that is too long ago.
    from: Option<String>,
    /// The version of each Secret.
    versions: BTreeMap<SecretName, String>,
}

/// A watch that the server has opened.
struct Open {
    lines: Lines,
    since: Duration,
    /// Whether it has told anything.
    told: bool,
}

impl Watch {
    async fn next(&mut self) -> Vec<Change> {
        loop {
            let wait = self.not_before.saturating_sub(self.now());
            if !wait.is_zero() {
                Arc::clone(self.call.clock()).sleep(wait).await;
            }
            match self.step().await {
                Ok(changes) if changes.is_empty() => {}
                Ok(changes) => return changes,
                Err(error) => self.failed(&error),
            }
        }
    }

    fn now(&self) -> Duration {
        self.call.clock().monotonic()
    }

    /// Lists, or opens a watch, or waits for its next line: what is to be done next.
    async fn step(&mut self) -> Result<Vec<Change>> {
        let from = match &self.known {
            Some(Known { from: Some(from), .. }) => from.clone(),
            _ => return self.list().await,
        };
        let Some(open) = &mut self.open else {
            let lines = self.watch(&from).await.inspect_err(|error| self.forget_if_gone(error))?;
            self.open = Some(Open { lines, since: self.now(), told: false });
            return Ok(Vec::new());
        };
        let line = open.lines.next().await;
        let (since, told) = (open.since, open.told);
        match line {
            Ok(Some(line)) => {
                open.told = true;
                let changes = self.event(&line).inspect_err(|error| {
                    // Whatever the line was, what comes after it is not to be read as if it had been understood.
                    self.open = None;
                    self.forget_if_gone(error);
                })?;
                self.works();
                Ok(changes)
            }
            Ok(None) => {
                self.open = None;
                if !told && self.now().saturating_sub(since) < TOO_SHORT {
                    return Err(Error::new(ErrorKind::Unavailable, "the server ends the watch as soon as it is open"));
                }
                self.works();
                Ok(Vec::new())
            }
            Err(error) => {
                self.open = None;
                Err(error)
            }
        }
    }

    fn works(&mut self) {
        if self.failed.take().is_some() {
            tracing::info!(watched = %self.watched(), "the watch of Kubernetes Secrets works again");
        }
        self.failures = 0;
    }

    /// Sets the next attempt off: later with each failure, never at the moment of all others, and not before the server
    /// wants it.
    fn failed(&mut self, error: &Error) {
        if self.failed != Some(error.kind()) {
            tracing::warn!(watched = %self.watched(), %error, "Kubernetes Secrets are not watched; the TTL holds meanwhile");
            self.failed = Some(error.kind());
        }
        let ceiling = SHORTEST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        let pause = ceiling.mul_f64(1.0 - 0.5 * fraction(&*self.random));
        let asked = if let Retry::After(Some(pause)) = error.retry_hint() { pause } else { Duration::ZERO };
        self.not_before = self.now().saturating_add(pause.max(asked));
    }

    /// After 410 the history that would be watched on is no more.
    fn forget_if_gone(&mut self, error: &Error) {
        if error.upstream_status() == Some(410)
            && let Some(known) = &mut self.known
        {
            known.from = None;
        }
    }

    fn watched(&self) -> &str {
        self.name.as_ref().map_or("all of the namespace", SecretName::as_str)
    }

    /// The namespace, and the query that names the one Secret.
    fn place(&self, access: &LoggedIn) -> Result<(String, Option<(&'static str, String)>)> {
        let own = access.credential.namespace.as_deref();
        let Some(name) = &self.name else {
            let namespace = own.ok_or_else(|| {
                let message = "there is no namespace to watch; set `namespace`";
                Error::new(ErrorKind::Config, message)
            })?;
            return Ok((namespace.to_owned(), None));
        };
        let place = Place::of(name, own)?;
        Ok((place.namespace, Some(("fieldSelector", format!("metadata.name={}", place.secret)))))
    }

    /// Lists all that is watched, and tells what is different from what was known.
    async fn list(&mut self) -> Result<Vec<Change>> {
        let call = self.call.detached(TIME);
        let access = self.client.access(&call).await?;
        let (namespace, one) = self.place(&access)?;
        let (mut versions, mut next) = (BTreeMap::new(), None);
        let from = loop {
            let mut query = vec![("limit", PAGE.to_string())];
            query.extend(one.clone());
            query.extend(next.take().map(|token| ("continue", token)));
            let path = queried(secrets(&namespace), &query);
            let request = access.credential.request(Method::GET, &path, METADATA_LIST, Bytes::new())?;
            // Each page has its own time: there may be many.
            let response = self.client.send(&self.call.detached(TIME), &access, request).await?;
            let page = answer::list(response, &namespace)?;
            for item in &page.items {
                versions.insert(item.metadata.named()?, item.metadata.version()?);
            }
            next = page.metadata.next;
            if next.is_none() {
                break page.metadata.resource_version;
            }
        };
        if from.is_empty() {
            return Err(unexpected("is a list without a resourceVersion"));
        }
        let before = self.known.take().map(|known| known.versions).unwrap_or_default();
        let mut changes = Vec::new();
        for (name, version) in &versions {
            if before.get(name) != Some(version) {
                changes.push(self.change(name, version, ChangeKind::Updated));
            }
        }
        for (name, version) in before.iter().filter(|(name, _)| !versions.contains_key(*name)) {
            changes.push(self.change(name, version, ChangeKind::Deleted));
        }
        self.known = Some(Known { from: Some(from), versions });
        Ok(changes)
    }

    async fn watch(&mut self, from: &str) -> Result<Lines> {
        let call = self.call.detached(TIME);
        let access = self.client.access(&call).await?;
        let (namespace, one) = self.place(&access)?;
        let mut query = vec![
            ("watch", "1".to_owned()),
            ("allowWatchBookmarks", "true".to_owned()),
            ("resourceVersion", from.to_owned()),
            ("timeoutSeconds", OPEN.as_secs().to_string()),
        ];
        query.extend(one);
        let path = queried(secrets(&namespace), &query);
        let request = access.credential.request(Method::GET, &path, METADATA, Bytes::new())?;
        self.client.watch(&call, &access, request, IDLE).await
    }

    /// What one line of the watch tells.
    fn event(&mut self, line: &[u8]) -> Result<Vec<Change>> {
        bounded(line, self.client.members)?;
        let event: Event<'_> = json::read(line).map_err(|error| malformed(&error))?;
        let object = event.object.get();
        let kind = match event.kind.as_str() {
            "ADDED" | "MODIFIED" => ChangeKind::Updated,
            "DELETED" => ChangeKind::Deleted,
            "BOOKMARK" => {
                let bookmark: Bookmark = json::read(object.as_bytes()).map_err(|error| malformed(&error))?;
                self.came_to(bookmark.metadata.resource_version);
                return Ok(Vec::new());
            }
            "ERROR" => {
                let status: Status = json::read(object.as_bytes()).map_err(|error| malformed(&error))?;
                return Err(error_of_event(&status));
            }
            _ => return Err(unexpected("is an event of a kind that the API does not have")),
        };
        let Partial { metadata } = json::read(object.as_bytes()).map_err(|error| malformed(&error))?;
        let (name, version) = (metadata.named()?, metadata.version()?);
        let change = self.change(&name, &version, kind);
        self.came_to(metadata.resource_version);
        let Some(known) = &mut self.known else { return Ok(Vec::new()) };
        let is_news = match kind {
            ChangeKind::Deleted => known.versions.remove(&name).is_some(),
            _ => known.versions.insert(name, version.clone()) != Some(version),
        };
        Ok(if is_news { vec![change] } else { Vec::new() })
    }

    fn came_to(&mut self, version: String) {
        if let Some(known) = &mut self.known
            && !version.is_empty()
        {
            known.from = Some(version);
        }
    }

    /// Many may watch the same, so the id says what happened and not who saw it.
    fn change(&self, name: &SecretName, version: &str, kind: ChangeKind) -> Change {
        let deleted = kind == ChangeKind::Deleted;
        // One life of a name ends once, whether it was seen in an event or missed in a list.
        let uid = version.split_once('.').map_or(version, |(uid, _)| uid);
        let id = if deleted { format!("kubernetes-{uid}-deleted") } else { format!("kubernetes-{version}") };
        Change {
            id: id.into(),
            source: self.source.clone(),
            name: ChangedName::one(name),
            label: None,
            version: (!deleted).then(|| version.into()),
            kind,
            // An event has no time of its own.
            at: self.call.clock().wall(),
        }
    }
}
