//! Names that a template makes, and what a provider may not be asked for: refused before any call.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_core::{
    Ask, Capabilities, Context, ErrorKind, Filter, Invalidation, Page, Pattern, Reach, Segment, Template,
};

use crate::world::{Backend, Build, Versions, World, alias, kind, name, secret, value};

fn templated(environment: &str, backend: &Arc<Backend>) -> World {
    let context = Context { environment: Some(Segment::parse(environment).unwrap()), ..Context::default() };
    let mut build = Build::over(backend);
    build.template = Some(Template::parse("{environment}/{key}", &context).unwrap());
    build.build()
}

/// Break: leave `named` out of `Planner::plan`, or out of `Resolver::get_at_once`.
#[tokio::test]
async fn a_name_is_asked_for_by_its_key_and_cached_under_what_the_template_makes_of_it() {
    let versions = Versions::of(&[("prod/db", 1), ("db", 7)]);
    let backend = versions.backend();
    let world = templated("prod", &backend);
    for _ in 0..2 {
        assert_eq!(value(&world.get("db").await.unwrap()), "value-1");
    }
    assert_eq!(backend.calls(), 1);
    let dropped = world.resolver.invalidate(&world.call(), &world.who, None, &Invalidation::Name(name("db")));
    assert_eq!(dropped.unwrap(), 1);
    assert_eq!(kind(&world.get("prod/db").await), ErrorKind::NotFound, "the key is not the whole name");
}

/// Break: let `Resolver::invalidate` give up at the first template that can't make a name of it.
#[tokio::test]
async fn a_template_that_makes_no_name_of_an_arn_keeps_no_other_provider_from_forgetting_it() {
    let versions = Versions::of(&[("db", 1)]);
    let (made, plain) = (versions.backend(), Backend::new("aws", |name, _, _| Ok(secret(name, 1))));
    let mut build = Build::chain(&[("vault", &made), ("aws", &plain)]);
    build.template = Some(Template::parse("a/{key}", &Context::default()).unwrap());
    let world = build.build();
    let arn = name("arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-AbCdEf");
    let of_aws = Ask { alias: Some(alias("aws")), ..World::ask(arn.as_str()) };
    world.resolver.get(&world.call(), &world.who, &of_aws).await.unwrap();
    let what = Invalidation::Name(arn);
    assert_eq!(world.resolver.invalidate(&world.call(), &world.who, None, &what).unwrap(), 1);
    let alone = world.resolver.invalidate(&world.call(), &world.who, Some(&alias("vault")), &what);
    assert_eq!(alone.unwrap_err().kind(), ErrorKind::InvalidName);
}

/// Break: ask about `ask.name` in `Resolver::get_at_once` or `Inner::plan_allowed` instead of the candidate's name.
#[tokio::test]
async fn rights_are_asked_for_on_the_name_that_the_provider_is_asked_for() {
    let versions = Versions::of(&[("forbidden/db", 1), ("prod/forbidden", 2)]);
    let backend = versions.backend();
    let world = templated("forbidden", &backend);
    assert_eq!(kind(&world.get("db").await), ErrorKind::Denied);
    assert_eq!(backend.calls(), 0, "denied before any call");
    assert_eq!(value(&templated("prod", &backend).get("forbidden").await.unwrap()), "value-2");
}

/// Break: leave `has_name` out of `Inner::allow`.
#[tokio::test]
async fn what_is_out_of_reach_is_denied_before_any_call_whatever_is_asked() {
    let versions = Versions::of(&[("app/db", 1), ("other/db", 2)]);
    let backend = versions.backend();
    let mut build = Build::over(&backend);
    build.reach.names = vec![Pattern::parse("app/**").unwrap()];
    let world = build.build();
    assert_eq!(value(&world.get("app/db").await.unwrap()), "value-1");
    let (resolver, call, who) = (&world.resolver, world.call(), &world.who);
    for refused in [
        world.get("other/db").await.map(|_| ()),
        world.get("arn:aws:secretsmanager:eu:1:secret:app/db-AbCdEf").await.map(|_| ()),
        resolver.describe(&call, who, None, &name("other/db")).await.map(|_| ()),
        resolver.versions(&call, who, None, &name("other/db"), Page::default()).await.map(|_| ()),
        resolver.rotate(&call, who, None, &name("other/db")).await.map(|_| ()),
        resolver.list(&call, who, None, "other/", &Filter::default(), Page::default()).await.map(|_| ()),
        resolver.invalidate(&call, who, None, &Invalidation::Name(name("other/db"))).map(|_| ()),
    ] {
        let error = refused.unwrap_err();
        assert_eq!((error.kind(), error.provider()), (ErrorKind::Denied, None), "it is our own refusal: {error}");
        assert!(error.message().contains("`only`"), "{error}");
    }
    assert_eq!(backend.calls(), 1);
    let records = world.records.0.lock().unwrap();
    let denied = records.iter().filter(|record| record.policy.as_deref() == Some("only")).count();
    assert_eq!(denied, 7, "each is in the audit");
}

/// Break: leave `within` out of `Resolver::lead`: the value would have been read before its tags were looked at.
#[tokio::test]
async fn a_secret_without_the_tag_is_denied_before_its_value_is_read() {
    let capabilities = Capabilities { describe: true, batch: true, ..Capabilities::default() };
    let backend = Backend::capable("vault", capabilities, |name, _, _| Ok(secret(name, 1)));
    backend.tag("tagged", BTreeMap::from([("team".into(), "payments".into())]));
    for (wanted, tagged) in [(Some("payments".to_owned()), true), (None, true), (Some("other".to_owned()), false)] {
        let mut build = Build::over(&backend);
        build.reach = Reach { names: Vec::new(), tags: vec![("team".into(), wanted.clone())] };
        let world = build.build();
        let before = backend.reads();
        assert_eq!(world.get("tagged").await.is_ok(), tagged, "{wanted:?}");
        let refused = world.get("untagged").await.unwrap_err();
        assert_eq!((refused.kind(), refused.provider()), (ErrorKind::Denied, None));
        assert_eq!(backend.reads() - before, usize::from(tagged), "no value was read but the one that may be");
        let asks = [World::ask("untagged"), World::ask("also untagged")];
        let batch = world.resolver.get_many(&world.call(), &world.who, &asks).await;
        assert!(batch.iter().all(|answer| kind(answer) == ErrorKind::Denied));
    }
}
