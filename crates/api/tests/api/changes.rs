//! The journal's feed over HTTP: what a caller sees of it, and another instance that reads it as its own journal.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Request, Response};
use lockstep_core::{
    Call, Change, ChangedName, Cursor, ErrorKind, Feed, FrontDoor as _, Journal, Limits, MemoryJournal, Peer, Result,
    Transport,
};
use lockstep_providers::Ports;
use lockstep_providers::lockstep::{LockstepJournal, LockstepProvider, LockstepSettings};
use lockstep_testkit::journal::{JournalHarness, change, changes, named, run};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, TestRandom, TestSigner, call};

use crate::house::{House, TOKEN, journaled, request};

/// Changes that a journal of this test keeps.
const KEEP: usize = 1000;

/// The endpoint, without a network.
struct Inside(Arc<House>);

#[async_trait]
impl Transport for Inside {
    async fn send(&self, sent: Request<Bytes>, _: Limits) -> Result<Response<Bytes>> {
        let path = sent.uri().path_and_query().unwrap().as_str();
        let mut arrived = request(sent.method().clone(), path);
        arrived.headers_mut().remove("x-aws-parameters-secrets-token");
        for (name, value) in sent.headers() {
            arrived.headers_mut().insert(name, value.clone());
        }
        Ok(self.0.api.call(&Peer { address: Some("127.0.0.1:1".into()), ..Peer::default() }, arrived).await)
    }
}

fn remote(house: Arc<House>) -> LockstepJournal {
    let settings = LockstepSettings {
        address: "https://secrets.internal:2773".to_owned(),
        token: lockstep_providers::Credential::Env("TOKEN".into()),
        provider: None,
        members: lockstep_core::MAX_MEMBERS,
        environment: String::new(),
    };
    let ports = Ports {
        transport: Arc::new(Inside(house)),
        env: TestEnv::of(&[("TOKEN", TOKEN)]),
        files: TestFiles::new(),
        clock: ManualClock::new(),
        random: TestRandom::seeded(1),
        signer: Arc::new(TestSigner),
        exec: Arc::new(lockstep_core::NoExec),
    };
    LockstepJournal::new(LockstepProvider::new(settings, ports).unwrap())
}

/// A journal whose storage can be changed under the endpoint.
struct Swapped(Mutex<(u64, Arc<MemoryJournal>)>);

impl Swapped {
    fn current(&self) -> (u64, Arc<MemoryJournal>) {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Journal for Swapped {
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        self.current().1.append(call, changes).await
    }
    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        self.current().1.since(call, cursor, limit).await
    }
}

/// Read through the endpoint, told behind it.
struct ReadThere(Arc<Swapped>, LockstepJournal);

#[async_trait]
impl Journal for ReadThere {
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        self.0.append(call, changes).await
    }
    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        self.1.since(call, cursor, limit).await
    }
}

/// A journal, and the endpoint before it.
type Opened = (Arc<Swapped>, Arc<House>);

#[derive(Default)]
struct Endpoints {
    open: Mutex<BTreeMap<String, Opened>>,
    saved: Mutex<BTreeMap<String, Vec<Change>>>,
}

impl Endpoints {
    fn of(&self, name: &str) -> Opened {
        let new = || {
            let swapped = Arc::new(Swapped(Mutex::new((7, Arc::new(MemoryJournal::new(7, KEEP))))));
            (swapped.clone(), Arc::new(journaled(swapped)))
        };
        self.open.lock().unwrap().entry(name.to_owned()).or_insert_with(new).clone()
    }

    async fn content(&self, name: &str) -> Vec<Change> {
        let feed = self.of(name).0.since(&self.call(), None, KEEP).await.unwrap();
        feed.changes.into_iter().map(|(_, change)| change).collect()
    }

    async fn replace(&self, name: &str, later: u64, keep: usize, content: &[Change]) {
        let swapped = self.of(name).0;
        let epoch = swapped.current().0 + later;
        let journal = Arc::new(MemoryJournal::new(epoch, keep));
        journal.append(&self.call(), content).await.unwrap();
        *swapped.0.lock().unwrap() = (epoch, journal);
    }
}

#[async_trait]
impl JournalHarness for Endpoints {
    async fn open(&self, name: &str) -> Arc<dyn Journal> {
        let (journal, house) = self.of(name);
        Arc::new(ReadThere(journal, remote(house)))
    }

    fn call(&self) -> Call {
        call(&ManualClock::new())
    }

    async fn trim(&self, name: &str, keep: usize) {
        let content = self.content(name).await;
        self.replace(name, 0, keep, &content).await;
    }

    async fn lose(&self, name: &str) {
        self.replace(name, 1, KEEP, &[]).await;
    }

    async fn save(&self, name: &str) {
        let content = self.content(name).await;
        self.saved.lock().unwrap().insert(name.to_owned(), content);
    }

    async fn restore(&self, name: &str) {
        let saved = self.saved.lock().unwrap().remove(name).unwrap();
        self.replace(name, 0, KEEP, &saved).await;
    }
}

/// Break: `after`, `limit`, `gap`, `head` or `cursor` in `native/changes.rs`, or any check in `LockstepJournal`.
#[tokio::test]
async fn another_endpoints_feed_keeps_the_contract_of_journals() {
    assert_eq!(run(&Endpoints::default()).await.len(), 14);
}

