//! Chains of providers: who is asked next, and whose answer counts.

use std::sync::Arc;

use lockstep_core::{CacheStatus, ErrorKind, Fallback, OnOutage};

use crate::world::{BOUND, Backend, Build, MINUTE, Versions, World, failing, kind, secret, value};

fn fixed(version: u64) -> Arc<Backend> {
    Backend::new("vault", move |name, _, _| Ok(secret(name, version)))
}

/// Break: either guard of `Resolver::chain`, or `return Err(error)` at its end.
#[tokio::test]
async fn only_not_found_and_a_transient_failure_lead_on() {
    for failure in ErrorKind::ALL {
        let first = Backend::new("vault", move |_, _, _| failing(failure));
        let second = fixed(2);
        let world = Build::chain(&[("first", &first), ("second", &second)]).build();
        let answer = world.get("db").await;
        if failure == ErrorKind::NotFound || failure.is_transient() {
            assert_eq!(value(&answer.unwrap()), "value-2", "{failure:?}");
        } else {
            assert_eq!((kind(&answer), second.calls()), (failure, 0));
        }
    }
}

/// Break: `missing.or(unanswered)` at the end of `Resolver::chain`.
#[tokio::test]
async fn down_and_not_found_is_down() {
    for (one, two) in [(ErrorKind::Network, ErrorKind::NotFound), (ErrorKind::NotFound, ErrorKind::Network)] {
        let first = Backend::new("vault", move |_, _, _| failing(one));
        let second = Backend::new("vault", move |_, _, _| failing(two));
        let world = Build::chain(&[("first", &first), ("second", &second)]).build();
        assert_eq!(kind(&world.get("db").await), ErrorKind::Network);
    }
    let missing = || Versions::of(&[]).backend();
    let world = Build::chain(&[("first", &missing()), ("second", &missing())]).build();
    assert_eq!(kind(&world.get("db").await), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_answer_of_a_fallback_is_fresh_for_negative_ttl_at_most() {
    let first = Backend::new("vault", |_, _, _| failing(ErrorKind::NotFound));
    let second = fixed(2);
    let world = Build::chain(&[("first", &first), ("second", &second)]).build();
    assert_eq!(world.get("db").await.unwrap().fresh_for, MINUTE / 2);
    first.answers(|name, _, _| Ok(secret(name, 1)));
    assert_eq!(value(&world.get("db").await.unwrap()), "value-2");
    world.clock.advance(MINUTE / 2);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
}

#[tokio::test]
async fn the_first_providers_stale_value_comes_first_unless_the_route_says_otherwise() {
    for (fallback, wanted) in [(Fallback::StaleFirst, "value-1"), (Fallback::NextFirst, "value-2")] {
        let first = fixed(1);
        let second = fixed(2);
        let mut build = Build::chain(&[("first", &first), ("second", &second)]);
        build.routes[0].fallback = fallback;
        let world = build.build();
        world.get("db").await.unwrap();
        world.clock.advance(6 * MINUTE);
        first.answers(|_, _, _| failing(ErrorKind::Unavailable));
        let answer = world.get("db").await.unwrap();
        assert_eq!(value(&answer), wanted);
        // When the next one is down too, what is stale is better than nothing.
        second.answers(|_, _, _| failing(ErrorKind::Unavailable));
        world.clock.advance(6 * MINUTE);
        assert!(matches!(world.get("db").await.unwrap().status, CacheStatus::Stale(_)));
    }
}

#[tokio::test]
async fn a_slow_provider_leaves_time_for_the_next() {
    let first = fixed(1);
    first.hold();
    let second = fixed(2);
    let mut build = Build::chain(&[("first", &first), ("second", &second)]);
    build.upstream.timeout = MINUTE;
    let world = Arc::new(build.build());
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("db").await });
    first.until_called(1).await;
    world.clock.until_sleeping(1).await;
    // The call has 30 s; the first of two has half of them.
    world.clock.advance(MINUTE / 4);
    assert_eq!(value(&read.await.unwrap().unwrap()), "value-2");
}

#[tokio::test]
async fn a_candidate_that_is_refused_refuses_the_whole() {
    let first = fixed(1);
    let world = Build::chain(&[("first", &first), ("second", &first)]).build();
    assert_eq!(kind(&world.get("forbidden/x").await), ErrorKind::Denied);
    assert_eq!(first.calls(), 0);
}

#[tokio::test]
async fn a_name_without_a_route_and_an_unknown_alias_say_what_to_write() {
    let first = fixed(1);
    let mut build = Build::chain(&[("first", &first), ("second", &first)]);
    build.routes.clear();
    let world = build.build();
    let error = world.get("db").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "get db: no route matches the name; add a route, or name the provider as in `alias://name`"
    );
    let ask = lockstep_core::Ask { alias: Some(crate::world::alias("third")), ..World::ask("db") };
    let error = world.resolver.get(&world.call(), &world.who, &ask).await.unwrap_err();
    assert_eq!(error.to_string(), "get db: there is no provider `third`; the configuration has first, second");
}

/// Break: `stands_in` in `Resolver::chain`.
#[tokio::test]
async fn a_journal_that_is_down_leads_nobody_to_the_next_provider() {
    for (on_outage, fallback) in [
        (OnOutage::Serve, Fallback::NextFirst),
        (OnOutage::Serve, Fallback::StaleFirst),
        (OnOutage::Fail, Fallback::NextFirst),
        (OnOutage::Fail, Fallback::StaleFirst),
    ] {
        let (first, second) = (fixed(1), fixed(2));
        let mut build = Build::chain(&[("first", &first), ("second", &second)]).journaled();
        build.on_outage = on_outage;
        build.routes[0].fallback = fallback;
        let world = build.build();
        world.get("db").await.unwrap();
        world.journal.set_down(true);
        world.clock.advance(BOUND);
        let answer = world.get("db").await;
        match on_outage {
            OnOutage::Serve => assert_eq!(value(&answer.unwrap()), "value-1"),
            OnOutage::Fail => assert_eq!(kind(&answer), ErrorKind::Unavailable),
        }
        assert_eq!(second.calls(), 0);
    }
}
