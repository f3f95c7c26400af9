//! The `kubernetes` provider against a real kube-apiserver: the contract, RBAC, paging, the watch, and every login.

#![cfg(feature = "kubernetes")]
#![expect(clippy::unwrap_used, reason = "what the tests are set up by may panic like the tests themselves")]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use lockstep_core::{
    Call, Change, ChangeSource as _, ChangedName, Clock as _, Encoding, Env, ErrorKind, Filter, Limits, MAX_MEMBERS,
    Page, Payload, Pem, Pieces, Provider, Result, Retry, Secret, SecretName, Selector, StreamLimits, TlsProfile,
    Transport, Transports,
};
use lockstep_native::{HttpTransports, LocalExec, LocalFiles, OsRandom, RingSigner, SystemClock, TransportSettings};
use lockstep_providers::kubernetes::{KubernetesAuth, KubernetesChanges, KubernetesProvider, KubernetesSettings};
use lockstep_providers::{Credential, Ports};
use lockstep_testkit::contract::{self, Harness, Shape};
use lockstep_testkit::servers::{self, Cluster, KUBERNETES_CLIENT, unique};
use lockstep_testkit::{TestEnv, TestFiles, call, require};
use serde_json::{Value, json};

/// A namespace of its own on the server, and the means of its operator.
struct World {
    cluster: Cluster,
    namespace: String,
    transports: Arc<HttpTransports>,
    admin: Arc<dyn Transport>,
    clock: Arc<SystemClock>,
    env: Arc<TestEnv>,
    files: Arc<TestFiles>,
}

impl World {
    async fn new(cluster: Cluster) -> Self {
        let env = TestEnv::of(&[("ADMIN", &cluster.admin_token), ("READER", &cluster.reader_token)]);
        let clock = Arc::new(SystemClock::new());
        let transports = HttpTransports::new(clock.clone(), Arc::new(LocalFiles), &*env, TransportSettings::default());
        let tls = TlsProfile { ca: Some(Pem::File(cluster.ca_file.as_path().into())), client: None };
        let admin = transports.build(&tls).unwrap();
        let world = Self {
            cluster,
            namespace: unique("team"),
            transports: Arc::new(transports),
            admin,
            clock,
            env,
            files: TestFiles::new(),
        };
        world.post("api/v1/namespaces", json!({ "metadata": { "name": world.namespace } })).await;
        world
    }

    fn call(&self) -> Call {
        call(&self.clock)
    }

    fn ports(&self) -> Ports {
        Ports {
            random: Arc::new(OsRandom::new()),
            signer: Arc::new(RingSigner),
            exec: Arc::new(LocalExec),
            transport: self.admin.clone(),
            env: self.env.clone(),
            files: self.files.clone(),
            clock: self.clock.clone(),
        }
    }

    fn settings(&self, auth: KubernetesAuth) -> KubernetesSettings {
        KubernetesSettings {
            auth: Some(auth),
            namespace: Some(self.namespace.clone()),
            tls: TlsProfile { ca: Some(Pem::File(self.cluster.ca_file.as_path().into())), client: None },
            insecure: false,
            watch: true,
            watch_names: Vec::new(),
            members: MAX_MEMBERS,
            environment: String::new(),
        }
    }

    fn provider(&self, auth: KubernetesAuth) -> KubernetesProvider {
        KubernetesProvider::new(self.settings(auth), self.ports(), self.transports.clone()).unwrap()
    }

    fn with(&self, token: Credential) -> KubernetesProvider {
        self.provider(KubernetesAuth::Token { address: self.cluster.url.clone(), token })
    }

    fn as_admin(&self) -> KubernetesProvider {
        self.with(Credential::Env("ADMIN".into()))
    }

    fn as_reader(&self) -> KubernetesProvider {
        self.with(Credential::Env("READER".into()))
    }

