//! What is mounted where, asked once per mount.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use lockstep_core::SecretName;
use serde::Deserialize;

use super::settings::MountKind;

/// A name, cut at its mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Without `/` at its ends.
    pub(super) mount: String,
    pub(super) kind: MountKind,
    /// What follows the mount, without `/` at its ends.
    pub(super) path: String,
}

impl Place {
    /// Whether an engine that makes credentials keeps this one: `database/static-creds/…` and its like.
    pub(super) fn is_static(&self) -> bool {
        self.path.starts_with("static-creds/") || self.path.starts_with("static-cred/")
    }
}

/// Mounts that are known: from the configuration, and learned. They are few, and in order.
#[derive(Debug)]
pub(super) struct Mounts(Mutex<Vec<(String, MountKind)>>);

/// One mount, as `sys/internal/ui/mounts` tells it.
#[derive(Deserialize)]
pub(super) struct MountInfo {
    #[serde(default)]
    path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
}

impl Mounts {
    pub(super) fn new(configured: &BTreeMap<String, MountKind>) -> Self {
        let mut known = Vec::new();
        for (path, kind) in configured {
            put(&mut known, path.trim_matches('/'), *kind);
        }
        Self(Mutex::new(known))
    }

    /// The place of a name whose mount is known.
    pub(super) fn find(&self, name: &SecretName) -> Option<Place> {
        self.find_text(name.as_str())
    }

    /// The place of any text whose mount is known. Mounts can't stand inside each other, so at most one fits.
    pub(super) fn find_text(&self, name: &str) -> Option<Place> {
        let name = name.trim_start_matches('/');
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find_map(|(mount, kind)| {
            let path = name.strip_prefix(mount.as_str())?.strip_prefix('/')?;
            Some(Place { mount: mount.clone(), kind: *kind, path: path.to_owned() })
        })
    }

    /// Every mount that is known.
    pub(super) fn all(&self) -> Vec<(String, MountKind)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
    }

    /// Remembers a mount. What belongs to the server itself, such as `sys`, is not one: `None`.
    pub(super) fn learn(&self, path: &str, info: &MountInfo) -> Option<(String, MountKind)> {
        let mount = path.trim_matches('/');
        let kind = info.kind()?;
        put(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), mount, kind);
        Some((mount.to_owned(), kind))
    }

    /// Forgets a mount that turned out to be another one.
    pub(super) fn forget(&self, mount: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, _)| known != mount);
    }
}

/// In its place, or instead of what was said of it before.
fn put(known: &mut Vec<(String, MountKind)>, mount: &str, kind: MountKind) {
    match known.binary_search_by(|(other, _)| other.as_str().cmp(mount)) {
        Ok(at) => known[at].1 = kind,
        Err(at) => known.insert(at, (mount.to_owned(), kind)),
    }
}

impl MountInfo {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn kind(&self) -> Option<MountKind> {
        let version = self.options.as_ref().and_then(|options| options.get("version")).map(String::as_str);
        match (self.kind.as_str(), version) {
            ("system" | "ns_system" | "identity" | "ns_identity", _) => None,
            ("kv" | "generic", Some("2")) => Some(MountKind::Kv2),
            ("kv" | "generic" | "cubbyhole" | "ns_cubbyhole", _) => Some(MountKind::Kv1),
            _ => Some(MountKind::Dynamic),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_at_its_mount_whole_segments_only() {
        let mounts =
            Mounts::new(&BTreeMap::from([("/team/kv/".into(), MountKind::Kv2), ("kv".into(), MountKind::Kv1)]));
        let find = |name: &str| mounts.find_text(name).map(|place| (place.mount, place.path));
        assert_eq!(find("team/kv/db/creds"), Some(("team/kv".into(), "db/creds".into())));
        assert_eq!(find("/kv/x"), Some(("kv".into(), "x".into())));
        assert_eq!(find("kv2/x"), None);
        assert_eq!(find("team/x"), None);
        assert_eq!(find("kv"), None);
    }

    /// Break: `push` instead of `insert` in `put`, or leave out its `Ok`.
    #[test]
    fn mounts_are_told_in_order_and_what_is_learned_last_counts() {
        let mounts = Mounts::new(&BTreeMap::from([("b/".into(), MountKind::Kv1), ("/b".into(), MountKind::Dynamic)]));
        let told = |kind: &str| MountInfo { path: String::new(), kind: kind.into(), options: None };
        assert_eq!(mounts.all(), [("b".into(), MountKind::Kv1)]);
        assert_eq!(mounts.learn("a/b/", &told("kv")), Some(("a/b".into(), MountKind::Kv1)));
        assert_eq!(mounts.learn("c", &told("database")), Some(("c".into(), MountKind::Dynamic)));
        assert_eq!(mounts.learn("b", &told("database")), Some(("b".into(), MountKind::Dynamic)));
        assert_eq!(mounts.learn("sys/", &told("system")), None);
        let (a, b, c) =
            (("a/b".into(), MountKind::Kv1), ("b".into(), MountKind::Dynamic), ("c".into(), MountKind::Dynamic));
        assert_eq!(mounts.all(), [a.clone(), b, c.clone()]);
        mounts.forget("b");
        assert_eq!(mounts.all(), [a, c]);
    }
}
