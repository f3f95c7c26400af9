//! A replay answers what was answered then.

use std::time::Duration;

use async_trait::async_trait;
use lockstep_core::{
    CanonicalId, Capabilities, Encoding, Error, ErrorKind, Field, Filter, Lease, Metadata, Page, Paged, Payload, Retry,
    Rotation, Scope, ScopeParts, UnixMillis, Version, VersionInfo, VersionState,
};
use lockstep_testkit::contract::{self, Harness, Shape};

use super::*;
use crate::payload::duplicate;

/// The suite over a recorded mock, and then over nothing but its recording.
struct Suite<'a> {
    studio: &'a Studio,
    provider: Box<dyn Provider>,
    mock: Option<Arc<MockProvider>>,
}

#[async_trait]
impl Harness for Suite<'_> {
    fn provider(&self) -> &dyn Provider {
        &*self.provider
    }
    fn call(&self) -> Call {
        self.studio.call()
    }
    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite/{word}"))
    }
    fn prefix(&self) -> String {
        "suite/".into()
    }
    async fn put(&self, name: &SecretName, payload: &Payload) {
        if let Some(mock) = &self.mock {
            mock.put(name, duplicate(payload));
        }
    }
    async fn delete(&self, name: &SecretName) -> ErrorKind {
        if let Some(mock) = &self.mock {
            mock.mark(name, VersionState::Deleted);
        }
        ErrorKind::Deleted
    }
    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary, Shape::Fields]
    }
    fn missing_version(&self) -> Selector {
        Selector::Id("999".into())
    }
    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("999", Selector::Id("999".into())), ("blue", Selector::Label("blue".into()))]
    }
}

/// Break: in `Replay::next` answer the last one always, or leave the error's kind out of `Failed`.
#[tokio::test]
async fn a_recorded_provider_keeps_the_contract_and_so_does_its_recording_alone() {
    let studio = Studio::new();
    let mock = mock(&[]);
    let recorded = Suite { studio: &studio, provider: Box::new(studio.record(&mock)), mock: Some(mock.clone()) };
    let ran = contract::run(&recorded).await;
    let asked = mock.calls();
    let replayed = Suite { studio: &studio, provider: Box::new(studio.replay()), mock: None };
    assert_eq!(contract::run(&replayed).await, ran);
    assert_eq!(mock.calls(), asked, "the provider was not asked again");
    assert_eq!(studio.files.reads(FILE), 1, "and the recording was read once");
}

/// Answers everything that an answer can have.
struct Everything(Scope);

impl Everything {
    fn new() -> Arc<Self> {
        Arc::new(Self(Scope::new(ScopeParts { provider: "everything".into(), ..ScopeParts::default() })))
    }

    fn id(&self) -> CanonicalId {
        CanonicalId { scope: self.0.located("123456789012", "eu-west-1"), name: name("arn:x:db/creds") }
    }

    fn metadata(&self) -> Metadata {
        Metadata {
            version: Some(Version::number(7)),
            description: Some("what it \"is\" for".into()),
            tags: [("team".to_owned(), "päy".to_owned())].into(),
            created: Some(UnixMillis(1)),
            changed: Some(UnixMillis(2)),
            next_rotation: Some(UnixMillis(3)),
            rotation_enabled: Some(true),
            deleted: Some(UnixMillis(4)),
            ..Metadata::new(self.id(), name("db/creds"))
        }
    }

    fn refusal() -> Error {
        let error = Error::new(ErrorKind::Throttled, "too \"many\" calls");
        error.retry(Retry::After(Some(Duration::from_secs(3)))).upstream("ThrottlingException", 400)
    }
}

fn lease() -> Lease {
    Lease { id: "c4n4ry-of-a-lease".into(), duration: Duration::from_mins(1), renewable: true }
}

