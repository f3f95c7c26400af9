//! HTTP servers for tests: one that misbehaves on request, and one that a stateful fake stands behind ([`Served`]).
//!
//! The first speaks plain TCP on loopback, so that it can do what a library would not let it: cut an answer, stall in the middle,
//! lie about lengths, send nonsense or never stop. It counts what it is asked. Protocol details of a provider do not
//! belong here.

mod action;
pub mod azure;
mod connection;
mod cutting;
pub mod gcp;
mod service;
mod vault;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::action::{Action, gzip_bomb};
pub use self::cutting::{Cut, CuttingProxy};
pub use self::service::{Answer, Served};
pub use self::vault::{Node, VaultCluster};
use crate::host::locked;

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// `GET`, as it was written.
    pub method: String,
    /// Path and query, as they were written.
    pub target: String,
    /// Names in lower case, in the order in which they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

impl Seen {
    /// The first header of this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    fn route(&self) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        format!("{} {path}", self.method)
    }
}

/// The server. It ends when it is dropped.
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

struct Shared {
    scripts: Mutex<BTreeMap<String, VecDeque<Action>>>,
    seen: Mutex<Vec<Seen>>,
    connections: Mutex<usize>,
    /// The numbers of those that have not ended.
    open: Mutex<BTreeSet<usize>>,
    ended: tokio::sync::Notify,
    /// Counts how often all connections were dropped.
    dropped: watch::Sender<u64>,
    arrived: tokio::sync::Notify,
}

impl HttpServer {
    /// A server on a free port of loopback. What has no script answers 404 with an empty body.
    ///
    /// # Panics
    /// When no port can be had.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap_or_else(|error| panic!("bind: {error}"));
        let address = listener.local_addr().unwrap_or_else(|error| panic!("address: {error}"));
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            seen: Mutex::default(),
            connections: Mutex::default(),
            open: Mutex::default(),
            ended: tokio::sync::Notify::new(),
            dropped: watch::channel(0).0,
            arrived: tokio::sync::Notify::new(),
        });
        let accepting = connection::accept(listener, shared.clone());
        Self { address, shared, accepting }
    }

    /// `http://127.0.0.1:port`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What to do with requests of a route such as `GET /v1/secret`, queries left out: the actions in order, the last
    /// one over and over. `*` is every route without a script of its own. A new script replaces the old one.
    pub fn on(&self, route: &str, actions: impl IntoIterator<Item = Action>) -> &Self {
        locked(&self.shared.scripts).insert(route.to_owned(), actions.into_iter().collect());
        self
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        locked(&self.shared.seen).clone()
    }

    /// How many requests of this route so far.
    pub fn count(&self, route: &str) -> usize {
        locked(&self.shared.seen).iter().filter(|seen| seen.route() == route).count()
    }

    /// How many requests so far.
    pub fn total(&self) -> usize {
        locked(&self.shared.seen).len()
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        *locked(&self.shared.connections)
    }

    /// Closes every open connection, idle ones too: what a freeze or a restarted load balancer does. They are closed when
    /// it returns.
    pub async fn drop_connections(&self) {
        let before = self.connections();
        self.shared.dropped.send_modify(|times| *times += 1);
        loop {
            let ended = self.shared.ended.notified();
            if locked(&self.shared.open).range(..before).next().is_none() {
                return;
            }
            ended.await;
        }
    }

    /// Waits until at least this many requests have arrived.
    pub async fn until_seen(&self, count: usize) {
        loop {
            let arrived = self.shared.arrived.notified();
            if self.total() >= count {
                return;
            }
            arrived.await;
        }
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.dropped.send_modify(|times| *times += 1);
    }
}

impl Shared {
    /// Remembers a request and says what to do with it.
    fn take(&self, seen: Seen) -> Action {
        let route = seen.route();
        locked(&self.seen).push(seen);
        self.arrived.notify_waiters();
        let mut scripts = locked(&self.scripts);
        let script = if scripts.contains_key(&route) { scripts.get_mut(&route) } else { scripts.get_mut("*") };
        let Some(script) = script else { return Action::answer(404, "") };
        let next = if script.len() > 1 { script.pop_front() } else { script.front().cloned() };
        next.unwrap_or_else(|| Action::answer(404, ""))
    }
}
