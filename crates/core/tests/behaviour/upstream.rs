//! The upstream stack: timeout, retry, breaker, rate limit.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lockstep_core::{Error, ErrorKind, Retry, UpstreamSettings};

use crate::world::{Backend, Build, MINUTE, SECOND, World, failing, kind, secret, value};

fn world(backend: &Arc<Backend>, settings: UpstreamSettings) -> Arc<World> {
    let mut build = Build::over(backend);
    build.upstream = settings;
    build.cache.negative_ttl = Duration::ZERO;
    Arc::new(build.build())
}

/// O7. Break: `attempts` in `Retries::pause`.
#[tokio::test]
async fn o7_a_transient_failure_is_tried_again_and_an_answer_is_not() {
    for failure in ErrorKind::ALL {
        let backend = Backend::new("vault", move |_, _, _| failing(failure));
        let world = world(&backend, UpstreamSettings { timeout: Duration::ZERO, ..UpstreamSettings::default() });
        assert_eq!(kind(&read(&world).await), failure);
        let wanted = match failure {
            ErrorKind::Throttled => 5,
            ErrorKind::CircuitOpen => 1,
            kind if kind.is_transient() => 3,
            _ => 1,
        };
        assert_eq!(backend.calls(), wanted, "{failure:?}");
    }
}

/// Reads with no timeout layer: the only sleeps are the pauses.
async fn read(world: &Arc<World>) -> lockstep_core::Result<lockstep_core::Answer> {
    let reader = world.clone();
    let mut read = tokio::spawn(async move { reader.get("db").await });
    loop {
        tokio::select! {
            biased;
            result = &mut read => return result.unwrap(),
            () = tokio::task::yield_now() => {}
        }
        // The call's own deadline sleeps too; a pause always ends before it.
        if world.clock.sleepers() > 0 && world.clock.advance_to_next().is_none() {
            tokio::task::yield_now().await;
        }
    }
}

/// O7. Break: `hint` in `Retries::pause`.
#[tokio::test]
async fn o7_the_providers_hint_is_the_shortest_pause() {
    let backend = Backend::new("vault", |name, _, call| match call {
        0 => Err(Error::new(ErrorKind::Throttled, "slow down").retry(Retry::After(Some(7 * SECOND)))),
        _ => Ok(secret(name, 1)),
    });
    let world = world(&backend, UpstreamSettings { timeout: Duration::ZERO, ..UpstreamSettings::default() });
    let before = lockstep_core::Clock::monotonic(&*world.clock);
    assert_eq!(value(&read(&world).await.unwrap()), "value-1");
    let paused = lockstep_core::Clock::monotonic(&*world.clock).saturating_sub(before);
    assert!(paused >= 7 * SECOND, "{paused:?}");
}

/// O7. Break: `spend` in `Retries::run`.
#[tokio::test]
async fn o7_a_storm_of_failures_uses_up_the_budget_and_then_nobody_retries() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::Throttled));
    let settings = UpstreamSettings { timeout: Duration::ZERO, retry_budget: 6, ..UpstreamSettings::default() };
    let world = world(&backend, settings);
    for _ in 0..10 {
        assert_eq!(kind(&read(&world).await), ErrorKind::Throttled);
    }
    assert_eq!(backend.calls(), 10 + 6);
}

#[tokio::test]
async fn fresh_credentials_are_tried_once_without_a_pause() {
    let backend = Backend::new("vault", |_, _, _| {
        Err(Error::new(ErrorKind::Unauthenticated, "expired").retry(Retry::OnceWithFreshCredentials))
    });
    let world = world(&backend, UpstreamSettings::default());
    assert_eq!(kind(&world.get("db").await), ErrorKind::Unauthenticated);
    assert_eq!(backend.calls(), 2);
}

#[tokio::test]
async fn an_attempt_that_never_answers_times_out() {
    let backend = Backend::new("vault", |name, _, _| Ok(secret(name, 1)));
    backend.hold();
    let world = world(&backend, UpstreamSettings { attempts: 1, ..UpstreamSettings::default() });
    let reader = world.clone();
    let read = tokio::spawn(async move { reader.get("db").await });
    backend.until_called(1).await;
    world.clock.until_sleeping(1).await;
    world.clock.advance(5 * SECOND);
    assert_eq!(kind(&read.await.unwrap()), ErrorKind::Timeout);
}

