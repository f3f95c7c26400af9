//! The surface for Vault's clients, on a listener of its own: reads of KV version 1 and 2 in Vault's own form, and what
//! clients ask of the server before they read. Whatever writes is refused.
//!
//! A mount is a name of ours for one provider: paths below it are names of that provider. Where Vault has an answer, status
//! and shape are Vault's; `docs/vault-surface.md` lists what differs. Who may read what is the resolver's, as everywhere.

mod envelope;
mod folder;
mod history;
mod mount;
mod routes;
mod secret;
mod server;

use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use lockstep_core::{Ask, FrontDoor, Peer, SecretName};

pub(crate) use self::envelope::{failed, refused};
pub use self::mount::{KvVersion, VaultMount, VaultSurface};
pub use self::routes::{VAULT_TABLE, VaultRoute};
use crate::api::{Api, Exchange, Stop};
use crate::query::{Query, switch};
use crate::refusal::Refusal;
use crate::routes::Door;

/// The longest version number: more digits fit no number that Vault counts with.
const MAX_VERSION_DIGITS: usize = 18;

/// The front door behind the listener for Vault's clients. It is another door of the same [`Api`]: callers, rates and
/// places are shared with the main listener.
pub struct VaultDoor(Arc<Api>);

impl Api {
    /// The door for Vault's clients, if there is something behind it.
    pub fn vault_door(self: &Arc<Self>) -> Option<VaultDoor> {
        self.vault().map(|_| VaultDoor(Arc::clone(self)))
    }
}

impl FrontDoor for VaultDoor {
    fn at_once(&self, peer: &Peer, parts: &Parts) -> Option<Response<Bytes>> {
        self.0.at_once_at(Door::Vault, peer, parts)
    }

    async fn call(&self, peer: &Peer, request: Request<Bytes>) -> Response<Bytes> {
        self.0.answer_at(Door::Vault, peer, request).await
    }
}

/// What is asked below a mount.
enum Question<'a> {
    /// One secret: an ask without a version, and the version.
    Secret(Ask, Option<u64>),
    /// The versions of a secret.
    History(SecretName),
    /// The names in a folder.
    Folder(&'a str, Query<'a>),
    /// Nothing that could have a name.
    Nothing,
    /// A path that KV version 2 does not have.
    Unversioned,
}

/// Answers a route of this surface.
pub(crate) async fn answer(api: &Api, route: VaultRoute, exchange: &Exchange<'_>) -> Result<Response<Bytes>, Stop> {
    check_headers(exchange)?;
    let surface = api.vault().ok_or(Refusal::Route)?;
    match route {
        VaultRoute::Health => Ok(server::health(api)),
        VaultRoute::Init => Ok(server::init()),
        VaultRoute::SealStatus => Ok(server::seal_status()),
        VaultRoute::Leader => Ok(server::leader()),
        VaultRoute::Mounts => Ok(server::mounts(exchange, surface)),
        VaultRoute::Mount => Ok(server::mount(exchange, surface)),
        VaultRoute::Token => Ok(server::token(exchange)),
        VaultRoute::Kv => {
            let (mount, below) = surface.find(exchange.rest()).ok_or(Refusal::Route)?;
            match question(exchange, mount, below)? {
                Question::Secret(ask, version) => secret::read(api, exchange, mount, ask, version).await,
                Question::History(name) => history::read(api, exchange, mount, &name).await,
                Question::Folder(folder, query) => folder::read(api, exchange, mount, folder, &query).await,
                Question::Nothing => Ok(envelope::errors(StatusCode::NOT_FOUND, None)),
                Question::Unversioned => Ok(envelope::unversioned(exchange)),
            }
        }
    }
}

/// Answers from the cache; `None` when that can't be done without waiting, or is nothing of a secret.
pub(crate) fn answer_at_once(api: &Api, route: VaultRoute, exchange: &Exchange<'_>) -> Option<Response<Bytes>> {
    if route != VaultRoute::Kv {
        return None;
    }
    check_headers(exchange).ok()?;
    let (mount, below) = api.vault()?.find(exchange.rest())?;
    match question(exchange, mount, below).ok()? {
        Question::Secret(ask, None) => secret::read_at_once(api, exchange, mount, &ask),
        _ => None,
    }
}

