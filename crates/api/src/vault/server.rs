//! What clients ask of the server itself: whether it answers, which mounts it has, and who they are. No name and no value
//! stands in any of it.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::envelope::{errors, member, respond, write};
use super::{KvVersion, VaultMount, VaultSurface};
use crate::api::{Api, Exchange};
use crate::body::Json;

/// What Vault says of a path in no mount.
const NO_MOUNT: &str =
    "preflight capability check returned 403, please ensure client's policies grant access to the path";

/// `sys/health`: 200, since there is nothing to unseal. Whether the providers answer is for `/health/ready`.
pub(super) fn health(api: &Api) -> Response<Bytes> {
    let mut json = Json::with_capacity(256);
    json.open();
    member(&mut json, "initialized", b"true");
    member(&mut json, "sealed", b"false");
    member(&mut json, "standby", b"false");
    json.text("replication_performance_mode", Some("disabled"));
    json.text("replication_dr_mode", Some("disabled"));
    json.key("server_time_utc");
    json.number(api.clock().wall().seconds());
    json.text("version", Some(env!("CARGO_PKG_VERSION")));
    json.close();
    respond(StatusCode::OK, json)
}

/// `sys/init`.
pub(super) fn init() -> Response<Bytes> {
    let mut json = Json::with_capacity(32);
    json.open();
    member(&mut json, "initialized", b"true");
    json.close();
    respond(StatusCode::OK, json)
}

/// `sys/seal-status`.
pub(super) fn seal_status() -> Response<Bytes> {
    let mut json = Json::with_capacity(256);
    json.open();
    json.text("type", Some("none"));
    member(&mut json, "initialized", b"true");
    member(&mut json, "sealed", b"false");
    for number in ["t", "n", "progress"] {
        member(&mut json, number, b"0");
    }
    json.text("nonce", Some(""));
    member(&mut json, "recovery_seal", b"false");
    json.text("version", Some(env!("CARGO_PKG_VERSION")));
    member(&mut json, "migration", b"false");
    json.text("storage_type", Some("lockstep"));
    json.close();
    respond(StatusCode::OK, json)
}

/// `sys/leader`: there is no cluster.
pub(super) fn leader() -> Response<Bytes> {
    let mut json = Json::with_capacity(32);
    json.open();
    member(&mut json, "ha_enabled", b"false");
    json.close();
    respond(StatusCode::OK, json)
}

/// `sys/internal/ui/mounts`.
pub(super) fn mounts(exchange: &Exchange<'_>, surface: &VaultSurface) -> Response<Bytes> {
    let mut json = Json::with_capacity(256 + 512 * surface.mounts().len());
    write(&mut json, exchange, 0, &[], |json| {
        json.open();
        member(json, "auth", b"{}");
        json.key("secret");
        json.open();
        for mount in surface.mounts() {
            json.key(&format!("{}/", mount.path));
            json.open();
            write_mount(json, mount);
            json.close();
        }
        json.close();
        json.close();
    });
    respond(StatusCode::OK, json)
}

/// `sys/internal/ui/mounts/{path}`.
pub(super) fn mount(exchange: &Exchange<'_>, surface: &VaultSurface) -> Response<Bytes> {
    let Some((mount, _)) = surface.find(exchange.rest()) else {
        return errors(StatusCode::FORBIDDEN, Some(NO_MOUNT));
    };
    let mut json = Json::with_capacity(768);
    write(&mut json, exchange, 0, &[], |json| {
        json.open();
        write_mount(json, mount);
        json.text("path", Some(&format!("{}/", mount.path)));
        json.close();
    });
    respond(StatusCode::OK, json)
}

fn write_mount(json: &mut Json, mount: &VaultMount) {
    json.text("accessor", Some(""));
    json.key("config");
    json.open();
    member(json, "default_lease_ttl", b"0");
    member(json, "force_no_cache", b"false");
    member(json, "max_lease_ttl", b"0");
    json.close();
    json.text("deprecation_status", Some("supported"));
    json.text("description", Some("read-only, by Lockstep"));
    member(json, "external_entropy_access", b"false");
    member(json, "local", b"false");
    json.key("options");
    json.open();
    json.text("version", Some(if mount.kv == KvVersion::One { "1" } else { "2" }));
    json.close();
    for text in ["plugin_version", "running_plugin_version", "running_sha256"] {
        json.text(text, Some(""));
    }
    member(json, "seal_wrap", b"false");
    json.text("type", Some("kv"));
    json.text("uuid", Some(""));
}

/// `auth/token/lookup-self`: who calls. Vault repeats the token as `id`; here no answer holds a credential, so it is
/// empty, and so is `accessor`, since nothing can be done with a token here. There are no policies of Vault, and how long
/// the credential lives is known to who made it: a `ttl` of 0 tells a client not to renew.
pub(super) fn token(exchange: &Exchange<'_>) -> Response<Bytes> {
    let mut json = Json::with_capacity(640);
    write(&mut json, exchange, 0, &[], |json| {
        json.open();
        json.text("accessor", Some(""));
        member(json, "creation_time", b"0");
        member(json, "creation_ttl", b"0");
        json.text("display_name", Some(&exchange.who.id));
        json.text("entity_id", Some(""));
        member(json, "expire_time", b"null");
        member(json, "explicit_max_ttl", b"0");
        json.text("id", Some(""));
        member(json, "meta", b"null");
        member(json, "num_uses", b"0");
        member(json, "orphan", b"true");
        json.text("path", Some(""));
        member(json, "policies", b"[]");
        member(json, "renewable", b"false");
        member(json, "ttl", b"0");
        json.text("type", Some("service"));
        json.close();
    });
    respond(StatusCode::OK, json)
}
