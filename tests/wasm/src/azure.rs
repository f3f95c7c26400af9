//! Azure Key Vault: an application that logs in with a secret, and the same application as the operator.

use async_trait::async_trait;
use http::Request;
use lockstep_core::{Call, ErrorKind, MAX_MEMBERS, Payload, Provider, Secret, SecretName, Selector};
use lockstep_providers::Credential;
use lockstep_providers::azure::{AzureAuth, AzureKeyVault, AzureSettings, Cloud};
use lockstep_testkit::contract::{Harness, Shape};
use serde_json::{Value, json};

use crate::bench::{Bench, name, text, whole};

pub(crate) struct Azure {
    bench: Bench,
    provider: AzureKeyVault,
    url: String,
    operator: String,
}

impl Azure {
    pub(crate) async fn new(bench: Bench, url: String, tenant: String, client_id: String, secret: String) -> Self {
        bench.env.set("SECRET", &secret);
        bench.env.set("AZURE_AUTHORITY_HOST", &url);
        let form = format!(
            "grant_type=client_credentials&client_id={client_id}&client_secret={secret}\
             &scope=https%3A%2F%2Fvault.azure.net%2F.default"
        );
        let login = Request::post(format!("{url}/{tenant}/oauth2/v2.0/token"))
            .header("content-type", "application/x-www-form-urlencoded");
        let (status, given) = bench.send(login, form).await;
        assert_eq!(status, 200, "the operator logs in");
        let operator = format!("Bearer {}", given["access_token"].as_str().unwrap_or_default());
        let settings = AzureSettings {
            address: url.clone(),
            cloud: Cloud::Public,
            auth: AzureAuth::ClientSecret { tenant, client_id, secret: Credential::Env("SECRET".into()) },
            insecure: false,
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        let provider = AzureKeyVault::new(settings, bench.ports());
        Self { provider: provider.unwrap_or_else(|error| panic!("the settings: {error:?}")), bench, url, operator }
    }

    async fn operate(&self, method: &str, name: &SecretName, body: Value) {
        let url = format!("{}/secrets/{name}?api-version=7.4", self.url);
        let status = self.bench.operate(method, &url, ("authorization", &self.operator), body).await;
        assert_eq!(status, 200, "{method} {name}");
    }
}

#[async_trait]
impl Harness for Azure {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("suite-{word}"))
    }

    fn prefix(&self) -> String {
        "suite-".into()
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        self.operate("PUT", name, json!({ "value": text(whole(payload)) })).await;
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.operate("DELETE", name, Value::Null).await;
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
        vec![(id, Selector::Id(id.into())), ("blue", Selector::Label("blue".into()))]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![name(&secret.name.as_str().to_uppercase())]
    }
}
