//! What it refuses, and in which form; that no value leaves by another way; and the record of each access.

use super::*;

/// Break: in `envelope::refused`, say more than `UNKNOWN` of a token.
#[tokio::test]
async fn l1_without_the_one_right_token_every_route_is_403_in_vaults_form_and_nobody_is_asked() {
    let cases: &[&[(&str, &str)]] = &[
        &[],
        &[("x-vault-token", "")],
        &[("x-vault-token", "wrong")],
        &[("x-vault-token", TOKEN), ("x-vault-token", TOKEN)],
        &[("x-vault-token", TOKEN), ("authorization", "Bearer the-local-token")],
        &[("authorization", "Bearer wrong")],
    ];
    for row in VAULT_TABLE.iter().filter(|row| row.token) {
        for headers in cases {
            for method in ["GET", "LIST", "PUT", "POST"] {
                let house = house();
                let path = path_of(row.to, row.path);
                let said = send(&house, with(bare(method.parse().unwrap(), &path), headers)).await;
                assert_eq!((said.status, &*error_of(&said)), (403, "permission denied"), "{method} {path} {headers:?}");
                assert!(said.header("www-authenticate").is_none());
                assert_untouched(&house, &path);
            }
        }
    }
    for path in ["/", "/v1", "/v1/none/x", "/api/v1/secrets/db/creds", "/secretsmanager/get?secretId=db/creds", "/ping"]
    {
        assert_eq!(send(&house(), bare(Method::GET, path)).await.status, 403, "{path}");
    }
}

/// Where others log in, a refusal is 401 elsewhere; Vault's clients know 403 alone. Break: leave the arm of `Refusal::Login`
/// out of `envelope::refused`.
#[tokio::test]
async fn l1_a_login_that_is_not_accepted_is_403_here_and_an_accepted_one_reads() {
    let hash = "sha256:0f007385b6f9d4b7eeb2748605afe1a984a0a3bfa3f014d09e2a784ce9e5cd1a";
    let house = build(|parts| {
        let settings = ApiKeySettings {
            id: "billing".into(),
            name: "billing".into(),
            hashes: vec![ApiKeyHash::parse(hash, None).unwrap()],
            tags: [].into(),
        };
        parts.callers.keys = Some(ApiKeys::new(vec![settings]).unwrap());
    });
    let ask = |token: &str| with(bare(Method::GET, "/v1/secret/data/db/creds"), &[("x-vault-token", token)]);
    for wrong in ["wrong", &format!("lks_billing_{}", "B".repeat(43)), "a.b.c"] {
        let said = send(&house, ask(wrong)).await;
        assert_eq!((said.status, &*error_of(&said)), (403, "permission denied"), "{wrong}");
        assert!(said.header("www-authenticate").is_none());
    }
    assert_untouched(&house, "wrong keys");
    // The hash is of forty-three `A`s, which nobody should have for a secret.
    assert_eq!(send(&house, ask(&format!("lks_billing_{}", "A".repeat(43)))).await.status, 200);
}

#[tokio::test]
async fn the_right_token_is_accepted_as_vaults_clients_send_it() {
    for header in [("x-vault-token", TOKEN), ("authorization", "Bearer the-local-token")] {
        let sent = with(bare(Method::GET, "/v1/secret/data/db/creds"), &[header, ("x-vault-request", "true")]);
        assert_eq!(send(&house(), sent).await.status, 200, "{header:?}");
    }
}

/// Break: `Methods::allow` answers true.
#[tokio::test]
async fn l6_a_write_is_405_in_vaults_form_and_reaches_nobody() {
    let paths =
        ["/v1/secret/data/db/creds", "/v1/secret/metadata/db/creds", "/v1/secret/delete/db", "/v1/sys/mounts/x"];
    let more =
        ["/v1/auth/token/renew-self", "/v1/auth/approle/login", "/v1/sys/health", "/v1/secret/data/db/creds?list=true"];
    for path in paths.into_iter().chain(more) {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "SCAN", "BREW"] {
            let house = house();
            let sent = with(request(method.parse().unwrap(), path), &[("content-length", "9")]);
            let said = send(&house, sent).await;
            assert_eq!(said.status, 405, "{method} {path}");
            assert!(error_of(&said).contains("only reads"), "{method} {path}: {}", said.body);
            assert!(said.header("allow").is_some() || !path.starts_with("/v1/s"), "{method} {path}");
            assert_untouched(&house, path);
        }
    }
    assert_eq!(send(&house(), request(Method::HEAD, "/v1/secret/data/db/creds")).await.status, 405);
}