#[async_trait]
impl Provider for Everything {
    fn scope(&self) -> &Scope {
        &self.0
    }
    fn capabilities(&self) -> Capabilities {
        let can = Capabilities { versions: true, labels: true, list: true, describe: true, ..Capabilities::default() };
        Capabilities { rotate: true, batch: true, watch: true, leased: true, ..can }
    }
    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(Selector::Label(text.into()))
    }
    fn mints(&self, name: &SecretName) -> bool {
        name.as_str() == "minted"
    }
    async fn get(&self, _: &Call, asked: &SecretName, selector: &Selector) -> Result<Secret> {
        if *selector == Selector::Previous {
            return Err(Self::refusal());
        }
        let field = |bytes: &[u8], encoding| Field { value: bytes.into(), encoding };
        let fields = [
            ("text", field(b"c4n4ry \"quoted\" \n", Encoding::Text)),
            ("bytes", field(&[0, 159, 255], Encoding::Binary)),
            ("empty", field(b"", Encoding::Text)),
            ("json", field(b"{\"a\": 1.50}", Encoding::Json)),
        ];
        Ok(Secret {
            version: Some(Version::unordered("uuid")),
            labels: vec!["AWSCURRENT".into(), "it's".into()],
            created: Some(UnixMillis(11)),
            expires: Some(UnixMillis(12)),
            lease: (asked.as_str() == "minted").then(lease),
            attributes: [("Type", "SecureString".into()), ("DataType", "text".into())].into(),
            ..Secret::new(self.id(), name("db/creds"), Payload::Fields(fields.map(|(n, f)| (n.into(), f)).into()))
        })
    }
    async fn describe(&self, _: &Call, _: &SecretName) -> Result<Metadata> {
        Ok(self.metadata())
    }
    async fn versions(&self, _: &Call, _: &SecretName, _: Page) -> Result<Paged<VersionInfo>> {
        let states = [VersionState::Enabled, VersionState::Disabled, VersionState::Deleted, VersionState::Destroyed];
        let info = |state| VersionInfo {
            version: Version::number(3),
            labels: vec!["l".into()],
            created: Some(UnixMillis(5)),
            state,
        };
        Ok(Paged { items: states.map(info).into(), next: Some("next".into()) })
    }
    async fn list(&self, _: &Call, _: &str, _: &Filter, _: Page) -> Result<Paged<Metadata>> {
        Ok(Paged { items: vec![self.metadata()], next: None })
    }
    async fn rotate(&self, _: &Call, _: &SecretName) -> Result<Rotation> {
        Ok(Rotation { version: Some(Version::number(8)) })
    }
    async fn renew(&self, _: &Call, _: &Lease) -> Result<Lease> {
        Ok(lease())
    }
    async fn revoke(&self, _: &Call, _: &Lease) -> Result<()> {
        Ok(())
    }
    async fn check(&self, _: &Call) -> Result<()> {
        Ok(())
    }
}

