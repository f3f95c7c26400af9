//! Events of Vault Enterprise, one JSON text each, as its websocket sends them with `json=true`.

use lockstep_core::ChangeKind;
use serde_json::Value;

use super::draft::Draft;
use super::fields::{first, text, time};
use super::gathered::Gathered;
use super::outcome::Reason;

/// What stands between mount and name in the paths of KV version 2.
const KV2: [&str; 5] = ["data/", "metadata/", "delete/", "undelete/", "destroy/"];

/// Reads one event.
pub(super) fn event(body: &Value, gathered: &mut Gathered<'_>) {
    let metadata = |name: &str| text(body, &format!("/data/event/metadata/{name}"));
    // The attribute `type` of the CloudEvent is always `*`.
    let (Some(kind), Some(mount)) = (text(body, "/data/event_type"), text(body, "/data/plugin_info/mount_path")) else {
        return gathered.ignore(Reason::UnknownShape);
    };
    if text(body, "/data/namespace").is_some_and(|namespace| !gathered.accepted.expects_namespace(namespace)) {
        return gathered.ignore(Reason::Foreign);
    }
    // Values are strings, whatever they stand for.
    if metadata("modified") == Some("false") {
        return gathered.ignore(Reason::NoNews);
    }
    let current = metadata("current_version");
    let (kind, version) = match kind {
        "kv-v2/data-write" | "kv-v2/data-patch" => (ChangeKind::Updated, current),
        "kv-v1/write" => (ChangeKind::Updated, None),
        // The version that is current, which can be brought back.
        "kv-v2/data-delete" => (ChangeKind::Deleted, current),
        "kv-v2/metadata-delete" | "kv-v1/delete" => (ChangeKind::Destroyed, None),
        // Single versions, and which ones is not told.
        "kv-v2/delete" | "kv-v2/undelete" | "kv-v2/destroy" => (ChangeKind::Unknown, None),
        "kv-v2/config-write" | "kv-v2/metadata-write" | "kv-v2/metadata-patch" => {
            return gathered.ignore(Reason::NoNews);
        }
        kind if kind.starts_with("kv-v") => return gathered.ignore(Reason::UnknownEvent),
        // Engines that make credentials: what they made is leased, and a lease ends by itself.
        _ => return gathered.ignore(Reason::NotASecret),
    };
    // Deletions have no `data_path`; older servers write `path` from the mount on.
    let path = metadata("data_path").or_else(|| metadata("path"));
    let Some(name) = path.and_then(|path| name(mount, path, text(body, "/data/event_type"))) else {
        return gathered.ignore(Reason::Malformed);
    };
    let mut source = gathered.accepted.vault.clone();
    "vault".clone_into(&mut source.provider);
    gathered.change(Draft {
        sender: "vault",
        own_id: first(body, &["/data/event/id", "/id"]),
        source,
        name: &name,
        label: None,
        version,
        kind,
        at: time(body, "/time"),
    });
}

/// The name as it is read by: the mount, and what the secret is called in it.
fn name(mount: &str, path: &str, kind: Option<&str>) -> Option<String> {
    let mount = mount.trim_matches('/');
    let path = path.trim_matches('/');
    let inside = path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    let inside = match kind {
        Some(kind) if kind.starts_with("kv-v2/") => KV2.iter().find_map(|part| inside.strip_prefix(part))?,
        _ => inside,
    };
    (!mount.is_empty() && !inside.is_empty()).then(|| format!("{mount}/{inside}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Break: the strip of the mount, or of the part of KV version 2.
    #[test]
    fn a_path_is_read_from_the_mount_on_or_whole() {
        let v2 = Some("kv-v2/data-write");
        for (mount, path, kind, expected) in [
            ("secret/", "secret/data/db/creds", v2, Some("secret/db/creds")),
            ("secret/", "data/db/creds", v2, Some("secret/db/creds")),
            ("team/kv/", "team/kv/metadata/a", v2, Some("team/kv/a")),
            ("team/kv/", "destroy/a", v2, Some("team/kv/a")),
            ("secret/", "secret/data/secret/data/a", v2, Some("secret/secret/data/a")),
            ("kv/", "kv/data/a", Some("kv-v1/write"), Some("kv/data/a")),
            ("kv/", "a", Some("kv-v1/write"), Some("kv/a")),
            ("secret/", "secret/config", v2, None),
            ("secret/", "data/", v2, None),
            ("/", "data/a", v2, None),
        ] {
            assert_eq!(name(mount, path, kind).as_deref(), expected, "{mount} {path}");
        }
    }
}
