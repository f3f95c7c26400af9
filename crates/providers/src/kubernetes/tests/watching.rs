//! The watch: what is told, where it goes on, and what it does when the server does not.

use std::collections::VecDeque;

use futures_util::FutureExt as _;
use lockstep_core::{Change, ChangeSource as _, ChangedName};
use lockstep_testkit::{Gate, Piece};

use super::super::KubernetesChanges;
use super::*;

fn listed(version: u64, items: &[(&str, u64)]) -> Reply {
    let items: Vec<_> = items.iter().map(|(name, version)| json!({ "metadata": meta(name, *version) })).collect();
    Reply::json(200, &json!({ "metadata": { "resourceVersion": version.to_string() }, "items": items }))
}

fn event(kind: &str, name: &str, version: u64) -> Piece {
    Piece::new(json!({ "type": kind, "object": { "metadata": meta(name, version) } }).to_string() + "\n")
}

fn bookmark(version: u64) -> Piece {
    let object = json!({ "metadata": { "resourceVersion": version.to_string(), "creationTimestamp": null } });
    Piece::new(json!({ "type": "BOOKMARK", "object": object }).to_string() + "\n")
}

fn failure(code: u16, reason: &str) -> Piece {
    let object = json!({ "kind": "Status", "message": "c4n4ry", "reason": reason, "code": code });
    Piece::new(json!({ "type": "ERROR", "object": object }).to_string() + "\n")
}

/// A watch over scripted answers; after the last of them the server hangs.
fn watching(replies: impl IntoIterator<Item = Reply>, names: &[&str]) -> (World, KubernetesChanges) {
    let mut replies: VecDeque<Reply> = replies.into_iter().collect();
    let world = World::by(move |_| replies.pop_front().unwrap_or(Reply::Hang));
    let watch_names = names.iter().map(|name| (*name).to_owned()).collect();
    let provider = world.make(KubernetesSettings { watch_names, ..settings() }).unwrap();
    let changes = KubernetesChanges::new(&provider, &call(&world.clock));
    (world, changes)
}

/// What the next Changes say: name, version, kind.
async fn told(changes: &mut KubernetesChanges) -> Vec<String> {
    changes.next().await.iter().map(said).collect()
}

fn said(change: &Change) -> String {
    let ChangedName::One(name) = &change.name else { panic!("one name") };
    let version = change.version.as_deref().unwrap_or("-");
    assert_eq!(
        (change.source.provider.as_str(), change.source.account.as_str()),
        ("kubernetes", "https://k8s.internal:6443")
    );
    assert!(!format!("{change:?}").contains("c4n4ry"));
    format!("{name} {version} {:?}", change.kind)
}

/// Tells what is told, and moves the clock on while nobody says anything.
fn told_later(world: &World, changes: &mut KubernetesChanges) -> Vec<String> {
    let next = told(changes);
    tokio::pin!(next);
    for _ in 0..1000 {
        if let Some(told) = next.as_mut().now_or_never() {
            return told;
        }
        world.clock.advance(Duration::from_secs(1));
    }
    panic!("nothing is told: {:?}", world.transport.lines());
}

#[tokio::test]
async fn a_watch_lists_and_then_tells_each_event_once() {
    let events = [
        event("ADDED", "new", 8),
        event("MODIFIED", "db", 9),
        event("MODIFIED", "db", 9),
        bookmark(12),
        event("DELETED", "db", 13),
        event("DELETED", "db", 13),
        event("ADDED", "db", 14),
        Piece::Hang,
    ];
    let (world, mut changes) = watching([listed(7, &[("db", 5)]), Reply::pieces(events)], &[]);
    assert_eq!(told(&mut changes).await, ["team/db uid-db.5 Updated"]);
    for expected in
        ["team/new uid-new.8 Updated", "team/db uid-db.9 Updated", "team/db - Deleted", "team/db uid-db.14 Updated"]
    {
        assert_eq!(told(&mut changes).await, [expected]);
    }
    assert_eq!(
        world.transport.lines(),
        [
            "GET /api/v1/namespaces/team/secrets?limit=100",
            "GET /api/v1/namespaces/team/secrets?watch=1&allowWatchBookmarks=true&resourceVersion=7&timeoutSeconds=120",
        ]
    );
    let accept = |request: &http::Request<_>| request.headers()["accept"].to_str().unwrap().contains("PartialObject");
    assert!(world.transport.requests().iter().all(accept), "no value is asked for");
}

