//! GCP Secret Manager: who runs on a machine of Google's, and the same machine as the operator.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use lockstep_core::{Call, ErrorKind, Payload, Provider, Secret, SecretName, Selector};
use lockstep_providers::gcp::{GcpAuth, GcpSecretManager, GcpSettings, GcpSource};
use lockstep_testkit::contract::{Harness, Shape};
use serde_json::{Value, json};

use crate::bench::{Bench, name, whole};

pub(crate) struct Gcp {
    bench: Bench,
    provider: GcpSecretManager,
    /// Of the project's secrets.
    url: String,
    project: String,
    operator: String,
}

impl Gcp {
    pub(crate) async fn new(bench: Bench, url: String, project: String) -> Self {
        bench.env.set("GCE_METADATA_HOST", url.trim_start_matches("http://"));
        let login = Request::get(format!("{url}/computeMetadata/v1/instance/service-accounts/default/token"))
            .header("metadata-flavor", "Google");
        let (status, given) = bench.send(login, "").await;
        assert_eq!(status, 200, "the operator logs in");
        let operator = format!("Bearer {}", given["access_token"].as_str().unwrap_or_default());
        let auth = GcpAuth { source: GcpSource::Metadata, impersonate: None };
        let settings = GcpSettings { endpoint: Some(url.clone()), auth, ..GcpSettings::new(&project) };
        let provider = GcpSecretManager::new(&settings, bench.ports());
        let provider = provider.unwrap_or_else(|error| panic!("the settings: {error:?}"));
        let url = format!("{url}/v1/projects/{project}/secrets");
        Self { bench, provider, url, project, operator }
    }

    async fn operate(&self, method: &str, below: &str, body: Value) -> u16 {
        let url = format!("{}{below}", self.url);
        self.bench.operate(method, &url, ("authorization", &self.operator), body).await
    }
}

#[async_trait]
impl Harness for Gcp {
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
        let replication = json!({ "replication": { "automatic": {} } });
        let made = self.operate("POST", &format!("?secretId={name}"), replication).await;
        assert!([200, 409].contains(&made), "{name} is made or there: {made}");
        let body = json!({ "payload": { "data": STANDARD.encode(whole(payload).value.expose()) } });
        assert_eq!(self.operate("POST", &format!("/{name}:addVersion"), body).await, 200, "a version of {name}");
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        assert_eq!(self.operate("DELETE", &format!("/{name}"), Value::Null).await, 200, "{name} is deleted");
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Text, Shape::Binary]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("999999".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("7", Selector::Id("7".into())), ("latest", Selector::Current), ("blue", Selector::Label("blue".into()))]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![name(&format!("projects/{}/secrets/{}", self.project, secret.name))]
    }
}
