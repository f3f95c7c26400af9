//! [`Google`]: Secret Manager of Google Cloud with what logs in at it, stateful, for one project.
//!
//! Written from the REST reference (`google.cloud.secretmanager.v1`), AIP-4110 to AIP-4119 (credentials) and the guide
//! to consistency, and stricter than any client needs: whoever sends no token, a scope too few, a wrong checksum or a
//! regional name to the global host is refused as Google refuses it. The official client judges it in
//! `crates/providers/tests/gcp_sdk.rs`. `store` keeps secrets, `api` speaks their protocol, `tokens` gives tokens and
//! looks at them, `logins` are the endpoints that do.

mod api;
mod logins;
mod store;
mod tokens;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use lockstep_core::Clock;

pub use self::store::State;
use self::store::Store;
use self::tokens::Tokens;
use self::wire::{Refusal, Target};
use super::Answer;
use crate::host::locked;
use crate::transport::{FakeTransport, Reply};

/// The id of the project.
pub const PROJECT: &str = "acme-prod";
/// The number of the project: what names are answered with.
pub const NUMBER: &str = "123456789012";
/// The service account whose key is [`RSA_KEY`](crate::RSA_KEY).
pub const ACCOUNT: &str = "reader@acme-prod.iam.gserviceaccount.com";
/// The id of that key.
pub const KEY_ID: &str = "5f3c0a";
/// The service account that others may take the place of.
pub const IMPERSONATED: &str = "secrets@acme-prod.iam.gserviceaccount.com";
/// The audience of the workload identity pool.
pub const AUDIENCE: &str =
    "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/oidc";

/// The project, its secrets and its logins.
pub struct Google {
    clock: Arc<dyn Clock>,
    state: Mutex<All>,
}

struct All {
    store: Store,
    tokens: Tokens,
    /// Answers that come before the real ones, by route; `*` is every route of Secret Manager.
    troubles: BTreeMap<String, VecDeque<Refusal>>,
    /// Permissions that nobody has.
    forbidden: BTreeSet<String>,
    counts: BTreeMap<&'static str, usize>,
    /// Where a loopback address stands for; nothing is the global host.
    location: Option<String>,
    /// The checksum of the next answers is wrong.
    corrupt: usize,
    /// The metadata server forgets to say who it is.
    flavorless: bool,
}

