//! The rows of the cache's table: fresh, refreshed ahead, expired, negative, pinned.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockstep_core::{
    Ask, CacheSettings, CacheStatus, Error, ErrorKind, Invalidation, Principal, Selector, Ttl, UnixMillis,
};
use lockstep_testkit::clock::START;

use crate::world::{Backend, Build, MINUTE, SECOND, Versions, World, alias, failing, kind, name, secret, value};

#[tokio::test]
async fn a_fresh_value_is_served_and_an_expired_one_is_fetched() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Miss);
    versions.set("db", 2);
    world.clock.advance(299 * SECOND);
    let hit = world.get("db").await.unwrap();
    assert_eq!((value(&hit).as_str(), hit.status), ("value-1", CacheStatus::Hit));
    world.clock.advance(SECOND);
    let miss = world.get("db").await.unwrap();
    assert_eq!((value(&miss).as_str(), miss.status), ("value-2", CacheStatus::Miss));
    assert_eq!(backend.calls(), 2);
}

#[tokio::test]
async fn a_value_past_its_refresh_point_is_served_while_one_refresh_runs() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend);
    build.cache.refresh_ahead = MINUTE;
    let world = build.build();
    world.get("db").await.unwrap();
    versions.set("db", 2);
    world.clock.advance(4 * MINUTE);
    backend.hold();
    for _ in 0..3 {
        assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
    }
    backend.until_called(2).await;
    backend.release(1);
    while value(&world.get("db").await.unwrap()) == "value-1" {
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.calls(), 2);
}

/// Break: `REFRESH_PAUSE` in `Entry::claim_refresh`.
#[tokio::test]
async fn a_refresh_that_failed_is_not_tried_again_at_every_hit() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend);
    build.cache.refresh_ahead = MINUTE;
    let world = build.build();
    world.get("db").await.unwrap();
    backend.answers(|_, _, _| failing(ErrorKind::Unavailable));
    world.clock.advance(4 * MINUTE);
    for wanted_calls in [2, 3] {
        for _ in 0..20 {
            assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
            tokio::task::yield_now().await;
        }
        assert_eq!(backend.calls(), wanted_calls);
        world.clock.advance(5 * SECOND);
    }
}

/// C4. Break: `is_transient` in the match of `Resolver::candidate`.
#[tokio::test]
async fn c4_only_a_transient_failure_lets_a_stale_value_stand_in() {
    for failure in ErrorKind::ALL {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let world = Build::over(&backend).build();
        world.get("db").await.unwrap();
        world.clock.advance(6 * MINUTE);
        backend.answers(move |_, _, _| failing(failure));
        let answer = world.get("db").await;
        if failure.is_transient() {
            assert_eq!(answer.unwrap().status, CacheStatus::Stale(failure));
            continue;
        }
        assert_eq!(kind(&answer), failure);
        // The answer has evicted what was cached: an outage afterwards has nothing to stand in.
        world.clock.advance(MINUTE);
        backend.answers(|_, _, _| failing(ErrorKind::Network));
        assert_eq!(kind(&world.get("db").await), ErrorKind::Network, "after {failure:?}");
    }
}

/// C5. Break: `max_stale` in `Entry::may_stand_in`.
#[tokio::test]
async fn c5_a_stale_value_ends_with_max_stale() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    backend.answers(|_, _, _| failing(ErrorKind::Unavailable));
    world.clock.advance(64 * MINUTE + 59 * SECOND);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Stale(ErrorKind::Unavailable));
    world.clock.advance(SECOND);
    assert_eq!(kind(&world.get("db").await), ErrorKind::Unavailable);
}