/// Break: leave any member out of `form`.
#[tokio::test]
async fn every_part_of_an_answer_comes_back_but_the_lease() {
    let (studio, everything) = (Studio::new(), Everything::new());
    let record = studio.record(&everything);
    let (call, creds, part) = (studio.call(), name("db/creds"), Page { token: Some("t".into()), limit: Some(2) });
    let filter = Filter { tags: vec![("team".into(), Some("päy".into())), ("any".into(), None)] };
    let replay = studio.replay();
    for provider in [&record as &dyn Provider, &replay] {
        let here = |mut id: CanonicalId| {
            assert_eq!(id.scope.parts().provider, provider.scope().parts().provider);
            id.scope = everything.id().scope;
            id
        };
        let whole = Secret { lease: None, ..everything.get(&call, &creds, &Selector::Current).await.unwrap() };
        for asked in [&creds, &name("minted")] {
            let secret = provider.get(&call, asked, &Selector::Current).await.unwrap();
            assert_eq!(Secret { id: here(secret.id), lease: None, ..secret }, whole, "{asked}");
        }
        let error = provider.get(&call, &creds, &Selector::Previous).await.unwrap_err();
        let refusal = Everything::refusal();
        assert_eq!((error.kind(), error.message()), (refusal.kind(), refusal.message()));
        assert_eq!(error.retry_hint(), refusal.retry_hint());
        assert_eq!((error.upstream_code(), error.upstream_status()), (Some("ThrottlingException"), Some(400)));

        let metadata = provider.describe(&call, &creds).await.unwrap();
        assert_eq!(Metadata { id: here(metadata.id.clone()), ..metadata }, everything.metadata());
        let listed = provider.list(&call, "db/", &filter, part.clone()).await.unwrap();
        assert_eq!((listed.items.len(), listed.next), (1, None));
        let versions = provider.versions(&call, &creds, part.clone()).await.unwrap();
        assert_eq!(versions, everything.versions(&call, &creds, part.clone()).await.unwrap());
        let rotation = provider.rotate(&call, &creds).await.unwrap();
        assert_eq!(rotation.version, Some(Version::number(8)));
    }
    record.renew(&call, &lease()).await.unwrap();
    record.revoke(&call, &lease()).await.unwrap();
    assert_eq!(record.capabilities(), everything.capabilities());
    assert!(record.mints(&name("minted")) && !replay.mints(&name("minted")));
    let without = Capabilities { batch: false, watch: false, leased: false, ..everything.capabilities() };
    assert_eq!(replay.capabilities(), without, "a replay has no lease to renew");
    assert!(replay.get(&call, &name("minted"), &Selector::Current).await.unwrap().lease.is_none());
    // Another page, filter, prefix or selector is another question.
    assert_eq!(replay.versions(&call, &creds, Page::default()).await.unwrap_err().kind(), ErrorKind::NotFound);
    let unfiltered = replay.list(&call, "db/", &Filter::default(), part.clone()).await;
    assert_eq!(unfiltered.unwrap_err().kind(), ErrorKind::NotFound);
    let label = replay.get(&call, &creds, &Selector::Label("current".into())).await;
    assert_eq!(label.unwrap_err().kind(), ErrorKind::NotFound);
}

/// Break: begin anew after the last answer, in `Replay::next`.
#[tokio::test]
async fn answers_come_in_their_order_and_the_last_one_stays() {
    let (studio, mock) = (Studio::new(), mock(&[("a", "one")]));
    let record = studio.record(&mock);
    studio.replayed(&record, "a").await.unwrap();
    mock.fail(Some(ErrorKind::Unavailable));
    studio.replayed(&record, "a").await.unwrap_err();
    mock.fail(None);
    mock.put(&name("a"), Payload::text("two"));
    studio.replayed(&record, "a").await.unwrap();

    let replay = studio.replay();
    assert_eq!(text(&studio.replayed(&replay, "a").await.unwrap()), "one");
    assert_eq!(studio.replayed(&replay, "a").await.unwrap_err().kind(), ErrorKind::Unavailable);
    for _ in 0..3 {
        assert_eq!(text(&studio.replayed(&replay, "a").await.unwrap()), "two");
    }
    let error = studio.replayed(&replay, "b").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("the recording has no answer to this"), "{error}");
}

/// Break: number the lines of all runs together, or refuse a second `Begin`.
#[tokio::test]
async fn several_runs_go_on_in_one_file_also_at_once() {
    let (studio, mock) = (Studio::new(), mock(&[("a", "one"), ("b", "other")]));
    let (first, second) = (studio.record(&mock), studio.record(&mock));
    studio.replayed(&first, "a").await.unwrap();
    studio.replayed(&second, "b").await.unwrap();
    studio.replayed(&first, "b").await.unwrap();
    let third = studio.record(&mock);
    mock.put(&name("a"), Payload::text("two"));
    studio.replayed(&third, "a").await.unwrap();
    assert_eq!(studio.lines().len(), 7);
    let replay = studio.replay();
    for expected in ["one", "two"] {
        assert_eq!(text(&studio.replayed(&replay, "a").await.unwrap()), expected);
    }
}
