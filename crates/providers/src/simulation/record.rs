//! [`Record`]: a provider that answers what another one answers, and writes it down.

use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{
    Call, Capabilities, Filter, Lease, Metadata, Page, Paged, Provider, Result, Rotation, Scope, Secret, SecretName,
    Selector, VersionInfo,
};

use super::form::{Answer, Asked};
use super::recording::Writer;
use super::{Ports, Recording};

/// Another provider, recorded. Of a lease it writes that it was renewed or revoked, and nothing else.
pub struct Record {
    inner: Arc<dyn Provider>,
    writer: Writer,
}

impl Record {
    /// This provider, recorded there.
    ///
    /// # Errors
    /// When the key is missing or is not 32 bytes in base64, or when what is in the file can't be gone on with.
    pub fn new(inner: Arc<dyn Provider>, recording: Recording, ports: Ports) -> Result<Self> {
        let writer = Writer::new(recording, inner.capabilities(), ports)?;
        Ok(Self { inner, writer })
    }

    /// How many accesses were answered and could not be written down.
    #[cfg(test)]
    pub(super) fn lost(&self) -> u64 {
        self.writer.lost()
    }

    fn keep<T>(&self, asked: Asked, outcome: Result<T>) -> Result<T>
    where
        for<'a> Answer<'a>: From<&'a T>,
    {
        self.writer.write(vec![(asked, Answer::of(&outcome))]);
        outcome
    }
}

#[async_trait]
impl Provider for Record {
    fn scope(&self) -> &Scope {
        self.inner.scope()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        self.inner.selector(text)
    }

    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        self.inner.respelled(name)
    }

    fn mints(&self, name: &SecretName) -> bool {
        self.inner.mints(name)
    }

    async fn get(&self, call: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        let outcome = self.inner.get(call, name, selector).await;
        self.keep(Asked::get(name, selector), outcome)
    }

    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        let outcomes = self.inner.get_many(call, wanted).await;
        let accesses = wanted.iter().zip(&outcomes);
        let accesses = accesses.map(|((name, selector), outcome)| (Asked::get(name, selector), Answer::of(outcome)));
        self.writer.write(accesses.collect());
        outcomes
    }

    async fn describe(&self, call: &Call, name: &SecretName) -> Result<Metadata> {
        let outcome = self.inner.describe(call, name).await;
        self.keep(Asked::describe(name), outcome)
    }

    async fn versions(&self, call: &Call, name: &SecretName, page: Page) -> Result<Paged<VersionInfo>> {
        let asked = Asked::versions(name, &page);
        let outcome = self.inner.versions(call, name, page).await;
        self.keep(asked, outcome)
    }

    async fn list(&self, call: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        let asked = Asked::list(prefix, filter, &page);
        let outcome = self.inner.list(call, prefix, filter, page).await;
        self.keep(asked, outcome)
    }

    async fn rotate(&self, call: &Call, name: &SecretName) -> Result<Rotation> {
        let outcome = self.inner.rotate(call, name).await;
        self.keep(Asked::rotate(name), outcome)
    }

    async fn renew(&self, call: &Call, lease: &Lease) -> Result<Lease> {
        let outcome = self.inner.renew(call, lease).await;
        self.keep(Asked::Renew, outcome)
    }

    async fn revoke(&self, call: &Call, lease: &Lease) -> Result<()> {
        let outcome = self.inner.revoke(call, lease).await;
        self.keep(Asked::Revoke, outcome)
    }

    async fn check(&self, call: &Call) -> Result<()> {
        self.inner.check(call).await
    }
}