/// C6. Break: `.max(now.wall…)` in `Moment::since`, or its check of setbacks.
#[tokio::test]
async fn c6_either_clock_expires_a_value_and_a_clock_set_back_expires_it_too() {
    type Travel = (&'static str, fn(&World));
    let moves: [Travel; 3] = [
        ("the wall clock moves while the monotonic one stands", |world| world.clock.advance_wall(60 * MINUTE)),
        ("the monotonic clock moves while the wall stands", |world| world.clock.advance_monotonic(60 * MINUTE)),
        ("the wall clock is set back", |world| world.clock.set_wall(UnixMillis(START.0 - 1))),
    ];
    for (what, travel) in moves {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let world = Build::over(&backend).build();
        world.get("db").await.unwrap();
        assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
        travel(&world);
        assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Miss, "{what}");
        assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit, "{what}: the new one is fresh");
    }
}

/// C6. Break: `.max(self.outside…)` in `Timeline::now`.
#[tokio::test]
async fn c6_a_clock_outside_expires_a_value_while_both_of_ours_stand() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    world.resolver.at_least(START.plus(60 * MINUTE));
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Miss);
}

/// C8. Break: `remember_miss` in `Resolver::settle_error`, or its condition on NotFound.
#[tokio::test]
async fn c8_a_miss_is_remembered_for_a_moment_and_a_failure_never() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::NotFound));
    let world = Build::over(&backend).build();
    for _ in 0..3 {
        assert_eq!(kind(&world.get("db").await), ErrorKind::NotFound);
    }
    assert_eq!(backend.calls(), 1);
    world.clock.advance(30 * SECOND);
    backend.answers(|_, _, _| failing(ErrorKind::Network));
    assert_eq!(kind(&world.get("db").await), ErrorKind::Network);
    backend.answers(|name, _, _| Ok(secret(name, 1)));
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
    assert_eq!(backend.calls(), 3);
}

/// C8. Break: the capacity of `misses` in `Cache::new`.
#[tokio::test]
async fn c8_a_flood_of_unknown_names_is_bounded() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::NotFound));
    let mut build = Build::over(&backend);
    build.cache.max_entries = 10;
    build.upstream.rate_per_second = 0;
    let world = build.build();
    for at in 0..1000 {
        assert_eq!(kind(&world.get(&format!("n{at}")).await), ErrorKind::NotFound);
    }
    let before = backend.calls();
    for at in 0..1000 {
        let _ = world.get(&format!("n{at}")).await;
    }
    assert!(backend.calls() - before >= 980, "at most ten misses may have been remembered");
}

/// C9. Break: the weigher's share, or the weight capacity.
#[tokio::test]
async fn c9_entries_and_bytes_are_both_bounded() {
    let backend = Backend::new("vault", |name, _, _| Ok(secret(name, 1)));
    let mut build = Build::over(&backend);
    build.cache.max_entries = 1000;
    build.upstream.rate_per_second = 0;
    let world = build.build();
    for at in 0..1000 {
        world.get(&format!("n{at}")).await.unwrap();
    }
    for at in 0..1000 {
        assert_eq!(world.get(&format!("n{at}")).await.unwrap().status, CacheStatus::Hit, "all of max_entries fit");
    }
    let mut build = Build::over(&backend);
    build.cache.max_bytes = 10 * 600;
    build.cache.max_entries = 10;
    build.upstream.rate_per_second = 0;
    let world = build.build();
    for at in 0..100 {
        world.get(&format!("n{at}")).await.unwrap();
    }
    let before = backend.calls();
    for at in 0..100 {
        world.get(&format!("n{at}")).await.unwrap();
    }
    assert!(backend.calls() - before >= 90, "no more than ten are held");
}

/// C9. Break: the check of `max_bytes` in `Cache::insert`.
#[tokio::test]
async fn c9_one_oversize_value_is_answered_and_evicts_nobody() {
    let backend = Backend::new("vault", |name, _, _| {
        let mut secret = secret(name, 1);
        if name.as_str() == "big" {
            secret.payload = lockstep_core::Payload::text("x".repeat(100_000));
        }
        Ok(secret)
    });
    let mut build = Build::over(&backend);
    build.cache.max_bytes = 50_000;
    build.cache.max_entries = 10;
    let world = build.build();
    world.get("db").await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.get("big").await.unwrap().status, CacheStatus::Miss);
    }
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
}