/// Break: `came_to` for bookmarks.
#[tokio::test]
async fn a_watch_that_the_server_ends_goes_on_from_its_last_bookmark() {
    let gate = Gate::new();
    let first = Reply::pieces([bookmark(20), Piece::Wait(gate.clone())]);
    let (world, mut changes) =
        watching([listed(7, &[]), first, Reply::pieces([event("ADDED", "db", 21), Piece::Hang])], &[]);
    assert!(told(&mut changes).now_or_never().is_none());
    world.clock.advance(Duration::from_mins(2));
    gate.open();
    assert_eq!(told(&mut changes).await, ["team/db uid-db.21 Updated"]);
    assert!(world.transport.lines()[2].contains("&resourceVersion=20&"), "{:?}", world.transport.lines());
}

/// Break: `forget_if_gone`, or either half of the comparison in `list`.
#[tokio::test]
async fn history_that_is_gone_is_listed_again_and_what_happened_meanwhile_is_told() {
    let gone: [fn() -> Reply; 2] =
        [|| refused(410, "Expired"), || Reply::pieces([failure(410, "Expired"), Piece::Hang])];
    for gone in gone {
        let replies = [
            listed(7, &[("db", 5), ("old", 6), ("same", 3)]),
            gone(),
            listed(90, &[("db", 55), ("new", 60), ("same", 3)]),
            Reply::pieces([event("DELETED", "new", 91), Piece::Hang]),
        ];
        let (world, mut changes) = watching(replies, &[]);
        assert_eq!(told(&mut changes).await.len(), 3);
        let meanwhile = told_later(&world, &mut changes);
        assert_eq!(meanwhile, ["team/db uid-db.55 Updated", "team/new uid-new.60 Updated", "team/old - Deleted"]);
        assert_eq!(told(&mut changes).await, ["team/new - Deleted"]);
        assert!(world.transport.lines()[3].contains("&resourceVersion=90&"), "{:?}", world.transport.lines());
    }
}

#[tokio::test]
async fn the_same_thing_seen_in_an_event_or_in_a_list_is_one_change() {
    let replies = [listed(7, &[("db", 5)]), Reply::pieces([event("DELETED", "db", 8), Piece::Hang])];
    let (_, mut by_event) = watching(replies, &[]);
    let replies = [listed(7, &[("db", 5)]), refused(410, "Expired"), listed(90, &[])];
    let (world, mut by_list) = watching(replies, &[]);
    let first = (by_event.next().await.remove(0), by_list.next().await.remove(0));
    assert_eq!(first.0.id, first.1.id);
    let seen = by_event.next().await.remove(0);
    let next = by_list.next();
    tokio::pin!(next);
    assert!(next.as_mut().now_or_never().is_none());
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(seen.id, next.await.remove(0).id);
    assert_ne!(seen.id, first.0.id);
}

#[tokio::test]
async fn a_list_of_many_pages_is_read_to_its_end_before_anything_is_told() {
    let page = |next: &str, name: &str| {
        let items = [json!({ "metadata": meta(name, 5) })];
        Reply::json(200, &json!({ "metadata": { "resourceVersion": "7", "continue": next }, "items": items }))
    };
    let (world, mut changes) = watching([page("more", "a"), refused(503, ""), page("more", "a"), page("", "b")], &[]);
    assert_eq!(told_later(&world, &mut changes), ["team/a uid-a.5 Updated", "team/b uid-b.5 Updated"]);
    assert!(world.transport.lines()[1].ends_with("?limit=100&continue=more"));
}

/// Break: `place` of `Watch`.
#[tokio::test]
async fn single_secrets_are_watched_each_by_itself() {
    let world = World::by(|request| {
        let name = if request.uri().query().unwrap().contains("metadata.name%3Dapi") { "prod/api" } else { "team/db" };
        if request.uri().query().unwrap().contains("watch=1") {
            Reply::pieces([event("MODIFIED", name, 9), Piece::Hang])
        } else {
            listed(7, &[(name, 5)])
        }
    });
    let watch_names = vec!["db".to_owned(), "prod/api".to_owned()];
    let provider = world.make(KubernetesSettings { watch_names, ..settings() }).unwrap();
    let mut changes = KubernetesChanges::new(&provider, &call(&world.clock));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.extend(told(&mut changes).await);
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        [
            "prod/api uid-api.5 Updated",
            "prod/api uid-api.9 Updated",
            "team/db uid-db.5 Updated",
            "team/db uid-db.9 Updated"
        ]
    );
    let asked = world.transport.lines();
    assert!(asked.iter().all(|line| line.contains("fieldSelector=metadata.name%3D")), "{asked:?}");
    assert_eq!(asked.iter().filter(|line| line.contains("/prod/")).count(), 2);
}

