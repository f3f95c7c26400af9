//! The outer layers: audit, metrics, lists, rotation.

use lockstep_core::{Alias, AuditHits, CacheFound, Capabilities, ErrorKind, Filter, Outcome, Page};

use crate::world::{Backend, Build, Versions, failing, kind, name, secret};

/// C14. Break: the folding in `Ledger::released`, or `flush`.
#[tokio::test]
async fn c14_every_hit_is_counted_in_an_audit_record() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    for _ in 0..5 {
        world.get("db").await.unwrap();
    }
    assert_eq!(world.records.0.lock().unwrap().len(), 1, "the miss; the hits are folded");
    world.resolver.flush_audit();
    let records = world.records.0.lock().unwrap().clone();
    let seen: Vec<_> = records.iter().map(|r| (r.count, r.cached, r.outcome, &*r.name, r.version.as_deref())).collect();
    assert_eq!(seen, [(1, false, Outcome::Released, "db", Some("1")), (4, true, Outcome::Released, "db", Some("1"))]);
    assert_eq!((&*records[1].principal, records[1].provider.as_ref().map(Alias::as_str)), ("tester", Some("vault")));
}

/// C14. Break: the test of `AuditHits::Full` in `Ledger::released`.
#[tokio::test]
async fn c14_with_full_every_hit_is_a_record_of_its_own() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend);
    build.audit_hits = AuditHits::Full;
    let world = build.build();
    for _ in 0..5 {
        world.get("db").await.unwrap();
    }
    assert_eq!(world.records.0.lock().unwrap().iter().map(|r| r.count).collect::<Vec<_>>(), [1; 5]);
}

#[tokio::test]
async fn refusals_and_failures_are_recorded_one_by_one() {
    let versions = Versions::of(&[]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    assert_eq!(kind(&world.get("forbidden/db").await), ErrorKind::Denied);
    assert_eq!(kind(&world.get("missing").await), ErrorKind::NotFound);
    backend.answers(|_, _, _| failing(ErrorKind::Denied));
    assert_eq!(kind(&world.get("db").await), ErrorKind::Denied);
    let records = world.records.0.lock().unwrap().clone();
    let seen: Vec<_> = records.iter().map(|r| (r.outcome, r.policy.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (Outcome::Refused, Some("test")),
            (Outcome::Failed(ErrorKind::NotFound), Some("test")),
            (Outcome::Failed(ErrorKind::Denied), Some("test")),
        ]
    );
}

#[tokio::test]
async fn hits_misses_and_calls_are_counted() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    world.get("db").await.unwrap();
    world.get("db").await.unwrap();
    assert_eq!(*world.numbers.found.lock().unwrap(), [CacheFound::Miss, CacheFound::Hit]);
    assert_eq!(*world.numbers.calls.lock().unwrap(), [Ok(())]);
}

#[tokio::test]
async fn what_a_provider_cannot_do_is_unsupported_and_recorded() {
    let versions = Versions::of(&[("db", 1)]);
    let backend = versions.backend();
    let world = Build::over(&backend).build();
    let (call, who) = (world.call(), &world.who);
    let resolver = &world.resolver;
    assert_eq!(kind(&resolver.describe(&call, who, None, &name("db")).await), ErrorKind::Unsupported);
    assert_eq!(kind(&resolver.versions(&call, who, None, &name("db"), Page::default()).await), ErrorKind::Unsupported);
    assert_eq!(kind(&resolver.rotate(&call, who, None, &name("db")).await), ErrorKind::Unsupported);
    assert_eq!(
        kind(&resolver.list(&call, who, None, "", &Filter::default(), Page::default()).await),
        ErrorKind::Unsupported
    );
    assert_eq!(kind(&resolver.rotate(&call, who, None, &name("forbidden/db")).await), ErrorKind::Denied);
    assert_eq!(world.records.0.lock().unwrap().len(), 5);
}

/// C2. Break: `answered` in `Resolver::on_first`.
#[tokio::test]
async fn c2_metadata_is_not_for_who_may_not_see_the_name_that_the_provider_answers_with() {
    let capabilities = Capabilities { describe: true, ..Capabilities::default() };
    let backend = Backend::capable("vault", capabilities, |_, _, _| Ok(secret(&name("forbidden/db"), 1)));
    let world = Build::over(&backend).build();
    let described = world.resolver.describe(&world.call(), &world.who, None, &name("alias-of-it")).await;
    assert_eq!(kind(&described), ErrorKind::Denied);
    assert_eq!(world.records.0.lock().unwrap()[0].outcome, Outcome::Refused);
}
