//! Vault and OpenBao: KV v2, in a mount of this run's own.

use std::collections::BTreeMap;

use async_trait::async_trait;
use lockstep_core::{Call, ErrorKind, MAX_MEMBERS, Payload, Provider, Secret, SecretName, Selector};
use lockstep_providers::Credential;
use lockstep_providers::vault::{VaultAuth, VaultProvider, VaultSettings};
use lockstep_testkit::contract::{Harness, Shape};
use serde_json::{Value, json};

use crate::bench::{Bench, name, text};

/// How often a mount is asked whether it is ready.
const ASKED: usize = 200;

pub(crate) struct Vault {
    bench: Bench,
    provider: VaultProvider,
    url: String,
    token: String,
    mount: String,
}

impl Vault {
    pub(crate) async fn new(bench: Bench, url: String, token: String, mount: String) -> Self {
        bench.env.set("TOKEN", &token);
        let settings = VaultSettings {
            addresses: vec![url.clone()],
            inline: false,
            forward_stale: false,
            namespace: None,
            auth: VaultAuth::Token(Credential::Env("TOKEN".into()).into()),
            mounts: BTreeMap::new(),
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        let provider = VaultProvider::new(settings, bench.ports());
        let provider = provider.unwrap_or_else(|error| panic!("the settings: {error:?}"));
        let this = Self { bench, provider, url, token, mount };
        let kind = json!({ "type": "kv", "options": { "version": "2" } });
        let made = this.operate("POST", &format!("sys/mounts/{}", this.mount), kind).await;
        assert_eq!(made, 204, "the mount is made");
        // It says "upgrading" for a moment after it was made.
        for _ in 0..ASKED {
            if this.operate("POST", &this.path(&this.name("ready")), json!({ "data": { "a": "b" } })).await == 200 {
                return this;
            }
        }
        panic!("the mount is not ready");
    }

    async fn operate(&self, method: &str, path: &str, body: Value) -> u16 {
        let url = format!("{}/v1/{path}", self.url);
        self.bench.operate(method, &url, ("x-vault-token", &self.token), body).await
    }

    fn path(&self, name: &SecretName) -> String {
        let path = name.as_str().trim_start_matches(self.mount.as_str());
        format!("{}/data{path}", self.mount)
    }
}

#[async_trait]
impl Harness for Vault {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.bench.call()
    }

    fn name(&self, word: &str) -> SecretName {
        name(&format!("{}/suite/{word}", self.mount))
    }

    fn prefix(&self) -> String {
        format!("{}/suite/", self.mount)
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Fields(fields) = payload else { panic!("KV holds fields") };
        let data: Value = fields.iter().map(|(key, field)| (key.to_string(), text(field))).collect();
        assert_eq!(self.operate("POST", &self.path(name), json!({ "data": data })).await, 200, "{name} is written");
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        assert_eq!(self.operate("DELETE", &self.path(name), Value::Null).await, 204, "{name} is deleted");
        ErrorKind::Deleted
    }

    fn shapes(&self) -> Vec<Shape> {
        vec![Shape::Fields]
    }

    fn missing_version(&self) -> Selector {
        Selector::Id("999".into())
    }

    fn selectors(&self) -> Vec<(&'static str, Selector)> {
        vec![("3", Selector::Id("3".into())), ("blue", Selector::Label("blue".into()))]
    }

    fn spellings(&self, secret: &Secret) -> Vec<SecretName> {
        vec![name(&format!("/{}", secret.id.name))]
    }
}
