//! The `azure-key-vault` provider keeps the contract over the fake vault, in process and on a socket.

#![cfg(feature = "azure-key-vault")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use lockstep_core::{
    Call, ErrorKind, MAX_MEMBERS, Payload, Provider, Secret, SecretName, Selector, TlsProfile, Transport,
    Transports as _,
};
use lockstep_native::{HttpTransports, LocalFiles, OsRandom, RingSigner, SystemClock, TransportSettings};
use lockstep_providers::azure::{AzureAuth, AzureKeyVault, AzureSettings, Cloud};
use lockstep_providers::{Credential, Ports};
use lockstep_testkit::contract::{self, Harness, Shape};
use lockstep_testkit::fake::Served;
use lockstep_testkit::fake::azure::{AzureVault, CLIENT_ID, CLIENT_SECRET, Route, TENANT};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, call};
use serde_json::{Value, json};

struct Vault {
    fake: Arc<AzureVault>,
    clock: Arc<ManualClock>,
    provider: AzureKeyVault,
}

impl Vault {
    fn new(fake: Arc<AzureVault>, clock: Arc<ManualClock>, url: &str, transport: Arc<dyn Transport>) -> Self {
        let env = TestEnv::of(&[("SECRET", CLIENT_SECRET)]);
        if url.starts_with("http:") {
            env.set("AZURE_AUTHORITY_HOST", url);
        }
        let ports = Ports {
            transport,
            env,
            files: TestFiles::new(),
            clock: clock.clone(),
            random: Arc::new(OsRandom::new()),
            signer: Arc::new(RingSigner),
            exec: Arc::new(lockstep_core::NoExec),
        };
        let auth = AzureAuth::ClientSecret {
            tenant: TENANT.into(),
            client_id: CLIENT_ID.into(),
            secret: Credential::Env("SECRET".into()),
        };
        let settings = AzureSettings {
            address: url.into(),
            cloud: Cloud::Public,
            auth,
            insecure: false,
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        Self { fake, clock, provider: AzureKeyVault::new(settings, ports).unwrap() }
    }

    async fn keeps_the_contract(&self) {
        let ran = contract::run(self).await;
        for section in
            ["values", "spellings", "missing", "deleted", "by id", "previous", "versions", "describe", "list"]
        {
            assert!(ran.contains(&section), "{section} in {ran:?}");
        }
        assert_eq!(self.fake.count(Route::Login), 1, "one login for all of it");
        assert_eq!(self.fake.strays(), Vec::<String>::new());
    }
}

#[async_trait]
impl Harness for Vault {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }
    fn call(&self) -> Call {
        call(&self.clock)
    }
    fn name(&self, word: &str) -> SecretName {
        SecretName::parse(&format!("suite-{word}")).unwrap()
    }
    fn prefix(&self) -> String {
        "suite-".into()
    }
    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Whole(field) = payload else { panic!("a vault holds whole values") };
        self.fake.put(name.as_str(), &json!({ "value": field.value.expose_text().unwrap() }));
    }
    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.fake.operate(Method::DELETE, &format!("/secrets/{name}"), &Value::Null);
        ErrorKind::Deleted
    }
    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text]
    }
    fn longest(&self) -> usize {
        25 << 10
    }
    fn missing_version(&self) -> Selector {
        Selector::Id("0".repeat(32).into())
    }
    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        let id = "0123456789abcdef0123456789abcdef";
        vec![
            (id, Selector::Id(id.into())),
            ("0123456789ABCDEF0123456789ABCDEF", Selector::Id(id.into())),
            ("0123456789abcdef0123456789abcde", Selector::Label("0123456789abcdef0123456789abcde".into())),
            ("3", Selector::Label("3".into())),
            ("blue", Selector::Label("blue".into())),
        ]
    }
    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![SecretName::parse(&secret.name.as_str().to_uppercase()).unwrap()]
    }
}

#[tokio::test]
async fn azure_key_vault_keeps_the_contract_in_process() {
    let clock = ManualClock::new();
    let fake = AzureVault::new(clock.clone());
    let transport = fake.transport();
    Vault::new(fake, clock, "https://kv.vault.azure.net", transport).keeps_the_contract().await;
}

#[tokio::test]
async fn azure_key_vault_keeps_the_contract_on_a_socket() {
    let clock = ManualClock::new();
    let fake = AzureVault::new(clock.clone());
    let served = Served::plain(fake.served()).await;
    fake.at(&served.url());
    let ours = Arc::new(SystemClock::new());
    let transports = HttpTransports::new(ours, Arc::new(LocalFiles), &*TestEnv::of(&[]), TransportSettings::default());
    let transport = transports.build(&TlsProfile::default()).unwrap();
    Vault::new(fake, clock, &served.url(), transport).keeps_the_contract().await;
}
