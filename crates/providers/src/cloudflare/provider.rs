//! [`SecretsStore`]: names of ours, bindings of the Worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{
    Bindings, Call, CanonicalId, Capabilities, Error, ErrorKind, Filter, Metadata, Operation, Page, Paged, Payload,
    Provider, Result, Scope, ScopeParts, Secret, SecretName, Selector,
};

use crate::paging::page_of;

/// The longest value of the store in bytes (Cloudflare's documentation of Secrets Store, "Limits").
const MAX_BYTES: usize = 64 << 10;
/// How many items a list answers when nobody says.
const PAGE: u16 = 100;

/// Which names there are.
#[derive(Debug, Clone)]
pub struct SecretsStoreSettings {
    /// The binding that each name is read from.
    pub secrets: BTreeMap<String, String>,
    /// The environment of its scope.
    pub environment: String,
}

/// Cloudflare Secrets Store.
pub struct SecretsStore {
    scope: Scope,
    bindings: Arc<dyn Bindings>,
    names: BTreeMap<SecretName, Box<str>>,
}

impl SecretsStore {
    /// A store of these names.
    ///
    /// # Errors
    /// `Config` when a name can't be one, or a binding is not the name of a variable.
    pub fn new(settings: &SecretsStoreSettings, bindings: Arc<dyn Bindings>) -> Result<Self> {
        let names = settings
            .secrets
            .iter()
            .map(|(name, binding)| {
                let wrong = |what: &str| Error::new(ErrorKind::Config, format!("`secrets.\"{name}\"`: {what}"));
                let parsed = SecretName::parse(name).map_err(|error| wrong(&error.to_string()))?;
                let is_variable = |text: &str| {
                    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                        && text.starts_with(|first: char| !first.is_ascii_digit())
                };
                if !is_variable(binding) {
                    return Err(wrong("this is no name of a binding; write it as in `secrets_store_secrets`"));
                }
                Ok((parsed, binding.as_str().into()))
            })
            .collect::<Result<_>>()?;
        let scope = Scope::new(ScopeParts {
            provider: "cloudflare-secrets-store".into(),
            environment: settings.environment.clone(),
            ..ScopeParts::default()
        });
        Ok(Self { scope, bindings, names })
    }

    async fn read(&self, name: &SecretName, selector: &Selector) -> Result<Secret> {
        if *selector != Selector::Current {
            return Err(Error::unsupported("read another version than the current one: the store keeps one alone"));
        }
        let binding = self.names.get(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "no binding is named for this secret; add it to `secrets`")
        })?;
        let value = self.bindings.secret(binding).await?;
        if value.len() > MAX_BYTES {
            let message = format!("the value is longer than the {MAX_BYTES} bytes that the store can hold");
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        // A Worker can't tell which secret of the store a binding is: two names of one binding are two secrets here.
        let id = CanonicalId { scope: self.scope.clone(), name: name.clone() };
        Ok(Secret::new(id, name.clone(), Payload::text(value)))
    }
}

#[async_trait]
impl Provider for SecretsStore {
    fn scope(&self) -> &Scope {
        &self.scope
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { list: true, ..Capabilities::default() }
    }

    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(Selector::Label(text.into()))
    }

    async fn get(&self, _: &Call, name: &SecretName, selector: &Selector) -> Result<Secret> {
        self.read(name, selector).await.map_err(|error| error.during(Operation::Get).on(name))
    }

    /// The names that the configuration has: the store itself tells none.
    async fn list(&self, _: &Call, prefix: &str, filter: &Filter, page: Page) -> Result<Paged<Metadata>> {
        if !filter.tags.is_empty() {
            return Err(Error::unsupported("filter by tags: the store tells none").during(Operation::List));
        }
        let metadata = |name: &SecretName| {
            Metadata::new(CanonicalId { scope: self.scope.clone(), name: name.clone() }, name.clone())
        };
        let found = self.names.keys().filter(|name| name.as_str().starts_with(prefix)).map(metadata);
        page_of(found, &page, PAGE).map_err(|error| error.during(Operation::List))
    }

    /// Whether the host has bindings at all: asking for one would be to read a value.
    async fn check(&self, _: &Call) -> Result<()> {
        self.bindings.available().map_err(|error| error.during(Operation::Check))
    }
}
