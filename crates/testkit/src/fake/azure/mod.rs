//! [`AzureVault`]: a stateful Azure Key Vault, with what gives its tokens: Entra, IMDS and App Service.
//!
//! No such server can be installed, so this one is written from the service's documentation, strict where imitations
//! are lax, and judged by Microsoft's own clients. It is one function from request to answer: in process behind a
//! [`FakeTransport`], on a socket behind [`Served`](super::Served). Every error text and every
//! token holds the [`CANARY`](crate::contract::CANARY): neither may be seen anywhere else.

mod entra;
mod identity;
mod state;
#[cfg(test)]
mod tests;
mod vault;
mod wire;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, Response};
use lockstep_core::Clock;
use rcgen::PublicKeyData as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

pub use self::state::{Right, Route};
use self::state::{State, Token, UserAssigned};
use self::wire::{Query, error};
use crate::host::locked;
use crate::transport::{FakeTransport, Reply};

/// The tenant that the vault belongs to.
pub const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
/// The application that may log in, with [`CLIENT_SECRET`], [`certificate`] or [`FEDERATED_TOKEN`].
pub const CLIENT_ID: &str = "11111111-2222-3333-4444-555555555555";
/// Its secret.
pub const CLIENT_SECRET: &str = "c4n4ry~client.secret";
/// What the projected file of a workload holds at first.
pub const FEDERATED_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.c4n4ry.federated";
/// What App Service puts into `IDENTITY_HEADER`.
pub const IDENTITY_HEADER: &str = "c4n4ry-identity-header";
/// What App Service on Linux puts into `IDENTITY_ENDPOINT`.
pub const IDENTITY_ENDPOINT: &str = "http://169.254.129.2:8081/msi/token";
/// What the vault's tokens are for.
pub const RESOURCE: &str = "https://vault.azure.net";

/// The fake. It has one vault, at first at `https://kv.vault.azure.net`, and one tenant, [`TENANT`].
pub struct AzureVault {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl AzureVault {
    /// An empty vault over this clock: tokens end, and secrets are dated, by it.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self { clock, state: Mutex::new(State::new()) })
    }