/// Break: keep the watches instead of what they wait for, and call `Watch::next` of all anew in `KubernetesChanges::next`;
/// or put the next future where the last one was.
#[tokio::test]
async fn a_watch_that_tells_much_neither_breaks_off_the_request_of_another_nor_starves_it() {
    let gate = Gate::new();
    let before = gate.clone();
    let world = World::by(move |request| {
        let query = request.uri().query().unwrap();
        match (query.contains("name%3Da"), query.contains("watch=1")) {
            (true, true) => {
                let events = [event("MODIFIED", "a", 8), event("MODIFIED", "a", 9), event("MODIFIED", "a", 10)];
                Reply::pieces(events.into_iter().chain([Piece::Hang]))
            }
            (true, false) => listed(7, &[("a", 5)]),
            (false, true) => Reply::Hang,
            (false, false) => listed(7, &[("b", 6)]).behind(&before),
        }
    });
    let watch_names = vec!["a".to_owned(), "b".to_owned()];
    let provider = world.make(KubernetesSettings { watch_names, ..settings() }).unwrap();
    let mut changes = KubernetesChanges::new(&provider, &call(&world.clock));
    for version in [5, 8, 9] {
        assert_eq!(told(&mut changes).await, [format!("team/a uid-a.{version} Updated")]);
    }
    gate.open();
    assert_eq!(told(&mut changes).await, ["team/b uid-b.6 Updated"], "although `a` has more to tell");
    assert_eq!(told(&mut changes).await, ["team/a uid-a.10 Updated"]);
    assert!(changes.next().now_or_never().is_none());
    let asked = world.transport.lines();
    let lists = asked.iter().filter(|line| line.contains("name%3Db") && !line.contains("watch=1"));
    assert_eq!(lists.count(), 1, "{asked:?}");
}

/// Break: `?` behind the reading of the body in `Client::watch`.
#[tokio::test]
async fn a_refusal_whose_text_breaks_off_or_stalls_still_drops_what_it_refuses() {
    for stalls in [false, true] {
        let refused = move |status: u16| {
            let end =
                if stalls { Piece::Hang } else { Piece::Fail(Error::new(ErrorKind::Network, "the connection broke")) };
            let status = http::StatusCode::from_u16(status).unwrap();
            let pieces = vec![Piece::new("{\"kind\":\"Sta"), end];
            Reply::Pieces(http::Response::builder().status(status).body(pieces).unwrap())
        };
        let (world, mut changes) = watching([listed(7, &[]), refused(410), listed(90, &[("db", 55)])], &[]);
        assert_eq!(told_later(&world, &mut changes), ["team/db uid-db.55 Updated"]);
        let world = World::by(move |request| {
            match (request.uri().query().unwrap().contains("watch=1"), request.headers()["authorization"].as_bytes()) {
                (false, _) => listed(7, &[]),
                (true, b"Bearer fresh") => Reply::pieces([event("ADDED", "db", 8), Piece::Hang]),
                (true, _) => refused(401),
            }
        });
        let mut changes = KubernetesChanges::new(&world.provider(), &call(&world.clock));
        assert!(changes.next().now_or_never().is_none());
        world.files.write("/token", "fresh");
        assert_eq!(told_later(&world, &mut changes), ["team/db uid-db.8 Updated"]);
        // Read anew because of the refusal, not because it had grown old.
        assert_eq!(world.tokens(), ["Bearer t0ken", "Bearer t0ken", "Bearer fresh"], "{stalls}");
    }
}

/// O7. Break: the pause in `failed`, or its look at what the server wants.
#[tokio::test]
async fn o7_a_server_that_refuses_is_asked_ever_later_and_not_before_it_wants() {
    let throttled = || refused(429, "TooManyRequests").header("retry-after", "30");
    let mut replies = vec![throttled()];
    replies.extend((0..9).map(|_| refused(403, "Forbidden")));
    let (world, mut changes) = watching(replies, &[]);
    let mut pauses = Vec::new();
    let mut next = Box::pin(changes.next());
    for _ in 0..9 {
        assert!(next.as_mut().now_or_never().is_none());
        pauses.push(world.clock.advance_to_next().unwrap());
    }
    assert_eq!(pauses[0], Duration::from_secs(30));
    for (failures, pause) in pauses.iter().enumerate().skip(1) {
        let ceiling = Duration::from_secs(60.min(1 << failures));
        assert!(*pause <= ceiling && *pause >= ceiling / 2, "{failures}: {pauses:?}");
    }
    assert!(pauses[1..].windows(2).any(|pair| pair[0] * 2 != pair[1]), "a random part: {pauses:?}");
}

