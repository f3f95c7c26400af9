//! What is told of secrets without their values.

use lockstep_core::{ErrorKind, Filter, Page, SecretName};

use super::{Harness, hides};

pub(super) async fn describe(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("described", "one").await;
    let secret = harness.get(&name, &lockstep_core::Selector::Current).await;
    let metadata = harness.provider().describe(&harness.call(), &name).await;
    let metadata = metadata.unwrap_or_else(|error| panic!("a secret can be described: {error:?}"));
    hides(&metadata);
    assert_eq!(metadata.id, secret.id, "metadata have the canonical identity");
    assert_eq!(metadata.name, secret.name, "metadata have the friendly name");
    if metadata.version.is_some() {
        assert_eq!(metadata.version, secret.version, "metadata name the current version");
    }
    let missing = harness.provider().describe(&harness.call(), &harness.name("missing")).await;
    assert_eq!(missing.err().map(|error| error.kind()), Some(ErrorKind::NotFound), "no such secret, no metadata");
    ran.push("describe");
}

pub(super) async fn pages(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let mut written = Vec::new();
    for number in 0..5 {
        written.push(harness.put_text(&format!("listed-{number}"), "one").await);
    }
    let listed = all(harness, &harness.prefix(), 2).await;
    for name in &written {
        let times = listed.iter().filter(|listed| *listed == name).count();
        assert_eq!(times, 1, "every secret is listed once: {name}");
    }
    ran.push("list");
}

pub(super) async fn prefix(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let inside = harness.put_text("prefixed-in", "one").await;
    let outside = harness.put_text("other-out", "one").await;
    let listed = all(harness, &format!("{}prefixed-", harness.prefix()), 10).await;
    assert!(listed.contains(&inside), "what begins with the prefix is listed: {listed:?}");
    assert!(!listed.contains(&outside), "what does not begin with the prefix is left out: {listed:?}");
    ran.push("list by prefix");
}

async fn all(harness: &dyn Harness, prefix: &str, limit: u16) -> Vec<SecretName> {
    let (mut names, mut token) = (Vec::new(), None);
    for _ in 0..1000 {
        let page = Page { token: token.take(), limit: Some(limit) };
        let part = harness.provider().list(&harness.call(), prefix, &Filter::default(), page).await;
        let part = part.unwrap_or_else(|error| panic!("secrets can be listed: {error:?}"));
        hides(&part);
        assert!(part.items.len() <= usize::from(limit), "a page is no longer than asked for");
        names.extend(part.items.into_iter().map(|metadata| metadata.name));
        token = part.next;
        if token.is_none() {
            return names;
        }
    }
    panic!("the pages do not end");
}
