//! A fetch that takes longer than `max_staleness`: what was true when it began may be superseded when it ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockstep_core::{Answer, CacheStatus, Capabilities, ErrorKind, OnOutage, Result, Ttl};
use tokio::task::JoinHandle;

use crate::world::{BOUND, Backend, Build, MINUTE, SECOND, Versions, World, change, done, kind, leased, value, wall};

/// A world with a journal, whose provider may take as long as it likes.
fn patient(backend: &Arc<Backend>, on_outage: OnOutage, cached: bool) -> Arc<World> {
    let mut build = Build::over(backend).journaled();
    build.on_outage = on_outage;
    build.upstream.timeout = Duration::ZERO;
    if !cached {
        build.cache.ttl = Ttl::ZERO;
    }
    Arc::new(build.build())
}

/// A read of `db` whose call has reached the provider, which holds it.
async fn under_way(world: &Arc<World>, backend: &Arc<Backend>) -> JoinHandle<Result<Answer>> {
    backend.hold();
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(1).await;
    read
}

/// Break: `outlasted_bound`.
#[tokio::test]
async fn what_changed_during_a_slow_fetch_is_fetched_again_before_it_is_released() {
    for (cached, announced) in [(true, None), (true, Some(2)), (false, None)] {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let world = patient(&backend, OnOutage::Serve, cached);
        let slow = under_way(&world, &backend).await;
        versions.set("db", 2);
        world.append(&[change("db", announced, "1", wall(&world))]).await;
        world.clock.advance(BOUND);
        backend.release(10);
        let answer = done(&world, slow).await.unwrap();
        assert_eq!((value(&answer).as_str(), answer.status), ("value-2", CacheStatus::Miss), "cached {cached}");
        assert_eq!(backend.calls(), 2, "cached {cached}");
    }
}

/// Break: the bound in `outlasted_bound`.
#[tokio::test]
async fn a_fetch_within_the_bound_and_one_that_nothing_overtook_cost_no_second_call() {
    for (took, reads) in [(9 * SECOND, 1), (BOUND, 2)] {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let world = patient(&backend, OnOutage::Serve, true);
        let slow = under_way(&world, &backend).await;
        world.clock.advance(took);
        backend.release(10);
        assert_eq!(value(&slow.await.unwrap().unwrap()), "value-1");
        assert_eq!((world.journal.reads.load(Ordering::SeqCst), backend.calls()), (reads, 1), "{took:?}");
    }
}

/// Break: either arm for `Unconfirmed` in `Resolver::settle`.
#[tokio::test]
async fn while_the_journal_is_down_a_slow_answer_is_marked_or_refused() {
    for on_outage in [OnOutage::Serve, OnOutage::Fail] {
        let versions = Versions::of(&[("db", 1)]);
        let backend = versions.backend();
        let world = patient(&backend, on_outage, true);
        let slow = under_way(&world, &backend).await;
        world.journal.set_down(true);
        world.clock.advance(BOUND);
        backend.release(10);
        let answer = slow.await.unwrap();
        match on_outage {
            OnOutage::Serve => assert_eq!(answer.unwrap().status, CacheStatus::Stale(ErrorKind::Unavailable)),
            OnOutage::Fail => assert_eq!(kind(&answer), ErrorKind::Unavailable),
        }
        assert_eq!(backend.calls(), 1);
    }
}

/// Break: the arm for `slow` in `Resolver::settle`.
#[tokio::test]
async fn what_is_overtaken_twice_is_not_released() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = patient(&backend, OnOutage::Serve, true);
    let slow = under_way(&world, &backend).await;
    for version in [2, 3] {
        versions.set("db", version);
        world.append(&[change("db", None, &format!("{version}"), wall(&world))]).await;
        world.clock.advance(BOUND);
        backend.release(1);
        if version == 2 {
            backend.until_called(1).await;
        }
    }
    assert_eq!(kind(&slow.await.unwrap()), ErrorKind::Unavailable);
    assert_eq!(backend.calls(), 2);
}

/// Break: the condition on the lease in `Resolver::settle`.
#[tokio::test]
async fn a_lease_that_was_slow_to_make_is_not_lost() {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    let backend =
        Backend::capable("vault", capabilities, |name, _, call| Ok(leased(name, call + 1, 10 * MINUTE, false)));
    let world = patient(&backend, OnOutage::Fail, true);
    let slow = under_way(&world, &backend).await;
    world.journal.set_down(true);
    world.clock.advance(BOUND);
    backend.release(10);
    assert_eq!(value(&slow.await.unwrap().unwrap()), "value-1");
    assert_eq!(backend.calls(), 1);
}

/// Break: settle a batch without the check.
#[tokio::test]
async fn in_a_batch_too() {
    let versions = Versions::of(&[("db", 1), ("other", 1)]);
    let backend = versions.backend();
    let world = patient(&backend, OnOutage::Serve, true);
    backend.hold();
    let reader = world.clone();
    let slow = tokio::spawn(async move {
        reader.resolver.get_many(&reader.call(), &reader.who, &[World::ask("db"), World::ask("other")]).await
    });
    backend.until_called(1).await;
    versions.set("db", 2);
    world.append(&[change("db", None, "1", wall(&world))]).await;
    world.clock.advance(BOUND);
    backend.release(10);
    let answers = slow.await.unwrap();
    assert_eq!(
        answers.iter().map(|answer| value(answer.as_ref().unwrap())).collect::<Vec<_>>(),
        ["value-2", "value-1"]
    );
    assert_eq!(backend.calls(), 3);
}
