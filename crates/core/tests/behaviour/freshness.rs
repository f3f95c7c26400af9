//! The bound: once a Change is in the journal, how long may the old value be served, and what is trusted when.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use lockstep_core::{Ask, CacheStatus, ChangeKind, ChangedName, ErrorKind, OnOutage, Selector, Version};

use crate::world::{
    BOUND, Backend, Build, MINUTE, SECOND, Versions, World, change, failing, kind, read, secret, value, wall,
};

fn journaled(versions: &Versions) -> (Arc<Backend>, World) {
    let backend = versions.backend();
    let world = Build::over(&backend).journaled().build();
    (backend, world)
}

#[tokio::test]
async fn a_superseded_value_is_never_served_past_the_bound() {
    // Whenever the Change comes between two checks, and whenever somebody asks.
    for wait_before in 0..10 {
        for wait_after in 0..12 {
            let versions = Versions::of(&[("db", 1)]);
            let (_, world) = journaled(&versions);
            world.get("db").await.unwrap();
            world.clock.advance(wait_before * SECOND);
            world.get("db").await.unwrap();
            versions.set("db", 2);
            world.append(&[change("db", Some(2), "1", wall(&world))]).await;
            for second in 0..=wait_after {
                let answer = world.get("db").await.unwrap();
                assert!(value(&answer) == "value-2" || SECOND * second < BOUND, "{wait_before} s, {second} s after");
                world.clock.advance(SECOND);
            }
        }
    }
}

#[tokio::test]
async fn one_check_serves_many_reads_for_half_the_bound() {
    let versions = Versions::of(&[("db", 1)]);
    let (backend, world) = journaled(&versions);
    for _ in 0..100 {
        world.get("db").await.unwrap();
    }
    assert_eq!(world.journal.reads.load(Ordering::SeqCst), 1);
    world.clock.advance(BOUND / 2);
    futures_util::future::join_all((0..100).map(|_| world.get("db"))).await;
    assert_eq!(world.journal.reads.load(Ordering::SeqCst), 2);
    assert_eq!(backend.calls(), 1);
}

#[tokio::test]
async fn with_a_healthy_journal_the_longer_ttl_counts_and_without_it_the_shorter() {
    let versions = Versions::of(&[("db", 1)]);
    let (backend, world) = journaled(&versions);
    world.get("db").await.unwrap();
    world.clock.advance(59 * MINUTE);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    world.journal.set_down(true);
    world.clock.advance(BOUND);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Miss);
    assert_eq!(backend.calls(), 2);
}

#[tokio::test]
async fn a_version_that_is_already_held_costs_no_fetch() {
    let versions = Versions::of(&[("db", 2)]);
    let (backend, world) = journaled(&versions);
    world.get("db").await.unwrap();
    world.append(&[change("db", Some(2), "1", wall(&world)), change("db", Some(1), "2", wall(&world))]).await;
    world.clock.advance(BOUND);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    assert_eq!(backend.calls(), 1);
}

#[tokio::test]
async fn a_change_of_another_secret_touches_nothing() {
    let versions = Versions::of(&[("db", 1)]);
    let (backend, world) = journaled(&versions);
    world.get("db").await.unwrap();
    let mut elsewhere = change("db", Some(2), "1", wall(&world));
    elsewhere.source.account = "2".into();
    world.append(&[elsewhere, change("dbx", Some(2), "2", wall(&world))]).await;
    world.clock.advance(BOUND);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    assert_eq!(backend.calls(), 1);
}

#[tokio::test]
async fn when_the_journal_is_down_serve_goes_on_marked_and_fail_fails() {
    for on_outage in [OnOutage::Serve, OnOutage::Fail] {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let mut build = Build::over(&backend).journaled();
        build.on_outage = on_outage;
        let world = build.build();
        world.get("db").await.unwrap();
        world.journal.set_down(true);
        world.clock.advance(BOUND);
        let answer = world.get("db").await;
        match on_outage {
            OnOutage::Serve => assert_eq!(answer.unwrap().status, CacheStatus::Stale(ErrorKind::Unavailable)),
            OnOutage::Fail => assert_eq!(kind(&answer), ErrorKind::Unavailable),
        }
        world.journal.set_down(false);
        world.clock.advance(BOUND);
        assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    }
}