    /// As the operator would.
    async fn ask(&self, method: &str, path: &str, kind: &str, body: Value) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.cluster.url))
            .header("authorization", format!("Bearer {}", self.cluster.admin_token))
            .header("content-type", kind)
            .body(if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) })
            .unwrap();
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 8 << 20, members: MAX_MEMBERS };
        let response = self.admin.send(request, limits).await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask("POST", path, "application/json", body).await;
        assert!(status == 201, "POST {path}: {status} {answer}");
        answer
    }

    fn secrets(&self) -> String {
        format!("api/v1/namespaces/{}/secrets", self.namespace)
    }

    /// Writes a Secret, with the label `app` of its first word.
    async fn put(&self, secret: &str, data: Value) {
        let app = secret.split('-').next().unwrap();
        let body = json!({ "metadata": { "name": secret, "labels": { "app": app } }, "data": data });
        let path = format!("{}/{secret}", self.secrets());
        let (status, answer) = self.ask("PUT", &path, "application/json", body.clone()).await;
        match status {
            200 => {}
            404 => drop(self.post(&self.secrets(), body).await),
            _ => panic!("PUT {path}: {status} {answer}"),
        }
    }

    async fn delete(&self, secret: &str) {
        let path = format!("{}/{secret}", self.secrets());
        assert_eq!(self.ask("DELETE", &path, "application/json", Value::Null).await.0, 200);
    }

    /// Lets somebody do this with the Secrets of these names, or with all.
    async fn grant(&self, subject: Value, verbs: &[&str], names: &[&str]) {
        let rbac = format!("apis/rbac.authorization.k8s.io/v1/namespaces/{}", self.namespace);
        let name = unique("role");
        let rights = json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": verbs, "resourceNames": names });
        self.post(&format!("{rbac}/roles"), json!({ "metadata": { "name": name }, "rules": [rights] })).await;
        let role = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name });
        let binding = json!({ "metadata": { "name": name }, "roleRef": role, "subjects": [subject] });
        self.post(&format!("{rbac}/rolebindings"), binding).await;
    }

    /// Reads until the server has heard of the rights.
    async fn allowed(&self, provider: &KubernetesProvider, name: &str) -> Secret {
        for _ in 0..200 {
            match get(self, provider, name).await {
                Err(error) if error.kind() == ErrorKind::Denied => self.clock.sleep(Duration::from_millis(50)).await,
                answer => return answer.unwrap(),
            }
        }
        panic!("the rights are not there yet");
    }
}

async fn get(world: &World, provider: &KubernetesProvider, name: &str) -> Result<Secret> {
    provider.get(&world.call(), &SecretName::parse(name).unwrap(), &Selector::Current).await
}

fn user(name: &str) -> Value {
    json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name })
}

fn field(secret: &Secret, key: &str) -> String {
    let Payload::Fields(fields) = &secret.payload else { panic!("fields") };
    fields[key].value.expose_text().unwrap().to_owned()
}

struct Suite {
    world: World,
    provider: KubernetesProvider,
}

#[async_trait]
impl Harness for Suite {
    fn provider(&self) -> &dyn Provider {
        &self.provider
    }

    fn call(&self) -> Call {
        self.world.call()
    }

    fn name(&self, word: &str) -> SecretName {
        SecretName::parse(&format!("{}/{word}", self.world.namespace)).unwrap()
    }

    fn prefix(&self) -> String {
        format!("{}/", self.world.namespace)
    }

    async fn put(&self, name: &SecretName, payload: &Payload) {
        let Payload::Fields(fields) = payload else { panic!("fields") };
        let data = fields.iter().map(|(key, field)| (key.to_string(), STANDARD.encode(field.value.expose()).into()));
        let (_, secret) = name.as_str().split_once('/').unwrap();
        self.world.put(secret, Value::Object(data.collect())).await;
    }

    async fn delete(&self, name: &SecretName) -> ErrorKind {
        self.world.delete(name.as_str().split_once('/').unwrap().1).await;
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
        secret.name.as_str().split_once('/').map(|(_, short)| SecretName::parse(short).unwrap()).into_iter().collect()
    }
}

#[tokio::test]
async fn the_provider_keeps_the_contract() {
    let world = World::new(require!(servers::kubernetes())).await;
    let suite = Suite { provider: world.as_admin(), world };
    let ran = contract::run(&suite).await;
    for section in ["describe", "list", "list by prefix", "check"] {
        assert!(ran.contains(&section), "{section} was left out: {ran:?}");
    }
}

