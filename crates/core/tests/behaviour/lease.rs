//! Leased secrets: made for us once, renewed, never fetched twice, and revoked when they are no longer held.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockstep_core::{Ask, CacheStatus, Call, Capabilities, ErrorKind, Invalidation, Principal, Spawn, Task};

use crate::world::{Backend, Build, MINUTE, SECOND, World, change, failing, kind, leased, name, value, wall};

fn minting(renewable: bool) -> Arc<Backend> {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    Backend::capable("vault", capabilities, move |name, _, call| Ok(leased(name, call + 1, 10 * MINUTE, renewable)))
}

#[tokio::test]
async fn a_lease_is_served_to_its_end_and_then_made_anew() {
    let backend = minting(false);
    let world = Build::over(&backend).build();
    world.get("creds").await.unwrap();
    world.clock.advance(599 * SECOND);
    assert_eq!(world.get("creds").await.unwrap().status, CacheStatus::Hit, "the ttl of 5 min does not count");
    world.clock.advance(SECOND);
    assert_eq!(value(&world.get("creds").await.unwrap()), "value-2");
}

#[tokio::test]
async fn an_ended_lease_never_stands_in() {
    let backend = minting(false);
    let world = Build::over(&backend).build();
    world.get("creds").await.unwrap();
    backend.answers(|_, _, _| failing(ErrorKind::Unavailable));
    world.clock.advance(10 * MINUTE);
    assert_eq!(kind(&world.get("creds").await), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_renewable_lease_is_renewed_once_past_two_thirds() {
    let backend = minting(true);
    let world = Build::over(&backend).build();
    world.get("creds").await.unwrap();
    world.clock.advance(7 * MINUTE);
    for _ in 0..3 {
        world.get("creds").await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.renewed.load(Ordering::SeqCst), 1);
    world.clock.advance(7 * MINUTE);
    assert_eq!(value(&world.get("creds").await.unwrap()), "value-1");
    assert_eq!(backend.calls(), 1);
}

#[tokio::test]
async fn a_lease_whose_reader_went_away_is_kept_for_the_next() {
    let backend = minting(false);
    let world = Arc::new(Build::over(&backend).build());
    backend.hold();
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("creds").await });
    backend.until_called(1).await;
    read.abort();
    backend.release(10);
    assert_eq!(value(&world.get("creds").await.unwrap()), "value-1");
    assert_eq!(backend.calls(), 1);
}

#[tokio::test]
async fn a_lease_is_never_asked_for_twice() {
    // Not when the cache is skipped, not when the attempt fails, and not when an invalidation comes in between.
    let backend = minting(false);
    let mut build = Build::over(&backend);
    build.upstream.attempts = 3;
    let world = Arc::new(build.build());
    backend.hold();
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("creds").await });
    backend.until_called(1).await;
    let who = Principal::new("tester");
    world.resolver.invalidate(&world.call(), &who, None, &Invalidation::Name(name("creds"))).unwrap();
    backend.release(100);
    read.await.unwrap().unwrap();
    let ask = Ask { skip_cache: true, ..World::ask("creds") };
    world.resolver.get(&world.call(), &world.who, &ask).await.unwrap();
    assert_eq!(backend.calls(), 1);
    backend.answers(|_, _, _| failing(ErrorKind::Network));
    assert_eq!(kind(&world.get("other").await), ErrorKind::Network);
    assert_eq!(backend.calls(), 2);
}

#[tokio::test]
async fn what_falls_out_of_the_cache_and_what_is_held_at_shutdown_is_revoked() {
    let backend = minting(false);
    let mut build = Build::over(&backend);
    build.cache.max_entries = 2;
    build.cache.max_bytes = 2 * 2000;
    let world = build.build();
    for text in ["a", "b", "c"] {
        world.get(text).await.unwrap();
    }
    while backend.revoked.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    world.resolver.shutdown(&world.call()).await;
    let mut revoked = backend.revoked.lock().unwrap().clone();
    revoked.sort();
    assert_eq!(revoked, ["lease-1", "lease-2", "lease-3"]);
}

#[tokio::test]
async fn only_a_change_that_names_it_ends_a_lease() {
    let backend = minting(false);
    let world = Build::over(&backend).journaled().build();
    world.get("creds").await.unwrap();
    world.clock.advance(crate::world::BOUND);
    world.journal.restart();
    assert_eq!(value(&world.get("creds").await.unwrap()), "value-1", "a gap leaves it alone");
    world.append(&[change("creds", None, "1", wall(&world))]).await;
    world.clock.advance(crate::world::BOUND);
    world.get("creds").await.unwrap();
    world.clock.advance(crate::world::BOUND);
    assert_eq!(value(&world.get("creds").await.unwrap()), "value-2");
}

/// A host that loses every task.
struct Dropping;

impl Spawn for Dropping {
    fn spawn(&self, task: Task) {
        drop(task);
    }
}

/// Break: the order of `/ 3 * 2` in `Entry::claim_renewal`.
#[tokio::test]
async fn a_lease_of_absurd_length_does_not_panic() {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    let backend =
        Backend::capable("vault", capabilities, |name, _, call| Ok(leased(name, call + 1, Duration::MAX, true)));
    let world = Build::over(&backend).build();
    for _ in 0..2 {
        assert_eq!(value(&world.get("creds").await.unwrap()), "value-1");
    }
}

/// Break: go round again in `Resolver::fetch` when the detached fetch was lost.
#[tokio::test]
async fn a_lost_detached_fetch_is_an_error_and_is_not_made_again() {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    let backend = Backend::capable("vault", capabilities, |name, _, call| Ok(leased(name, call + 1, MINUTE, true)));
    let world = Build::over(&backend).build();
    let call = Call::new(world.clock.clone(), Arc::new(Dropping), "test", SECOND);
    assert_eq!(kind(&world.resolver.get(&call, &world.who, &World::ask("creds")).await), ErrorKind::Internal);
    assert_eq!(backend.calls(), 0);
}

/// Break: `names_one` in `Cache::remove_matching`.
#[tokio::test]
async fn an_invalidated_prefix_leaves_leases_alone_and_an_invalidated_name_ends_its_own() {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    let backend =
        Backend::capable("vault", capabilities, |name, _, call| Ok(leased(name, call + 1, 10 * MINUTE, false)));
    let world = Build::over(&backend).build();
    world.get("db/creds").await.unwrap();
    let drop = |what| world.resolver.invalidate(&world.call(), &world.who, None, &what).unwrap();
    assert_eq!(drop(Invalidation::Prefix(name("db"))), 0);
    assert_eq!(world.get("db/creds").await.unwrap().status, CacheStatus::Hit);
    assert_eq!(drop(Invalidation::Name(name("db/creds"))), 1);
    assert_eq!(value(&world.get("db/creds").await.unwrap()), "value-2");
}

#[tokio::test]
async fn an_answer_says_how_long_its_lease_lasts() {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    let backend =
        Backend::capable("vault", capabilities, |name, _, call| Ok(leased(name, call + 1, 10 * MINUTE, false)));
    let world = Build::over(&backend).build();
    world.get("creds").await.unwrap();
    world.clock.advance(6 * MINUTE);
    assert_eq!(world.get("creds").await.unwrap().fresh_for, 4 * MINUTE);
}
