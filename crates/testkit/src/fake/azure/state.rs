//! What the fake remembers, and which request is of which kind.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::{Method, Response};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::wire::bare;
use super::{CLIENT_SECRET, FEDERATED_TOKEN, TENANT};

/// Kinds of requests, as they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// Entra's token endpoint.
    Login,
    /// Entra's OpenID configuration.
    Discovery,
    /// The machine's metadata service.
    Imds,
    /// App Service's identity endpoint.
    AppService,
    /// `GET /secrets/{name}`.
    Get,
    /// `GET /secrets/{name}/{version}`.
    GetVersion,
    /// `GET /secrets/{name}/versions`.
    Versions,
    /// `GET /secrets`.
    List,
    /// `GET /deletedsecrets`, one or all.
    Deleted,
    /// What changes something.
    Write,
}

/// What a token may do in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Values.
    Get,
    /// Names and versions.
    List,
    /// Deleted secrets.
    Deleted,
    /// Anything that changes something.
    Write,
}

/// A token that was given.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) client: String,
    pub(super) tenant: String,
    pub(super) resource: String,
    pub(super) claims: Option<String>,
    /// Seconds since 1970.
    pub(super) expires: u64,
    pub(super) revoked: bool,
}

impl Token {
    pub(super) fn of(client: &str, resource: &str, now: u64, lifetime: u64) -> Self {
        Self {
            client: client.to_owned(),
            tenant: TENANT.to_owned(),
            resource: resource.to_owned(),
            claims: None,
            expires: now.saturating_add(lifetime),
            revoked: false,
        }
    }
}

/// An identity that a machine has beside its own.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "the service's own words")]
pub(super) struct UserAssigned {
    pub(super) client_id: String,
    pub(super) object_id: String,
    pub(super) resource_id: String,
}

/// One version of a secret.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) value: String,
    pub(super) content_type: Option<String>,
    pub(super) enabled: bool,
    pub(super) nbf: Option<u64>,
    pub(super) exp: Option<u64>,
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) tags: BTreeMap<String, Value>,
    /// The order in which versions were written.
    pub(super) number: u64,
}

/// A secret: its name as it was first written, and its versions by id, which is no order of theirs.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) versions: BTreeMap<String, Version>,
}

/// A soft-deleted secret.
#[derive(Debug, Clone)]
pub(super) struct Gone {
    pub(super) kept: Kept,
    pub(super) deleted: u64,
}

#[expect(clippy::struct_excessive_bools, reason = "switches of a test, each on its own")]
pub(super) struct State {
    pub(super) vault_url: String,
    pub(super) login_url: String,
    pub(super) client_secret: String,
    pub(super) federated_token: String,
    pub(super) old_assertions: bool,
    pub(super) system_assigned: bool,
    pub(super) user_assigned: Vec<UserAssigned>,
    pub(super) tokens: BTreeMap<String, Token>,
    /// What IMDS holds on to, by identity and resource.
    pub(super) imds: BTreeMap<String, String>,
    /// Ids of assertions that were used.
    pub(super) used: Vec<String>,
    pub(super) counts: BTreeMap<Route, usize>,
    pub(super) queued: BTreeMap<Route, VecDeque<Response<Bytes>>>,
    pub(super) denied: BTreeMap<Right, &'static str>,
    pub(super) challenge: Option<String>,
    pub(super) required_claims: Option<String>,
    pub(super) strays: Vec<String>,
    pub(super) secrets: BTreeMap<String, Kept>,
    pub(super) deleted: BTreeMap<String, Gone>,
    pub(super) same_second: bool,
    pub(super) missing_versions_are_404: bool,
    /// The last date that was given to a version.
    last_second: u64,
    serial: u64,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            vault_url: "https://kv.vault.azure.net".to_owned(),
            login_url: "https://login.microsoftonline.com".to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            federated_token: FEDERATED_TOKEN.to_owned(),
            old_assertions: false,
            system_assigned: true,
            user_assigned: Vec::new(),
            tokens: BTreeMap::new(),
            imds: BTreeMap::new(),
            used: Vec::new(),
            counts: BTreeMap::new(),
            queued: BTreeMap::new(),
            denied: BTreeMap::new(),
            challenge: None,
            required_claims: None,
            strays: Vec::new(),
            secrets: BTreeMap::new(),
            deleted: BTreeMap::new(),
            same_second: false,
            missing_versions_are_404: false,
            last_second: 0,
            serial: 0,
        }
    }

    /// A number that nothing had before.
    pub(super) fn serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    /// 32 hex digits that nothing had before; their order is no order of anything.
    pub(super) fn id(&mut self) -> String {
        let digest = Sha256::digest(self.serial().to_be_bytes());
        digest.iter().take(16).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
    }

    /// The date of a version that is written now.
    pub(super) fn date(&mut self, now: u64) -> u64 {
        let date = if self.same_second { now } else { now.max(self.last_second + 1) };
        self.last_second = self.last_second.max(date);
        date
    }

    /// Gives a token and says what it is.
    pub(super) fn give(&mut self, token: Token) -> String {
        let text = format!("eyJ.c4n4ry-{}.{}", self.id(), "x".repeat(1000));
        self.tokens.insert(text.clone(), token);
        text
    }

    /// Whether requests of this kind are answered at this host.
    pub(super) fn answers_at(&self, route: Route, authority: &str) -> bool {
        let vault = bare(&self.vault_url);
        match route {
            Route::Login | Route::Discovery => authority == bare(&self.login_url),
            Route::Imds => authority == "169.254.169.254",
            Route::AppService => authority == "169.254.129.2:8081",
            _ => authority == vault,
        }
    }
}

/// Of which kind a request is. What is of none is the vault's to refuse.
pub(super) fn route(method: &Method, path: &str) -> Route {
    if path.ends_with("/oauth2/v2.0/token") {
        return Route::Login;
    }
    if path.ends_with("/v2.0/.well-known/openid-configuration") {
        return Route::Discovery;
    }
    match path {
        "/metadata/identity/oauth2/token" => return Route::Imds,
        "/msi/token" => return Route::AppService,
        _ => {}
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    match (method, parts.as_slice()) {
        (&Method::GET, ["secrets"]) => Route::List,
        (&Method::GET, ["secrets", _, "versions"]) => Route::Versions,
        (&Method::GET, ["secrets", _, _]) => Route::GetVersion,
        (&Method::GET, ["deletedsecrets", ..]) => Route::Deleted,
        (&Method::GET, _) => Route::Get,
        _ => Route::Write,
    }
}