#[tokio::test]
async fn bytes_stay_bytes_and_each_write_is_a_version() {
    let world = World::new(require!(servers::kubernetes())).await;
    let provider = world.as_admin();
    world.put("db", json!({ "bytes": "/wA=", "text": "YcOp", "empty": "" })).await;
    let first = get(&world, &provider, "db").await.unwrap();
    let Payload::Fields(fields) = &first.payload else { panic!("fields") };
    assert_eq!((fields["bytes"].value.expose(), fields["bytes"].encoding), (&[255, 0][..], Encoding::Binary));
    assert_eq!((fields["text"].value.expose_text(), fields["text"].encoding), (Some("aé"), Encoding::Text));
    assert!(fields["empty"].value.is_empty());
    assert!(first.created.is_some());
    world.put("db", json!({ "text": "Yg==" })).await;
    let second = get(&world, &provider, &format!("{}/db", world.namespace)).await.unwrap();
    assert_eq!(second.id, first.id);
    assert_ne!(second.version, first.version);
    world.delete("db").await;
    world.put("db", json!({ "text": "Yg==" })).await;
    let third = get(&world, &provider, "db").await.unwrap();
    let uid = |secret: &Secret| secret.version.as_ref().unwrap().id.split_once('.').unwrap().0.to_owned();
    assert_eq!(uid(&second), uid(&first));
    assert_ne!(uid(&third), uid(&first), "another life of the name");
}

#[tokio::test]
async fn rbac_decides_what_is_read_and_each_refusal_has_its_kind() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "password": "aHVudGVyMg==" })).await;
    world.put("other", json!({})).await;
    let reader = world.as_reader();
    let denied = get(&world, &reader, "db").await.unwrap_err();
    assert_eq!((denied.kind(), denied.retry_hint()), (ErrorKind::Denied, Retry::Never));
    assert_eq!((denied.upstream_status(), denied.upstream_code()), (Some(403), Some("Forbidden")));
    world.grant(user("reader"), &["get"], &["db", "absent"]).await;
    assert_eq!(field(&world.allowed(&reader, "db").await, "password"), "hunter2");
    assert_eq!(get(&world, &reader, "other").await.unwrap_err().kind(), ErrorKind::Denied);
    let missing = get(&world, &reader, "absent").await.unwrap_err();
    assert_eq!((missing.kind(), missing.upstream_code()), (ErrorKind::NotFound, Some("NotFound")));
    let list = reader.list(&world.call(), "", &Filter::default(), Page::default()).await;
    assert_eq!(list.unwrap_err().kind(), ErrorKind::Denied);
    reader.check(&world.call()).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_refused_is_read_anew() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "a": "YQ==" })).await;
    world.files.write("/token", "c4n4ry");
    let provider = world.with(Credential::File(Path::new("/token").into()));
    let error = get(&world, &provider, "db").await.unwrap_err();
    assert_eq!((error.kind(), error.retry_hint()), (ErrorKind::Unauthenticated, Retry::OnceWithFreshCredentials));
    assert!(!format!("{error:?} {provider:?}").contains("c4n4ry"));
    assert_eq!(provider.check(&world.call()).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    world.files.write("/token", &world.cluster.admin_token);
    assert_eq!(field(&get(&world, &provider, "db").await.unwrap(), "a"), "a");
}

#[tokio::test]
async fn a_list_is_paged_and_filtered_by_the_server_and_brings_no_values() {
    let world = World::new(require!(servers::kubernetes())).await;
    for number in 0..5 {
        world.put(&format!("app-{number}"), json!({ "a": "YzRuNHJ5" })).await;
    }
    world.put("other-1", json!({})).await;
    let provider = world.as_admin();
    let filter = Filter { tags: vec![("app".into(), Some("app".into()))] };
    let (mut names, mut token, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = Page { token: token.take(), limit: Some(2) };
        let part = provider.list(&world.call(), "", &filter, page).await.unwrap();
        names.extend(part.items.iter().map(|item| item.name.as_str().split_once('/').unwrap().1.to_owned()));
        assert!(part.items.iter().all(|item| item.tags["app"] == "app" && item.version.is_some()));
        pages += 1;
        token = part.next;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((names, pages), ((0..5).map(|number| format!("app-{number}")).collect(), 3));
    let page = Page { token: Some("no token".into()), limit: None };
    let error = provider.list(&world.call(), "", &Filter::default(), page).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidReference);
    assert!(error.message().contains("begin again"), "{error}");
    // What the server sends for our `Accept`, seen from outside.
    let path = format!("{}?limit=1", world.secrets());
    let (_, whole) = world.ask("GET", &path, "application/json", Value::Null).await;
    assert!(whole.to_string().contains("YzRuNHJ5"), "the canary is there to be seen");
    let request = Request::get(format!("{}/{path}", world.cluster.url))
        .header("authorization", format!("Bearer {}", world.cluster.admin_token))
        .header("accept", "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1")
        .body(Bytes::new())
        .unwrap();
    let limits = Limits { time: Duration::from_secs(20), response_bytes: 8 << 20, members: MAX_MEMBERS };
    let partial = world.admin.send(request, limits).await.unwrap();
    assert!(partial.status() == 200 && !String::from_utf8_lossy(partial.body()).contains("YzRuNHJ5"));
}

