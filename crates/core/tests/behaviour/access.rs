//! The outer layers: audit, metrics, lists, rotation.

use lockstep_core::{
    Alias, AuditHits, AuditRecord, CacheFound, Capabilities, ErrorKind, Filter, Invalidation, Outcome, Page, Principal,
    UnixMillis,
};

use crate::world::{Backend, Build, Versions, World, failing, kind, name, secret};

/// C14. Break: the folding in `Ledger::released`, or `flush`.
#[tokio::test]
async fn c14_every_hit_is_counted_in_an_audit_record() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    for _ in 0..5 {
        world.get("db").await.unwrap();
    }
    assert_eq!(world.records.0.lock().unwrap().len(), 1, "the miss; the hits are folded");
    world.resolver.flush_audit();
    let records = world.records.0.lock().unwrap().clone();
    let seen: Vec<_> = records.iter().map(|r| (r.count, r.cached, r.outcome, &*r.name, r.version.as_deref())).collect();
    assert_eq!(seen, [(1, false, Outcome::Released, "db", Some("1")), (4, true, Outcome::Released, "db", Some("1"))]);
    assert_eq!((&*records[1].principal, records[1].provider.as_ref().map(Alias::as_str)), ("tester", Some("vault")));
}

/// C14. Break: the test of `AuditHits::Full` in `Ledger::released`.
#[tokio::test]
async fn c14_with_full_every_hit_is_a_record_of_its_own() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend);
    build.audit_hits = AuditHits::Full;
    let world = build.build();
    for _ in 0..5 {
        world.get("db").await.unwrap();
    }
    assert_eq!(world.records.0.lock().unwrap().iter().map(|r| r.count).collect::<Vec<_>>(), [1; 5]);
}

/// C14. Break: the arm `Some(known)` in `Ledger::flush`.
#[tokio::test]
async fn c14_hits_before_and_after_a_refetch_of_one_version_are_one_record() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let world = Build::over(&backend).build();
    for _ in 0..2 {
        for _ in 0..3 {
            world.get("db").await.unwrap();
        }
        world.resolver.invalidate(&world.call(), &world.who, None, &Invalidation::Name(name("db"))).unwrap();
    }
    world.resolver.flush_audit();
    let hits: Vec<_> = world.records.0.lock().unwrap().iter().filter(|record| record.cached).map(|r| r.count).collect();
    assert_eq!(hits, [4], "two of each fetch");
    world.resolver.flush_audit();
    assert_eq!(world.records.0.lock().unwrap().iter().filter(|record| record.cached).count(), 1, "nothing twice");
}

/// C14. Break: the look at `of_entry` in `Ledger::released`.
#[tokio::test]
async fn c14_hits_of_many_principals_are_written_before_they_pile_up() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    for number in 0..100 {
        world.resolver.get(&world.call(), &Principal::new(&format!("p{number}")), &World::ask("db")).await.unwrap();
    }
    let written = world.records.0.lock().unwrap().iter().filter(|record| record.cached).count();
    assert!((1..100).contains(&written), "{written}");
    world.resolver.flush_audit();
    assert_eq!(world.records.0.lock().unwrap().iter().filter(|record| record.cached).count(), 100);
}

/// C2. Break: `?` after either `allow`, or after `standing_now`, in `Resolver::get_at_once`.
#[tokio::test]
async fn c2_what_can_not_be_answered_at_once_leaves_no_trace() {
    let backend = Versions::of(&[("db", 1), ("forbidden/db", 1)]).backend();
    let world = Build::over(&backend).journaled().build();
    let at_once = |text: &str| {
        world.resolver.get_at_once(&"test".into(), &world.who, &World::ask(text), || world.call()).is_some()
    };
    assert!(!at_once("db") && !at_once("forbidden/db") && !at_once("missing"));
    assert_eq!((backend.calls(), world.records.0.lock().unwrap().len()), (0, 0));
    world.get("db").await.unwrap();
    assert!(at_once("db"));
    world.clock.advance(crate::world::BOUND);
    assert!(!at_once("db"), "the journal has to be asked first");
    world.resolver.flush_audit();
    let counts: Vec<_> = world.records.0.lock().unwrap().iter().map(|record| record.count).collect();
    assert_eq!(counts, [1, 1], "a miss and a hit");
}