#[tokio::test]
async fn when_the_provider_is_down_serve_goes_on_with_what_was_superseded_and_fail_fails() {
    for on_outage in [OnOutage::Serve, OnOutage::Fail] {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let mut build = Build::over(&backend).journaled();
        build.on_outage = on_outage;
        let world = build.build();
        world.get("db").await.unwrap();
        world.append(&[change("db", Some(2), "1", wall(&world))]).await;
        backend.answers(|_, _, _| failing(ErrorKind::Network));
        world.clock.advance(2 * BOUND);
        let answer = world.get("db").await;
        match on_outage {
            OnOutage::Serve => assert_eq!(answer.unwrap().status, CacheStatus::Stale(ErrorKind::Network)),
            OnOutage::Fail => assert_eq!(kind(&answer), ErrorKind::Network),
        }
    }
}

#[tokio::test]
async fn a_deletion_takes_the_value_away_at_once() {
    for gone in [ChangeKind::Deleted, ChangeKind::Destroyed] {
        let versions = Versions::of(&[("db", 1)]);
        let (backend, world) = journaled(&versions);
        world.get("db").await.unwrap();
        let mut deleted = change("db", None, "1", wall(&world));
        deleted.kind = gone;
        world.append(&[deleted]).await;
        backend.answers(|_, _, _| failing(ErrorKind::Deleted));
        world.clock.advance(BOUND / 2);
        assert_eq!(kind(&world.get("db").await), ErrorKind::Deleted);
        backend.answers(|_, _, _| failing(ErrorKind::Network));
        assert_eq!(kind(&world.get("db").await), ErrorKind::Network, "nothing is left to stand in");
    }
}

#[tokio::test]
async fn a_gap_supersedes_what_was_fetched_before_it() {
    let versions = Versions::of(&[("db", 1), ("other", 1)]);
    let (backend, world) = journaled(&versions);
    world.get("db").await.unwrap();
    world.get("other").await.unwrap();
    versions.set("db", 2);
    world.journal.restart();
    world.clock.advance(BOUND);
    world.get("db").await.unwrap();
    world.clock.advance(BOUND);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
    world.get("other").await.unwrap();
    assert_eq!(backend.calls(), 4);
}

#[tokio::test]
async fn a_change_of_current_moves_previous_too_and_leaves_pins_alone() {
    let versions = Versions::of(&[("db", 2)]);
    let (_, world) = journaled(&versions);
    for selector in ["current", "previous", "1"] {
        world.get_version("db", selector).await.unwrap();
    }
    versions.set("db", 3);
    world.append(&[change("db", Some(3), "1", wall(&world))]).await;
    world.clock.advance(BOUND);
    world.get("db").await.unwrap();
    world.clock.advance(BOUND);
    assert_eq!(value(&world.get_version("db", "current").await.unwrap()), "value-3");
    assert_eq!(value(&world.get_version("db", "previous").await.unwrap()), "value-2");
    assert_eq!(world.get_version("db", "1").await.unwrap().status, CacheStatus::Hit);
}

#[tokio::test]
async fn a_miss_ends_with_a_change_of_its_name() {
    let versions = Versions::of(&[]);
    let (_, world) = journaled(&versions);
    assert_eq!(kind(&world.get("db").await), ErrorKind::NotFound);
    versions.set("db", 1);
    world.append(&[change("db", None, "1", wall(&world))]).await;
    world.clock.advance(BOUND / 2);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
}

/// C11. Break: `Verdict::Lagging` in `Resolver::settle`.
#[tokio::test]
async fn c11_a_lagging_replica_is_asked_again_and_never_adopted() {
    let versions = Versions::of(&[("db", 1)]);
    let (backend, world) = journaled(&versions);
    let world = Arc::new(world);
    world.get("db").await.unwrap();
    world.append(&[change("db", Some(2), "1", wall(&world))]).await;
    world.clock.advance(2 * BOUND);
    let lagged = read(&world).await.unwrap();
    assert_eq!((value(&lagged).as_str(), lagged.status), ("value-1", CacheStatus::Stale(ErrorKind::Unavailable)));
    assert_eq!(backend.calls(), 4, "the first read, and three that lagged");
    versions.set("db", 2);
    world.clock.advance(SECOND);
    assert_eq!(value(&read(&world).await.unwrap()), "value-2");
}

