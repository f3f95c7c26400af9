//! Single flight and the fence: who fetches, who waits, and what may enter the cache.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lockstep_core::{Answer, Ask, CacheStatus, ErrorKind, Invalidation, OnOutage, Principal, Result, Selector};
use tokio::task::JoinHandle;

use crate::world::{BOUND, Backend, Build, MINUTE, SECOND, Versions, World, failing, kind, name, read, secret, value};

/// C7. Break: `flights.join` in `Resolver::fetch`.
#[tokio::test]
async fn c7_a_thousand_reads_at_once_are_one_call() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).build());
    backend.hold();
    let reads = join_all((0..1000).map(|_| world.get("db")));
    let release = async {
        backend.until_called(1).await;
        backend.release(1000);
    };
    let (answers, ()) = tokio::join!(reads, release);
    assert!(answers.iter().all(|answer| value(answer.as_ref().unwrap()) == "value-1"));
    assert_eq!(backend.calls(), 1);
}

/// C7. Break: `leader.land` for errors in `Resolver::fetch`.
#[tokio::test]
async fn c7_a_thousand_reads_share_one_failure() {
    for failure in [ErrorKind::Unavailable, ErrorKind::Denied, ErrorKind::NotFound] {
        let versions = Versions::of(&[]);
        let backend = versions.backend();
        backend.answers(move |_, _, _| failing(failure));
        let world = Build::over(&backend).build();
        backend.hold();
        let reads = join_all((0..1000).map(|_| world.get("db")));
        let release = async {
            backend.until_called(1).await;
            backend.release(1000);
        };
        let (answers, ()) = tokio::join!(reads, release);
        assert!(answers.iter().all(|answer| kind(answer) == failure));
        assert_eq!(backend.calls(), 1, "{failure:?}");
    }
}

/// C7. Break: `Drop for Leader`.
#[tokio::test]
async fn c7_a_leader_that_goes_away_hands_over() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).build());
    backend.hold();
    let (one, two) = (world.clone(), world.clone());
    let leader = tokio::spawn(async move { one.get("db").await });
    backend.until_called(1).await;
    let follower = tokio::spawn(async move { two.get("db").await });
    tokio::task::yield_now().await;
    leader.abort();
    backend.until_called(1).await;
    backend.release(1);
    assert_eq!(value(&follower.await.unwrap().unwrap()), "value-1");
    assert_eq!(backend.calls(), 2);
}

/// A reader with this much time, on its way.
fn reader(world: &Arc<World>, time: Duration) -> JoinHandle<Result<Answer>> {
    let (world, call) = (world.clone(), world.call().within(time));
    tokio::spawn(async move { world.resolver.get(&call, &world.who, &World::ask("db")).await })
}

/// C7. Break: land every outcome in `Leader::land_in_time`.
#[tokio::test]
async fn c7_who_has_more_time_goes_on_when_the_leaders_is_over() {
    for batch in [false, true] {
        let backend = Versions::of(&[("db", 1), ("other", 1)]).backend();
        let world = Arc::new(Build::over(&backend).build());
        backend.hold();
        let leader = if batch {
            let (world, call) = (world.clone(), world.call().within(SECOND));
            tokio::spawn(async move {
                let asks = [World::ask("db"), World::ask("other")];
                world.resolver.get_many(&call, &world.who, &asks).await.swap_remove(0)
            })
        } else {
            reader(&world, SECOND)
        };
        backend.until_called(1).await;
        let calls = backend.calls();
        let followers: Vec<_> = (0..10).map(|_| reader(&world, 4 * SECOND)).collect();
        tokio::task::yield_now().await;
        world.clock.advance(SECOND);
        assert_eq!(kind(&leader.await.unwrap()), ErrorKind::Timeout);
        backend.until_called(1).await;
        backend.release(1);
        for follower in followers {
            assert_eq!(value(&follower.await.unwrap().unwrap()), "value-1");
        }
        assert_eq!(backend.calls(), calls + 1, "one of them goes on for all, batch {batch}");
    }
}

