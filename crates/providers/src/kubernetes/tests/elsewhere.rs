//! O1: where an answer or a kubeconfig leads. The server of a kubeconfig is the operator's word, as the configuration's
//! `address` is; it stays what it was at the first login.

use lockstep_testkit::{assert_only, elsewhere_than};

use super::logins::{by_kubeconfig, config};
use super::*;

const SERVER: &str = "https://k8s.internal:6443";

/// Break: follow a `Location`, or leave `Login::stays` out.
#[tokio::test]
async fn o1_an_address_that_an_answer_names_is_never_followed_elsewhere() {
    for to in elsewhere_than(SERVER) {
        for status in [301, 302, 303, 307, 308] {
            let location = format!("{to}/api/v1/namespaces/team/secrets/db");
            let world = World::by(move |_| Reply::new(status, "").header("location", &location));
            let provider = world.provider();
            let (name, here) = (SecretName::parse("db").unwrap(), call(&world.clock));
            assert!(world.current(&provider, "db").await.is_err(), "{status} {to}");
            assert!(provider.describe(&here, &name).await.is_err(), "{status} {to}");
            assert!(world.list("", &[], Page::default()).await.is_err(), "{status} {to}");
            assert!(provider.check(&here).await.is_err(), "{status} {to}");
            assert_only(&world.transport, &[SERVER]);
        }
        // A kubeconfig that is led elsewhere later.
        let written = config(&format!("server: '{SERVER}'"), "token: t");
        let (world, provider) = by_kubeconfig(&written, false);
        world.current(&provider, "team/db").await.unwrap();
        world.files.write("/users/me/.kube/config", config(&format!("server: '{to}'"), "token: t"));
        provider.client.login.refuse(&provider.client.access(&call(&world.clock)).await.unwrap());
        let error = world.current(&provider, "team/db").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{to}");
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
        assert_only(&world.transport, &[SERVER]);
    }
}

/// What the operator wrote is asked, link-local addresses too; only plain http to another machine is not.
///
/// Break: refuse an address in `parsed`, or the check of `is_private`.
#[tokio::test]
async fn o1_the_server_of_a_kubeconfig_is_the_operators_word_and_no_plain_http() {
    for (server, asked) in
        [("https://169.254.169.254", true), ("https://10.0.0.1:6443", true), ("http://169.254.169.254", false)]
    {
        let (world, provider) = by_kubeconfig(&config(&format!("server: '{server}'"), "token: t"), false);
        let answer = world.current(&provider, "team/db").await;
        assert_eq!(answer.is_ok(), asked, "{server}");
        assert_eq!(world.transport.count(), usize::from(asked), "{server}");
        assert_only(&world.transport, &[server]);
    }
}
