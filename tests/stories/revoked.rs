//! C3: a right that was taken away upstream. What was read with it is served no longer than its TTL, however long
//! `max_stale` is, and nothing that happens afterwards brings it back.

use lockstep_stories::{CountingProxy, Lockstep, Running, until};
use lockstep_testkit::fake::azure::Right;
use lockstep_testkit::fake::gcp::Google;
use lockstep_testkit::servers::unique;
use lockstep_testkit::{require, servers};
use serde_json::json;

use crate::cloud_fakes::{Azure, Gcp, KEY_FILE, azure, azure_env, gcp};
use crate::cluster::Cluster;
use crate::openbao::Bao;

/// The TTL is the bound; what is stale would be served for an hour.
const CACHE: &str = "[cache]\nttl = \"1s\"\nmax_stale = \"1h\"\nrefresh_ahead = \"0\"\njitter = false\n";
const BARE: &str = "attempts = 1\nthrottled_attempts = 1\nbreaker_failures = 0\n";

/// Reads the value, has the right taken away, and sees the value end in this answer, for good.
///
/// `asked` counts what the server was asked for after the right was gone: whoever was told no must not answer. It is
/// missing where the server itself may go on for a moment.
fn ends(
    running: &Running,
    name: &str,
    code: &str,
    take_away: impl FnOnce(),
    asked: Option<&dyn Fn() -> usize>,
    outage: impl FnOnce(),
) {
    let path = format!("/api/v1/secrets/{name}");
    let first = running.get(&path);
    assert_eq!((first.status, first.member("/value").as_str()), (200, "value"), "{}", first.text());
    take_away();
    let before = asked.map(|asked| asked());
    let refused = until("the end of the TTL", || {
        let answer = running.get(&path);
        assert!(!answer.header("cache-status").contains("stale"), "{answer:?}");
        assert!(answer.status != 200 || asked.map(|asked| asked()) == before, "told no, and served: {answer:?}");
        (answer.status != 200).then_some(answer)
    });
    let (found, first_no) = (refused.member("/code"), ["provider_denied", "provider_unauthenticated"]);
    assert!(refused.status == 502 && first_no.contains(&found.as_str()), "{}", refused.text());
    // A Vault's 403 is believed to be about the path for as long as its token was good a moment ago.
    until(code, || {
        let answer = running.get(&path);
        assert_eq!(answer.status, 502, "{}", answer.text());
        (answer.member("/code") == code).then_some(())
    });
    for headers in [&[][..], &[("cache-control", "no-cache")]] {
        let again = running.get_with(&path, headers);
        assert_eq!((again.status, again.member("/code").as_str()), (502, code), "{}", again.text());
    }
    // Who can't be asked any more is no reason to believe again.
    outage();
    let after = running.get(&path);
    assert!(after.status >= 500 && after.member("/value").is_empty(), "{after:?}");
}

// Break: count Unauthenticated or Denied as transient in `ErrorKind::is_transient`, or keep the entry after an answer.
#[test]
fn c3_what_was_read_from_openbao_ends_with_its_ttl_once_the_token_or_its_right_is_gone() {
    let bao = Bao { url: require!(servers::openbao()) };
    let mount = bao.mount("kv", &json!({ "version": "1" }));
    bao.done("POST", &format!("{mount}/creds"), &json!({ "password": "value" }));
    for (what, code) in [("token", "provider_unauthenticated"), ("policy", "provider_denied")] {
        let policy = unique("reader");
        let allow = |rights: &str| {
            let rules = format!("path \"{mount}/*\" {{ capabilities = [{rights}] }}");
            bao.done("PUT", &format!("sys/policies/acl/{policy}"), &json!({ "policy": rules }));
        };
        allow("\"read\"");
        let made = bao.done("POST", "auth/token/create", &json!({ "policies": [policy] }));
        let token = made.member("/auth/client_token");
        let proxy = CountingProxy::to(&bao.url);
        let config = format!(
            "{CACHE}[providers.vault]\ntype = \"vault\"\naddress = \"{}\"\nmounts = {{ {mount} = \"kv1\" }}\n\
             [providers.vault.upstream]\n{BARE}",
            proxy.url()
        );
        let running = Lockstep::serve(config.as_str(), &[("VAULT_TOKEN", &token)]);
        let take_away = || match what {
            "token" => drop(bao.done("POST", "auth/token/revoke", &json!({ "token": token }))),
            _ => allow("\"deny\""),
        };
        let read = format!("/v1/{mount}/creds");
        let name = format!("{mount}/creds?key=password");
        ends(&running, &name, code, take_away, Some(&|| proxy.count(&read)), || proxy.cut(true));
        assert!(!running.stop().stderr.contains(&token));
    }
}

