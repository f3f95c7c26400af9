//! The providers that ask no server: a file and bindings, in memory here, and the mock.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::{Call, Encoding, ErrorKind, Field, Payload, Provider, SecretName, Selector, VersionState};
use lockstep_providers::cloudflare::{SecretsStore, SecretsStoreSettings};
use lockstep_providers::file::{FileProvider, FileSettings};
use lockstep_providers::mock::{MockProvider, MockSettings};
use lockstep_testkit::TestBindings;
use lockstep_testkit::contract::{Harness, Shape, WORDS};
use serde_json::{Map, Value, json};

use crate::bench::{Bench, name, text, whole};

const PATH: &str = "/suite.json";

pub(crate) struct InFile {
    bench: Bench,
    provider: FileProvider,
    secrets: Mutex<Map<String, Value>>,
}

impl InFile {
    pub(crate) fn new(bench: Bench) -> Self {
        bench.files.write(PATH, "{}");
        let provider = FileProvider::new(FileSettings::new(PATH), bench.files.clone(), &*bench.random);
        let provider = provider.unwrap_or_else(|error| panic!("the file: {error:?}"));
        Self { bench, provider, secrets: Mutex::default() }
    }

    fn write(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut secrets = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut secrets);
        self.bench.files.write(PATH, Value::from(secrets.clone()).to_string());
    }
}

#[async_trait]
impl Harness for InFile {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite/{word}"))
    }

    fn prefix(&self) -> String {
        "suite/".into()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let value = match payload {
            Payload::Whole(field) if field.encoding == Encoding::Binary => {
                json!({ "binary": STANDARD.encode(field.value.expose()) })
            }
            Payload::Whole(field) => text(field).into(),
            Payload::Fields(fields) => fields.iter().map(|(key, field)| (key.to_string(), text(field))).collect(),
        };
        self.write(|secrets| {
            secrets.insert(name.as_str().to_owned(), value);
        });
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.write(|secrets| {
            secrets.remove(name.as_str());
        });
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary, Shape::Fields]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("1".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Label("3".into())), ("blue", Selector::Label("blue".into()))]
    }
}

pub(crate) struct InMock {
    bench: Bench,
    provider: MockProvider,
}

impl InMock {
    pub(crate) fn new(bench: Bench) -> Self {
        let provider = MockProvider::new(MockSettings::default());
        Self { bench, provider: provider.unwrap_or_else(|error| panic!("the mock: {error:?}")) }
    }
}

#[async_trait]
impl Harness for InMock {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite/{word}"))
    }

    fn prefix(&self) -> String {
        "suite/".into()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let copy = |field: &Field| Field { value: field.value.expose().into(), encoding: field.encoding };
        let payload = match payload {
            Payload::Whole(field) => Payload::Whole(copy(field)),
            Payload::Fields(fields) => {
                Payload::Fields(fields.iter().map(|(key, field)| (key.clone(), copy(field))).collect())
            }
        };
        self.provider.put(name, payload);
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.provider.mark(name, VersionState::Deleted);
        ErrorKind::Deleted
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary, Shape::Fields]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("999".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Id("3".into())), ("blue", Selector::Label("blue".into()))]
    }
}

/// Cloudflare's Secrets Store, as a Worker sees it.
pub(crate) struct InBindings {
    bench: Bench,
    provider: SecretsStore,
    bindings: Arc<TestBindings>,
}

impl InBindings {
    pub(crate) fn new(bench: Bench) -> Self {
        let bindings = TestBindings::of(&[]);
        let names = WORDS.iter().map(|word| format!("suite/{word}"));
        let secrets = names.map(|name| (name.clone(), binding(&name))).collect();
        let settings = SecretsStoreSettings { secrets, environment: String::new() };
        let provider = SecretsStore::new(&settings, bindings.clone());
        Self { bench, provider: provider.unwrap_or_else(|error| panic!("the bindings: {error:?}")), bindings }
    }
}

/// The binding of a name of the suite.
fn binding(name: &str) -> String {
    name.replace(|other: char| !other.is_ascii_alphanumeric(), "_")
}

#[async_trait]
impl Harness for InBindings {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite/{word}"))
    }

    fn prefix(&self) -> String {
        "suite/".into()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        self.bindings.set(&binding(name.as_str()), text(whole(payload)));
    }

    /// A binding whose secret is gone throws, like one that can't be read now.
    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.bindings.unset(&binding(name.as_str()));
        ErrorKind::Unavailable
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("1".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Label("3".into()))]
    }
}