/// C7. Break: leave `remaining` out of `Call::cut_short`.
#[tokio::test]
async fn c7_a_timeout_of_the_provider_is_shared() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let mut build = Build::over(&backend);
    build.upstream.timeout = SECOND;
    let world = Arc::new(build.build());
    backend.hold();
    let readers: Vec<_> = (0..10).map(|_| reader(&world, 30 * SECOND)).collect();
    backend.until_called(1).await;
    world.clock.advance(SECOND);
    for reader in readers {
        assert_eq!(kind(&reader.await.unwrap()), ErrorKind::Timeout);
    }
    assert_eq!(backend.calls(), 1);
}

/// C7. Break: `ensure_time` in `Resolver::fetch`.
#[tokio::test]
async fn c7_nobody_goes_on_without_time_of_their_own() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let world = Arc::new(Build::over(&backend).build());
    backend.hold();
    let readers: Vec<_> = (0..10).map(|_| reader(&world, SECOND)).collect();
    backend.until_called(1).await;
    world.clock.advance(SECOND);
    for reader in readers {
        assert_eq!(kind(&reader.await.unwrap()), ErrorKind::Timeout);
    }
    assert_eq!(backend.calls(), 1);
}

/// C7. Break: land every result in `Freshness::check`.
#[tokio::test]
async fn c7_a_check_of_the_journal_goes_on_too_for_who_has_more_time() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let mut build = Build::over(&backend).journaled();
    build.on_outage = OnOutage::Fail;
    let world = Arc::new(build.build());
    world.get("db").await.unwrap();
    world.clock.advance(BOUND);
    let stalled = world.journal.stall_next();
    let leader = reader(&world, SECOND / 10);
    tokio::task::yield_now().await;
    let follower = reader(&world, 30 * SECOND);
    tokio::task::yield_now().await;
    world.clock.advance(SECOND / 10);
    assert_eq!(kind(&leader.await.unwrap()), ErrorKind::Timeout);
    assert_eq!(follower.await.unwrap().unwrap().status, CacheStatus::Hit);
    drop(stalled);
}

#[tokio::test]
async fn different_names_and_versions_do_not_wait_for_each_other() {
    let versions = Versions::of(&[("db", 2), ("other", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    backend.hold();
    let reads = async { tokio::join!(world.get("db"), world.get("other"), world.get_version("db", "1")) };
    let release = async {
        backend.until_called(3).await;
        backend.release(3);
    };
    let ((db, other, old), ()) = tokio::join!(reads, release);
    assert_eq!((value(&db.unwrap()), value(&other.unwrap())), ("value-2".into(), "value-1".into()));
    assert_eq!(value(&old.unwrap()), "value-1");
}

/// C10. Break: `unless_raised` in `Resolver::settle`.
#[tokio::test]
async fn c10_an_invalidation_during_a_fetch_keeps_the_older_value_out() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).build());
    backend.hold();
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(1).await;
    versions.set("db", 2);
    let who = Principal::new("tester");
    world.resolver.invalidate(&world.call(), &who, None, &Invalidation::Name(name("db"))).unwrap();
    backend.release(2);
    assert_eq!(value(&read.await.unwrap().unwrap()), "value-2", "repeated once, not returned to its waiters");
    assert_eq!(backend.calls(), 2);
    let hit = world.get("db").await.unwrap();
    assert_eq!((value(&hit).as_str(), hit.status), ("value-2", CacheStatus::Hit));
}

/// C10. Break: `unless_raised` in `Resolver::settle_error`.
#[tokio::test]
async fn c10_a_miss_that_was_on_its_way_is_not_remembered_after_an_invalidation() {
    let versions = Versions::of(&[]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).build());
    backend.hold();
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(1).await;
    versions.set("db", 1);
    let who = Principal::new("tester");
    world.resolver.invalidate(&world.call(), &who, None, &Invalidation::Name(name("db"))).unwrap();
    backend.release(2);
    assert_eq!(kind(&read.await.unwrap()), ErrorKind::NotFound);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
}