#[tokio::test]
async fn refusals_and_failures_are_recorded_one_by_one() {
    let versions = Versions::of(&[]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    assert_eq!(kind(&world.get("forbidden/db").await), ErrorKind::Denied);
    assert_eq!(kind(&world.get("missing").await), ErrorKind::NotFound);
    backend.answers(|_, _, _| failing(ErrorKind::Denied));
    assert_eq!(kind(&world.get("db").await), ErrorKind::Denied);
    let records = world.records.0.lock().unwrap().clone();
    let seen: Vec<_> = records.iter().map(|r| (r.outcome, r.policy.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (Outcome::Refused, Some("test: forbidden")),
            (Outcome::Failed(ErrorKind::NotFound), Some("test")),
            (Outcome::Failed(ErrorKind::Denied), Some("test")),
        ]
    );
}

/// C14. Break: `?` after `released` or `write` in the ledger, the look at `is_ready` there or in `get_at_once`, or `asked`
/// in `Refusal::of_access`.
#[tokio::test]
async fn c14_nothing_is_released_while_the_audit_takes_nothing_and_what_was_counted_is_kept() {
    let backend = Versions::of(&[("db", 1), ("other", 1)]).backend();
    let world = Build::over(&backend).build();
    let at_once =
        || world.resolver.get_at_once(&"test".into(), &world.who, &World::ask("db"), || world.call()).is_some();
    world.get("db").await.unwrap();
    assert!(at_once());
    world.records.1.store(true, std::sync::atomic::Ordering::SeqCst);
    assert!(!at_once());
    assert_eq!(kind(&world.get("db").await), ErrorKind::Unavailable, "a hit");
    assert_eq!(kind(&world.get("db").await), ErrorKind::Unavailable, "the same once more");
    assert_eq!(kind(&world.get("other").await), ErrorKind::Unavailable, "a miss");
    let dropped = world.resolver.invalidate(&world.call(), &world.who, None, &Invalidation::Name(name("nothing")));
    assert_eq!(kind(&dropped), ErrorKind::Unavailable, "no value, but an answer");
    assert_eq!(kind(&world.get("missing").await), ErrorKind::NotFound, "nothing that is withheld");
    world.resolver.record_at_door(refusal("unknown", None, "bad_token", "/x"));
    world.resolver.flush_audit();
    world.records.1.store(false, std::sync::atomic::Ordering::SeqCst);
    world.resolver.flush_audit();
    let records = std::mem::take(&mut *world.records.0.lock().unwrap());
    let mut seen: Vec<_> = records.iter().map(|r| (r.outcome.as_str(), &*r.name, r.cached, r.count)).collect();
    seen.sort_unstable();
    let expected = [
        ("not_found", "missing", false, 1),
        ("refused", "/x", false, 1),
        ("released", "db", false, 1),
        ("released", "db", true, 1),
        ("unavailable", "db", false, 2),
        ("unavailable", "nothing", false, 1),
        ("unavailable", "other", false, 1),
    ];
    assert_eq!(seen, expected);
    assert_eq!((world.resolver.lost_audit(), at_once()), (0, true));
}

/// A request that a front door refused.
fn refusal(principal: &str, peer: Option<&str>, code: &str, path: &str) -> AuditRecord {
    AuditRecord {
        at: UnixMillis(0),
        request_id: path.into(),
        principal: principal.into(),
        peer: peer.map(Into::into),
        action: "login",
        provider: None,
        name: path.into(),
        version: None,
        outcome: Outcome::Refused,
        cached: false,
        policy: Some(code.into()),
        count: 1,
    }
}

fn written(world: &World) -> Vec<(u64, String)> {
    let records = std::mem::take(&mut *world.records.0.lock().unwrap());
    records.into_iter().map(|record| (record.count, record.name.into())).collect()
}

/// C14. Break: `is_full_for` in `Ledger::keep`.
#[tokio::test]
async fn c14_what_one_principal_asks_for_keeps_nobody_elses_records_from_being_kept() {
    let world = Build::over(&Versions::of(&[("db", 1)]).backend()).build();
    let other = Principal { id: "other".into(), ..world.who.clone() };
    world.records.1.store(true, std::sync::atomic::Ordering::SeqCst);
    for round in 0..2 {
        for number in 0..5000 {
            assert_eq!(kind(&world.get(&format!("forbidden/{number}")).await), ErrorKind::Denied);
        }
        let denied = world.resolver.get(&world.call(), &other, &World::ask(&format!("forbidden/other/{round}"))).await;
        assert_eq!(kind(&denied), ErrorKind::Denied);
        // What the sink does not take waits, and counts as before.
        world.resolver.flush_audit();
    }
    world.records.1.store(false, std::sync::atomic::Ordering::SeqCst);
    world.resolver.flush_audit();
    let records = std::mem::take(&mut *world.records.0.lock().unwrap());
    let of = |who: &str| records.iter().filter(|record| &*record.principal == who).count();
    assert_eq!((of("other"), of(&world.who.id)), (2, 512));
    assert_eq!(world.resolver.lost_audit(), 10_000 - 512);
}

/// C14. Break: the look into `folded` in `Ledger::refused`, `network`, `record.count`, or the filter in `Ledger::flush`.
#[tokio::test]
async fn c14_repeated_refusals_are_written_at_once_and_then_as_an_exact_count() {
    for audit_hits in [AuditHits::Summary, AuditHits::Full] {
        let backend = Versions::of(&[]).backend();
        let world = Build { audit_hits, ..Build::over(&backend) }.build();
        for port in 1..=1000 {
            let peer = format!("127.0.0.1:{port}");
            world.resolver.record_at_door(refusal("unknown", Some(&peer), "bad_token", &format!("/{port}")));
        }
        assert_eq!(written(&world), [(1, "/1".to_owned())], "{audit_hits:?}");
        world.resolver.flush_audit();
        assert_eq!(written(&world), [(999, "/1000".to_owned())], "{audit_hits:?}");
        // What is counted begins anew, and nothing is written twice.
        world.resolver.flush_audit();
        assert_eq!(written(&world), []);
        world.resolver.record_at_door(refusal("unknown", Some("127.0.0.1:7"), "bad_token", "/again"));
        world.resolver.flush_audit();
        assert_eq!(written(&world), [(1, "/again".to_owned())]);
        // Who has a network of IPv6 has all its addresses; and one record may stand for several.
        for host in 1..=9 {
            let peer = format!("[2001:db8::{host}]:1");
            let record = AuditRecord { count: 2, ..refusal("unknown", Some(&peer), "bad_token", "/six") };
            world.resolver.record_at_door(record);
        }
        world.resolver.flush_audit();
        assert_eq!(written(&world), [(2, "/six".to_owned()), (16, "/six".to_owned())]);
    }
}

/// Break: leave a field out of `Refusal` in the ledger.
#[tokio::test]
async fn refusals_of_another_principal_address_or_code_are_records_of_their_own() {
    let backend = Versions::of(&[]).backend();
    let world = Build::over(&backend).build();
    let different = [
        refusal("unknown", Some("127.0.0.1:1"), "bad_token", "/a"),
        refusal("local", Some("127.0.0.1:1"), "bad_token", "/b"),
        refusal("unknown", Some("127.0.0.2:1"), "bad_token", "/c"),
        refusal("unknown", Some("[::1]:1"), "bad_token", "/d"),
        refusal("unknown", None, "bad_token", "/e"),
        refusal("unknown", Some("127.0.0.1:1"), "forwarded", "/f"),
        AuditRecord {
            outcome: Outcome::Failed(ErrorKind::InvalidName),
            ..refusal("unknown", Some("127.0.0.1:1"), "bad_token", "/g")
        },
    ];
    for record in &different {
        world.resolver.record_at_door(record.clone());
    }
    assert_eq!(written(&world).len(), different.len());
}

/// C14. Break: `full` in `Ledger::refused`.
#[tokio::test]
async fn c14_however_many_refusals_differ_none_is_lost_and_few_are_kept() {
    let backend = Versions::of(&[]).backend();
    let world = Build::over(&backend).build();
    let refuse = |number: u32| {
        let peer = format!("{}:1", std::net::Ipv4Addr::from(0x7F00_0000 + number));
        world.resolver.record_at_door(refusal("unknown", Some(&peer), "bad_token", "/"));
    };
    refuse(0);
    refuse(0);
    (1..5000).for_each(refuse);
    assert_eq!(
        written(&world).iter().map(|(count, _)| count).sum::<u64>(),
        5001,
        "the counts did not wait for a flush"
    );
    world.resolver.flush_audit();
    assert_eq!(written(&world), []);
}

#[tokio::test]
async fn hits_misses_and_calls_are_counted() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    world.get("db").await.unwrap();
    assert_eq!(*world.numbers.found.lock().unwrap(), [CacheFound::Miss, CacheFound::Hit]);
    assert_eq!(*world.numbers.calls.lock().unwrap(), [Ok(())]);
}

