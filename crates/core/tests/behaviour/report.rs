//! Reports that a value no longer works: what they cause, and how little that is.

use std::sync::Arc;

use lockstep_core::{CacheStatus, Capabilities, ErrorKind, Principal, Reported, Result};

use crate::world::{Backend, Build, MINUTE, SECOND, Versions, World, kind, leased, name, value};

fn report(world: &World, who: &str, of: &str, version: &str) -> Result<Reported> {
    world.resolver.report_stale(&world.call(), &Principal::new(who), None, &name(of), version)
}

/// Break: look at `reported` in `is_due`, or compare the versions.
#[tokio::test]
async fn a_reported_version_is_fetched_when_it_is_read_next_and_by_one_of_its_readers() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    assert_eq!(report(&world, "app", "db", "1").unwrap(), Reported::NotHeld);
    world.get("db").await.unwrap();
    versions.set("db", 2);
    assert_eq!(report(&world, "app", "db", "0").unwrap(), Reported::Newer);
    assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
    assert_eq!(report(&world, "app", "db", "1").unwrap(), Reported::Refetching);
    let reads = futures_util::future::join_all((0..100).map(|_| world.get("db"))).await;
    assert!(reads.iter().all(|answer| value(answer.as_ref().unwrap()) == "value-2"));
    assert_eq!(backend.calls(), 2);
    assert_eq!(report(&world, "app", "db", "1").unwrap(), Reported::Newer);
    let records = world.records.0.lock().unwrap();
    assert!(records.iter().any(|record| record.action == "report-stale" && &*record.principal == "app"));
}

/// A report can be wrong, or a lie. Break: leave `last_report` out of `Resolver::entry`.
#[tokio::test]
async fn a_version_is_asked_for_once_in_half_a_minute_whoever_reports_it() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    for round in 1..=3 {
        assert_eq!(report(&world, "app", "db", "1").unwrap(), Reported::Refetching);
        for other in 0..50 {
            assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
            assert_eq!(report(&world, &format!("app-{other}"), "db", "1").unwrap(), Reported::Recent);
        }
        assert_eq!(backend.calls(), 1 + round);
        world.clock.advance(30 * SECOND);
    }
}

/// Break: look at the lease after the version in `reported`.
#[tokio::test]
async fn a_lease_is_never_made_anew_because_of_a_report() {
    let capabilities = Capabilities { leased: true, ..Capabilities::default() };
    let backend: Arc<Backend> =
        Backend::capable("vault", capabilities, |name, _, call| Ok(leased(name, call + 1, 10 * MINUTE, false)));
    let world = Build::over(&backend).build();
    world.get("creds").await.unwrap();
    assert_eq!(report(&world, "app", "creds", "1").unwrap(), Reported::Leased);
    assert_eq!(value(&world.get("creds").await.unwrap()), "value-1");
    assert_eq!(backend.calls(), 1);
}

/// Break: `allow` in `reported`.
#[tokio::test]
async fn who_may_not_report_changes_nothing() {
    let backend = Versions::of(&[("forbidden/db", 1)]).backend();
    let world = Build::over(&backend).build();
    assert_eq!(kind(&report(&world, "app", "forbidden/db", "1")), ErrorKind::Denied);
    assert_eq!(backend.calls(), 0);
}

/// What was reported stands in while the provider does not answer, like whatever is due. Break: remove the entry instead.
#[tokio::test]
async fn what_was_reported_stands_in_while_the_provider_does_not_answer() {
    let backend = Versions::of(&[("db", 1)]).backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    backend.answers(|_, _, _| crate::world::failing(ErrorKind::Unavailable));
    report(&world, "app", "db", "1").unwrap();
    let answer = world.get("db").await.unwrap();
    assert_eq!((value(&answer).as_str(), answer.status), ("value-1", CacheStatus::Stale(ErrorKind::Unavailable)));
}
