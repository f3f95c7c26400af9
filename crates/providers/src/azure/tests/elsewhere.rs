//! O1: addresses that answers name, in a next page, a challenge or a redirect.

use lockstep_testkit::fake::azure::RESOURCE;
use lockstep_testkit::{assert_only, elsewhere_than};

use super::*;

const VAULT: &str = "https://kv.vault.azure.net";
const ENTRA: &str = "https://login.microsoftonline.com";

/// Break: the comparison in `Listed::next`, one in `Expected::read`, or follow a `Location`.
#[tokio::test]
async fn o1_an_address_that_an_answer_names_is_never_followed_elsewhere() {
    for to in elsewhere_than(VAULT) {
        let world = World::new();
        let body = json!({ "value": [], "nextLink": format!("{to}/secrets?$skiptoken=a") }).to_string();
        world.vault.next(Route::List, 200, &[], &body);
        let listed = world.provider.list(&call(&world.clock), "", &Filter::default(), Page::default()).await;
        assert_eq!(kind(listed), Some(ErrorKind::Malformed), "{to}");
        assert_only(&world.transport, &[VAULT, ENTRA]);
        assert_eq!(world.transport.count(), 2, "{to}");
        for route in [Route::Get, Route::Versions, Route::List, Route::Deleted, Route::Login] {
            for status in [301, 302, 303, 307, 308] {
                let world = World::new();
                world.put("db", "v");
                world.vault.next(route, status, &[("location", &format!("{to}/secrets/db"))], "");
                let failed = match route {
                    Route::Get | Route::Login => kind(world.current("db").await),
                    Route::Versions => kind(world.get("db", Selector::Previous).await),
                    Route::Deleted => kind(world.current("gone").await),
                    _ => kind(world.provider.list(&call(&world.clock), "", &Filter::default(), Page::default()).await),
                };
                assert!(failed.is_some(), "{route:?} {status} {to}");
                assert_only(&world.transport, &[VAULT, ENTRA]);
                assert!(world.vault.count(route) > 0, "{route:?} was not asked");
            }
        }
    }
    for to in elsewhere_than(ENTRA) {
        for (authority, resource) in [(format!("{to}/{TENANT}"), RESOURCE), (format!("{ENTRA}/{TENANT}"), to.as_str())]
        {
            let world = World::new();
            world.put("db", "v");
            world.current("db").await.unwrap();
            world.vault.challenge_with(&format!("Bearer authorization=\"{authority}\", resource=\"{resource}\""));
            world.vault.revoke_tokens();
            let before = world.transport.count();
            assert_eq!(kind(world.current("db").await), Some(ErrorKind::Unauthenticated), "{to}");
            assert_only(&world.transport, &[VAULT, ENTRA]);
            assert_eq!((world.transport.count(), world.logins()), (before + 1, 1), "{to}: no token was asked for");
        }
    }
}