    /// Answers one request.
    #[expect(clippy::needless_pass_by_value, reason = "the shape that a server calls")]
    pub fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let now = self.clock.wall().seconds();
        let mut state = locked(&self.state);
        let path = request.uri().path().to_owned();
        let route = state::route(request.method(), &path);
        let authority = wire::authority(&request);
        if !state.answers_at(route, &authority) {
            state.strays.push(format!("{authority}{path}"));
            return error(421, "Misdirected", "nothing of this kind is here", None);
        }
        *state.counts.entry(route).or_default() += 1;
        if let Some(answer) = state.queued.get_mut(&route).and_then(VecDeque::pop_front) {
            return answer;
        }
        let query = match Query::parse(request.uri().query().unwrap_or_default()) {
            Ok(query) => query,
            Err(what) => return error(400, "BadParameter", what, None),
        };
        match route {
            Route::Login => entra::token(&mut state, now, &request),
            Route::Discovery => entra::discovery(&state, &path),
            Route::Imds => identity::imds(&mut state, now, &request, &query),
            Route::AppService => identity::app_service(&mut state, now, &request, &query),
            _ => vault::answer(&mut state, now, &request, &query),
        }
    }

    /// The fake as a server's function.
    pub fn served(self: &Arc<Self>) -> super::Answer {
        let vault = Arc::clone(self);
        Arc::new(move |request| vault.answer(request))
    }

    /// The fake as a transport.
    pub fn transport(self: &Arc<Self>) -> Arc<FakeTransport> {
        let vault = Arc::clone(self);
        FakeTransport::by(move |request| Reply::Answer(vault.answer(request.clone())))
    }

    /// Moves vault and authority to this address, `https://localhost:PORT`: what the fake is served at.
    pub fn at(&self, url: &str) {
        let mut state = locked(&self.state);
        url.clone_into(&mut state.vault_url);
        url.clone_into(&mut state.login_url);
    }

    /// How many requests of this kind so far.
    pub fn count(&self, route: Route) -> usize {
        locked(&self.state).counts.get(&route).copied().unwrap_or_default()
    }

    /// Requests that went to a host where nothing of their kind is.
    pub fn strays(&self) -> Vec<String> {
        locked(&self.state).strays.clone()
    }

    /// The next request of this kind is answered like this.
    ///
    /// # Panics
    /// When the status or a header can't be one.
    pub fn next(&self, route: Route, status: u16, headers: &[(&str, &str)], body: &str) {
        let answer = headers
            .iter()
            .fold(Response::builder().status(status), |answer, (name, value)| answer.header(*name, *value))
            .body(Bytes::from(body.to_owned()))
            .unwrap_or_else(|error| panic!("answer: {error}"));
        locked(&self.state).queued.entry(route).or_default().push_back(answer);
    }

    /// The next request of this kind is throttled.
    pub fn throttle(&self, route: Route, retry_after: u64) {
        let answer = error(429, "Throttled", "too many requests", None);
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        self.next(route, 429, &[("retry-after", &retry_after.to_string())], &body);
    }

    /// Takes a right away, for this reason (`ForbiddenByRbac`, `ForbiddenByPolicy`, `ForbiddenByFirewall`, …).
    pub fn deny(&self, right: Right, reason: &'static str) {
        locked(&self.state).denied.insert(right, reason);
    }

    /// Gives a right back.
    pub fn allow(&self, right: Right) {
        locked(&self.state).denied.remove(&right);
    }

    /// Every challenge is this text from now on.
    pub fn challenge_with(&self, challenge: &str) {
        locked(&self.state).challenge = Some(challenge.to_owned());
    }

    /// Only tokens that were asked for with these claims are accepted (continuous access evaluation).
    pub fn require_claims(&self, claims: &str) {
        locked(&self.state).required_claims = Some(claims.to_owned());
    }

    /// No token given so far is accepted any more. IMDS goes on handing out its own.
    pub fn revoke_tokens(&self) {
        locked(&self.state).tokens.values_mut().for_each(|token| token.revoked = true);
    }

    /// The secret of the application.
    pub fn set_client_secret(&self, secret: &str) {
        secret.clone_into(&mut locked(&self.state).client_secret);
    }

    /// The token of the workload's issuer that is trusted.
    pub fn set_federated_token(&self, token: &str) {
        token.clone_into(&mut locked(&self.state).federated_token);
    }

    /// Whether assertions are accepted as azure-identity 1.27 makes them: signed with RS256, their certificate named by
    /// SHA-1, and shown more than once.
    pub fn old_assertions(&self, accepted: bool) {
        locked(&self.state).old_assertions = accepted;
    }

    /// Whether the machine has an identity of its own.
    pub fn system_assigned(&self, has: bool) {
        locked(&self.state).system_assigned = has;
    }

    /// Gives the machine one more identity.
    pub fn user_assigned(&self, client_id: &str, object_id: &str, resource_id: &str) {
        let [client_id, object_id, resource_id] = [client_id, object_id, resource_id].map(str::to_owned);
        locked(&self.state).user_assigned.push(UserAssigned { client_id, object_id, resource_id });
    }

    /// Whether versions may be dated with the same second. Unless told so, each is a second later than the one before.
    pub fn same_second(&self, may: bool) {
        locked(&self.state).same_second = may;
    }

    /// Whether versions of a secret that is not there are 404, or an empty list.
    pub fn missing_versions_are_404(&self, are: bool) {
        locked(&self.state).missing_versions_are_404 = are;
    }

    /// Writes a version, as an operator would (`PUT`), and gives its id back.
    ///
    /// # Panics
    /// When the vault refuses it.
    pub fn put(&self, name: &str, body: &Value) -> String {
        let answer = self.operate(Method::PUT, &format!("/secrets/{name}"), body);
        let id = answer["id"].as_str().unwrap_or_default();
        id.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Any request of an operator with every right, past counts, rights and queues.
    ///
    /// # Panics
    /// When the vault refuses it.
    pub fn operate(&self, method: Method, path: &str, body: &Value) -> Value {
        const OPERATOR: &str = "operator";
        let now = self.clock.wall().seconds();
        let mut state = locked(&self.state);
        let token = Token { expires: u64::MAX, ..Token::of(CLIENT_ID, RESOURCE, now, 0) };
        state.tokens.insert(OPERATOR.to_owned(), token);
        let url = format!("{}{path}?api-version=7.4", state.vault_url);
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("content-type", "application/json")
            .body(Bytes::from(if body.is_null() { String::new() } else { body.to_string() }))
            .unwrap_or_else(|error| panic!("request: {error}"));
        let query = Query::parse("api-version=7.4").unwrap_or_else(|what| panic!("{what}"));
        let (denied, claims) = (std::mem::take(&mut state.denied), state.required_claims.take());
        let answer = vault::answer(&mut state, now, &request, &query);
        (state.denied, state.required_claims) = (denied, claims);
        state.tokens.remove(OPERATOR);
        assert!(answer.status().is_success(), "{} {path}: {} {:?}", request.method(), answer.status(), answer.body());
        serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
    }
}

/// A certificate for [`RSA_KEY`](crate::RSA_KEY), after the key itself, in PEM: what an application logs in with.
///
/// # Panics
/// When it can't be made.
pub fn certificate() -> String {
    format!("{}{}", crate::RSA_KEY, made().pem())
}

fn key() -> rcgen::KeyPair {
    rcgen::KeyPair::from_pem(crate::RSA_KEY).unwrap_or_else(|error| panic!("key: {error}"))
}

fn made() -> rcgen::Certificate {
    let parameters = rcgen::CertificateParams::new(vec!["app.test".to_owned()]);
    let made = parameters.and_then(|parameters| parameters.self_signed(&key()));
    made.unwrap_or_else(|error| panic!("certificate: {error}"))
}

/// `x5t#S256` of the certificate, and its public key.
fn registered() -> (String, Vec<u8>) {
    (URL_SAFE_NO_PAD.encode(Sha256::digest(made().der())), key().der_bytes().to_vec())
}

/// The form of claims in a challenge.
fn encoded_claims(claims: &str) -> String {
    STANDARD.encode(claims)
}