#[tokio::test]
async fn the_breaker_opens_after_five_failures_and_closes_after_two_successes() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::Network));
    let world = world(&backend, UpstreamSettings { attempts: 1, ..UpstreamSettings::default() });
    for _ in 0..5 {
        assert_eq!(kind(&world.get("db").await), ErrorKind::Network);
    }
    assert_eq!(kind(&world.get("db").await), ErrorKind::CircuitOpen);
    assert_eq!(backend.calls(), 5, "an open breaker makes no call");
    world.clock.advance(30 * SECOND);
    assert_eq!(kind(&world.get("db").await), ErrorKind::Network);
    assert_eq!(kind(&world.get("db").await), ErrorKind::CircuitOpen);
    world.clock.advance(30 * SECOND);
    // An answer heals, whatever it says.
    backend.answers(|_, _, _| failing(ErrorKind::NotFound));
    for _ in 0..3 {
        assert_eq!(kind(&world.get("db").await), ErrorKind::NotFound);
    }
    backend.answers(|_, _, _| failing(ErrorKind::Network));
    assert_eq!(kind(&world.get("db").await), ErrorKind::Network);
    assert_eq!(kind(&world.get("db").await), ErrorKind::Network, "closed again: one failure does not open it");
}

#[tokio::test]
async fn throttling_does_not_open_the_breaker() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::Throttled));
    let world = world(&backend, UpstreamSettings { throttled_attempts: 1, ..UpstreamSettings::default() });
    for _ in 0..20 {
        assert_eq!(kind(&world.get("db").await), ErrorKind::Throttled);
    }
    assert_eq!(backend.calls.load(Ordering::SeqCst), 20);
}

/// O7. Break: `RateLimit::wait`.
#[tokio::test]
async fn o7_the_rate_limit_spreads_calls_and_refuses_what_cannot_come_in_time() {
    let backend = Backend::new("vault", |_, _, _| failing(ErrorKind::NotFound));
    let settings =
        UpstreamSettings { rate_per_second: 1, rate_burst: 2, timeout: MINUTE, ..UpstreamSettings::default() };
    let world = world(&backend, settings);
    for _ in 0..2 {
        assert_eq!(kind(&world.get("db").await), ErrorKind::NotFound);
    }
    let reads: Vec<_> = (0..40)
        .map(|at| {
            let reader = world.clone();
            tokio::spawn(async move { reader.get(&format!("db{at}")).await })
        })
        .collect();
    world.clock.until_sleeping(29).await;
    assert_eq!(backend.calls(), 2);
    world.clock.advance(10 * SECOND);
    while backend.calls() < 12 {
        tokio::task::yield_now().await;
    }
    assert_eq!(backend.calls(), 12);
    world.clock.advance(20 * SECOND);
    let mut refused = 0;
    for read in reads {
        refused += usize::from(kind(&read.await.unwrap()) == ErrorKind::Throttled);
    }
    assert_eq!(backend.calls() + refused, 42);
    assert!((9..=11).contains(&refused), "{refused} could not come within 30 s");
}

#[tokio::test]
async fn a_retry_succeeds_within_the_deadline() {
    let backend = Backend::new(
        "vault",
        |name, _, call| if call == 0 { failing(ErrorKind::Unavailable) } else { Ok(secret(name, 1)) },
    );
    let world = world(&backend, UpstreamSettings { timeout: Duration::ZERO, ..UpstreamSettings::default() });
    assert_eq!(value(&read(&world).await.unwrap()), "value-1");
}

/// Break: the condition on `trial` in `Breaker::record`.
#[tokio::test]
async fn a_call_from_before_the_breaker_opened_does_not_stand_for_the_trial() {
    let backend = Backend::new(
        "vault",
        |name, _, call| if call == 0 { Ok(secret(name, 1)) } else { failing(ErrorKind::Network) },
    );
    let mut build = Build::over(&backend);
    build.upstream =
        UpstreamSettings { attempts: 1, timeout: Duration::ZERO, breaker_reset: SECOND, ..UpstreamSettings::default() };
    let world = Arc::new(build.build());
    let spawn = |text: &'static str| {
        let reader = world.clone();
        tokio::spawn(async move { reader.get(text).await })
    };
    let old = backend.stall_next();
    let before = spawn("before");
    backend.until_called(1).await;
    for _ in 0..5 {
        assert_eq!(kind(&world.get("db").await), ErrorKind::Network);
    }
    backend.until_called(5).await;
    world.clock.advance(SECOND);
    let trial = backend.stall_next();
    let trying = spawn("db");
    backend.until_called(1).await;
    old.add_permits(1);
    before.await.unwrap().unwrap();
    assert_eq!(kind(&world.get("other").await), ErrorKind::CircuitOpen, "the trial is still out");
    trial.add_permits(1);
    assert_eq!(kind(&trying.await.unwrap()), ErrorKind::Network);
}