#[tokio::test]
async fn what_a_provider_cannot_do_is_unsupported_and_recorded() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    let (call, who) = (world.call(), &world.who);
    let resolver = &world.resolver;
    assert_eq!(kind(&resolver.describe(&call, who, None, &name("db")).await), ErrorKind::Unsupported);
    assert_eq!(kind(&resolver.versions(&call, who, None, &name("db"), Page::default()).await), ErrorKind::Unsupported);
    assert_eq!(kind(&resolver.rotate(&call, who, None, &name("db")).await), ErrorKind::Unsupported);
    assert_eq!(
        kind(&resolver.list(&call, who, None, "", &Filter::default(), Page::default()).await),
        ErrorKind::Unsupported
    );
    assert_eq!(kind(&resolver.rotate(&call, who, None, &name("forbidden/db")).await), ErrorKind::Denied);
    assert_eq!(world.records.0.lock().unwrap().len(), 5);
}

/// C2. Break: `answered` in `Resolver::on_first`.
#[tokio::test]
async fn c2_metadata_is_not_for_who_may_not_see_the_name_that_the_provider_answers_with() {
    let capabilities = Capabilities { describe: true, ..Capabilities::default() };
    let backend = Backend::capable("vault", capabilities, |_, _, _| Ok(secret(&name("forbidden/db"), 1)));
    let world = Build::over(&backend).build();
    let described = world.resolver.describe(&world.call(), &world.who, None, &name("alias-of-it")).await;
    assert_eq!(kind(&described), ErrorKind::Denied);
    assert_eq!(world.records.0.lock().unwrap()[0].outcome, Outcome::Refused);
}