#[tokio::test]
async fn changes_out_of_order_leave_the_newest_expectation() {
    let versions = Versions::of(&[("db", 1)]);
    let (_, world) = journaled(&versions);
    let world = Arc::new(world);
    world.get("db").await.unwrap();
    let now = wall(&world);
    world.append(&[change("db", Some(3), "3", now.plus(SECOND)), change("db", Some(2), "2", now)]).await;
    world.clock.advance(2 * BOUND);
    versions.set("db", 2);
    assert!(matches!(read(&world).await.unwrap().status, CacheStatus::Stale(_)), "2 is older than what was announced");
    versions.set("db", 3);
    world.clock.advance(SECOND);
    assert_eq!(value(&read(&world).await.unwrap()), "value-3");
}

#[tokio::test]
async fn first_contact_keeps_a_prefetched_value_that_meets_what_is_expected() {
    for (held, wanted_calls) in [(2, 1), (1, 2)] {
        let versions = Versions::of(&[("db", held)]);
        let (backend, world) = journaled(&versions);
        let world = Arc::new(world);
        world.append(&[change("db", Some(2), "1", wall(&world))]).await;
        // The prefetch came before the journal was read: it was down, and is read a moment later.
        world.journal.set_down(true);
        let early = world.get("db").await;
        assert_eq!(value(&early.unwrap()), format!("value-{held}"));
        world.journal.set_down(false);
        world.clock.advance(SECOND);
        versions.set("db", 2);
        assert_eq!(value(&read(&world).await.unwrap()), "value-2");
        assert_eq!(backend.calls(), wanted_calls);
    }
}

#[tokio::test]
async fn a_cold_start_just_after_a_rotation_does_not_adopt_an_old_replicas_answer() {
    let versions = Versions::of(&[("db", 1)]);
    let (_, world) = journaled(&versions);
    let world = Arc::new(world);
    world.append(&[change("db", Some(2), "1", wall(&world))]).await;
    assert_eq!(kind(&read(&world).await), ErrorKind::Unavailable);
    versions.set("db", 2);
    world.clock.advance(SECOND);
    assert_eq!(value(&read(&world).await.unwrap()), "value-2");
}

#[tokio::test]
async fn an_expectation_without_a_version_costs_one_refetch_after_settle() {
    let versions = Versions::of(&[("db", 1)]);
    let (backend, world) = journaled(&versions);
    world.get("db").await.unwrap();
    world.append(&[change("db", None, "1", wall(&world))]).await;
    world.clock.advance(2 * BOUND);
    world.get("db").await.unwrap();
    assert_eq!(backend.calls(), 2);
    world.clock.advance(2 * MINUTE);
    versions.set("db", 2);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
    world.clock.advance(30 * MINUTE);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    assert_eq!(backend.calls(), 3);
}

#[tokio::test]
async fn not_found_of_an_announced_version_is_transient_while_it_settles() {
    let versions = Versions::of(&[("db", 1)]);
    let (_, world) = journaled(&versions);
    let world = Arc::new(world);
    world.get("db").await.unwrap();
    versions.remove("db");
    world.append(&[change("db", Some(2), "1", wall(&world))]).await;
    world.clock.advance(2 * BOUND);
    assert_eq!(read(&world).await.unwrap().status, CacheStatus::Stale(ErrorKind::Unavailable));
    world.clock.advance(2 * MINUTE);
    assert_eq!(kind(&read(&world).await), ErrorKind::NotFound);
}

/// Versions without an order, as AWS and Azure have them.
fn unordered(world_version: &Versions) -> Arc<Backend> {
    let versions = world_version.clone();
    Backend::new("vault", move |name, selector, _| {
        let mut secret = versions.answer(name, selector)?;
        secret.version = secret.version.map(|version| Version::unordered(version.id));
        Ok(secret)
    })
}

