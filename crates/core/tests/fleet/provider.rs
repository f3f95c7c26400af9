//! The simulated provider: eventually consistent, now and then slow, throttling or out.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use lockstep_core::{
    Call, CanonicalId, Capabilities, Error, ErrorKind, Lease, Metadata, Payload, Provider, Result, Scope, ScopeParts,
    Secret, SecretName, Selector, UnixMillis, Version,
};

use crate::engine::{Engine, Micros, SECOND, WORLD};

/// How far a replica may be behind.
pub(crate) const LAG: Micros = 8 * SECOND;

/// What a name held from a time on. Its place in the list is what the oracle knows it by.
#[derive(Clone, Copy)]
pub(crate) struct Held {
    pub(crate) since: Micros,
    pub(crate) created: UnixMillis,
    /// `None`: deleted.
    pub(crate) version: Option<u64>,
}

pub(crate) struct Store {
    pub(crate) engine: Arc<Engine>,
    pub(crate) names: Vec<Mutex<Vec<Held>>>,
    pub(crate) out: AtomicBool,
    pub(crate) calls: AtomicU64,
}

impl Store {
    pub(crate) fn new(engine: Arc<Engine>, names: usize) -> Arc<Self> {
        let first = Held { since: 0, created: UnixMillis(engine.wall(WORLD)), version: Some(1) };
        let names = (0..names).map(|_| Mutex::new(vec![first])).collect();
        Arc::new(Self { engine, names, out: AtomicBool::new(false), calls: AtomicU64::new(0) })
    }
    pub(crate) fn push(&self, name: usize, version: Option<u64>) -> usize {
        let mut held = self.names[name].lock().unwrap();
        let (since, created) = (self.engine.now(), UnixMillis(self.engine.wall(WORLD)));
        held.push(Held { since, created, version });
        held.len() - 1
    }
}

/// The store as one instance reaches it.
pub(crate) struct Remote(pub(crate) Arc<Store>, pub(crate) Scope);

pub(crate) fn scope() -> Scope {
    Scope::new(ScopeParts {
        provider: "vault".into(),
        account: "1".into(),
        region: "eu".into(),
        ..ScopeParts::default()
    })
}

#[async_trait]
impl Provider for Remote {
    fn scope(&self) -> &Scope {
        &self.1
    }
    fn capabilities(&self) -> Capabilities {
        Capabilities { versions: true, ..Capabilities::default() }
    }
    fn selector(&self, text: &str) -> Result<Selector> {
        Ok(Selector::Id(text.into()))
    }
    async fn get(&self, _call: &Call, name: &SecretName, _selector: &Selector) -> Result<Secret> {
        let store = &*self.0;
        store.calls.fetch_add(1, Ordering::Relaxed);
        // What is answered is what some replica held when the call arrived.
        let behind = if store.engine.below(2) == 0 { 0 } else { store.engine.below(LAG) };
        let seen = store.engine.now().saturating_sub(behind);
        let of: usize = name.as_str().trim_start_matches('n').parse().unwrap();
        let (index, held) = {
            let all = store.names[of].lock().unwrap();
            let index = all.iter().rposition(|held| held.since <= seen).unwrap();
            (index, all[index])
        };
        let (out, throttled) = (store.out.load(Ordering::Relaxed), store.engine.below(40) == 0);
        let slow = if store.engine.below(50) == 0 { 4 * SECOND } else { 60_000 };
        store.engine.pause(1_000 + store.engine.below(slow)).await;
        if out || throttled {
            let kind = if out { ErrorKind::Unavailable } else { ErrorKind::Throttled };
            return Err(Error::new(kind, "as the simulation says"));
        }
        let Some(version) = held.version else {
            return Err(Error::new(ErrorKind::NotFound, "there is no such secret"));
        };
        let id = CanonicalId { scope: self.1.clone(), name: name.clone() };
        let mut secret = Secret::new(id, name.clone(), Payload::text(format!("{index}")));
        secret.version = Some(Version::number(version));
        secret.created = Some(held.created);
        Ok(secret)
    }
    async fn get_many(&self, call: &Call, wanted: &[(SecretName, Selector)]) -> Vec<Result<Secret>> {
        let mut all = Vec::new();
        for (name, selector) in wanted {
            all.push(self.get(call, name, selector).await);
        }
        all
    }
    async fn describe(&self, _call: &Call, _name: &SecretName) -> Result<Metadata> {
        Err(Error::unsupported("describe"))
    }
    async fn renew(&self, _call: &Call, _lease: &Lease) -> Result<Lease> {
        Err(Error::unsupported("renew"))
    }
    async fn revoke(&self, _call: &Call, _lease: &Lease) -> Result<()> {
        Ok(())
    }
    async fn check(&self, _call: &Call) -> Result<()> {
        Ok(())
    }
}
