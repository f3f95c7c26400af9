use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, Payload, Provider, Retry, SecretName, Selector, Spawn, VersionState};
use lockstep_testkit::contract::{self, Harness, Shape};
use lockstep_testkit::{ManualClock, TokioSpawn, call};

use super::{MockProvider, MockSecret, MockSettings};

struct MockWorld {
    provider: MockProvider,
    clock: Arc<ManualClock>,
}

#[async_trait]
impl Harness for MockWorld {
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
        self.provider.put(name, crate::payload::duplicate(payload));
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

fn name(text: &str) -> SecretName {
    SecretName::parse(text).unwrap()
}

fn mock(secrets: impl IntoIterator<Item = (&'static str, MockSecret)>) -> MockProvider {
    let secrets: BTreeMap<_, _> = secrets.into_iter().map(|(name, secret)| (name.to_owned(), secret)).collect();
    MockProvider::new(MockSettings { secrets, ..MockSettings::default() }).unwrap()
}

#[tokio::test]
async fn it_keeps_the_contract() {
    let world = MockWorld { provider: mock([]), clock: ManualClock::new() };
    let ran = contract::run(&world).await;
    for section in ["by id", "previous", "versions", "describe", "list"] {
        assert!(ran.contains(&section), "{section} in {ran:?}");
    }
}

#[tokio::test]
async fn it_fails_in_every_way_that_it_is_told_to() {
    let clock = ManualClock::new();
    for kind in ErrorKind::ALL {
        let mock = mock([("a", MockSecret::failing(kind)), ("b", MockSecret::text("x"))]);
        let error = mock.get(&call(&clock), &name("a"), &Selector::Current).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(mock.get(&call(&clock), &name("b"), &Selector::Current).await.is_ok());
        mock.fail(Some(kind));
        assert_eq!(mock.get(&call(&clock), &name("b"), &Selector::Current).await.unwrap_err().kind(), kind);
        assert_eq!(mock.check(&call(&clock)).await.unwrap_err().kind(), kind);
        assert_eq!(mock.calls(), 4);
    }
}

#[tokio::test]
async fn a_rotation_brings_the_next_value_until_none_is_left() {
    let clock = ManualClock::new();
    let secret = MockSecret { rotations: vec![Payload::text("two")], ..MockSecret::text("one") };
    let mock = mock([("a", secret)]);
    let rotation = mock.rotate(&call(&clock), &name("a")).await.unwrap();
    let current = mock.get(&call(&clock), &name("a"), &Selector::Current).await.unwrap();
    assert_eq!((current.payload, current.version), (Payload::text("two"), rotation.version));
    let error = mock.rotate(&call(&clock), &name("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::RotationNotConfigured, Retry::Never));
}

#[tokio::test]
async fn a_delay_passes_on_the_clock() {
    let clock = ManualClock::new();
    let slow = MockSecret { delay: Duration::from_secs(2), ..MockSecret::text("one") };
    let mock = Arc::new(mock([("a", slow)]));
    let (done, is_done) = tokio::sync::oneshot::channel();
    let slow_call = call(&clock);
    TokioSpawn.spawn(Box::pin(async move {
        let _ = done.send(mock.get(&slow_call, &name("a"), &Selector::Current).await.is_ok());
    }));
    clock.until_sleeping(1).await;
    assert_eq!(clock.advance_to_next(), Some(Duration::from_secs(2)));
    assert_eq!(is_done.await, Ok(true));
}

/// M1: break `Debug` of `SecretValue`, or derive it for `MockProvider`'s map.
#[test]
fn m1_settings_and_provider_print_no_value() {
    let settings = MockSettings {
        secrets: BTreeMap::from([("a".to_owned(), MockSecret::text("c4n4ry"))]),
        ..MockSettings::default()
    };
    assert!(!format!("{settings:?}").contains("c4n4ry"));
    assert!(!format!("{:?}", MockProvider::new(settings).unwrap()).contains("c4n4ry"));
}