#[tokio::test]
async fn an_unordered_version_that_was_held_is_refused_while_it_settles_and_a_rollback_ends_that() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = unordered(&versions);
    let world = Arc::new(Build::over(&backend).journaled().build());
    world.get("db").await.unwrap();
    world.append(&[change("db", Some(2), "1", wall(&world))]).await;
    world.clock.advance(2 * BOUND);
    assert!(matches!(read(&world).await.unwrap().status, CacheStatus::Stale(_)), "the held id is refused");
    versions.set("db", 2);
    world.clock.advance(SECOND);
    assert_eq!(value(&read(&world).await.unwrap()), "value-2");
    versions.set("db", 1);
    world.append(&[change("db", Some(1), "2", wall(&world))]).await;
    world.clock.advance(2 * BOUND);
    assert_eq!(value(&read(&world).await.unwrap()), "value-1", "a newer Change names it: a rollback");
}

/// C10. Break: `fence.raise` in `Freshness::apply`.
#[tokio::test]
async fn c10_a_change_during_a_fetch_keeps_the_older_value_out() {
    let versions = Versions::of(&[("db", 1), ("other", 1)]);
    let (backend, world) = journaled(&versions);
    let world = Arc::new(world);
    world.get("other").await.unwrap();
    backend.hold();
    let reader = world.clone();
    let slow = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(2).await;
    versions.set("db", 2);
    world.append(&[change("db", None, "1", wall(&world))]).await;
    world.clock.advance(BOUND / 2);
    world.get("other").await.unwrap();
    backend.release(10);
    assert_eq!(value(&slow.await.unwrap().unwrap()), "value-2");
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
}

#[tokio::test]
async fn an_operators_star_supersedes_all_of_a_provider() {
    let versions = Versions::of(&[("a", 1), ("b", 1)]);
    let (_, world) = journaled(&versions);
    world.get("a").await.unwrap();
    world.get("b").await.unwrap();
    versions.set("a", 2);
    versions.set("b", 2);
    let mut all = change("", None, "1", wall(&world));
    all.name = ChangedName::All;
    world.append(&[all]).await;
    world.clock.advance(BOUND);
    let _ = world.get("a").await;
    world.clock.advance(BOUND);
    for text in ["a", "b"] {
        assert_eq!(value(&world.get(text).await.unwrap()), "value-2");
    }
}

#[tokio::test]
async fn a_lower_version_after_a_deletion_is_a_new_incarnation() {
    let versions = Versions::of(&[("db", 5)]);
    let (backend, world) = journaled(&versions);
    let world = Arc::new(world);
    world.get("db").await.unwrap();
    let mut destroyed = change("db", None, "1", wall(&world));
    destroyed.kind = ChangeKind::Destroyed;
    world.append(&[destroyed]).await;
    world.clock.advance(BOUND);
    let made = wall(&world);
    backend.answers(move |name, _, _| {
        let mut secret = secret(name, 1);
        secret.created = Some(made);
        Ok(secret)
    });
    assert_eq!(value(&read(&world).await.unwrap()), "value-1");
}

/// Break: `refresh_ahead` in `Resolver::entry`.
#[tokio::test]
async fn an_expectation_without_a_version_is_not_refreshed_ahead_again_and_again() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend).journaled();
    build.cache.refresh_ahead = MINUTE;
    let world = build.build();
    world.get("db").await.unwrap();
    world.append(&[change("db", None, "1", wall(&world))]).await;
    world.clock.advance(2 * BOUND);
    for _ in 0..150 {
        world.get("db").await.unwrap();
        tokio::task::yield_now().await;
        world.clock.advance(SECOND);
    }
    assert_eq!(backend.calls(), 3, "the first, the one after the Change, and the one after settle");
}

/// Break: the condition on `on_outage` for what may stand in, in `Resolver::held`.
#[tokio::test]
async fn with_fail_nothing_stands_in_while_the_journal_is_down_not_even_when_the_cache_was_to_be_skipped() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend).journaled();
    build.on_outage = OnOutage::Fail;
    let world = build.build();
    world.get("db").await.unwrap();
    world.journal.set_down(true);
    backend.answers(|_, _, _| failing(ErrorKind::Network));
    world.clock.advance(BOUND);
    let ask = Ask { skip_cache: true, ..World::ask("db") };
    assert_eq!(kind(&world.resolver.get(&world.call(), &world.who, &ask).await), ErrorKind::Network);
}