async fn told(world: &World, changes: &mut KubernetesChanges) -> Vec<String> {
    let say = |change: &Change| {
        let ChangedName::One(name) = &change.name else { panic!("one name") };
        let secret = name.strip_prefix(&format!("{}/", world.namespace)).unwrap();
        format!("{secret} {:?} {}", change.kind, change.version.is_some())
    };
    let mut told: Vec<_> =
        world.call().bounded(async { Ok(changes.next().await) }).await.unwrap().iter().map(say).collect();
    told.sort_unstable();
    told
}

#[tokio::test]
async fn a_watch_of_the_namespace_tells_what_is_written_and_deleted() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "a": "YQ==" })).await;
    let provider = world.as_admin();
    let mut changes = KubernetesChanges::new(&provider, &world.call());
    assert_eq!(told(&world, &mut changes).await, ["db Updated true"]);
    world.put("db", json!({ "a": "Yg==" })).await;
    let written = world.call().bounded(async { Ok(changes.next().await) }).await.unwrap();
    let read = get(&world, &provider, "db").await.unwrap();
    assert_eq!(
        written[0].version.as_deref(),
        read.version.as_ref().map(|version| &*version.id),
        "the version that is read"
    );
    world.put("new", json!({})).await;
    assert_eq!(told(&world, &mut changes).await, ["new Updated true"]);
    world.delete("db").await;
    assert_eq!(told(&world, &mut changes).await, ["db Deleted false"]);
}

#[tokio::test]
async fn a_watch_of_one_secret_needs_rights_on_that_one_alone() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "a": "YQ==" })).await;
    world.put("other", json!({})).await;
    world.grant(user("reader"), &["get", "list", "watch"], &["db"]).await;
    let token = Credential::Env("READER".into());
    let auth = KubernetesAuth::Token { address: world.cluster.url.clone(), token };
    let settings = KubernetesSettings { watch_names: vec!["db".into()], ..world.settings(auth) };
    let provider = KubernetesProvider::new(settings, world.ports(), world.transports.clone()).unwrap();
    world.allowed(&provider, "db").await;
    let mut changes = KubernetesChanges::new(&provider, &world.call());
    assert_eq!(told(&world, &mut changes).await, ["db Updated true"]);
    world.put("other", json!({ "a": "YQ==" })).await;
    world.put("db", json!({ "a": "Yg==" })).await;
    assert_eq!(told(&world, &mut changes).await, ["db Updated true"]);
    world.delete("db").await;
    assert_eq!(told(&world, &mut changes).await, ["db Deleted false"]);
}

/// Watches from the beginning of all time, once: the server has long forgotten that.
struct Forgetful {
    inner: Arc<dyn Transports>,
    asked: Arc<Mutex<Vec<String>>>,
}

struct Forgetting {
    inner: Arc<dyn Transport>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Transports for Forgetful {
    fn build(&self, profile: &TlsProfile) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(Forgetting { inner: self.inner.build(profile)?, asked: self.asked.clone() }))
    }
}

#[async_trait]
impl Transport for Forgetting {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<http::Response<Bytes>> {
        self.asked.lock().unwrap().push("list".into());
        self.inner.send(request, limits).await
    }

    async fn stream(&self, mut request: Request<Bytes>, limits: StreamLimits) -> Result<http::Response<Pieces>> {
        let first = !self.asked.lock().unwrap().iter().any(|asked| asked == "watch");
        self.asked.lock().unwrap().push("watch".into());
        if first {
            let uri = request.uri().to_string();
            let (before, after) = uri.split_once("resourceVersion=").unwrap();
            let (_, after) = after.split_once('&').unwrap();
            *request.uri_mut() = format!("{before}resourceVersion=1&{after}").parse().unwrap();
        }
        self.inner.stream(request, limits).await
    }
}