/// C12. Break: the selector in `Spelling` and `Key`.
#[tokio::test]
async fn c12_a_pinned_version_and_the_current_one_never_stand_in_for_each_other() {
    let versions = Versions::of(&[("db", 3)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    assert_eq!(value(&world.get("db").await.unwrap()), "value-3");
    assert_eq!(value(&world.get_version("db", "2").await.unwrap()), "value-2");
    assert_eq!(value(&world.get_version("db", "previous").await.unwrap()), "value-2");
    assert_eq!(kind(&world.get_version("db", "4").await), ErrorKind::VersionNotFound);
    assert_eq!(value(&world.get_version("db", "current").await.unwrap()), "value-3");
    versions.set("db", 4);
    world.clock.advance(10 * MINUTE);
    assert_eq!(value(&world.get_version("db", "2").await.unwrap()), "value-2");
    assert_eq!(world.get_version("db", "2").await.unwrap().status, CacheStatus::Hit, "a pin has no TTL");
    assert_eq!(value(&world.get("db").await.unwrap()), "value-4");
}

#[tokio::test]
async fn the_rights_to_a_pinned_version_are_checked_again() {
    let versions = Versions::of(&[("db", 3)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get_version("db", "2").await.unwrap();
    backend.answers(|_, _, _| failing(ErrorKind::Denied));
    world.clock.advance(60 * MINUTE);
    assert_eq!(kind(&world.get_version("db", "2").await), ErrorKind::Denied);
}

/// C1. Break: any field of `Key` or `Spelling`.
#[tokio::test]
async fn c1_the_same_name_in_another_scope_is_another_secret() {
    let one = Backend::new("vault", |name, _, _| Ok(secret(name, 1)));
    let two = Backend::new("vault", |name, _, _| Ok(secret(name, 2)));
    let world = Build::chain(&[("one", &one), ("two", &two)]).build();
    let ask = |provider: &str| Ask { alias: Some(alias(provider)), ..World::ask("db") };
    for _ in 0..2 {
        for (provider, wanted) in [("one", "value-1"), ("two", "value-2")] {
            let answer = world.resolver.get(&world.call(), &world.who, &ask(provider)).await.unwrap();
            assert_eq!(value(&answer), wanted);
        }
    }
    assert_eq!((one.calls(), two.calls()), (1, 1));
}

/// C2. Break: the order of authorization and cache in `Resolver::get`, or give `policy` beside every error in
/// `Resolver::read`.
#[tokio::test]
async fn c2_a_cached_value_is_not_for_who_may_not_read_it() {
    let backend = Backend::new("vault", |_, _, _| Ok(secret(&name("forbidden/db"), 1)));
    let world = Build::over(&backend).build();
    // Allowed as asked, refused by the name that the provider answers with: cached or not.
    for _ in 0..2 {
        let refused = world.get("alias-of-it").await.unwrap_err();
        assert_eq!((refused.kind(), refused.provider()), (ErrorKind::Denied, None));
    }
    assert_eq!(backend.calls(), 1);
    // What decided stands in the audit, and not what had allowed the name that was asked for.
    let by: Vec<_> = world.records.0.lock().unwrap().iter().map(|record| record.policy.clone()).collect();
    assert_eq!(by, [Some("test: forbidden".into()), Some("test: forbidden".into())]);
    assert_eq!(kind(&world.get("forbidden/db").await), ErrorKind::Denied);
    assert_eq!(backend.calls(), 1, "refused before any call");
}

#[tokio::test]
async fn spellings_are_learned_to_be_one_secret() {
    let backend = Backend::new("vault", |_, _, call| Ok(secret(&name("canonical"), call as u64 + 1)));
    let world = Build::over(&backend).build();
    assert_eq!(value(&world.get("short").await.unwrap()), "value-1");
    assert_eq!(value(&world.get("long").await.unwrap()), "value-2");
    // The second spelling has brought the newer answer for both.
    assert_eq!(value(&world.get("short").await.unwrap()), "value-2");
    assert_eq!(backend.calls(), 2);
}

#[tokio::test]
async fn skipping_the_cache_asks_the_provider_and_keeps_the_answer() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    versions.set("db", 2);
    let ask = Ask { skip_cache: true, ..World::ask("db") };
    let answer = world.resolver.get(&world.call(), &world.who, &ask).await.unwrap();
    assert_eq!((value(&answer).as_str(), answer.status), ("value-2", CacheStatus::Miss));
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
}

#[tokio::test]
async fn a_ttl_of_zero_caches_nothing() {
    let backend = Backend::new("vault", |name, _, call| Ok(secret(name, call as u64)));
    let mut build = Build::over(&backend);
    build.cache = CacheSettings { ttl: Ttl::ZERO, ..build.cache };
    let world = build.build();
    for _ in 0..3 {
        assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Miss);
    }
    assert_eq!(backend.calls(), 3);
}

#[tokio::test]
async fn an_advisory_expiry_shortens_the_ttl_and_never_below_its_floor() {
    for (expires_in, fresh_for) in [(60, 60), (1, 5), (3600, 300)] {
        let backend = Backend::new("vault", move |name, _, _| {
            let mut secret = secret(name, 1);
            secret.expires = Some(START.plus(Duration::from_secs(expires_in)));
            Ok(secret)
        });
        let world = Build::over(&backend).build();
        assert_eq!(world.get("db").await.unwrap().fresh_for, Duration::from_secs(fresh_for));
    }
}

#[tokio::test]
async fn an_invalidation_drops_a_name_or_a_prefix_of_whole_segments() {
    let backend = Backend::new("vault", |name, _, _| Ok(secret(name, 1)));
    let world = Build::over(&backend).build();
    for text in ["db/a", "db/b", "dbx"] {
        world.get(text).await.unwrap();
    }
    let who = Principal::new("tester");
    let drop = |what| world.resolver.invalidate(&world.call(), &who, None, &what).unwrap();
    assert_eq!(drop(Invalidation::Name(name("db/a"))), 1);
    assert_eq!(drop(Invalidation::Prefix(name("db"))), 1);
    assert_eq!(world.get("dbx").await.unwrap().status, CacheStatus::Hit);
    assert_eq!(world.get("db/b").await.unwrap().status, CacheStatus::Miss);
}

/// C2. Break: `may` in `Inner::drop_matching`.
#[tokio::test]
async fn c2_the_right_to_a_prefix_ends_at_what_may_not_be_invalidated() {
    let backend = Backend::new("vault", |name, _, _| Ok(secret(name, 1)));
    let world = Build::over(&backend).build();
    for text in ["db/a", "db/kept"] {
        world.get(text).await.unwrap();
    }
    let drop = |what| world.resolver.invalidate(&world.call(), &world.who, None, &what);
    assert_eq!(kind(&drop(Invalidation::Name(name("db/kept")))), ErrorKind::Denied);
    assert_eq!(drop(Invalidation::Prefix(name("db"))).unwrap(), 1);
    assert_eq!(world.get("db/kept").await.unwrap().status, CacheStatus::Hit);
}

#[tokio::test]
async fn many_reads_are_one_batch_and_come_back_in_order() {
    let versions = Versions::of(&[("a", 1), ("b", 2), ("c", 3)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get("b").await.unwrap();
    let asks: Vec<_> = ["c", "b", "missing", "a", "forbidden"].map(World::ask).into();
    let answers = world.resolver.get_many(&world.call(), &world.who, &asks).await;
    let seen: Vec<_> = answers.iter().map(|answer| answer.as_ref().map(value).map_err(Error::kind)).collect();
    assert_eq!(
        seen,
        [
            Ok("value-3".into()),
            Ok("value-2".into()),
            Err(ErrorKind::NotFound),
            Ok("value-1".into()),
            Err(ErrorKind::Denied)
        ]
    );
    assert_eq!(answers[1].as_ref().unwrap().status, CacheStatus::Hit);
    assert_eq!(answers[0].as_ref().unwrap().status, CacheStatus::Miss);
    assert_eq!((backend.batches.load(Ordering::SeqCst), backend.calls()), (1, 4));
    assert_eq!(kind(&world.get("missing").await), ErrorKind::NotFound);
    assert_eq!(backend.calls(), 4, "the batch's miss is remembered too");
}

#[tokio::test]
async fn selectors_are_classified_by_the_provider_but_for_the_two_words() {
    let backend = Backend::new("vault", |name, selector, _| {
        let mut secret = secret(name, 1);
        secret.labels = vec![format!("{selector:?}").into()];
        Ok(secret)
    });
    let world = Build::over(&backend).build();
    for (text, wanted) in [
        ("current", Selector::Current),
        ("previous", Selector::Previous),
        ("7", Selector::Id("7".into())),
        ("blue", Selector::Label("blue".into())),
    ] {
        let answer = world.get_version("db", text).await.unwrap();
        assert_eq!(*answer.secret.labels[0], *format!("{wanted:?}"), "{text}");
    }
    assert_eq!(kind(&world.get_version("db", &"x".repeat(300)).await), ErrorKind::InvalidReference);
}

/// Break: ask again what the batch has answered in `Resolver::chain`.
#[tokio::test]
async fn a_batch_that_failed_is_not_asked_again_item_by_item() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::Network));
    let world = Build::over(&backend).build();
    let asks = ["a", "b", "c"].map(World::ask);
    let answers = world.resolver.get_many(&world.call(), &world.who, &asks).await;
    assert!(answers.iter().all(|answer| kind(answer) == ErrorKind::Network));
    assert_eq!((backend.batches.load(Ordering::SeqCst), backend.calls()), (1, 3));
}

/// Break: one batch after the other in `Resolver::get_many`.
#[tokio::test]
async fn a_slow_batch_does_not_keep_another_providers_waiting() {
    let fixed = |version| Backend::new("vault", move |name, _, _| Ok(secret(name, version)));
    let (one, two) = (fixed(1), fixed(2));
    let world = Arc::new(Build::chain(&[("one", &one), ("two", &two)]).build());
    let (slow_one, slow_two) = (one.stall_next(), two.stall_next());
    let asks: Vec<_> = [("one", "a"), ("one", "b"), ("two", "a"), ("two", "b")]
        .map(|(provider, text)| Ask { alias: Some(alias(provider)), ..World::ask(text) })
        .into();
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.resolver.get_many(&reader.call(), &reader.who, &asks).await });
    one.until_called(1).await;
    two.until_called(1).await;
    slow_one.add_permits(1);
    slow_two.add_permits(1);
    let answers: Vec<_> = read.await.unwrap().iter().map(|answer| value(answer.as_ref().unwrap())).collect();
    assert_eq!(answers, ["value-1", "value-1", "value-2", "value-2"]);
}

/// O7. Break: `factor` in `Resolver::entry`.
#[tokio::test]
async fn o7_ttls_are_spread_so_that_what_began_together_does_not_end_together() {
    let backend = Backend::new("vault", |name, _, _| Ok(secret(name, 1)));
    let mut build = Build::over(&backend);
    build.cache.jitter = true;
    let world = build.build();
    let mut ends = std::collections::BTreeSet::new();
    for at in 0..100 {
        let fresh_for = world.get(&format!("n{at}")).await.unwrap().fresh_for;
        assert!((Duration::from_secs(270)..=Duration::from_mins(5)).contains(&fresh_for), "{fresh_for:?}");
        ends.insert(fresh_for.as_secs());
    }
    assert!(ends.len() > 20, "{ends:?}");
}
