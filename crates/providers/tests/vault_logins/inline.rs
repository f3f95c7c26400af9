//! Logins within a request, which OpenBao alone has.

use lockstep_providers::vault::MountKind;

use super::*;

fn provider(bao: &Bao, login: &Login, mounts: &[(&str, MountKind)]) -> VaultProvider {
    bao.provider_of(login.auth.clone(), |settings| {
        settings.inline = true;
        settings.mounts = mounts.iter().map(|(mount, kind)| ((*mount).to_owned(), *kind)).collect();
    })
}

async fn contract_with(kind: &str) {
    let mut kv = Kv::new(Bao::at(require!(servers::openbao())), true).await;
    let policy = kv.bao.policy(&kv.mount).await;
    let login = kv.bao.login(kind, &policy).await;
    kv.provider = provider(&kv.bao, &login, &[(&kv.mount, MountKind::Kv2)]);
    contract::run(&kv).await;
    kv.provider.check(&kv.bao.call()).await.unwrap();
    assert_eq!(kv.bao.asked(&login.path), 0, "no login of its own");
}

#[tokio::test]
async fn the_contract_is_kept_by_requests_that_log_in_with_approle() {
    contract_with("approle").await;
}

#[tokio::test]
async fn the_contract_is_kept_by_requests_that_log_in_with_a_jwt() {
    contract_with("jwt").await;
}

#[tokio::test]
async fn the_contract_is_kept_by_requests_that_log_in_with_a_service_account() {
    contract_with("kubernetes").await;
}

/// M1. Break: `FAILED` in `inline`.
#[tokio::test]
async fn m1_a_wrong_credential_in_a_request_is_told_from_a_right_that_is_missing() {
    let url = require!(servers::openbao());
    for kind in KINDS {
        let bao = Bao::at(url.clone());
        let (name, policy) = one_secret(&bao).await;
        let (other, _) = one_secret(&bao).await;
        let login = bao.login(kind, &policy).await;
        let mounts =
            [name.split('/').next().unwrap(), other.split('/').next().unwrap()].map(|mount| (mount, MountKind::Kv2));
        let provider = provider(&bao, &login, &mounts);
        read(&bao, &provider, &name).await.unwrap();
        assert_eq!(read(&bao, &provider, &other).await.unwrap_err().kind(), ErrorKind::Denied, "{kind}");
        bao.files.write(FILE, "c4n4ry.c4n4ry.c4n4ry");
        for error in [read(&bao, &provider, &name).await.unwrap_err(), provider.check(&bao.call()).await.unwrap_err()] {
            assert_eq!(
                (error.kind(), error.retry_hint()),
                (ErrorKind::Unauthenticated, Retry::Never),
                "{kind}: {error:?}"
            );
            assert_eq!(error.operation(), Some(lockstep_core::Operation::Login), "{kind}");
            assert!(!format!("{error} {error:?} {provider:?}").contains("c4n4ry"), "{kind}: {error:?}");
        }
    }
}

#[tokio::test]
async fn a_secret_id_is_used_up_by_as_many_requests_as_it_allows() {
    let bao = Bao::at(require!(servers::openbao()));
    let (name, policy) = one_secret(&bao).await;
    let login = bao.approle(&policy).await;
    let made = bao.admin("POST", &format!("auth/{}/role/app/secret-id", login.mount), json!({ "num_uses": 2 })).await;
    bao.files.write(FILE, made["data"]["secret_id"].as_str().unwrap());
    let provider = provider(&bao, &login, &[(name.split('/').next().unwrap(), MountKind::Kv2)]);
    read(&bao, &provider, &name).await.unwrap();
    read(&bao, &provider, &name).await.unwrap();
    assert_eq!(read(&bao, &provider, &name).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
}

/// The namespace of the request is that of the login. Break: `NAMESPACE` in `inline`.
#[tokio::test]
async fn a_request_logs_in_in_its_own_namespace() {
    let mut bao = Bao::at(require!(servers::openbao()));
    let namespace = unique("ns");
    bao.admin("POST", &format!("sys/namespaces/{namespace}"), json!({})).await;
    bao.namespace = Some(namespace);
    let (name, policy) = one_secret(&bao).await;
    let login = bao.jwt(&policy).await;
    read(&bao, &provider(&bao, &login, &[(name.split('/').next().unwrap(), MountKind::Kv2)]), &name).await.unwrap();
    read(&bao, &bao.provider(login.auth.clone()), &name).await.unwrap();
}
