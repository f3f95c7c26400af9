//! What another cache has kept before it came here: its age counts, its staleness shows, and what is held travels along.

use std::time::Duration;

use lockstep_core::{Ask, CacheStatus, ErrorKind, Principal, Relay};

use crate::world::{Backend, Build, MINUTE, SECOND, World, failing, secret};

fn relayed(age: u64, stale: Option<ErrorKind>) -> impl Fn() -> std::sync::Arc<Backend> {
    move || {
        Backend::new("vault", move |name, _, _| {
            let mut secret = secret(name, 1);
            secret.relay = Relay { age: u32::try_from(age).unwrap() * SECOND, stale };
            Ok(secret)
        })
    }
}

/// Break: leave `relayed` out of `Resolver::entry`, or `relay.age` out of `Inner::answer`.
#[tokio::test]
async fn the_time_spent_in_another_cache_counts_against_the_ttl_and_in_the_age() {
    let backend = relayed(240, None)();
    let world = Build::over(&backend).build();
    let first = world.get("db").await.unwrap();
    assert_eq!((first.status, first.age, first.fresh_for), (CacheStatus::Miss, 240 * SECOND, 60 * SECOND));
    world.clock.advance(20 * SECOND);
    let hit = world.get("db").await.unwrap();
    assert_eq!((hit.status, hit.age), (CacheStatus::Hit, 260 * SECOND));
    world.clock.advance(40 * SECOND);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Miss);
}

/// Break: add `relay.age` with a plain `+` in `Inner::answer`.
#[tokio::test]
async fn an_age_that_no_clock_can_hold_is_as_old_as_can_be_and_no_panic() {
    let backend = Backend::new("vault", |name, _, _| {
        let mut secret = secret(name, 1);
        secret.relay = Relay { age: Duration::MAX, stale: None };
        Ok(secret)
    });
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    world.clock.advance(SECOND);
    assert_eq!(world.get("db").await.unwrap().age, Duration::MAX);
}

/// Break: leave the floor out of `relayed` in `Resolver::entry`.
#[tokio::test]
async fn an_answer_older_than_the_ttl_is_kept_for_a_moment_and_no_longer() {
    let backend = relayed(600, None)();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    world.clock.advance(4 * SECOND);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Hit);
    world.clock.advance(SECOND);
    world.get("db").await.unwrap();
    assert_eq!(backend.calls(), 2);
}

/// Break: leave `relay.stale` out of `Found::fetched` or `Resolver::held`.
#[tokio::test]
async fn what_is_past_its_time_there_says_so_here_when_it_comes_and_on_each_hit() {
    let backend = relayed(400, Some(ErrorKind::Throttled))();
    let world = Build::over(&backend).build();
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Stale(ErrorKind::Throttled));
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Stale(ErrorKind::Throttled));
    assert_eq!(backend.calls(), 1);
}

/// Break: take `relay.age` out of `max_stale` in `Resolver::entry`: a chain of caches would add its times up.
#[tokio::test]
async fn what_was_kept_elsewhere_stands_in_for_that_much_less() {
    let backend = relayed(1800, None)();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    backend.answers(|_, _, _| failing(ErrorKind::Unavailable));
    world.clock.advance(29 * MINUTE);
    assert_eq!(world.get("db").await.unwrap().status, CacheStatus::Stale(ErrorKind::Unavailable));
    world.clock.advance(2 * MINUTE);
    assert_eq!(world.get("db").await.unwrap_err().kind(), ErrorKind::Unavailable);
}

/// Break: leave `holding` out of `Resolver::lead`, or `skipping_caches` out of `Resolver::fetch`.
#[tokio::test]
async fn the_provider_is_told_what_is_held_and_whether_caches_are_left_out() {
    let backend = Backend::new("vault", |name, _, call| Ok(secret(name, call as u64)));
    let world = Build::over(&backend).build();
    let call = || backend.asked_with.lock().unwrap().clone().unwrap();
    let first = world.get("db").await.unwrap();
    assert!(call().held.is_none() && !call().skip_caches);
    world.clock.advance(6 * MINUTE);
    world.get("db").await.unwrap();
    assert_eq!(call().held.unwrap().version, first.secret.version);
    let anew = Ask { skip_cache: true, ..World::ask("db") };
    world.resolver.get(&world.call(), &Principal::new("test"), &anew).await.unwrap();
    assert!(call().skip_caches);
}
