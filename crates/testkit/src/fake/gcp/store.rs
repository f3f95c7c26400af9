//! Secrets and their versions, and what of them is seen where: a version by its number at once, all else when it has
//! settled.

use std::collections::BTreeMap;

use lockstep_core::UnixMillis;
use serde_json::{Value, json};

use super::NUMBER;
use super::wire::Refusal;

/// The largest value in bytes.
const VALUE_BYTES: usize = 64 << 10;
/// How many aliases a secret may have.
const ALIAS_LIMIT: usize = 50;

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It can be read.
    Enabled,
    /// It can't be read until it is enabled.
    Disabled,
    /// Its value is gone.
    Destroyed,
}

impl State {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
            Self::Destroyed => "DESTROYED",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct VersionKept {
    pub(super) value: Vec<u8>,
    pub(super) state: State,
    created: UnixMillis,
    destroyed: Option<UnixMillis>,
}

/// One secret. The number of a version is its place, from 1.
#[derive(Debug, Clone)]
pub(super) struct SecretKept {
    name: String,
    pub(super) versions: Vec<VersionKept>,
    pub(super) labels: BTreeMap<String, String>,
    aliases: BTreeMap<String, u64>,
    created: UnixMillis,
    pub(super) rotation: Option<Value>,
    /// How many versions, and which aliases, are seen by other reads than those by number.
    seen: usize,
    seen_aliases: BTreeMap<String, u64>,
}

/// All secrets, by location and id.
#[derive(Debug, Default)]
pub(super) struct Store {
    secrets: BTreeMap<(Option<String>, String), SecretKept>,
    lags: bool,
}

impl Store {
    pub(super) fn lag(&mut self) {
        self.lags = true;
    }

    pub(super) fn lags(&self) -> bool {
        self.lags
    }

    pub(super) fn settle(&mut self) {
        self.lags = false;
        self.secrets.values_mut().for_each(SecretKept::settle);
    }

    pub(super) fn create(
        &mut self,
        location: Option<&str>,
        id: &str,
        labels: BTreeMap<String, String>,
        now: UnixMillis,
    ) -> Result<&mut SecretKept, Refusal> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if id.is_empty() || id.len() > 255 || !id.bytes().all(fits) {
            return Err(Refusal::invalid("Secret ID must match the pattern [a-zA-Z0-9_-]{1,255}."));
        }
        let name = match location {
            None => format!("projects/{NUMBER}/secrets/{id}"),
            Some(location) => format!("projects/{NUMBER}/locations/{location}/secrets/{id}"),
        };
        let key = (location.map(str::to_owned), id.to_owned());
        if self.secrets.contains_key(&key) {
            return Err(Refusal::new(409, "ALREADY_EXISTS", format!("Secret [{name}] already exists.")));
        }
        let made = SecretKept {
            name,
            versions: Vec::new(),
            labels,
            aliases: BTreeMap::new(),
            created: now,
            rotation: None,
            seen: 0,
            seen_aliases: BTreeMap::new(),
        };
        Ok(self.secrets.entry(key).or_insert(made))
    }

    pub(super) fn secret(&self, location: Option<&str>, id: &str) -> Result<&SecretKept, Refusal> {
        self.secrets.get(&key(location, id)).ok_or_else(|| missing(location, id))
    }

    pub(super) fn secret_mut(&mut self, location: Option<&str>, id: &str) -> Result<&mut SecretKept, Refusal> {
        self.secrets.get_mut(&key(location, id)).ok_or_else(|| missing(location, id))
    }

    pub(super) fn delete(&mut self, location: Option<&str>, id: &str) -> Result<(), Refusal> {
        self.secrets.remove(&key(location, id)).map(|_| ()).ok_or_else(|| missing(location, id))
    }

    /// Every secret of a location, in the order of names.
    pub(super) fn all(&self, location: Option<&str>) -> Vec<&SecretKept> {
        self.secrets.iter().filter(|((at, _), _)| at.as_deref() == location).map(|(_, secret)| secret).collect()
    }

    pub(super) fn add(
        &mut self,
        location: Option<&str>,
        id: &str,
        value: Vec<u8>,
        now: UnixMillis,
    ) -> Result<u64, Refusal> {
        if value.len() > VALUE_BYTES {
            return Err(Refusal::invalid("The secret payload must not exceed 65536 bytes."));
        }
        let lags = self.lags;
        let secret = self.secret_mut(location, id)?;
        secret.versions.push(VersionKept { value, state: State::Enabled, created: now, destroyed: None });
        if !lags {
            secret.settle();
        }
        Ok(secret.versions.len() as u64)
    }

    pub(super) fn set_state(
        &mut self,
        location: Option<&str>,
        id: &str,
        version: &str,
        state: State,
        now: UnixMillis,
    ) -> Result<Value, Refusal> {
        let secret = self.secret_mut(location, id)?;
        let number = secret.number(version)?;
        let name = secret.version_name(number);
        let kept = &mut secret.versions[place(number)];
        if kept.state == State::Destroyed {
            return Err(Refusal::precondition(format!("Secret Version [{name}] is in DESTROYED state.")));
        }
        kept.state = state;
        if state == State::Destroyed {
            kept.value.clear();
            kept.destroyed = Some(now);
        }
        Ok(secret.version(number))
    }
}