// Break: as above.
#[test]
fn c3_what_was_read_from_azure_ends_with_its_ttl_once_the_role_or_the_application_is_gone() {
    for (what, code) in [("role", "provider_denied"), ("application", "provider_unauthenticated")] {
        let cloud = Azure::start();
        let proxy = CountingProxy::to(&cloud.url());
        cloud.vault.at(&proxy.url());
        cloud.put("creds", "value");
        let config = format!("{CACHE}{}[providers.azure.upstream]\n{BARE}", azure(&proxy.url()));
        let running = Lockstep::serve(config.as_str(), &azure_env(&proxy.url()));
        let take_away = || {
            if what == "role" {
                cloud.vault.deny(Right::Get, "ForbiddenByRbac");
            } else {
                cloud.vault.set_client_secret("another one");
                cloud.vault.revoke_tokens();
            }
        };
        ends(&running, "creds", code, take_away, Some(&|| proxy.count("/secrets/creds")), || proxy.leave());
    }
}

// Break: as above.
#[test]
fn c3_what_was_read_from_google_ends_with_its_ttl_once_the_role_or_the_key_is_gone() {
    for (what, code) in [("role", "provider_denied"), ("key", "provider_unauthenticated")] {
        let cloud = Gcp::start();
        let proxy = CountingProxy::to(&cloud.url());
        cloud.google.put("creds", b"value");
        let config = format!("{CACHE}{}[providers.gcp.upstream]\n{BARE}", gcp(&proxy.url()));
        let home = Lockstep::new(config.as_str(), &[]);
        home.file(KEY_FILE, &Google::key_file(None));
        let running = home.start();
        let take_away = || {
            if what == "role" {
                cloud.google.forbid("secretmanager.versions.access");
            } else {
                cloud.google.revoke_all();
            }
        };
        ends(&running, "creds", code, take_away, Some(&|| proxy.count(":access")), || proxy.leave());
    }
}

// Break: as above.
#[test]
fn c3_what_was_read_from_kubernetes_ends_with_its_ttl_once_the_binding_or_the_token_is_gone() {
    let cluster = Cluster::of(require!(servers::kubernetes()));
    for (what, code) in [("binding", "provider_denied"), ("account", "provider_unauthenticated")] {
        let namespace = cluster.namespace();
        cluster.put_secret(&namespace, "creds", &[("password", "value")]);
        let token = cluster.reader(&namespace, "app");
        let config = format!(
            "{CACHE}[providers.k8s]\ntype = \"kubernetes\"\naddress = \"{}\"\nnamespace = \"{namespace}\"\n\
             auth = {{ method = \"token\", token = {{ env = \"TOKEN\" }} }}\ntls = {{ ca_file = \"{}\" }}\n\
             [providers.k8s.upstream]\n{BARE}",
            cluster.url(),
            cluster.ca_file().display(),
        );
        let running = Lockstep::serve(config.as_str(), &[("TOKEN", &token)]);
        // A binding that is there and is not known everywhere yet is no test of ours.
        until("the right to read", || (running.value("creds?key=password") == "value").then_some(()));
        let gone = match what {
            "binding" => format!("apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings/app"),
            _ => format!("api/v1/namespaces/{namespace}/serviceaccounts/app"),
        };
        let take_away = || cluster.delete(&gone);
        ends(&running, "creds?key=password", code, take_away, None, || {});
        assert!(!running.stop().stderr.contains(&token));
    }
}