/// What a client asks for in its headers and would not get: better nothing than something else.
fn check_headers(exchange: &Exchange<'_>) -> Result<(), Refusal> {
    let says = |name: &str, nothing: &[&str]| {
        let mut values = exchange.head.parts.into_iter().flat_map(|parts| parts.headers.get_all(name));
        values.any(|value| !nothing.iter().any(|nothing| value.as_bytes() == nothing.as_bytes()))
    };
    if says("x-vault-namespace", &["", "root", "root/", "/"]) {
        let text =
            "namespace not found: there are none here; send no X-Vault-Namespace, and leave VAULT_NAMESPACE unset";
        return Err(Refusal::Parameter(text.into()));
    }
    if says("x-vault-wrap-ttl", &["", "0", "0s"]) {
        let text =
            "answers are not wrapped here; send no X-Vault-Wrap-TTL, and leave VAULT_WRAP_TTL and -wrap-ttl away";
        return Err(Refusal::Parameter(text.into()));
    }
    Ok(())
}

fn question<'a>(exchange: &'a Exchange<'_>, mount: &VaultMount, below: &'a str) -> Result<Question<'a>, Refusal> {
    let is_list = is_list(exchange)?;
    let (kind, path) = match mount.kv {
        KvVersion::One => ("", below),
        KvVersion::Two => below.split_once('/').unwrap_or((below, "")),
    };
    match (kind, is_list) {
        ("" | "metadata", true) if mount.kv == KvVersion::One || kind == "metadata" => {
            Ok(Question::Folder(path, Query::parse(exchange.target(), &["list", "after", "limit"], &[])?))
        }
        // A LIST of values: the names are listed elsewhere.
        ("data", true) => Err(Refusal::Method(Some(crate::routes::Methods::Get))),
        ("" | "data" | "metadata", false) if path.is_empty() && (mount.kv == KvVersion::One || !kind.is_empty()) => {
            Ok(Question::Nothing)
        }
        ("" | "data", false) if mount.kv == KvVersion::One || kind == "data" => {
            let known: &[&str] = if kind.is_empty() { &["list"] } else { &["list", "version"] };
            let query = Query::parse(exchange.target(), known, &[])?;
            let ask = Ask {
                alias: Some(mount.provider.clone()),
                name: mount.name(path)?,
                selector: None,
                skip_cache: exchange.head.no_cache,
            };
            Ok(Question::Secret(ask, version(query.get("version"))?))
        }
        ("metadata", false) => {
            Query::parse(exchange.target(), &["list"], &[])?;
            Ok(Question::History(mount.name(path)?))
        }
        _ => Ok(Question::Unversioned),
    }
}

/// Whether names are asked for: by Vault's own method, or by a parameter where somebody on the way takes no such method.
fn is_list(exchange: &Exchange<'_>) -> Result<bool, Refusal> {
    if exchange.head.parts.is_some_and(|parts| parts.method.as_str() == "LIST") {
        return Ok(true);
    }
    for pair in exchange.target().parameters() {
        let (name, value) = pair.map_err(|_| Refusal::Target)?;
        if name == "list" {
            return switch("list", &value);
        }
    }
    Ok(false)
}

/// A version's number. Zero is the current one, as for Vault.
fn version(text: Option<&str>) -> Result<Option<u64>, Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let is_number = text.len() <= MAX_VERSION_DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(0) if is_number => Ok(None),
        Ok(number) if is_number => Ok(Some(number)),
        _ => Err(Refusal::Parameter("invalid version value: write its number".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_number_and_zero_is_the_current_one() {
        for (text, expected) in [(None, None), (Some(""), None), (Some("0"), None), (Some("17"), Some(17))] {
            assert_eq!(version(text).unwrap(), expected, "{text:?}");
        }
        for text in ["x", "-1", "+1", "1.0", "1234567890123456789", " 1"] {
            assert!(version(Some(text)).is_err(), "{text}");
        }
    }
}