async fn house_of(changes: &[Change]) -> Arc<House> {
    let journal = Arc::new(MemoryJournal::new(5, KEEP));
    journal.append(&call(&ManualClock::new()), changes).await.unwrap();
    Arc::new(journaled(journal))
}

fn seqs(said: &crate::house::Said) -> Vec<u64> {
    said.json()["changes"].as_array().unwrap().iter().map(|change| change["seq"].as_u64().unwrap()).collect()
}

/// Break: leave `retain` out of `Resolver::told`, or take the cursor of what is shown.
#[tokio::test]
async fn what_a_caller_may_not_see_is_hidden_and_moves_the_cursor_all_the_same() {
    let mut foreign = change(2);
    foreign.source.provider = "vault".to_owned();
    let mut all = change(3);
    all.name = ChangedName::All;
    let told = [change(0), named("f1", "forbidden/a"), foreign, all, named("f2", "forbidden/b")];
    let house = house_of(&told).await;
    let said = house.get("/api/v1/changes").await;
    assert_eq!(said.status, 200, "{}", said.body);
    assert_eq!(seqs(&said), [1, 4], "neither the forbidden ones nor those of a provider that is not here");
    assert!(!said.body.contains("forbidden"), "{}", said.body);
    let json = said.json();
    assert_eq!(
        (&json["cursor"], &json["head"], &json["gap"], &json["more"]),
        (&"5.5".into(), &"5.5".into(), &false.into(), &false.into())
    );
    assert_eq!(json["changes"][0]["change"]["name"]["name"], "db/0");

    // Page by page, the hidden ones too.
    let mut cursor = "5.0".to_owned();
    let mut seen = Vec::new();
    for _ in 0..5 {
        let said = house.get(&format!("/api/v1/changes?after={cursor}&limit=1")).await;
        seen.extend(seqs(&said));
        cursor = said.json()["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!((seen, cursor.as_str()), (vec![1, 4], "5.5"));
    // An instance that reads them reads all it may, though a page of it may be empty.
    let feed =
        remote(house.clone()).since(&call(&ManualClock::new()), Some(Cursor { epoch: 5, seq: 1 }), 2).await.unwrap();
    assert_eq!((feed.changes.len(), feed.changes[0].0, feed.head.seq, feed.cut), (1, 4, 5, false));
    assert!(house.audit().iter().all(|record| record.action == "changes" || record.policy.is_some()));
}

/// Break: any check of a parameter in `native/changes.rs`.
#[tokio::test]
async fn a_parameter_that_is_none_is_refused_with_what_to_write() {
    let house = house_of(&changes(2)).await;
    for (query, word) in [
        ("after=5", "after must be a cursor"),
        ("after=5.", "after must be a cursor"),
        ("after=+5.1", "after must be a cursor"),
        ("after=5.99999999999999999999", "after must be a cursor"),
        ("limit=0", "limit must be a number from 1 to 1000"),
        ("limit=1001", "limit must be a number from 1 to 1000"),
        ("wait=21", "wait must be seconds from 0 to 20"),
        ("wait=-1", "wait must be seconds from 0 to 20"),
        ("since=1", "unknown parameter"),
        ("after=5.1&after=5.2", "duplicate parameter"),
    ] {
        let said = house.get(&format!("/api/v1/changes?{query}")).await;
        assert_eq!(said.status, 400, "{query}: {}", said.body);
        assert!(said.body.contains(word), "{query}: {}", said.body);
    }
    assert!(house.get("/api/v1/changes?after=6.1").await.json()["gap"].as_bool().unwrap());
    let unjournaled = crate::house::house().get("/api/v1/changes").await;
    assert_eq!(unjournaled.status, 404, "{}", unjournaled.body);
    let function = crate::house::build(|parts| parts.limits.waits = false).get("/api/v1/changes?wait=1").await;
    assert_eq!(function.status, 400);
    assert!(function.body.contains("does not wait"), "{}", function.body);
    let mut bare = request(Method::GET, "/api/v1/changes");
    bare.headers_mut().remove("x-aws-parameters-secrets-token");
    assert_eq!(house.send(bare).await.status, 403, "without the token nobody reads it");
}

/// Break: answer at once, or not before the time is over.
#[tokio::test]
async fn who_waits_is_answered_when_something_is_appended_or_the_time_is_over() {
    let journal = Arc::new(MemoryJournal::new(5, KEEP));
    let house = journaled(journal.clone());
    let waiting = house.get("/api/v1/changes?after=5.0&wait=10");
    let moving = async {
        for second in 0..100 {
            tokio::task::yield_now().await;
            if second == 3 {
                journal.append(&call(&house.clock), &changes(1)).await.unwrap();
            }
            house.clock.advance(Duration::from_secs(1));
        }
    };
    let (said, ()) = tokio::join!(waiting, moving);
    assert_eq!(seqs(&said), [1]);
    let begun = lockstep_core::Clock::monotonic(&*house.clock);
    let waiting = house.get("/api/v1/changes?after=5.1&wait=10");
    let moving = async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
            house.clock.advance(Duration::from_secs(1));
        }
    };
    let (said, ()) = tokio::join!(waiting, moving);
    assert!(seqs(&said).is_empty() && said.status == 200, "{}", said.body);
    assert!(lockstep_core::Clock::monotonic(&*house.clock) >= begun + Duration::from_secs(10));
}

#[tokio::test]
async fn nobody_is_told_through_the_feed() {
    let house = house_of(&[]).await;
    let error = remote(house).append(&call(&ManualClock::new()), &changes(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