impl Google {
    /// An empty project. Tokens end by this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let state = Mutex::new(All {
            store: Store::default(),
            tokens: Tokens::default(),
            troubles: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            counts: BTreeMap::new(),
            location: None,
            corrupt: 0,
            flavorless: false,
        });
        Arc::new(Self { clock, state })
    }

    /// Answers one request, whichever of Google's hosts it is for. A loopback address is all of them at once.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let now = self.clock.wall();
        let mut all = locked(&self.state);
        let outcome = Target::of(request).and_then(|target| {
            let (name, answer) = all.route(request, &target, now);
            *all.counts.entry(name).or_default() += 1;
            answer
        });
        outcome.unwrap_or_else(|refusal| refusal.response())
    }

    /// The same as a function, for [`Served`](super::Served).
    pub fn served(self: &Arc<Self>) -> Answer {
        let this = Arc::clone(self);
        Arc::new(move |request| this.answer(&request))
    }

    /// The same as a transport.
    pub fn transport(self: &Arc<Self>) -> Arc<FakeTransport> {
        let this = Arc::clone(self);
        FakeTransport::by(move |request| Reply::Answer(this.answer(request)))
    }

    /// How often a route was asked: `access`, `get`, `list`, `versions`, `version`, `create`, `add`, `update`,
    /// `enable`, `disable`, `destroy`, `delete`, `oauth2`, `sts`, `impersonate`, `metadata`, `elsewhere`.
    pub fn count(&self, route: &str) -> usize {
        locked(&self.state).counts.get(route).copied().unwrap_or(0)
    }

    /// Makes a loopback address stand for the regional host of this location.
    pub fn at_location(&self, location: &str) {
        locked(&self.state).location = Some(location.to_owned());
    }

    /// Answers the next request of a route (`*`: any of Secret Manager) with this instead: HTTP status, gRPC status and
    /// reason of `ErrorInfo`.
    pub fn trouble(&self, route: &str, status: u16, code: &'static str, reason: &'static str) {
        let refusal = Refusal::new(status, code, "told to, c4n4ry").reason(reason);
        locked(&self.state).troubles.entry(route.to_owned()).or_default().push_back(refusal);
    }

    /// Takes a permission from everybody, such as `secretmanager.versions.list`.
    pub fn forbid(&self, permission: &str) {
        locked(&self.state).forbidden.insert(permission.to_owned());
    }

    /// Makes the checksum of the next answers wrong, this often.
    pub fn corrupt(&self, times: usize) {
        locked(&self.state).corrupt = times;
    }

    /// Makes the metadata server leave out `Metadata-Flavor`.
    pub fn leave_out_flavor(&self) {
        locked(&self.state).flavorless = true;
    }

    /// Makes a secret without a version.
    ///
    /// # Panics
    /// When it is there already, or the name is none.
    pub fn create(&self, secret: &str, labels: &[(&str, &str)]) {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        let now = self.clock.wall();
        let all = &mut *locked(&self.state);
        let location = all.location.clone();
        let made = all.store.create(location.as_deref(), secret, labels, now);
        assert!(made.is_ok(), "{secret} can't be made");
    }

    /// Adds a version, and makes the secret if it isn't there. Gives the number.
    ///
    /// # Panics
    /// When it is too large.
    pub fn put(&self, secret: &str, value: &[u8]) -> u64 {
        let now = self.clock.wall();
        let all = &mut *locked(&self.state);
        let location = all.location.clone();
        if all.store.secret(location.as_deref(), secret).is_err() {
            let made = all.store.create(location.as_deref(), secret, BTreeMap::new(), now);
            assert!(made.is_ok(), "{secret} can't be made");
        }
        let added = all.store.add(location.as_deref(), secret, value.to_vec(), now);
        added.unwrap_or_else(|refusal| panic!("{secret} can't be written: {refusal:?}"))
    }

    /// Enables, disables or destroys a version.
    ///
    /// # Panics
    /// When it is not there, or destroyed already.
    pub fn set_state(&self, secret: &str, version: u64, state: State) {
        let now = self.clock.wall();
        let all = &mut *locked(&self.state);
        let location = all.location.clone();
        let done = all.store.set_state(location.as_deref(), secret, &version.to_string(), state, now);
        assert!(done.is_ok(), "{secret} {version} can't become {state:?}");
    }

    /// Points an alias to a version.
    ///
    /// # Panics
    /// When the secret is not there.
    pub fn alias(&self, secret: &str, alias: &str, version: u64) {
        let all = &mut *locked(&self.state);
        let location = all.location.clone();
        let lags = all.store.lags();
        match all.store.secret_mut(location.as_deref(), secret) {
            Ok(secret) => secret.point(alias, version, lags),
            Err(refusal) => panic!("there is no {secret}: {refusal:?}"),
        }
    }

    /// Deletes a secret.
    ///
    /// # Panics
    /// When it is not there.
    pub fn delete(&self, secret: &str) {
        let all = &mut *locked(&self.state);
        let location = all.location.clone();
        assert!(all.store.delete(location.as_deref(), secret).is_ok(), "there is no {secret}");
    }

    /// From now on everything but a read by number answers what was true before, until [`Google::settle`]: Google's
    /// only strong read is that of a version by its number.
    pub fn lag(&self) {
        locked(&self.state).store.lag();
    }

    /// Everything is seen everywhere.
    pub fn settle(&self) {
        locked(&self.state).store.settle();
    }

    /// The scopes of the tokens that the metadata server gives from now on.
    pub fn metadata_scopes(&self, scopes: &str) {
        scopes.clone_into(&mut locked(&self.state).tokens.metadata_scopes);
    }

    /// Ends every token that was given so far, and every service account key.
    pub fn revoke_all(&self) {
        locked(&self.state).tokens.revoke_all();
    }

    /// The one token of somebody else that the workload identity pool accepts.
    pub fn subject_token(&self, token: &str) {
        token.clone_into(&mut locked(&self.state).tokens.subject);
    }

    /// A token with every right, for setting things up from outside.
    pub fn admin_token(&self) -> String {
        let now = self.clock.wall();
        locked(&self.state).tokens.give("admin", tokens::SCOPE, now).0
    }

    /// The key file of [`ACCOUNT`], as the console gives it; `token_uri` is Google's unless told otherwise.
    pub fn key_file(token_uri: Option<&str>) -> String {
        serde_json::json!({
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": KEY_ID,
            "private_key": crate::RSA_KEY,
            "client_email": ACCOUNT,
            "client_id": "1",
            "token_uri": token_uri.unwrap_or(tokens::TOKEN_URI),
            "universe_domain": "googleapis.com",
        })
        .to_string()
    }
}