impl SecretKept {
    fn settle(&mut self) {
        self.seen = self.versions.len();
        self.seen_aliases = self.aliases.clone();
    }

    /// Points an alias.
    pub(super) fn point(&mut self, alias: &str, version: u64, lags: bool) {
        self.aliases.insert(alias.to_owned(), version);
        if !lags {
            self.settle();
        }
    }

    /// Replaces all aliases.
    pub(super) fn replace_aliases(&mut self, aliases: BTreeMap<String, u64>, lags: bool) -> Result<(), Refusal> {
        let fits = |alias: &String| {
            alias.len() <= 63 && alias != "latest" && alias.starts_with(|first: char| first.is_ascii_alphabetic())
        };
        let is_there = |version: &u64| *version > 0 && place(*version) < self.versions.len();
        if aliases.len() > ALIAS_LIMIT || !aliases.keys().all(fits) || !aliases.values().all(is_there) {
            return Err(Refusal::invalid("The version aliases are not valid."));
        }
        self.aliases = aliases;
        if !lags {
            self.settle();
        }
        Ok(())
    }

    /// The number of a version that is asked for by number, by alias or as `latest`. Only a number is never behind.
    pub(super) fn number(&self, version: &str) -> Result<u64, Refusal> {
        let known = match version.parse::<u64>() {
            Ok(number) => Some(number).filter(|number| (1..=self.versions.len() as u64).contains(number)),
            // The newest that was made, whatever its state.
            Err(_) if version == "latest" => Some(self.seen as u64).filter(|number| *number > 0),
            Err(_) => self.seen_aliases.get(version).copied(),
        };
        known.ok_or_else(|| match version {
            "latest" => Refusal::not_found(format!("Secret [{}] not found or has no versions.", self.name)),
            other => Refusal::not_found(format!("Secret Version [{}/versions/{other}] not found.", self.name)),
        })
    }

    pub(super) fn version_name(&self, number: u64) -> String {
        format!("{}/versions/{number}", self.name)
    }

    /// The value of a version, if its state allows that.
    pub(super) fn read(&self, number: u64) -> Result<&[u8], Refusal> {
        let kept = &self.versions[place(number)];
        if kept.state != State::Enabled {
            let message = format!("Secret Version [{}] is in {} state.", self.version_name(number), kept.state.word());
            return Err(Refusal::precondition(message));
        }
        Ok(&kept.value)
    }

    /// `SecretVersion`.
    pub(super) fn version(&self, number: u64) -> Value {
        let kept = &self.versions[place(number)];
        let mut version = json!({
            "name": self.version_name(number),
            "createTime": kept.created.to_rfc3339(),
            "state": kept.state.word(),
            "replicationStatus": { "automatic": {} },
            "etag": format!("\"{number}\""),
            "clientSpecifiedPayloadChecksum": true,
        });
        if let Some(destroyed) = kept.destroyed {
            version["destroyTime"] = json!(destroyed.to_rfc3339());
        }
        version
    }

    /// The numbers that a list has, newest first.
    pub(super) fn listed(&self) -> impl Iterator<Item = u64> {
        (1..=self.seen as u64).rev()
    }

    /// `Secret`.
    pub(super) fn resource(&self) -> Value {
        let mut secret = json!({
            "name": self.name,
            "createTime": self.created.to_rfc3339(),
            "etag": "\"1\"",
        });
        if !self.name.contains("/locations/") {
            secret["replication"] = json!({ "automatic": {} });
        }
        if !self.labels.is_empty() {
            secret["labels"] = json!(self.labels);
        }
        if !self.seen_aliases.is_empty() {
            let aliases: BTreeMap<_, _> = self.seen_aliases.iter().map(|(k, v)| (k, v.to_string())).collect();
            secret["versionAliases"] = json!(aliases);
        }
        if let Some(rotation) = &self.rotation {
            secret["rotation"] = rotation.clone();
        }
        secret
    }

    /// Whether a filter of a list fits: `name:part` and `labels.key=value` or `labels.key:*`, joined by `AND`.
    pub(super) fn fits(&self, filter: &str) -> Result<bool, Refusal> {
        for term in filter.split(" AND ").map(str::trim).filter(|term| !term.is_empty()) {
            let fits = if let Some(part) = term.strip_prefix("name:") {
                self.name.contains(part)
            } else if let Some(label) = term.strip_prefix("labels.") {
                match (label.split_once('='), label.split_once(':')) {
                    (Some((key, value)), _) => self.labels.get(key).is_some_and(|have| have == value),
                    (None, Some((key, "*"))) => self.labels.contains_key(key),
                    _ => return Err(Refusal::invalid("Invalid filter.")),
                }
            } else {
                return Err(Refusal::invalid("Invalid filter."));
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number - 1).unwrap_or(usize::MAX)
}

fn key(location: Option<&str>, id: &str) -> (Option<String>, String) {
    (location.map(str::to_owned), id.to_owned())
}

fn missing(location: Option<&str>, id: &str) -> Refusal {
    let location = location.map_or_else(String::new, |location| format!("locations/{location}/"));
    Refusal::not_found(format!("Secret [projects/{NUMBER}/{location}secrets/{id}] not found or has no versions."))
}
