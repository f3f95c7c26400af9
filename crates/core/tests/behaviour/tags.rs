//! Decisions that hang on the tags of a secret: they are asked for when they are needed, once, and never for somebody
//! whom no tag would help.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{Action, Authorizer, Capabilities, Decision, ErrorKind, Page, Principal, Resource};

use crate::world::{Backend, Build, World, failing, kind, name, secret};

/// `open/**` is for everybody, `closed/**` for nobody; the rest is for who has the tag `team=tester`.
struct ByTag;

impl Authorizer for ByTag {
    fn decide(&self, who: &Principal, action: Action, resource: Resource<'_>) -> Decision {
        if resource.name.starts_with("open/") || action == Action::List {
            return Decision::new(true, "open");
        }
        if resource.name.starts_with("closed/") {
            return Decision::new(false, "closed");
        }
        match resource.tags {
            None => Decision { wants_tags: true, ..Decision::new(false, "by tag") },
            Some(tags) => Decision::new(tags.get("team").is_some_and(|team| *team == *who.id), "by tag"),
        }
    }

    fn reads_tags(&self) -> bool {
        true
    }
}

fn describing(describe: bool) -> Arc<Backend> {
    let capabilities = Capabilities { describe, list: true, batch: true, ..Capabilities::default() };
    let backend = Backend::capable("vault", capabilities, |name, _, _| {
        if name.as_str().contains("missing") { failing(ErrorKind::NotFound) } else { Ok(secret(name, 1)) }
    });
    for (name, team) in [("mine", "tester"), ("theirs", "other")] {
        backend.tag(name, BTreeMap::from([("team".into(), team.into())]));
    }
    backend
}

fn world(backend: &Arc<Backend>) -> World {
    let mut build = Build::over(backend);
    build.authorizer = Arc::new(ByTag);
    build.build()
}

/// Break: leave `learn_plans` out of a read, or never remember what it has learned.
#[tokio::test]
async fn tags_are_asked_for_once_and_a_value_only_for_who_may_have_it() {
    let backend = describing(true);
    let world = world(&backend);
    for _ in 0..5 {
        assert!(world.get("mine").await.is_ok());
        let refused = world.get("theirs").await.unwrap_err();
        assert_eq!((refused.kind(), refused.provider()), (ErrorKind::Denied, None));
        assert_eq!(kind(&world.get("untagged").await), ErrorKind::Denied);
    }
    // Three secrets were described, and one was read.
    assert_eq!((backend.calls(), backend.reads()), (4, 1));
    // Tags are as old as a value may be.
    world.clock.advance(Duration::from_secs(301));
    assert!(world.get("mine").await.is_ok());
    assert_eq!((backend.calls(), backend.reads()), (6, 2));
}

/// Break: ask for tags whatever the decision says.
#[tokio::test]
async fn whom_no_tag_helps_costs_no_call_and_whom_none_hinders_neither() {
    let backend = describing(true);
    let world = world(&backend);
    for _ in 0..5 {
        assert_eq!(kind(&world.get("closed/x").await), ErrorKind::Denied);
    }
    assert_eq!(backend.calls(), 0);
    assert!(world.get("open/x").await.is_ok());
    assert_eq!((backend.calls(), backend.reads()), (1, 1));
}

/// Break: take what can't be described for something without tags.
#[tokio::test]
async fn what_keeps_the_tags_away_keeps_the_value_away() {
    let mute = describing(false);
    let quiet = world(&mute);
    let refused = quiet.get("mine").await.unwrap_err();
    assert_eq!((refused.kind(), mute.reads()), (ErrorKind::Denied, 0));
    assert!(refused.message().contains("about its name"), "{refused}");

    let backend = describing(true);
    let world = world(&backend);
    backend.answers(|_, _, _| failing(ErrorKind::Unavailable));
    assert_eq!(kind(&world.get("mine").await), ErrorKind::Unavailable);
    assert_eq!(backend.reads(), 0);
}

/// Break: deny what is not there at the first provider.
#[tokio::test]
async fn what_is_not_at_the_first_provider_is_decided_on_by_the_tags_at_the_next() {
    let (first, second) = (describing(true), describing(true));
    first.answers(|_, _, _| failing(ErrorKind::NotFound));
    let mut build = Build::chain(&[("vault", &first), ("second", &second)]);
    build.authorizer = Arc::new(ByTag);
    let world = build.build();
    assert!(world.get("mine").await.is_ok());
    assert_eq!(kind(&world.get("theirs").await), ErrorKind::Denied);
    assert_eq!(second.reads(), 1);
}

/// Break: release by the name that was asked for alone.
#[tokio::test]
async fn the_tags_of_what_was_answered_decide_once_more_before_it_is_released() {
    let backend = describing(true);
    backend.answers(|asked, _, _| {
        let answered = match asked.as_str() {
            "alias" => name("theirs"),
            "way-in" => name("mine"),
            _ => asked.clone(),
        };
        Ok(secret(&answered, 1))
    });
    for also_mine in ["alias", "way-in"] {
        backend.tag(also_mine, BTreeMap::from([("team".into(), "tester".into())]));
    }
    let world = world(&backend);
    assert_eq!(kind(&world.get("alias").await), ErrorKind::Denied);
    assert_eq!(kind(&world.get("alias").await), ErrorKind::Denied, "nor from the cache");
    assert!(world.get("way-in").await.is_ok());
}

/// T2. Break: leave `learn` out of `on_first`, or `learn_plans` out of a batch.
#[tokio::test]
async fn t2_every_way_to_a_secret_looks_at_its_tags() {
    let backend = describing(true);
    let world = world(&backend);
    let asks = [World::ask("mine"), World::ask("theirs"), World::ask("untagged")];
    let answers = world.resolver.get_many(&world.call(), &world.who, &asks).await;
    assert!(answers[0].is_ok());
    assert!(answers[1..].iter().all(|answer| kind(answer) == ErrorKind::Denied));
    let (call, who) = (world.call(), &world.who);
    for (secret, allowed) in [("mine", true), ("theirs", false), ("untagged", false)] {
        let described = world.resolver.describe(&call, who, None, &name(secret)).await;
        assert_eq!(described.is_ok(), allowed, "{secret}");
        let rotated = world.resolver.rotate(&call, who, None, &name(secret)).await;
        assert_eq!(kind(&rotated) == ErrorKind::Denied, !allowed, "{secret}");
        let versions = world.resolver.versions(&call, who, None, &name(secret), Page::default()).await;
        assert_eq!(kind(&versions) == ErrorKind::Denied, !allowed, "{secret}");
    }
    // What is not there is not there, whoever asks.
    assert_eq!(kind(&world.resolver.rotate(&call, who, None, &name("missing")).await), ErrorKind::NotFound);
}
