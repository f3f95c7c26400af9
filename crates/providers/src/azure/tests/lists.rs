//! Lists of secrets and of versions: their pages, their filters, and where a next page may lead.

use super::*;

#[tokio::test]
async fn versions_come_newest_first_with_their_state_over_all_pages() {
    let world = World::new();
    let ids: Vec<String> = (0..60).map(|number| world.put("db", &number.to_string())).collect();
    world.disable("db", &ids[7]);
    let name = SecretName::parse("DB").unwrap();
    let (mut listed, mut token) = (Vec::new(), None);
    loop {
        let page = Page { token: token.take(), limit: Some(50) };
        let part = world.provider.versions(&call(&world.clock), &name, page).await.unwrap();
        listed.extend(part.items);
        token = part.next;
        if token.is_none() {
            break;
        }
    }
    let newest_first: Vec<&str> = ids.iter().rev().map(String::as_str).collect();
    assert_eq!(listed.iter().map(|info| &*info.version.id).collect::<Vec<_>>(), newest_first);
    let off: Vec<_> = listed.iter().filter(|info| info.state == VersionState::Disabled).collect();
    assert_eq!((off.len(), &*off[0].version.id), (1, ids[7].as_str()));
}

/// Break: `begins` or `has_tags` in `list_inner`.
#[tokio::test]
async fn lists_are_paged_and_filtered_by_prefix_and_tags() {
    let world = World::new();
    for number in 0..90 {
        let tags = json!({ "team": if number % 3 == 0 { "a" } else { "b" } });
        world.vault.put(&format!("App-{number:02}"), &json!({ "value": "v", "tags": tags }));
    }
    world.put("Zebra", "v");
    let any = Filter::default();
    let (names, pages) = world.list("", &any, 40).await;
    assert_eq!((names.len(), pages), (91, 3));
    assert_eq!(world.list("app-1", &any, 100).await.0.len(), 10);
    assert_eq!(world.list("/zebra", &any, 7).await.0, ["Zebra"]);
    assert_eq!(world.list("é", &any, 100).await.0, Vec::<String>::new());
    let team = |value: Option<&str>| Filter { tags: vec![("team".into(), value.map(str::to_owned))] };
    assert_eq!(world.list("", &team(Some("a")), 100).await.0.len(), 30);
    assert_eq!(world.list("", &team(None), 100).await.0.len(), 90);
}

/// Break: the check of the token in `list_inner`.
#[tokio::test]
async fn o4_a_page_token_never_becomes_another_parameter() {
    let world = World::new();
    for token in ["a&api-version=1", "a b", "a#b", "a\r\nx: y", "", "é"] {
        let page = Page { token: Some(token.into()), limit: None };
        let error = world.provider.list(&call(&world.clock), "", &Filter::default(), page).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidReference, "{token:?}");
    }
    assert_eq!(world.transport.count(), 0);
}

/// O1. Break: `Listed::next`.
#[tokio::test]
async fn o1_a_next_page_on_another_host_is_refused_and_never_asked() {
    let world = World::new();
    let body = r#"{"value":[],"nextLink":"https://evil.test/secrets?$skiptoken=a"}"#;
    world.vault.next(Route::List, 200, &[], body);
    let listed = world.provider.list(&call(&world.clock), "", &Filter::default(), Page::default()).await;
    assert_eq!(kind(listed), Some(ErrorKind::Malformed));
    assert!(world.vault.strays().is_empty() && world.transport.count() == 2);
}