/// T1. Break: `respelled` in `Mount::named`.
#[tokio::test]
async fn t1_a_second_spelling_of_a_name_is_denied_before_any_call() {
    let capabilities = Capabilities { describe: true, versions: true, rotate: true, ..Capabilities::default() };
    let backend = Backend::capable("vault", capabilities, |name, _, _| Ok(secret(name, 1)));
    let world = Build::over(&backend).build();
    let (resolver, call, who, other) = (&world.resolver, world.call(), &world.who, name("/forbidden/db"));
    assert_eq!(kind(&world.get("/forbidden/db").await), ErrorKind::Denied);
    assert_eq!(kind(&resolver.describe(&call, who, None, &other).await), ErrorKind::Denied);
    assert_eq!(kind(&resolver.versions(&call, who, None, &other, Page::default()).await), ErrorKind::Denied);
    assert_eq!(kind(&resolver.rotate(&call, who, None, &other).await), ErrorKind::Denied);
    assert_eq!(kind(&resolver.invalidate(&call, who, None, &Invalidation::Name(other))), ErrorKind::Denied);
    assert_eq!(backend.calls(), 0);
    // One secret, however it is written.
    world.get("/db").await.unwrap();
    assert_eq!(world.get("db").await.unwrap().status, lockstep_core::CacheStatus::Hit);
}
