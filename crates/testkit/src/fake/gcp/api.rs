//! Secret Manager's REST protocol, and which host answers what.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use lockstep_core::UnixMillis;
use serde_json::{Value, json};

use super::store::State;
use super::tokens::SCOPE;
use super::wire::{Refusal, Target, answer};
use super::{All, NUMBER, PROJECT};

/// The most items of a page, and how many there are when nobody says.
const PAGE_MOST: usize = 25_000;

type Answered = Result<Response<Bytes>, Refusal>;

/// One resource of Secret Manager, out of a path.
struct Resource<'a> {
    project: &'a str,
    location: Option<&'a str>,
    /// What follows `secrets`.
    below: Vec<&'a str>,
    /// What stands after `:`.
    verb: &'a str,
}

impl<'a> Resource<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let (path, verb) = path.rsplit_once(':').unwrap_or((path, ""));
        let parts: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        let (project, location, below) = match parts[..] {
            ["projects", project, "secrets", ..] => (project, None, &parts[3..]),
            ["projects", project, "locations", location, "secrets", ..] => (project, Some(location), &parts[5..]),
            _ => return None,
        };
        Some(Self { project, location, below: below.to_vec(), verb })
    }
}

impl All {
    /// The name of the route, and its answer.
    pub(super) fn route(
        &mut self,
        request: &Request<Bytes>,
        target: &Target,
        now: UnixMillis,
    ) -> (&'static str, Answered) {
        let path = target.path.as_str();
        let account = path
            .strip_prefix("/v1/projects/-/serviceAccounts/")
            .and_then(|rest| rest.strip_suffix(":generateAccessToken"));
        let is_metadata = matches!(target.host.as_str(), "metadata.google.internal" | "169.254.169.254");
        let name = match path {
            "/token" if target.is("oauth2.googleapis.com") => "oauth2",
            "/v1/token" if target.is("sts.googleapis.com") => "sts",
            _ if account.is_some() && target.is("iamcredentials.googleapis.com") => "impersonate",
            _ if path.starts_with("/computeMetadata/") && (is_metadata || target.is_loopback()) => "metadata",
            _ => return self.secrets(request, target, now),
        };
        if let Some(trouble) = self.trouble(name) {
            return (name, Err(trouble));
        }
        let answer = match (name, account) {
            ("oauth2", _) => self.oauth2(request, now),
            ("sts", _) => self.sts(request, now),
            ("impersonate", Some(account)) => self.impersonate(request, account, now),
            _ => self.metadata(request, target, now),
        };
        (name, answer)
    }

    fn trouble(&mut self, route: &str) -> Option<Refusal> {
        self.troubles.get_mut(route).and_then(std::collections::VecDeque::pop_front)
    }

    fn secrets(&mut self, request: &Request<Bytes>, target: &Target, now: UnixMillis) -> (&'static str, Answered) {
        // The global host serves no regional secret, and a regional one none of another location.
        let host = match target.host.as_str() {
            "secretmanager.googleapis.com" => None,
            _ if target.is_loopback() => self.location.clone(),
            other => {
                let location =
                    other.strip_prefix("secretmanager.").and_then(|host| host.strip_suffix(".rep.googleapis.com"));
                match location {
                    Some(location) => Some(location.to_owned()),
                    None => return ("elsewhere", Err(Refusal::not_found("The requested URL was not found."))),
                }
            }
        };
        let Some(resource) = Resource::of(&target.path) else {
            return ("elsewhere", Err(Refusal::not_found("The requested URL was not found.")));
        };
        let method = request.method();
        let (name, permission) = match (method, &resource.below[..], resource.verb) {
            (&Method::GET, [], "") => ("list", "secretmanager.secrets.list"),
            (&Method::POST, [], "") => ("create", "secretmanager.secrets.create"),
            (&Method::GET, [_], "") => ("get", "secretmanager.secrets.get"),
            (&Method::PATCH, [_], "") => ("update", "secretmanager.secrets.update"),
            (&Method::DELETE, [_], "") => ("delete", "secretmanager.secrets.delete"),
            (&Method::POST, [_], "addVersion") => ("add", "secretmanager.versions.add"),
            (&Method::GET, [_, "versions"], "") => ("versions", "secretmanager.versions.list"),
            (&Method::GET, [_, "versions", _], "") => ("version", "secretmanager.versions.get"),
            (&Method::GET, [_, "versions", _], "access") => ("access", "secretmanager.versions.access"),
            (&Method::POST, [_, "versions", _], "enable") => ("enable", "secretmanager.versions.enable"),
            (&Method::POST, [_, "versions", _], "disable") => ("disable", "secretmanager.versions.disable"),
            (&Method::POST, [_, "versions", _], "destroy") => ("destroy", "secretmanager.versions.destroy"),
            _ => return ("elsewhere", Err(Refusal::not_found("Method not found."))),
        };
        let checked = self.bearer(request, &[SCOPE], now).and_then(|_| {
            if let Some(trouble) = self.trouble(name).or_else(|| self.trouble("*")) {
                return Err(trouble);
            }
            if resource.location.map(str::to_owned) != host {
                return Err(Refusal::invalid("The location of the resource and of the endpoint are not the same."));
            }
            if ![PROJECT, NUMBER].contains(&resource.project) || self.forbidden.contains(permission) {
                let message = format!("Permission '{permission}' denied for resource (or it may not exist).");
                return Err(Refusal::new(403, "PERMISSION_DENIED", message).reason("IAM_PERMISSION_DENIED"));
            }
            Ok(())
        });
        (name, checked.and_then(|()| self.done(name, &resource, request, target, now)))
    }

