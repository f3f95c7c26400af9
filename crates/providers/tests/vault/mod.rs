//! One OpenBao for the tests of one file, and a KV mount of it for the contract suite.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::{
    Call, ErrorKind, Limits, MAX_MEMBERS, Payload, Provider, Result, SecretName, Selector, TlsProfile, Transport,
    Transports,
};
use lockstep_native::{HttpTransports, LocalFiles, OsRandom, RingSigner, SystemClock, TransportSettings};
use lockstep_providers::vault::{VaultAuth, VaultProvider, VaultSettings};
use lockstep_providers::{Credential, Ports};
use lockstep_testkit::contract::{Harness, Shape};
use lockstep_testkit::servers::{OPENBAO_ROOT, unique};
use lockstep_testkit::{ManualClock, TestEnv, TestFiles, call};
use serde_json::{Value, json};

/// A transport that remembers which paths were asked for.
pub(crate) struct Recording {
    inner: Arc<dyn Transport>,
    paths: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Recording {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>> {
        self.paths.lock().unwrap().push(request.uri().path().to_owned());
        self.inner.send(request, limits).await
    }
}

/// One OpenBao, one clock that stands still, and the means to write behind the provider's back.
pub(crate) struct Bao {
    pub(crate) url: String,
    pub(crate) namespace: Option<String>,
    pub(crate) transport: Arc<Recording>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) env: Arc<TestEnv>,
    pub(crate) files: Arc<TestFiles>,
}

impl Bao {
    pub(crate) fn at(url: String) -> Self {
        Self::with(url, &TlsProfile::default())
    }

    pub(crate) fn with(url: String, tls: &TlsProfile) -> Self {
        let env = TestEnv::of(&[("ROOT", OPENBAO_ROOT)]);
        let transports = HttpTransports::new(
            Arc::new(SystemClock::new()),
            Arc::new(LocalFiles),
            &*env,
            TransportSettings::default(),
        );
        let inner = transports.build(tls).unwrap();
        let transport = Arc::new(Recording { inner, paths: Mutex::default() });
        // The server's clock is the real one, and so are the times that it answers.
        let now = lockstep_core::Clock::wall(&SystemClock::new());
        Self { url, namespace: None, transport, clock: ManualClock::at(now), env, files: TestFiles::new() }
    }

    pub(crate) fn call(&self) -> Call {
        call(&self.clock)
    }

    pub(crate) fn provider(&self, auth: VaultAuth) -> VaultProvider {
        self.provider_of(auth, |_| ())
    }

    pub(crate) fn provider_of(&self, auth: VaultAuth, change: impl FnOnce(&mut VaultSettings)) -> VaultProvider {
        let mut settings = VaultSettings {
            addresses: vec![self.url.clone()],
            inline: false,
            forward_stale: false,
            namespace: self.namespace.clone(),
            auth,
            mounts: BTreeMap::new(),
            members: MAX_MEMBERS,
            environment: String::new(),
        };
        change(&mut settings);
        let ports = Ports {
            random: Arc::new(OsRandom::new()),
            signer: Arc::new(RingSigner),
            exec: Arc::new(lockstep_core::NoExec),
            transport: self.transport.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
        };
        VaultProvider::new(settings, ports).unwrap()
    }

    pub(crate) fn root(&self) -> VaultProvider {
        self.provider(VaultAuth::Token(Credential::Env("ROOT".into()).into()))
    }

    /// As an operator would; past the recording.
    pub(crate) async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.url))
            .header("x-vault-token", OPENBAO_ROOT);
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let request = request.body(Bytes::from(body.to_string())).unwrap();
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 1 << 20, members: MAX_MEMBERS };
        let response = self.transport.inner.send(request, limits).await.unwrap();
        assert!(response.status().is_success(), "{method} {path}: {} {:?}", response.status(), response.body());
        serde_json::from_slice(response.body()).unwrap_or(Value::Null)
    }

    pub(crate) async fn mount(&self, kind: &str) -> String {
        let mount = unique("kv");
        let (engine, options) = kind.split_once(' ').unwrap_or((kind, ""));
        self.admin(
            "POST",
            &format!("sys/mounts/{mount}"),
            json!({ "type": engine, "options": { "version": options } }),
        )
        .await;
        if options == "2" {
            // The mount answers "upgrading" for a moment after it was made.
            for _ in 0..100 {
                let probe = SecretName::parse(&format!("{mount}/probe")).unwrap();
                match self.root().get(&self.call(), &probe, &Selector::Current).await {
                    Err(error) if error.kind() == ErrorKind::Unavailable => tokio::task::yield_now().await,
                    _ => break,
                }
            }
        }
        mount
    }

    pub(crate) fn asked(&self, end: &str) -> usize {
        self.transport.paths.lock().unwrap().iter().filter(|path| path.ends_with(end)).count()
    }
}

/// One KV mount for the contract suite.
pub(crate) struct Kv {
    pub(crate) bao: Bao,
    pub(crate) provider: VaultProvider,
    pub(crate) mount: String,
    pub(crate) has_versions: bool,
}

impl Kv {
    pub(crate) async fn new(bao: Bao, has_versions: bool) -> Self {
        let mount = bao.mount(if has_versions { "kv 2" } else { "kv 1" }).await;
        Self { provider: bao.root(), bao, mount, has_versions }
    }

    pub(crate) fn path(&self, name: &SecretName) -> String {
        let path = name.as_str().strip_prefix(&format!("{}/", self.mount)).unwrap();
        format!("{}/{}{path}", self.mount, if self.has_versions { "data/" } else { "" })
    }
}

#[async_trait]
impl Harness for Kv {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }
    fn call(&self) -> Call {
        self.bao.call()
    }
    fn name(&self, word: &str) -> SecretName {
        SecretName::parse(&format!("{}/suite/{word}", self.mount)).unwrap()
    }
    fn prefix(&self) -> String {
        format!("{}/suite/", self.mount)
    }
    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Fields(fields) = payload else { panic!("KV holds fields") };
        let data: Value =
            fields.iter().map(|(key, field)| (key.to_string(), field.value.expose_text().unwrap())).collect();
        let body = if self.has_versions { json!({ "data": data }) } else { data };
        self.bao.admin("POST", &self.path(name), body).await;
    }
    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.bao.admin("DELETE", &self.path(name), Value::Null).await;
        if self.has_versions { ErrorKind::Deleted } else { ErrorKind::NotFound }
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
    fn spellings(&self, secret: &lockstep_core::Secret) -> Vec<SecretName> {
        vec![SecretName::parse(&format!("/{}", secret.id.name)).unwrap()]
    }
}