/// Break: `forget_if_gone`.
#[tokio::test]
async fn history_that_the_server_has_forgotten_is_listed_again() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "a": "YQ==" })).await;
    let asked = Arc::new(Mutex::new(Vec::new()));
    let transports = Arc::new(Forgetful { inner: world.transports.clone(), asked: asked.clone() });
    let auth = KubernetesAuth::Token { address: world.cluster.url.clone(), token: Credential::Env("ADMIN".into()) };
    let provider = KubernetesProvider::new(world.settings(auth), world.ports(), transports).unwrap();
    let mut changes = KubernetesChanges::new(&provider, &world.call());
    assert_eq!(told(&world, &mut changes).await, ["db Updated true"]);
    world.put("db", json!({ "a": "Yg==" })).await;
    assert_eq!(told(&world, &mut changes).await, ["db Updated true"]);
    assert_eq!(asked.lock().unwrap()[..3], ["list", "watch", "list"], "what happened meanwhile is seen in a list");
    world.delete("db").await;
    assert_eq!(told(&world, &mut changes).await, ["db Deleted false"]);
}

/// A kubeconfig with this user in it.
fn kubeconfig(world: &World, user: &str) -> KubernetesAuth {
    let ca = STANDARD.encode(std::fs::read(&world.cluster.ca_file).unwrap());
    let text = format!(
        "current-context: main\nclusters: [{{ name: c, cluster: {{ server: '{}', certificate-authority-data: {ca} }} }}]\n\
         users: [{{ name: u, user: {{ {user} }} }}]\n\
         contexts: [{{ name: main, context: {{ cluster: c, user: u, namespace: {} }} }}]\n",
        world.cluster.url, world.namespace
    );
    world.files.write("/kubeconfig", text);
    KubernetesAuth::Kubeconfig { path: Some("/kubeconfig".into()), context: None, exec: true }
}

/// Reads with what the login alone says: its namespace, its roots.
async fn read_by(world: &World, auth: KubernetesAuth) -> Secret {
    let settings = KubernetesSettings { namespace: None, tls: TlsProfile::default(), ..world.settings(auth) };
    let provider = KubernetesProvider::new(settings, world.ports(), world.transports.clone()).unwrap();
    provider.check(&world.call()).await.unwrap();
    world.allowed(&provider, "db").await
}

#[tokio::test]
async fn each_login_of_a_kubeconfig_is_taken_by_the_server() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "a": "YQ==" })).await;
    let group = json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "readers" });
    world.grant(group, &["get"], &[]).await;
    let (certificate, key) = KUBERNETES_CLIENT;
    let [certificate, key] = [certificate, key].map(|pem| STANDARD.encode(pem));
    let by_token = format!("token: {}", world.cluster.admin_token);
    let by_certificate = format!("client-certificate-data: {certificate}, client-key-data: {key}");
    let print = "printf '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":\
                 {\"token\":\"%s\",\"expirationTimestamp\":\"2100-01-01T00:00:00Z\"}}' \"$TOKEN\"";
    let by_plugin = format!(
        "exec: {{ apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, args: [-c, {}], \
         env: [{{ name: TOKEN, value: {} }}], interactiveMode: Never }}",
        serde_json::to_string(print).unwrap(),
        world.cluster.admin_token
    );
    for user in [by_token, by_certificate, by_plugin] {
        let auth = kubeconfig(&world, &user);
        assert_eq!(field(&read_by(&world, auth).await, "a"), "a");
    }
}

#[tokio::test]
async fn a_pod_logs_in_with_the_token_of_its_service_account() {
    let world = World::new(require!(servers::kubernetes())).await;
    world.put("db", json!({ "a": "YQ==" })).await;
    let accounts = format!("api/v1/namespaces/{}/serviceaccounts", world.namespace);
    world.post(&accounts, json!({ "metadata": { "name": "app" } })).await;
    let account = json!({ "kind": "ServiceAccount", "name": "app", "namespace": world.namespace });
    world.grant(account, &["get"], &["db"]).await;
    let given = world.post(&format!("{accounts}/app/token"), json!({ "spec": { "expirationSeconds": 600 } })).await;
    let folder = "/var/run/secrets/kubernetes.io/serviceaccount";
    world.files.write(format!("{folder}/token"), given["status"]["token"].as_str().unwrap());
    world.files.write(format!("{folder}/ca.crt"), std::fs::read(&world.cluster.ca_file).unwrap());
    world.files.write(format!("{folder}/namespace"), &world.namespace);
    let address: http::Uri = world.cluster.url.parse().unwrap();
    world.env.set("KUBERNETES_SERVICE_HOST", address.host().unwrap());
    world.env.set("KUBERNETES_SERVICE_PORT", address.port().unwrap().as_str());
    assert!(world.env.var("KUBERNETES_SERVICE_PORT").is_some());
    assert_eq!(field(&read_by(&world, KubernetesAuth::InCluster).await, "a"), "a");
}
