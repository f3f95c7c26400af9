//! [`Provider`]: a backend that can read secrets.

use async_trait::async_trait;
use futures_util::StreamExt;

use crate::{
    Call, Change, Error, Filter, Lease, Metadata, Page, Paged, Result, Rotation, Scope, Secret, SecretName, Selector,
    VersionInfo,
};

/// How many single reads [`Provider::get_many`] has under way at once, unless a provider has a batch call.
pub const GET_MANY_CONCURRENCY: usize = 8;

/// What a provider supports. What it can't do answers [`Unsupported`](crate::ErrorKind::Unsupported), not a surprise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent facts, read by name")]
pub struct Capabilities {
    /// Keeps older versions.
    pub versions: bool,
    /// Has labels that move between versions.
    pub labels: bool,
    /// Can list secrets.
    pub list: bool,
    /// Can describe a secret without reading its value.
    pub describe: bool,
    /// Can be asked to rotate.
    pub rotate: bool,
    /// Reads several secrets in one call.
    pub batch: bool,
    /// Tells of changes by itself.
    pub watch: bool,
    /// Makes secrets for one reader, with a lease.
    pub leased: bool,
}

/// A backend that can read secrets. One trait, usable behind `dyn`, with `Send` futures on every target.
///
/// A provider is a wire format and its error mapping, nothing else: it builds an [`http::Request`], hands it to its
/// [`Transport`](crate::Transport) and maps the answer. Retry, timeout, breaker, rate limit and metrics are put around
/// it by the upstream stack.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Whose secrets it reads.
    fn scope(&self) -> &Scope;

    /// What it supports.
    fn capabilities(&self) -> Capabilities;

    /// Classifies the text after `@` of a reference. In doubt it is a [`Selector::Label`], which has a TTL. `current`
    /// and `previous` never get here.
    fn selector(&self, text: &str) -> Result<Selector>;

    /// The name that this one is another spelling of, where the provider would read the same secret by both. Rights are
    /// decided on it, before anything is asked: a rule about a name holds however the name is written.
    fn respelled(&self, _name: &SecretName) -> Option<SecretName> {
        None
    }

    /// Whether a read of this name makes a new secret (a lease) instead of reading a kept one, as far as it is known.
    /// Such a read is never repeated once it was sent. Whoever can't know before the first read says no until then, and
    /// says [`Capabilities::leased`], so that the read runs to its end even when its caller goes away.
    fn mints(&self, _name: &SecretName) -> bool {
        false
    }

    /// Reads one secret.
    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret>;

    /// Reads several; the answers stand in the order asked for.
    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        futures_util::stream::iter(
            wanted.iter().map(|(name, selector)| self.get(call, name, selector)).collect::<Vec<_>>(),
        )
        .buffered(GET_MANY_CONCURRENCY)
        .collect()
        .await
    }

    /// What is known of a secret without its value.
    async fn describe(&self, _call: &Call, _name: &SecretName) -> Result<Metadata> {
        Err(Error::unsupported("describe a secret without reading it"))
    }

    /// The versions of a secret.
    async fn versions(&self, _call: &Call, _name: &SecretName, _page: Page) -> Result<Paged<VersionInfo>> {
        Err(Error::unsupported("list versions"))
    }

    /// Secrets whose name begins with the prefix and that match the filter.
    async fn list(&self, _call: &Call, _prefix: &str, _filter: &Filter, _page: Page) -> Result<Paged<Metadata>> {
        Err(Error::unsupported("list secrets"))
    }

    /// Asks the provider to rotate a secret now.
    async fn rotate(&self, _call: &Call, _name: &SecretName) -> Result<Rotation> {
        Err(Error::unsupported("rotate a secret"))
    }

    /// Prolongs a lease.
    async fn renew(&self, _call: &Call, _lease: &Lease) -> Result<Lease> {
        Err(Error::unsupported("renew a lease"))
    }

    /// Ends a lease.
    async fn revoke(&self, _call: &Call, _lease: &Lease) -> Result<()> {
        Err(Error::unsupported("revoke a lease"))
    }

    /// Whether the provider answers and accepts our login, without reading a secret.
    async fn check(&self, call: &Call) -> Result<()>;
}

/// What tells of changes: file edits, a Kubernetes watch, metadata polling.
#[async_trait]
pub trait ChangeSource: Send {
    /// Waits for the next Changes. Dropping the future loses none.
    async fn next(&mut self) -> Vec<Change>;

    /// Whether silence says that nothing has changed, so that a value may be kept for longer. A watch over the network may
    /// see nothing for a while, and nobody would know.
    fn misses_nothing(&self) -> bool {
        true
    }
}