    fn done(
        &mut self,
        name: &str,
        resource: &Resource<'_>,
        request: &Request<Bytes>,
        target: &Target,
        now: UnixMillis,
    ) -> Answered {
        let at = resource.location;
        let id = resource.below.first().copied().unwrap_or_default();
        let version = resource.below.get(2).copied().unwrap_or_default();
        let body = || -> Result<Value, Refusal> {
            serde_json::from_slice(request.body()).map_err(|_| Refusal::invalid("Invalid JSON payload received."))
        };
        let lags = self.store.lags();
        let found = match name {
            "list" => {
                let mut fitting = Vec::new();
                for secret in self.store.all(at) {
                    if secret.fits(target.parameter("filter"))? {
                        fitting.push(secret.resource());
                    }
                }
                page("secrets", fitting, target)?
            }
            "create" => {
                let body = body()?;
                if at.is_none() && !body["replication"].is_object() {
                    return Err(Refusal::invalid("The replication field is required."));
                }
                let made = self.store.create(at, target.parameter("secretId"), texts(&body["labels"])?, now)?;
                made.rotation = Some(body["rotation"].clone()).filter(Value::is_object);
                made.resource()
            }
            "get" => self.store.secret(at, id)?.resource(),
            "update" => {
                let body = body()?;
                let secret = self.store.secret_mut(at, id)?;
                for field in target.parameter("updateMask").split(',') {
                    match field {
                        "labels" => secret.labels = texts(&body["labels"])?,
                        "rotation" => secret.rotation = Some(body["rotation"].clone()).filter(Value::is_object),
                        "versionAliases" => {
                            let numbers = texts(&body["versionAliases"])?.into_iter();
                            let number = |text: &str| text.parse().map_err(|_| Refusal::invalid("no number"));
                            let aliases = numbers.map(|(key, text)| Ok((key, number(&text)?)));
                            secret.replace_aliases(aliases.collect::<Result<_, Refusal>>()?, lags)?;
                        }
                        _ => return Err(Refusal::invalid("Invalid update mask.")),
                    }
                }
                secret.resource()
            }
            "delete" => {
                self.store.delete(at, id)?;
                json!({})
            }
            "add" => {
                let body = body()?;
                let text = body["payload"]["data"].as_str().unwrap_or_default();
                let value = STANDARD.decode(text).map_err(|_| Refusal::invalid("Base64 decoding failed."))?;
                if let Some(sum) = number(&body["payload"]["dataCrc32c"])
                    && sum != u64::from(crc32c(&value))
                {
                    return Err(Refusal::invalid("The checksum does not match the payload."));
                }
                let number = self.store.add(at, id, value, now)?;
                self.store.secret(at, id)?.version(number)
            }
            "versions" => {
                let secret = self.store.secret(at, id)?;
                let state = target.parameter("filter").strip_prefix("state:").map(str::to_owned);
                if state.is_none() && !target.parameter("filter").is_empty() {
                    return Err(Refusal::invalid("Invalid filter."));
                }
                let listed = secret.listed().map(|number| secret.version(number));
                let fits = |version: &Value| state.as_deref().is_none_or(|state| version["state"] == state);
                page("versions", listed.filter(fits).collect(), target)?
            }
            "version" => {
                let secret = self.store.secret(at, id)?;
                secret.version(secret.number(version)?)
            }
            "access" => {
                let secret = self.store.secret(at, id)?;
                let number = secret.number(version)?;
                let value = secret.read(number)?;
                let mut sum = crc32c(value);
                if self.corrupt > 0 {
                    self.corrupt -= 1;
                    sum ^= 1;
                }
                let mut payload = json!({ "dataCrc32c": sum.to_string() });
                // An empty field is left out, as everywhere in proto3.
                if !value.is_empty() {
                    payload["data"] = json!(STANDARD.encode(value));
                }
                json!({ "name": secret.version_name(number), "payload": payload })
            }
            "enable" => self.store.set_state(at, id, version, State::Enabled, now)?,
            "disable" => self.store.set_state(at, id, version, State::Disabled, now)?,
            _ => self.store.set_state(at, id, version, State::Destroyed, now)?,
        };
        Ok(answer(200, &found))
    }
}

/// An `int64`, which JSON has as text.
fn number(value: &Value) -> Option<u64> {
    value.as_str().map_or_else(|| value.as_u64(), |text| text.parse().ok())
}

fn texts(value: &Value) -> Result<BTreeMap<String, String>, Refusal> {
    let pairs = value.as_object().into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(Refusal::invalid("a value of a map is no text")),
    };
    pairs.map(|(key, value)| Ok((key.clone(), text(value)?))).collect()
}

/// One page; its token is where the next one begins.
fn page(field: &str, items: Vec<Value>, target: &Target) -> Result<Value, Refusal> {
    let read = |name: &str| match target.parameter(name) {
        "" => Ok(0),
        text => text.parse::<usize>().map_err(|_| Refusal::invalid(format!("The {name} is not valid."))),
    };
    let (size, start) = (read("pageSize")?, read("pageToken")?);
    let size = if size == 0 { PAGE_MOST } else { size.min(PAGE_MOST) };
    let total = items.len();
    let shown: Vec<Value> = items.into_iter().skip(start).take(size).collect();
    let mut page = json!({ "totalSize": total });
    if start + shown.len() < total {
        page["nextPageToken"] = json!((start + shown.len()).to_string());
    }
    if !shown.is_empty() {
        page[field] = json!(shown);
    }
    Ok(page)
}

/// CRC-32C (Castagnoli), bit by bit, so that it shares no table with what it checks.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { (sum >> 1) ^ 0x82F6_3B78 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}
