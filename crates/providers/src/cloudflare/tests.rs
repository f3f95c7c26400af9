use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Field, Payload, Provider, Secret, SecretName, Selector};
use lockstep_testkit::contract::{self, Harness, Shape, WORDS};
use lockstep_testkit::{ManualClock, TestBindings, call};

use super::{SecretsStore, SecretsStoreSettings};

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn store(secrets: &[(&str, &str)], bindings: &Arc<TestBindings>) -> lockstep_core::Result<SecretsStore> {
    let secrets = secrets.iter().map(|&(name, binding)| (name.to_owned(), binding.to_owned())).collect();
    SecretsStore::new(&SecretsStoreSettings { secrets, environment: String::new() }, bindings.clone())
}

#[tokio::test]
async fn a_name_is_read_from_its_binding_and_from_no_other() {
    let bindings = TestBindings::of(&[("DB", "c4n4ry")]);
    let store = store(&[("db/creds", "DB")], &bindings).unwrap();
    let call = call(&ManualClock::new());
    let secret: Secret = store.get(&call, &name("db/creds"), &Selector::Current).await.unwrap();
    assert_eq!(secret.payload, Payload::text("c4n4ry"));
    assert!(!format!("{secret:?}").contains("c4n4ry"));
    let error = store.get(&call, &name("DB"), &Selector::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "a binding is no name");
    assert!(error.message().contains("`secrets`"), "{error}");
}

/// Break: any check in `SecretsStore::new`.
#[test]
fn a_wrong_name_or_binding_says_what_to_write() {
    for (secret, binding, hint) in [("a//b", "B", "empty segment"), ("a", "1B", "binding"), ("a", "B-C", "binding")] {
        let error = store(&[(secret, binding)], &TestBindings::of(&[])).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains(hint) && error.message().contains(secret), "{error}");
    }
}

/// Break: leave the check of `MAX_BYTES` out, or pass the binding's error on as NotFound.
#[tokio::test]
async fn what_a_binding_throws_is_no_answer_about_the_secret() {
    let bindings = TestBindings::of(&[("LONG", &"x".repeat((64 << 10) + 1))]);
    let store = store(&[("long", "LONG"), ("gone", "GONE")], &bindings).unwrap();
    let call = call(&ManualClock::new());
    let kind = async |of: &str| store.get(&call, &name(of), &Selector::Current).await.unwrap_err().kind();
    assert_eq!(kind("long").await, ErrorKind::TooLarge);
    assert_eq!(kind("gone").await, ErrorKind::Unavailable);
}

struct World {
    provider: SecretsStore,
    bindings: Arc<TestBindings>,
    clock: Arc<ManualClock>,
}

/// The binding of a name of the suite.
fn binding(name: &str) -> String {
    name.replace(|other: char| !other.is_ascii_alphanumeric(), "_")
}

#[async_trait]
impl Harness for World {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }
    fn call(&self) -> Call {
        call(&self.clock)
    }
    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite/{word}"))
    }
    fn prefix(&self) -> String {
        "suite/".into()
    }
    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Whole(Field { value, .. }) = payload else { panic!("it keeps whole texts") };
        self.bindings.set(&binding(name.as_str()), value.expose_text().unwrap());
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

#[tokio::test]
async fn a_store_keeps_the_contract_as_far_as_it_can() {
    let bindings = TestBindings::of(&[]);
    let names: Vec<_> = WORDS.iter().map(|word| format!("suite/{word}")).collect();
    let secrets = names.iter().map(|name| (name.clone(), binding(name))).collect();
    let settings = SecretsStoreSettings { secrets, environment: String::new() };
    let provider = SecretsStore::new(&settings, bindings.clone()).unwrap();
    let ran = contract::run(&World { provider, bindings, clock: ManualClock::new() }).await;
    assert!(ran.contains(&"list by prefix") && ran.contains(&"unsupported"), "{ran:?}");
}