/// C10. Break: `began_after` in `Cache::insert`.
#[tokio::test]
async fn c10_a_slow_older_fetch_does_not_replace_a_younger_one() {
    let backend = Backend::new("vault", |name, _, call| {
        let mut secret = secret(name, call as u64 + 1);
        // Versions would tell on the older one by themselves.
        secret.version = None;
        Ok(secret)
    });
    let world = Arc::new(Build::over(&backend).build());
    let stalled = backend.stall_next();
    let reader = world.clone();
    let slow = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(1).await;
    world.clock.advance(SECOND);
    let ask = Ask { skip_cache: true, ..World::ask("db") };
    let young = world.resolver.get(&world.call(), &world.who, &ask).await.unwrap();
    assert_eq!(value(&young), "value-2");
    stalled.add_permits(1);
    slow.await.unwrap().unwrap();
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
}

/// C11. Break: `goes_backwards` in `Resolver::settle`.
#[tokio::test]
async fn c11_a_counted_version_never_goes_backwards_within_one_incarnation() {
    let versions = Versions::of(&[("db", 3)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).build());
    world.get("db").await.unwrap();
    world.clock.advance(6 * MINUTE);
    backend.answers(|name, _, _| Ok(secret(name, 2)));
    let answer = read(&world).await.unwrap();
    assert_eq!((value(&answer).as_str(), answer.status), ("value-3", CacheStatus::Stale(ErrorKind::Unavailable)));
}

/// C11. Break: the comparison of `created` in `goes_backwards`.
#[tokio::test]
async fn c11_a_lower_version_made_later_is_a_new_incarnation() {
    let versions = Versions::of(&[("db", 3)]);
    let backend = versions.backend();
    let made = lockstep_testkit::clock::START;
    backend.answers(move |name, _: &Selector, call| {
        let mut secret = secret(name, if call == 0 { 3 } else { 1 });
        secret.created = Some(made.plus(SECOND * u32::try_from(call).unwrap()));
        Ok(secret)
    });
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    world.clock.advance(6 * MINUTE);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
}

/// C10. Break: the comparison with what is held under the same key in `Cache::insert`.
#[tokio::test]
async fn c10_a_slow_older_fetch_by_another_spelling_does_not_replace_a_younger_one() {
    let versions = Versions::of(&[("canonical", 1)]);
    let held = versions.clone();
    let backend = Backend::new("vault", move |_, selector, _| held.answer(&name("canonical"), selector));
    let world = Arc::new(Build::over(&backend).build());
    let stalled = backend.stall_next();
    let reader = world.clone();
    let slow = tokio::spawn(async move { reader.get("short").await });
    backend.until_called(1).await;
    versions.set("canonical", 2);
    world.clock.advance(SECOND);
    assert_eq!(value(&world.get("long").await.unwrap()), "value-2");
    stalled.add_permits(1);
    slow.await.unwrap().unwrap();
    for text in ["long", "short"] {
        let answer = world.get(text).await.unwrap();
        assert_eq!((value(&answer).as_str(), answer.status), ("value-2", CacheStatus::Hit), "{text}");
    }
}

/// C10. Break: the comparison with what is held in `Resolver::settle_error`.
#[tokio::test]
async fn c10_a_slow_older_miss_or_refusal_does_not_end_a_younger_value() {
    for failure in [ErrorKind::NotFound, ErrorKind::Denied] {
        let backend =
            Backend::new("vault", move |name, _, call| if call == 0 { failing(failure) } else { Ok(secret(name, 1)) });
        let world = Arc::new(Build::over(&backend).build());
        let stalled = backend.stall_next();
        let reader = world.clone();
        let slow = tokio::spawn(async move { reader.get("db").await });
        backend.until_called(1).await;
        world.clock.advance(SECOND);
        let ask = Ask { skip_cache: true, ..World::ask("db") };
        world.resolver.get(&world.call(), &world.who, &ask).await.unwrap();
        stalled.add_permits(1);
        assert_eq!(kind(&slow.await.unwrap()), failure);
        assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    }
}

/// C11. Break: the condition on `may_stand_in` in `Resolver::goes_backwards`.
#[tokio::test]
async fn c11_a_version_that_went_backwards_is_refused_no_longer_than_what_was_held_could_stand_in() {
    let versions = Versions::of(&[("db", 3)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).build());
    world.get("db").await.unwrap();
    versions.set("db", 2);
    world.clock.advance(66 * MINUTE);
    assert_eq!(value(&read(&world).await.unwrap()), "value-2");
}
