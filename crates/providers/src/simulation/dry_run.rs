//! [`DryRun`]: a provider that says what it would ask another one, and asks nothing.

use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{
    Call, CanonicalId, Capabilities, Error, Filter, Metadata, Operation, Page, Paged, Pattern, Payload, Provider,
    Result, Rotation, Scope, Secret, SecretName, Selector, VersionInfo,
};

/// What every name is answered that no [`Placeholder`] fits.
const PLACEHOLDER: &str = "(dry run)";

/// What stands in for the values of some names.
#[derive(Debug, Clone)]
pub struct Placeholder {
    /// Which names.
    pub pattern: Pattern,
    /// The text; JSON where a key of it is read.
    pub text: Box<str>,
}

/// Another provider that is never asked. Every read is a line of the log and a placeholder; it can do nothing else,
/// since an empty list would say that there is nothing.
pub struct DryRun {
    inner: Arc<dyn Provider>,
    placeholders: Vec<Placeholder>,
}

impl DryRun {
    /// A dry run of this provider. The first placeholder that fits counts.
    pub fn new(inner: Arc<dyn Provider>, placeholders: Vec<Placeholder>) -> Self {
        Self { inner, placeholders }
    }
}

fn refused(operation: Operation, name: &str, what: &str) -> Error {
    tell(operation, name, "");
    Error::unsupported(&format!("{what} in a dry run: it asks nobody")).during(operation)
}

fn tell(operation: Operation, name: &str, selector: &str) {
    tracing::info!(operation = operation.as_str(), name, selector, "dry run: this would be asked");
}

#[async_trait]
impl Provider for DryRun {
    fn scope(&self) -> &Scope {
        self.inner.scope()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        self.inner.selector(text)
    }

    fn respelled(&self, name: &SecretName) -> Option<SecretName> {
        self.inner.respelled(name)
    }

    async fn get(&self, _: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        tell(Operation::Get, name.as_str(), selector.as_str());
        let placeholder = self.placeholders.iter().find(|placeholder| placeholder.pattern.matches(name.as_str()));
        let text = placeholder.map_or(PLACEHOLDER, |placeholder| &placeholder.text);
        let id = CanonicalId { scope: self.scope().clone(), name: name.clone() };
        Ok(Secret::new(id, name.clone(), Payload::text(text)))
    }

    async fn describe(&self, _: &Call, name: &SecretName) -> Result<Metadata> {
        Err(refused(Operation::Describe, name.as_str(), "describe a secret").on(name))
    }

    async fn versions(&self, _: &Call, name: &SecretName, _: Page) -> Result<Paged<VersionInfo>> {
        Err(refused(Operation::Versions, name.as_str(), "list versions").on(name))
    }

    async fn list(&self, _: &Call, prefix: &str, _: &Filter, _: Page) -> Result<Paged<Metadata>> {
        Err(refused(Operation::List, prefix, "list secrets"))
    }

    async fn rotate(&self, _: &Call, name: &SecretName) -> Result<Rotation> {
        Err(refused(Operation::Rotate, name.as_str(), "rotate a secret").on(name))
    }

    async fn check(&self, _: &Call) -> Result<()> {
        Ok(())
    }
}