/// Break: take the standing once for the whole chain in `Resolver::chain`.
#[tokio::test]
async fn a_slow_first_provider_does_not_make_the_check_older_than_the_bound() {
    let first = Backend::new("vault", |_, _, _| failing(ErrorKind::Network));
    let versions = Versions::of(&[("db", 1)]);
    let second = versions.backend();
    let world = Arc::new(Build::chain(&[("first", &first), ("second", &second)]).journaled().build());
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
    let _never = first.stall_next();
    let reader = world.clone();
    let slow = tokio::spawn(async move { reader.get("db").await });
    first.until_called(2).await;
    versions.set("db", 2);
    world.append(&[change("db", Some(2), "1", wall(&world))]).await;
    world.clock.until_sleeping(1).await;
    world.clock.advance(BOUND + SECOND);
    assert_eq!(value(&slow.await.unwrap().unwrap()), "value-2");
}

/// Break: look into the cache before the fetch only, in `Resolver::candidate`.
#[tokio::test]
async fn what_was_deleted_during_a_failing_fetch_does_not_stand_in() {
    let versions = Versions::of(&[("db", 1), ("other", 1)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).journaled().build());
    world.get("db").await.unwrap();
    world.clock.advance(61 * MINUTE);
    let _never = backend.stall_next();
    let reader = world.clone();
    let slow = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(2).await;
    let mut deleted = change("db", None, "1", wall(&world));
    deleted.kind = ChangeKind::Deleted;
    world.append(&[deleted]).await;
    world.clock.until_sleeping(1).await;
    world.clock.advance(BOUND);
    assert_eq!(kind(&slow.await.unwrap()), ErrorKind::Timeout);
}

/// C11. Break: the condition on `Selector::Label` in `effect`, or in `Expectation::judge`.
#[tokio::test]
async fn c11_a_label_of_counted_versions_may_move_back() {
    let versions = Versions::of(&[("db", 5)]);
    let at = versions.clone();
    let backend = Backend::new("vault", move |name, _, _| at.answer(name, &Selector::Current));
    let world = Arc::new(Build::over(&backend).journaled().build());
    assert_eq!(value(&world.get_version("db", "prod").await.unwrap()), "value-5");
    versions.set("db", 3);
    let mut moved = change("db", Some(3), "1", wall(&world));
    moved.label = Some("prod".into());
    world.append(&[moved]).await;
    world.clock.advance(BOUND);
    let _ = world.get_version("db", "prod").await;
    world.clock.advance(BOUND);
    assert_eq!(value(&world.get_version("db", "prod").await.unwrap()), "value-3");
}

/// Break: the condition on `gap` where `read_to_head` moves the cursor.
#[tokio::test]
async fn a_head_behind_the_cursor_is_one_gap_and_not_one_at_every_check() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).journaled().build();
    for id in ["1", "2", "3"] {
        world.append(&[change("elsewhere", None, id, wall(&world))]).await;
    }
    world.get("db").await.unwrap();
    world.journal.lose_all();
    for _ in 0..20 {
        world.clock.advance(BOUND / 2);
        world.get("db").await.unwrap();
    }
    assert_eq!(backend.calls(), 2);
}

/// C10. Break: `fence.raise` in `Freshness::meet`.
#[tokio::test]
async fn c10_a_fetch_under_way_at_first_contact_is_made_again() {
    let versions = Versions::of(&[("db", 1), ("other", 1)]);
    let backend = versions.backend();
    let world = Arc::new(Build::over(&backend).journaled().build());
    world.journal.set_down(true);
    let stalled = backend.stall_next();
    let reader = world.clone();
    let early = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(1).await;
    versions.set("db", 2);
    world.append(&[change("db", None, "1", wall(&world))]).await;
    world.journal.set_down(false);
    world.clock.advance(SECOND);
    world.get("other").await.unwrap();
    stalled.add_permits(1);
    early.await.unwrap().unwrap();
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
}