/// Break: leave one of the two out of `check_headers`.
#[tokio::test]
async fn what_a_client_asks_for_and_would_not_get_is_refused() {
    for (header, value) in [
        ("x-vault-namespace", "team"),
        ("x-vault-namespace", "root/team"),
        ("x-vault-wrap-ttl", "60s"),
        ("x-vault-wrap-ttl", "1"),
    ] {
        for path in ["/v1/secret/data/db/creds", "/v1/secret/metadata/db/creds", "/v1/sys/internal/ui/mounts"] {
            let house = house();
            let said = send(&house, with(request(Method::GET, path), &[(header, value)])).await;
            assert_eq!(said.status, 400, "{path} {header}");
            assert!(error_of(&said).to_ascii_lowercase().contains(header), "{}", said.body);
            assert_untouched(&house, header);
            let twice = with(request(Method::GET, path), &[(header, ""), (header, value)]);
            assert_eq!(send(&house, twice).await.status, 400, "{path} {header}");
        }
    }
    for header in
        [("x-vault-namespace", ""), ("x-vault-namespace", "root"), ("x-vault-wrap-ttl", "0"), ("x-vault-index", "abc")]
    {
        let said = send(&house(), with(request(Method::GET, "/v1/secret/data/db/creds"), &[header])).await;
        assert_eq!(said.status, 200, "{header:?}");
    }
}

#[tokio::test]
async fn a_path_in_no_mount_or_of_the_other_version_is_told_apart() {
    for path in ["/v1/none/x", "/v1/secrets/data/x", "/v1/team/x", "/v1/", "/v1/sys/mounts", "/metrics", "/ping"] {
        let said = get(&house(), path).await;
        assert_eq!(said.status, 404, "{path}");
        assert!(error_of(&said).starts_with("no handler for route"), "{path}");
    }
    for path in ["/v1/secret/db/creds", "/v1/secret/subkeys/db/creds", "/v1/secret", "/v1/secret/"] {
        let said = get(&house(), path).await;
        assert_eq!((said.status, &said.json()["data"]), (404, &Value::Null), "{path}");
        assert!(said.json()["warnings"][0].as_str().unwrap().starts_with("Invalid path for a versioned K/V"), "{path}");
    }
}

#[tokio::test]
async fn the_two_listeners_have_no_route_in_common_but_health() {
    let house = house();
    for path in ["/api/v1/secrets/db/creds", "/secretsmanager/get?secretId=db/creds", "/api/v1/secrets"] {
        assert_eq!(get(&house, path).await.status, 404, "{path}");
    }
    // On the main listener this is the secret of that name, in the form of the AWS agent.
    let said = house.get("/v1/secret/data/db/creds").await;
    assert!(said.status == 404 || said.status == 400, "{}", said.status);
    assert!(said.body.contains("__type"), "{}", said.body);
}

/// L3, L4. Break: pass `Door::Vault` around `enter`.
#[tokio::test]
async fn l3_l4_the_guard_is_the_same_in_vaults_form() {
    for (headers, status) in [
        (&[("x-forwarded-for", "1.2.3.4")][..], 400),
        (&[("via", "1.1 proxy")], 400),
        (&[("upgrade", "h2c")], 400),
        (&[("host", "evil.test")], 403),
        (&[("origin", "http://x")], 403),
        (&[("content-length", "5")], 400),
    ] {
        let house = house();
        let said = send(&house, with(request(Method::GET, "/v1/secret/data/db/creds"), headers)).await;
        assert_eq!(said.status, status, "{headers:?}");
        error_of(&said);
        assert_untouched(&house, "guard");
    }
    let door = house();
    let crowded = Peer { crowded: true, ..peer() };
    let (head, _) = request(Method::GET, "/ping").into_parts();
    assert_eq!(door.api.vault_door().unwrap().at_once(&crowded, &head).unwrap().status(), 429);
}

