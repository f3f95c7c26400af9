//! A replica that lags: what it costs while it has not caught up.

use std::sync::Arc;

use futures_util::future::join_all;
use lockstep_core::{Ask, CacheStatus, ErrorKind, Invalidation, Principal};

use crate::world::{BOUND, Backend, Build, SECOND, Versions, World, change, kind, name, read, value, wall};

/// A world whose provider still answers version 1 of `db` after version 2 was announced, and `held` whether version 1
/// was read before. It has been found out once: three calls, besides the first.
async fn lagging(held: bool, single_flight: bool) -> (Versions, Arc<Backend>, Arc<World>) {
    let versions = Versions::of(&[("db", 1), ("other", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend).journaled();
    build.cache.single_flight = single_flight;
    let world = Arc::new(build.build());
    if held {
        world.get("db").await.unwrap();
    }
    world.append(&[change("db", Some(2), "1", wall(&world))]).await;
    world.clock.advance(BOUND);
    let found_out = read(&world).await;
    if held {
        assert_eq!(found_out.unwrap().status, CacheStatus::Stale(ErrorKind::Unavailable));
    } else {
        assert_eq!(kind(&found_out), ErrorKind::Unavailable);
    }
    assert_eq!(backend.calls(), 3 + usize::from(held));
    (versions, backend, world)
}

/// C11. Break: `remember` in `Resolver::lead`, or either look at `lag` in `Resolver::fetch`.
#[tokio::test]
async fn c11_for_a_second_readers_share_what_one_of_them_found_out() {
    for single_flight in [true, false] {
        let (versions, backend, world) = lagging(true, single_flight).await;
        for _ in 0..9 {
            for answer in join_all((0..10).map(|_| world.get("db"))).await {
                let answer = answer.unwrap();
                assert_eq!(
                    (value(&answer), answer.status),
                    ("value-1".into(), CacheStatus::Stale(ErrorKind::Unavailable))
                );
            }
            world.clock.advance(SECOND / 10);
        }
        assert_eq!(backend.calls(), 4, "single flight {single_flight}");
        // Then it is found out anew, by whoever asks first.
        world.clock.advance(SECOND / 10);
        read(&world).await.unwrap();
        assert_eq!(backend.calls(), 7, "single flight {single_flight}");
        versions.set("db", 2);
        world.clock.advance(SECOND);
        assert_eq!(value(&read(&world).await.unwrap()), "value-2");
        assert_eq!(backend.calls(), 8, "single flight {single_flight}");
    }
}

/// Break: the condition on `lag` in `Resolver::must_fetch`.
#[tokio::test]
async fn where_nothing_stands_in_they_share_the_failure_also_in_a_batch() {
    for held in [false, true] {
        let (_, backend, world) = lagging(held, true).await;
        let calls = backend.calls();
        if !held {
            assert_eq!(kind(&world.get("db").await), ErrorKind::Unavailable);
        }
        let answers =
            world.resolver.get_many(&world.call(), &world.who, &[World::ask("db"), World::ask("other")]).await;
        assert_eq!(answers[0].is_err(), !held);
        assert_eq!(value(answers[1].as_ref().unwrap()), "value-1");
        assert_eq!((backend.calls(), backend.batches()), (calls + 1, 0), "the other one alone, held {held}");
    }
}

/// Break: the filter on `skip_cache` in `Resolver::fetch`.
#[tokio::test]
async fn who_skips_the_cache_asks_the_provider_all_the_same_and_ends_the_wait_for_all() {
    let (versions, backend, world) = lagging(true, true).await;
    versions.set("db", 2);
    let ask = Ask { skip_cache: true, ..World::ask("db") };
    assert_eq!(value(&world.resolver.get(&world.call(), &world.who, &ask).await.unwrap()), "value-2");
    let answer = world.get("db").await.unwrap();
    assert_eq!((value(&answer).as_str(), answer.status), ("value-2", CacheStatus::Hit));
    assert_eq!(backend.calls(), 5);
}

/// Break: keep lags in a map that `Cache::forget_misses` does not know.
#[tokio::test]
async fn an_invalidation_ends_the_wait() {
    let (versions, backend, world) = lagging(true, true).await;
    versions.set("db", 2);
    let who = Principal::new("tester");
    world.resolver.invalidate(&world.call(), &who, None, &Invalidation::Name(name("db"))).unwrap();
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
    assert_eq!(backend.calls(), 5);
}
