//! [`VaultCluster`]: the parts of Vault Enterprise that no free server has: several nodes of one cluster, standbys that
//! lag behind, the index that tells how far (`X-Vault-Index`), and nodes that can't serve.
//!
//! Written from HashiCorp's API documentation ("Vault Eventual Consistency", "HTTP status codes"). It knows one KV v2 mount
//! `kv`, one engine `db` that makes credentials, AppRole at `approle` (whatever the secret id) and its tokens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::service::Answer;
use crate::host::locked;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Node {
    /// It writes, and serves what it wrote.
    Active,
    /// A performance standby: it serves what has reached it, and forwards what writes.
    Standby,
    /// It answers everything with this status: 472, 473, 474, 501, 503 (sealed), 530, 5xx.
    Refusing(u16),
}

/// One cluster. Everything written has a number, and each standby has applied what was written up to one.
pub struct VaultCluster(Mutex<State>);

struct State {
    nodes: Vec<Node>,
    written: u64,
    /// How far the standbys are.
    applied: u64,
    values: BTreeMap<String, Vec<(u64, String)>>,
    /// Token -> the write that made it.
    tokens: BTreeMap<String, u64>,
    made: usize,
    /// Seconds of `Retry-After`, while the quota is used up.
    limited: Option<u64>,
    seen: Vec<(usize, String)>,
}

impl VaultCluster {
    /// A cluster of these nodes, with nothing in it.
    pub fn new(nodes: &[Node]) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State {
            nodes: nodes.to_vec(),
            written: 1,
            applied: 1,
            values: BTreeMap::new(),
            tokens: BTreeMap::new(),
            made: 0,
            limited: None,
            seen: Vec::new(),
        })))
    }

    /// Turns a node into another kind.
    pub fn set(&self, node: usize, kind: Node) {
        locked(&self.0).nodes[node] = kind;
    }

    /// Writes `kv/PATH`, as an operator at the active node.
    pub fn write(&self, path: &str, value: &str) {
        let mut state = locked(&self.0);
        state.written += 1;
        let at = state.written;
        state.values.entry(path.to_owned()).or_default().push((at, value.to_owned()));
    }

    /// Lets the standbys apply everything.
    pub fn catch_up(&self) {
        let mut state = locked(&self.0);
        state.applied = state.written;
    }

    /// Uses up the cluster's rate limit, with so many seconds of `Retry-After`, or frees it.
    pub fn limit(&self, seconds: Option<u64>) {
        locked(&self.0).limited = seconds;
    }

    /// Every request so far: its node, its path.
    pub fn seen(&self) -> Vec<(usize, String)> {
        locked(&self.0).seen.clone()
    }

    /// How many credentials were made.
    pub fn made(&self) -> usize {
        locked(&self.0).made
    }

    /// The node behind a socket.
    pub fn node(self: &Arc<Self>, node: usize) -> Answer {
        let cluster = Arc::clone(self);
        Arc::new(move |request| cluster.answer(node, &request))
    }

    /// What this node answers.
    pub fn answer(&self, node: usize, request: &Request<Bytes>) -> Response<Bytes> {
        let mut state = locked(&self.0);
        state.seen.push((node, request.uri().path().to_owned()));
        state.answer(node, request)
    }
}

impl State {
    fn answer(&mut self, node: usize, request: &Request<Bytes>) -> Response<Bytes> {
        let kind = self.nodes[node];
        if let Node::Refusing(status) = kind {
            return refusal(status, "Vault is sealed, a standby, or gone");
        }
        if let Some(seconds) = self.limited {
            let mut answer = refusal(429, "request path \"kv\": rate limit quota exceeded");
            answer.headers_mut().insert("retry-after", seconds.into());
            return answer;
        }
        let path = request.uri().path().trim_start_matches("/v1/").to_owned();
        if path == "auth/approle/login" {
            return self.log_in();
        }
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let wanted = request.headers().get_all("x-vault-index").iter().filter_map(position).max().unwrap_or(0);
        let is_forwarded = header("x-vault-inconsistent") == "forward-active-node";
        let mut at = if kind == Node::Active { self.written } else { self.applied };
        if wanted > at {
            if !is_forwarded {
                return refusal(412, "required index state not present");
            }
            at = self.written;
        }
        if self.tokens.get(header("x-vault-token")).is_none_or(|made| *made > at) {
            return refusal(403, "permission denied");
        }
        match path.split_once('/') {
            Some(("auth", "token/lookup-self")) => ok(&json!({ "data": { "ttl": 3600, "renewable": true } })),
            Some(("db", _)) => {
                self.made += 1;
                let made = self.made;
                ok(&json!({ "lease_id": format!("db/{made}"), "lease_duration": 60, "data": { "password": made } }))
            }
            Some(("kv", path)) => self.read(path.trim_start_matches("data/"), at),
            _ => refusal(404, "no handler for route"),
        }
    }

    fn log_in(&mut self) -> Response<Bytes> {
        self.written += 1;
        let token = format!("hvs.{}", self.written);
        self.tokens.insert(token.clone(), self.written);
        let auth = json!({ "client_token": token, "lease_duration": 3600, "renewable": true });
        self.with_index(ok(&json!({ "auth": auth })))
    }

    fn read(&self, path: &str, at: u64) -> Response<Bytes> {
        let versions = self.values.get(path).map_or(&[][..], Vec::as_slice);
        let reached: Vec<_> = versions.iter().filter(|(written, _)| *written <= at).collect();
        let Some((_, value)) = reached.last() else { return refusal_of(404, &[]) };
        let metadata = json!({ "created_time": "2026-01-01T00:00:00Z", "deletion_time": "", "destroyed": false,
            "version": reached.len() });
        ok(&json!({ "data": { "data": { "value": value }, "metadata": metadata } }))
    }

    fn with_index(&self, mut answer: Response<Bytes>) -> Response<Bytes> {
        let index = STANDARD.encode(format!("v1:cluster-a:{}:0:mac", self.written));
        let index = index.parse().unwrap_or_else(|error| panic!("an index is a header: {error}"));
        answer.headers_mut().insert("x-vault-index", index);
        answer
    }
}

/// The number in an index that a client sends.
fn position(value: &http::HeaderValue) -> Option<u64> {
    let text = String::from_utf8(STANDARD.decode(value.as_bytes()).ok()?).ok()?;
    text.split(':').nth(2)?.parse().ok()
}

fn ok(body: &Value) -> Response<Bytes> {
    Response::new(Bytes::from(body.to_string()))
}

fn refusal(status: u16, says: &str) -> Response<Bytes> {
    refusal_of(status, &[says])
}

fn refusal_of(status: u16, errors: &[&str]) -> Response<Bytes> {
    let mut answer = ok(&json!({ "errors": errors }));
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_else(|_| panic!("status {status}"));
    answer
}
