//! Microsoft's own clients judge the fake of Azure Key Vault that the provider is tested with: they must accept all of
//! it, and see what the provider sees.

#![cfg(feature = "azure-key-vault")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{
    ErrorKind, Filter, MAX_MEMBERS, Page, Payload, Provider, SecretName, Selector, TlsProfile, Transports as _,
};
use lockstep_native::{HttpTransports, LocalFiles, OsRandom, RingSigner, SystemClock, TransportSettings};
use lockstep_providers::azure::{AzureAuth, AzureKeyVault, AzureSettings, Cloud};
use lockstep_providers::{Credential, Ports};
use lockstep_testkit::fake::Served;
use lockstep_testkit::fake::azure::{
    AzureVault, CLIENT_ID, CLIENT_SECRET, FEDERATED_TOKEN, Route, TENANT, certificate,
};
use lockstep_testkit::{TestEnv, call, require, servers};
use serde_json::{Value, json};

/// The fake behind TLS, and the files that both clients read.
struct World {
    vault: Arc<AzureVault>,
    served: Served,
    folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let vault = AzureVault::new(Arc::new(SystemClock::new()));
        let served = Served::tls(vault.served()).await;
        vault.at(&served.url());
        vault.old_assertions(true);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), served.ca_pem()).unwrap();
        std::fs::write(folder.path().join("app.pem"), certificate()).unwrap();
        std::fs::write(folder.path().join("token"), FEDERATED_TOKEN).unwrap();
        Self { vault, served, folder }
    }

    fn file(&self, name: &str) -> Box<Path> {
        self.folder.path().join(name).into()
    }

    /// What the script saw; how it ended is the test's.
    async fn ask(&self, python: &Path) -> Value {
        let asked = json!({
            "url": self.served.url(), "tenant": TENANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "certificate": self.file("app.pem"), "token_file": self.file("token"), "ca": self.file("ca.pem"),
        });
        let mut command = Command::new(python);
        command.args(["-c", include_str!("azure_sdk.py"), &asked.to_string()]);
        command.env("REQUESTS_CA_BUNDLE", &*self.file("ca.pem"));
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The provider over the same socket, trusting the same root.
    fn provider(&self, auth: AzureAuth) -> AzureKeyVault {
        let clock = Arc::new(SystemClock::new());
        let env = TestEnv::of(&[("SECRET", CLIENT_SECRET), ("AZURE_AUTHORITY_HOST", &self.served.url())]);
        let transports = HttpTransports::new(clock.clone(), Arc::new(LocalFiles), &*env, TransportSettings::default());
        let trust = TlsProfile { ca: Some(lockstep_core::Pem::File(self.file("ca.pem"))), ..TlsProfile::default() };
        let ports = Ports {
            transport: transports.build(&trust).unwrap(),
            env,
            files: Arc::new(LocalFiles),
            clock,
            random: Arc::new(OsRandom::new()),
            signer: Arc::new(RingSigner),
            exec: Arc::new(lockstep_core::NoExec),
        };
        let settings = AzureSettings {
            address: self.served.url(),
            cloud: Cloud::Public,
            auth,
            insecure: false,
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        AzureKeyVault::new(settings, ports).unwrap()
    }
}

fn logins(world: &World) -> [(&'static str, AzureAuth); 3] {
    let (tenant, client_id) = (TENANT.to_owned(), CLIENT_ID.to_owned());
    [
        (
            "client secret",
            AzureAuth::ClientSecret {
                tenant: tenant.clone(),
                client_id: client_id.clone(),
                secret: Credential::Env("SECRET".into()),
            },
        ),
        (
            "client certificate",
            AzureAuth::ClientCertificate {
                tenant: tenant.clone(),
                client_id: client_id.clone(),
                certificate: Credential::File(world.file("app.pem")),
            },
        ),
        (
            "workload identity",
            AzureAuth::WorkloadIdentity { tenant, client_id, token: Credential::File(world.file("token")) },
        ),
    ]
}

/// Break: any route of the fake; or, for the second half, the order of `versions` or a page of `list`.
#[tokio::test]
async fn the_official_clients_accept_the_fake_and_see_what_the_provider_sees() {
    let python = require!(servers::azure_python());
    let world = World::new().await;
    let seen = world.ask(&python).await;
    assert_eq!(seen["pages"], json!([7, 7, 7, 7, 7, 7, 7, 7, 5]), "60 and one more");
    assert_eq!(seen["disabled"], json!({ "status": 403, "inner": "SecretDisabled" }));
    assert_eq!(seen["taken"], json!({ "status": 409, "inner": "ObjectIsDeletedButRecoverable" }));
    assert_eq!(seen["missing"]["status"], 404);
    assert_eq!(seen["versions of none"], 0);

    let clock = Arc::new(SystemClock::new());
    let name = |text: &str| SecretName::parse(text).unwrap();
    for (login, auth) in logins(&world) {
        let provider = world.provider(auth);
        let secret = provider.get(&call(&clock), &name("db-creds"), &Selector::Current).await.unwrap();
        let version = secret.version.as_ref().unwrap().id.to_string();
        let Payload::Whole(field) = &secret.payload else { panic!("a whole value") };
        let ours = json!([secret.name.as_str(), field.value.expose_text(), version]);
        assert_eq!(ours, seen["current"], "{login}");
    }
    let provider = world.provider(logins(&world)[0].1.clone());
    let versions = provider.versions(&call(&clock), &name("db-creds"), Page::default()).await.unwrap();
    let ours: Vec<_> = versions.items.iter().map(|info| info.version.id.to_string()).collect();
    assert_eq!(json!(ours), seen["versions"]);
    let (mut ours, mut token) = (Vec::new(), None);
    loop {
        let page = Page { token: token.take(), limit: None };
        let part = provider.list(&call(&clock), "listed-", &Filter::default(), page).await.unwrap();
        ours.extend(part.items.into_iter().map(|item| item.name.to_string()));
        token = part.next;
        if token.is_none() {
            break;
        }
    }
    let theirs: Vec<&str> = seen["listed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(ours, theirs.into_iter().filter(|name| name.starts_with("listed-")).collect::<Vec<_>>());
    let error = provider.get(&call(&clock), &name("gone"), &Selector::Current).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deleted, "{:?} is deleted to them", seen["deleted"]);
    assert_eq!(world.vault.strays(), Vec::<String>::new());
}

/// Break: leave the claims out of the form in `login/entra.rs`.
#[tokio::test]
async fn the_official_clients_and_the_provider_answer_a_claims_challenge() {
    let python = require!(servers::azure_python());
    let world = World::new().await;
    world.vault.require_claims(r#"{"access_token":{"nbf":{"essential":true,"value":"1603742800"}}}"#);
    world.ask(&python).await;
    let provider = world.provider(logins(&world)[0].1.clone());
    let clock = Arc::new(SystemClock::new());
    let before = world.vault.count(Route::Login);
    let name = SecretName::parse("db-creds").unwrap();
    provider.get(&call(&clock).within(Duration::from_secs(20)), &name, &Selector::Current).await.unwrap();
    assert_eq!(world.vault.count(Route::Login) - before, 2, "one login, and one with the claims");
}
