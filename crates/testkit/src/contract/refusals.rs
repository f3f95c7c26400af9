//! What can't be read is refused for the right reason.

use std::time::Duration;

use lockstep_core::{ErrorKind, Filter, Lease, Page, Selector};

use super::{Harness, hides};

pub(super) async fn missing(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.name("missing");
    assert_eq!(harness.refusal(&name, &Selector::Current).await, ErrorKind::NotFound, "no such secret");
    if harness.provider().capabilities().versions {
        let there = harness.put_text("missing-version", "one").await;
        let version = harness.missing_version();
        assert_eq!(harness.refusal(&there, &version).await, ErrorKind::VersionNotFound, "no such version");
        let kind = harness.refusal(&name, &version).await;
        assert_eq!(kind, ErrorKind::NotFound, "no such secret comes before no such version");
    }
    ran.push("missing");
}

pub(super) async fn deleted(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("deleted", "one").await;
    harness.get(&name, &Selector::Current).await;
    let expected = harness.delete(&name).await;
    assert_eq!(harness.refusal(&name, &Selector::Current).await, expected, "deleted is told apart");
    ran.push("deleted");
}

pub(super) async fn unsupported(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("unsupported", "one").await;
    let (provider, call, can) = (harness.provider(), harness.call(), harness.provider().capabilities());
    let unsupported = |what: &str, kind: Option<ErrorKind>| {
        assert_eq!(kind, Some(ErrorKind::Unsupported), "what is not declared is Unsupported: {what}");
    };
    if !can.versions {
        unsupported("versions", provider.versions(&call, &name, Page::default()).await.err().map(|e| e.kind()));
        unsupported("previous", Some(harness.refusal(&name, &Selector::Previous).await));
        unsupported("id", Some(harness.refusal(&name, &harness.missing_version()).await));
    }
    if !can.describe {
        unsupported("describe", provider.describe(&call, &name).await.err().map(|e| e.kind()));
    }
    if !can.list {
        let list = provider.list(&call, "", &Filter::default(), Page::default()).await;
        unsupported("list", list.err().map(|e| e.kind()));
    }
    if !can.rotate {
        unsupported("rotate", provider.rotate(&call, &name).await.err().map(|e| e.kind()));
    }
    if !can.leased {
        let lease = Lease { id: "c4n4ry".into(), duration: Duration::from_mins(1), renewable: true };
        hides(&lease);
        unsupported("renew", provider.renew(&call, &lease).await.err().map(|e| e.kind()));
        unsupported("revoke", provider.revoke(&call, &lease).await.err().map(|e| e.kind()));
    }
    ran.push("unsupported");
}

pub(super) fn selectors(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    for (text, expected) in harness.selectors() {
        match harness.provider().selector(text) {
            Ok(selector) => assert_eq!(selector, expected, "`@{text}` is classified"),
            Err(error) => panic!("`@{text}` is a selector: {error:?}"),
        }
    }
    ran.push("selectors");
}

pub(super) async fn check(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    if let Err(error) = harness.provider().check(&harness.call()).await {
        panic!("a provider that answers passes its check: {error:?}");
    }
    ran.push("check");
}