/// Break: `TOO_SHORT`.
#[tokio::test]
async fn a_watch_that_ends_as_soon_as_it_opens_is_not_opened_in_a_hurry() {
    let mut asked = 0;
    let world = World::by(move |_| {
        asked += 1;
        match asked {
            1 => listed(7, &[]),
            2 => Reply::pieces([]),
            _ => panic!("it is opened again at once"),
        }
    });
    let mut changes = KubernetesChanges::new(&world.provider(), &call(&world.clock));
    assert!(changes.next().now_or_never().is_none());
    assert_eq!(world.transport.count(), 2);
}

/// O3. Break: `self.open = None` after a bad event.
#[tokio::test]
async fn o3_a_hostile_line_ends_the_watch_and_nothing_is_missed() {
    let deep = format!("{{\"type\":{}", "[".repeat(1000));
    for bad in [
        Piece::new("{\"type\":\"MODIFIED\",\"object\":{\"metadata\":{\"name\":\"c4n4ry\n"),
        Piece::new("<c4n4ry>\n"),
        Piece::new(deep + "\n"),
        Piece::new(vec![b'x'; 3 << 20]),
        Piece::new("{\"type\":\"c4n4ry\",\"object\":{}}\n"),
        Piece::new("{\"type\":\"ADDED\",\"object\":{\"metadata\":null}}\n"),
        event("ADDED", "team/../c4n4ry", 8),
        failure(500, "c4n4ry"),
        Piece::Fail(Error::new(ErrorKind::Timeout, "it said nothing")),
    ] {
        let replies = [
            listed(7, &[]),
            Reply::pieces([bookmark(8), bad, event("ADDED", "lost", 9)]),
            Reply::pieces([event("ADDED", "db", 9), Piece::Hang]),
        ];
        let (world, mut changes) = watching(replies, &[]);
        assert_eq!(told_later(&world, &mut changes), ["team/db uid-db.9 Updated"]);
        assert!(world.transport.lines()[2].contains("&resourceVersion=8&"), "{:?}", world.transport.lines());
    }
}

#[tokio::test]
async fn a_watch_that_is_cut_within_an_event_goes_on_before_it() {
    let cut = Piece::new("{\"type\":\"DELETED\",\"object\":{\"meta");
    let replies =
        [listed(7, &[("db", 5)]), Reply::pieces([cut]), Reply::pieces([event("DELETED", "db", 8), Piece::Hang])];
    let (world, mut changes) = watching(replies, &[]);
    assert_eq!(told(&mut changes).await.len(), 1);
    assert_eq!(told_later(&world, &mut changes), ["team/db - Deleted"]);
}

#[tokio::test]
async fn a_refused_login_is_read_anew_for_the_watch() {
    let mut lists = 0;
    let world = World::by(move |request| {
        lists += 1;
        let fresh = request.headers()["authorization"] == "Bearer fresh";
        match (fresh, lists) {
            (false, _) => refused(401, "Unauthorized"),
            (true, _) => listed(7, &[("db", 5)]),
        }
    });
    let mut changes = KubernetesChanges::new(&world.provider(), &call(&world.clock));
    assert!(changes.next().now_or_never().is_none());
    world.files.write("/token", "fresh");
    assert_eq!(told_later(&world, &mut changes), ["team/db uid-db.5 Updated"]);
}

/// Break: hand `select_all` the futures themselves in `KubernetesChanges::next`, taken out of `waiting`.
#[tokio::test]
async fn dropping_the_wait_loses_nothing() {
    let gate = Gate::new();
    let pieces = [event("ADDED", "a", 8), Piece::Wait(gate.clone()), event("ADDED", "b", 9), Piece::Hang];
    let (_, mut changes) = watching([listed(7, &[]), Reply::pieces(pieces)], &[]);
    assert_eq!(told(&mut changes).await, ["team/a uid-a.8 Updated"]);
    for _ in 0..3 {
        assert!(changes.next().now_or_never().is_none());
    }
    gate.open();
    assert_eq!(told(&mut changes).await, ["team/b uid-b.9 Updated"]);
}