/// L7. Break: route on the raw path.
#[tokio::test]
async fn l7_a_path_that_could_be_read_twice_is_400_and_reaches_nobody() {
    for path in [
        "/v1/secret/data/%2e%2e/x",
        "/v1/secret/data/../x",
        "/v1/secret%2Fdata/x",
        "/v1/secret/data/a%2Fb",
        "/v1/secret/data/a%252fb",
        "/v1/secret/data/a;b",
        "/v1/secret/data/a%00",
        "/v1/secret/data/a//b",
        "/v1/secret/data/a/",
        "/v1/secret/metadata/a//b",
        "/v1/secret/data/x?version=1&version=2",
        "/v1/secret/data/x?version=one",
        "/v1/secret/data/x?foo=1",
        "/v1/secret/metadata?list=maybe",
        "/v1/secret/metadata?list=true&limit=x",
    ] {
        let house = house();
        let said = get(&house, path).await;
        assert_eq!(said.status, 400, "{path}: {}", said.body);
        error_of(&said);
        assert_untouched(&house, path);
    }
    assert_eq!(get(&house(), "/v1/%73ecret/data/db/creds").await.status, 200);
}

/// M6. Break: write a path into an answer.
#[tokio::test]
async fn m6_no_answer_and_no_record_holds_a_control() {
    for target in [
        "/v1/none/%0A%1B",
        "/v1/none/%3Cscript%3E",
        "/v1/secret/data/%3Cscript%3E",
        "/v1/secret/data/%1B",
        "/v1/secret/data/x?%0A=1",
        "/v1/sys/internal/ui/mounts/%3Cscript%3E",
    ] {
        let house = house();
        let said = get(&house, target).await;
        assert!(said.status >= 400 && !said.body.chars().any(char::is_control) && !said.body.contains('<'), "{target}");
        for record in house.audit() {
            assert!(record.to_json().bytes().all(|b| (0x20..0x7f).contains(&b) && b != b'<'), "{target}");
        }
    }
}

/// M1. Break: write the source of an error in `envelope::failed`.
#[tokio::test]
async fn m1_a_released_value_stands_in_its_body_alone_and_in_no_failure() {
    let house = house();
    house.shelf.put("db/creds", || Payload::text(r#"{"a":"C4nary"}"#), |_| {});
    for row in VAULT_TABLE {
        let said = get(&house, &path_of(row.to, row.path)).await;
        assert_eq!(said.status, 200, "{row:?}");
        assert_eq!(said.body.contains("C4nary"), row.value, "{row:?}");
        assert!(!format!("{:?}", said.headers).contains("C4nary"));
    }
    assert!(!get(&house, "/v1/secret/metadata/db/creds").await.body.contains("C4nary"));
    for record in house.audit() {
        assert!(!record.to_json().contains("C4nary"));
    }
    for header in ["x-vault-token", "x-vault-namespace", "x-vault-wrap-ttl"] {
        let mut sent = request(Method::GET, "/v1/secret/data/db/creds");
        sent.headers_mut().insert(header, "C4nary".parse().unwrap());
        let said = send(&house, sent).await;
        assert!(said.status >= 400 && !said.body.contains("C4nary"), "{header}");
    }
}

#[tokio::test]
async fn every_access_is_audited_with_its_caller_provider_and_name() {
    let house = house();
    get(&house, "/v1/secret/data/db/creds").await;
    get(&house, "/v1/secret/data/db/creds").await;
    let audit = house.audit();
    assert_eq!(audit.len(), 2);
    for (record, cached) in audit.iter().zip([false, true]) {
        assert_eq!((&*record.principal, &*record.name, record.cached), ("local", "db/creds", cached));
        assert_eq!(record.outcome, Outcome::Released);
    }
}

proptest! {
    /// L1 and L7: without the token nothing but the open routes answers, and with it no path leads to a name outside of its
    /// mount. Break: `token: false` on the row of KV, or join prefix and path without a parse.
    #[test]
    fn l7_whatever_the_path_it_names_what_is_below_its_mount_or_nothing(
        start in prop::sample::select(vec!["/v1/secret/data/", "/v1/team/one/", "/v1/secret/", "/v1/", "/"]),
        rest in "[a-z0-9%./;:_~-]{0,20}",
    ) {
        let target = format!("{start}{rest}");
        prop_assume!(target.parse::<http::Uri>().is_ok_and(|uri| uri.authority().is_none()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let house = house();
        let without = runtime.block_on(send(&house, bare(Method::GET, &target)));
        prop_assert!(without.status == 403 && house.calls() == 0, "{}", target);
        runtime.block_on(get(&house, &target));
        for record in house.audit().iter().filter(|record| record.action == "get") {
            let below = start == "/v1/team/one/" || target.starts_with("/v1/team/one/");
            prop_assert!(!below || record.name.starts_with("db/"), "{}: {}", target, record.name);
        }
    }
}
