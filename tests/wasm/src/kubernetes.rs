//! Kubernetes Secrets, in a namespace of this run's own, by the token of who may do everything.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lockstep_core::{
    Call, ErrorKind, MAX_MEMBERS, Payload, Provider, Result, Secret, SecretName, Selector, TlsProfile, Transport,
    Transports,
};
use lockstep_providers::Credential;
use lockstep_providers::kubernetes::{KubernetesAuth, KubernetesProvider, KubernetesSettings};
use lockstep_testkit::contract::{Harness, Shape};
use serde_json::{Value, json};

use crate::bench::{Bench, name};

/// Whom to trust is the host's own setting.
struct Same(Arc<dyn Transport>);

impl Transports for Same {
    fn build(&self, _: &TlsProfile) -> Result<Arc<dyn Transport>> {
        Ok(self.0.clone())
    }
}

pub(crate) struct Kubernetes {
    bench: Bench,
    provider: KubernetesProvider,
    url: String,
    operator: String,
    namespace: String,
}

impl Kubernetes {
    pub(crate) async fn new(bench: Bench, url: String, token: String, namespace: String) -> Self {
        bench.env.set("TOKEN", &token);
        let settings = KubernetesSettings {
            auth: Some(KubernetesAuth::Token { address: url.clone(), token: Credential::Env("TOKEN".into()) }),
            namespace: Some(namespace.clone()),
            tls: TlsProfile::default(),
            insecure: false,
            watch: false,
            watch_names: Vec::new(),
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        let ports = bench.ports();
        let transports = Arc::new(Same(ports.transport.clone()));
        let provider = KubernetesProvider::new(settings, ports, transports);
        let provider = provider.unwrap_or_else(|error| panic!("the settings: {error:?}"));
        let this = Self { bench, provider, url, operator: format!("Bearer {token}"), namespace };
        let body = json!({ "metadata": { "name": this.namespace } });
        assert_eq!(this.operate("POST", "namespaces", body).await, 201, "the namespace is made");
        this
    }

    async fn operate(&self, method: &str, path: &str, body: Value) -> u16 {
        let url = format!("{}/api/v1/{path}", self.url);
        self.bench.operate(method, &url, ("authorization", &self.operator), body).await
    }

    fn secrets(&self) -> String {
        format!("namespaces/{}/secrets", self.namespace)
    }
}

fn short(name: &SecretName) -> &str {
    name.as_str().split_once('/').map_or(name.as_str(), |(_, short)| short)
}

#[async_trait]
impl Harness for Kubernetes {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("{}/{word}", self.namespace))
    }

    fn prefix(&self) -> String {
        format!("{}/", self.namespace)
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Fields(fields) = payload else { panic!("a Secret holds fields") };
        let data: Value =
            fields.iter().map(|(key, field)| (key.to_string(), STANDARD.encode(field.value.expose()))).collect();
        let body = json!({ "metadata": { "name": short(name) }, "data": data });
        let path = format!("{}/{}", self.secrets(), short(name));
        match self.operate("PUT", &path, body.clone()).await {
            200 => {}
            404 => assert_eq!(self.operate("POST", &self.secrets(), body).await, 201, "{name} is made"),
            status => panic!("{name} is written: {status}"),
        }
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        let path = format!("{}/{}", self.secrets(), short(name));
        assert_eq!(self.operate("DELETE", &path, Value::Null).await, 200, "{name} is deleted");
        ErrorKind::NotFound
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Fields]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("0.0".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Label("3".into())), ("x.5", Selector::Label("x.5".into()))]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![name(short(&secret.name))]
    }
}
