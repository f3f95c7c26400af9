//! O1: where a redirect leads, which a standby node of Vault gives with the address of the active one.

use lockstep_testkit::{assert_only, elsewhere_than};

use super::*;

const NODES: [&str; 2] = ["https://vault-0:8200", "https://vault-1:8200"];

/// Break: follow a `Location` in `Http::send`.
#[tokio::test]
async fn o1_an_address_that_an_answer_names_is_never_followed_elsewhere() {
    for to in elsewhere_than(NODES[0]) {
        for status in [301, 302, 303, 307, 308] {
            // The login, the look-up of the mount, a read, a list, and what is made for us.
            for redirected in ["/login", "/v1/sys/", "/data/", "/metadata/", "/creds/"] {
                let location = format!("{to}/v1/kv/data/a");
                let transport = FakeTransport::by(move |request| {
                    let path = request.uri().path();
                    if path.contains(redirected) {
                        return Reply::new(status, "").header("location", &location);
                    }
                    Reply::json(
                        200,
                        &json!({ "auth": { "client_token": "t0ken", "lease_duration": 60, "renewable": false } }),
                    )
                });
                let auth = VaultAuth::AppRole { mount: "approle".into(), role_id: "role".into(), secret_id: None };
                let world = World::of(auth, transport, |settings| {
                    settings.addresses = NODES.map(str::to_owned).to_vec();
                });
                for name in ["kv2/a", "unknown/a", "db/creds/app"] {
                    assert!(world.current(name).await.is_err(), "{redirected} {status} {to} {name}");
                }
                let (here, filter) = (call(&world.clock), Filter::default());
                assert!(
                    world.provider.list(&here, "kv2/", &filter, Page::default()).await.is_err(),
                    "{redirected} {to}"
                );
                assert_only(&world.transport, &NODES);
                let was_asked = |line: &String| line.contains(redirected);
                assert!(world.transport.lines().iter().any(was_asked), "{redirected} was not asked");
            }
        }
    }
}
