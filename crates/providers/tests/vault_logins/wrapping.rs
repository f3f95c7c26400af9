//! Wrapping tokens against the server that makes them.

use bytes::Bytes;
use http::Request;
use lockstep_core::{Limits, MAX_MEMBERS, Transport as _};
use lockstep_providers::vault::{Handed, Wrapping};

use super::*;

/// A wrapping token around what a path answers.
async fn wrapped(bao: &Bao, path: &str, body: Value) -> String {
    let request = Request::post(format!("{}/v1/{path}", bao.url))
        .header("x-vault-token", servers::OPENBAO_ROOT)
        .header("x-vault-wrap-ttl", "60")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
    let answer = bao.transport.send(request, limits).await.unwrap();
    let answer: Value = serde_json::from_slice(answer.body()).unwrap();
    answer["wrap_info"]["token"].as_str().unwrap().to_owned()
}

fn handed(creation_path: Option<String>) -> Handed {
    Handed { from: file(), wrapped: Some(Wrapping { creation_path }) }
}

/// Break: keep nothing in `State`, or put the token into the body too.
#[tokio::test]
async fn a_wrapped_secret_id_is_opened_once_and_logs_in_again_and_again() {
    let bao = Bao::at(require!(servers::openbao()));
    let (name, policy) = one_secret(&bao).await;
    let login = bao.approle(&policy).await;
    let VaultAuth::AppRole { mount, role_id, .. } = login.auth.clone() else { panic!("AppRole") };
    let path = format!("auth/{mount}/role/app/secret-id");
    let auth = VaultAuth::AppRole { mount, role_id, secret_id: Some(handed(Some(path.clone()))) };
    bao.files.write(FILE, wrapped(&bao, &path, json!({})).await);
    let provider = bao.provider(auth.clone());
    let answers = futures_util::future::join_all((0..20).map(|_| read(&bao, &provider, &name))).await;
    assert!(answers.iter().all(Result::is_ok), "{:?}", answers[0]);
    bao.files.remove(FILE);
    for _ in 0..2 {
        bao.clock.advance(Duration::from_mins(10));
        read(&bao, &provider, &name).await.unwrap();
    }
    assert_eq!((bao.asked("sys/wrapping/unwrap"), bao.asked("sys/wrapping/lookup"), bao.asked(&login.path)), (1, 1, 3));

    // Somebody was faster.
    let token = wrapped(&bao, &path, json!({})).await;
    bao.files.write(FILE, &token);
    read(&bao, &bao.provider(auth.clone()), &name).await.unwrap();
    for creation_path in [None, Some(path.clone())] {
        let VaultAuth::AppRole { mount, role_id, .. } = auth.clone() else { panic!("AppRole") };
        let late = bao.provider(VaultAuth::AppRole { mount, role_id, secret_id: Some(handed(creation_path)) });
        for _ in 0..2 {
            let error = read(&bao, &late, &name).await.unwrap_err();
            assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::Never));
            assert!(error.message().contains("somebody else has what was in it"), "{error}");
            assert!(!format!("{error} {error:?} {late:?}").contains(&token), "{error:?}");
        }
    }

    // What comes from elsewhere is not opened, and stays good for whoever it is for.
    let foreign = wrapped(&bao, "sys/wrapping/wrap", json!({ "secret_id": "evil" })).await;
    bao.files.write(FILE, &foreign);
    let error = read(&bao, &bao.provider(auth), &name).await.unwrap_err();
    assert!(error.message().contains("`creation_path`"), "{error}");
    let looked = bao.admin("POST", "sys/wrapping/lookup", json!({ "token": foreign })).await;
    assert_eq!(looked["data"]["creation_path"], "sys/wrapping/wrap");
}

#[tokio::test]
async fn a_wrapped_token_is_opened_once_renewed_and_replaced_by_the_next_one() {
    let bao = Bao::at(require!(servers::openbao()));
    let (name, policy) = one_secret(&bao).await;
    let create = json!({ "policies": [policy], "ttl": "60s", "explicit_max_ttl": "1h" });
    bao.files.write(FILE, wrapped(&bao, "auth/token/create", create.clone()).await);
    let provider = bao.provider(VaultAuth::Token(handed(Some("auth/token/create".into()))));
    read(&bao, &provider, &name).await.unwrap();
    bao.clock.advance(Duration::from_secs(45));
    read(&bao, &provider, &name).await.unwrap();
    assert_eq!((bao.asked("sys/wrapping/unwrap"), bao.asked("renew-self")), (1, 1));
    bao.files.write(FILE, wrapped(&bao, "auth/token/create", create).await);
    bao.clock.advance(Duration::from_secs(45));
    read(&bao, &provider, &name).await.unwrap();
    assert_eq!(bao.asked("sys/wrapping/unwrap"), 2);
}
