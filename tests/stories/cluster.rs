//! A real Kubernetes API server as its administrator uses it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use lockstep_core::{Limits, MAX_MEMBERS, Pem, TlsProfile, Transport, Transports as _};
use lockstep_native::{HttpTransports, LocalFiles, SystemClock, TransportSettings};
use lockstep_testkit::TestEnv;
use lockstep_testkit::servers::{self, unique};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

const RBAC: &str = "apis/rbac.authorization.k8s.io/v1/namespaces";

pub(crate) struct Cluster {
    server: servers::Cluster,
    admin: Arc<dyn Transport>,
    runtime: Runtime,
}

impl Cluster {
    pub(crate) fn of(server: servers::Cluster) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (clock, env) = (Arc::new(SystemClock::new()), TestEnv::of(&[]));
        let transports = HttpTransports::new(clock, Arc::new(LocalFiles), &*env, TransportSettings::default());
        let ca = Some(Pem::File(server.ca_file.as_path().into()));
        let admin = transports.build(&TlsProfile { ca, client: None }).unwrap();
        Self { server, admin, runtime }
    }

    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    pub(crate) fn ca_file(&self) -> &Path {
        &self.server.ca_file
    }

    /// A namespace of its own.
    pub(crate) fn namespace(&self) -> String {
        let name = unique("team");
        self.post("api/v1/namespaces", &json!({ "metadata": { "name": name } }));
        name
    }

    pub(crate) fn put_secret(&self, namespace: &str, name: &str, fields: &[(&str, &str)]) {
        let data: Value =
            fields.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
        let body = json!({ "metadata": { "name": name }, "data": data });
        self.post(&format!("api/v1/namespaces/{namespace}/secrets"), &body);
    }

    /// A token of a service account of this name that may read the namespace's Secrets by a binding of the same name.
    pub(crate) fn reader(&self, namespace: &str, name: &str) -> String {
        let account = json!({ "metadata": { "name": name } });
        self.post(&format!("api/v1/namespaces/{namespace}/serviceaccounts"), &account);
        let rules = json!([{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }]);
        self.post(&format!("{RBAC}/{namespace}/roles"), &json!({ "metadata": { "name": name }, "rules": rules }));
        let binding = json!({
            "metadata": { "name": name },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
        });
        self.post(&format!("{RBAC}/{namespace}/rolebindings"), &binding);
        let path = format!("api/v1/namespaces/{namespace}/serviceaccounts/{name}/token");
        let answer = self.post(&path, &json!({ "spec": { "expirationSeconds": 3600 } }));
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    /// A token of a service account for this audience; the account is made when it is not there.
    pub(crate) fn account_token(&self, namespace: &str, name: &str, audience: &str) -> String {
        let account = json!({ "metadata": { "name": name } });
        let accounts = format!("api/v1/namespaces/{namespace}/serviceaccounts");
        let (status, _) = self.ask("POST", &accounts, Bytes::from(account.to_string()));
        assert!(matches!(status, 201 | 409), "{status}");
        let spec = json!({ "spec": { "audiences": [audience], "expirationSeconds": 3600 } });
        let answer = self.post(&format!("{accounts}/{name}/token"), &spec);
        answer["status"]["token"].as_str().unwrap().to_owned()
    }

    /// Lets everybody see the keys that tokens of service accounts are signed with.
    pub(crate) fn open_discovery(&self) {
        let binding = json!({
            "metadata": { "name": unique("discovery") },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:service-account-issuer-discovery",
            },
            "subjects": [{
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Group",
                "name": "system:unauthenticated",
            }],
        });
        self.post("apis/rbac.authorization.k8s.io/v1/clusterrolebindings", &binding);
    }

    pub(crate) fn delete(&self, path: &str) {
        let (status, answer) = self.ask("DELETE", path, Bytes::new());
        assert!(status < 300, "DELETE {path}: {status} {answer}");
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, Bytes::from(body.to_string()));
        assert!(status == 201, "POST {path}: {status} {answer}");
        answer
    }

    fn ask(&self, method: &str, path: &str, body: Bytes) -> (u16, Value) {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{path}", self.server.url))
            .header("authorization", format!("Bearer {}", self.server.admin_token))
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let limits = Limits { time: Duration::from_secs(20), response_bytes: 8 << 20, members: MAX_MEMBERS };
        let response = self.runtime.block_on(self.admin.send(request, limits)).unwrap();
        (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
    }
}
