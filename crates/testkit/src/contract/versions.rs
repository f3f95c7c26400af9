//! Older versions, by id, as "previous" and as a list.

use lockstep_core::{ErrorKind, Page, Selector};

use super::{Harness, hides};

pub(super) async fn by_id(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("by-id", "one").await;
    let first = harness.current_version(&name).await;
    harness.put(&name, &harness.payload("two")).await;
    let second = harness.current_version(&name).await;
    for (version, text) in [(&first, "one"), (&second, "two")] {
        let secret = harness.get(&name, &Selector::Id(version.id.clone())).await;
        assert_eq!(secret.payload, harness.payload(text), "the version that was asked for is read");
        assert_eq!(secret.version.as_ref(), Some(version), "the version that was asked for is named");
    }
    if let (Some(first), Some(second)) = (first.order, second.order) {
        assert!(first < second, "ordered versions go up");
    }
    ran.push("by id");
}

pub(super) async fn previous(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("previous", "one").await;
    let first = harness.current_version(&name).await;
    let kind = harness.refusal(&name, &Selector::Previous).await;
    assert_eq!(kind, ErrorKind::VersionNotFound, "the first version has none before it");
    for (text, before) in [("two", "one"), ("three", "two")] {
        harness.put(&name, &harness.payload(text)).await;
        let previous = harness.get(&name, &Selector::Previous).await;
        assert_eq!(previous.payload, harness.payload(before), "previous is what was current before");
        if before == "one" {
            assert_eq!(previous.version.as_ref(), Some(&first), "previous names its version");
        }
    }
    ran.push("previous");
}

pub(super) async fn pages(harness: &dyn Harness, ran: &mut Vec<&'static str>) {
    let name = harness.put_text("versions", "0").await;
    let mut written = vec![harness.current_version(&name).await];
    for text in ["1", "2"] {
        harness.put(&name, &harness.payload(text)).await;
        written.push(harness.current_version(&name).await);
    }
    let (mut listed, mut token) = (Vec::new(), None);
    for _ in 0..20 {
        let page = Page { token: token.take(), limit: Some(2) };
        let part = harness.provider().versions(&harness.call(), &name, page).await;
        let part = part.unwrap_or_else(|error| panic!("versions can be listed: {error:?}"));
        hides(&part);
        assert!(part.items.len() <= 2, "a page is no longer than asked for");
        listed.extend(part.items.into_iter().map(|info| info.version));
        token = part.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!(token, None, "the pages end");
    for version in &written {
        let times = listed.iter().filter(|listed| *listed == version).count();
        assert_eq!(times, 1, "every version is listed once: {version:?} in {listed:?}");
    }
    let missing = harness.provider().versions(&harness.call(), &harness.name("missing"), Page::default()).await;
    assert_eq!(missing.err().map(|error| error.kind()), Some(ErrorKind::NotFound), "no such secret, no versions");
    ran.push("versions");
}
