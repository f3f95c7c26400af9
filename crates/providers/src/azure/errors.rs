//! What Azure Key Vault and the sources of managed identities answer when they refuse, and what that means.
//!
//! From "Authentication, requests and responses" and "Service limits" of the Key Vault documentation, and from "How to
//! use managed identities on a VM" and "… for App Service". The codes alone decide, and are kept; texts are not looked
//! at.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use lockstep_core::{Error, ErrorKind};
use serde::Deserialize;

use crate::json;
use crate::oauth::not_given;
use crate::refusal::{Row, fits, refusal, word};

/// The vault.
pub(super) const VAULT: &[Row] = &[
    Row::new(400, "BadParameter", ErrorKind::Config, "the vault does not accept the request; look at its address"),
    Row::new(
        401,
        "",
        ErrorKind::Unauthenticated,
        "the vault does not accept the token; look at `tenant`, `cloud` and the clock",
    ),
    Row::new(403, "SecretDisabled", ErrorKind::Disabled, "the version is disabled; enable it, or ask for another one"),
    Row::new(
        403,
        "ForbiddenByFirewall",
        ErrorKind::Denied,
        "the vault's firewall refuses this network; add it to the vault's networks, or use a private endpoint",
    ),
    Row::new(
        403,
        "ForbiddenByConnection",
        ErrorKind::Denied,
        "the vault answers on its private endpoint alone; resolve its name to that address",
    ),
    Row::new(
        403,
        "ForbiddenByRbac",
        ErrorKind::Denied,
        "the identity has no role for this; give it `Key Vault Secrets User`, which takes effect after some minutes",
    ),
    Row::new(
        403,
        "ForbiddenByPolicy",
        ErrorKind::Denied,
        "the vault's access policies refuse this; give the identity the permission on secrets",
    ),
    Row::new(
        403,
        "AccessDenied",
        ErrorKind::Denied,
        "the vault's access policies refuse this; give the identity the permission on secrets",
    ),
    Row::new(403, "", ErrorKind::Denied, "the vault refuses this; look at its roles, policies and networks"),
    Row::new(404, "SecretNotFound", ErrorKind::NotFound, "there is no such secret"),
    Row::new(404, "", ErrorKind::Config, "what answers there is no vault; look at the address of the vault"),
    Row::new(408, "", ErrorKind::Timeout, "the vault gave up waiting"),
    Row::new(409, "ObjectIsDeletedButRecoverable", ErrorKind::Deleted, "the secret is deleted and can be recovered"),
    Row::new(409, "ObjectIsBeingDeleted", ErrorKind::Deleted, "the secret is being deleted"),
    Row::new(409, "ObjectIsBeingRecovered", ErrorKind::Unavailable, "the secret is being recovered; try again"),
    Row::new(409, "", ErrorKind::Conflict, "somebody else changes the secret"),
    Row::new(429, "", ErrorKind::Throttled, "the vault is asked too often; it allows 4000 reads in ten seconds"),
    Row::new(500, "", ErrorKind::Unavailable, "the vault failed"),
    Row::new(502, "", ErrorKind::Unavailable, "something before the vault failed"),
    Row::new(503, "", ErrorKind::Unavailable, "the vault is not available"),
    Row::new(504, "", ErrorKind::Unavailable, "the vault did not answer in time"),
];

/// The metadata service of machines. A 404 is none about a secret, and passes: the service is being updated.
pub(super) const IMDS: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the machine has no such identity; assign it one, or look at the id in `auth`",
    ),
    Row::new(404, "", ErrorKind::Unavailable, "the machine's metadata service has no identities yet"),
    Row::new(410, "", ErrorKind::Unavailable, "the machine's metadata service is being updated, for 70 s at most"),
    Row::new(429, "", ErrorKind::Throttled, "the machine's metadata service is asked too often"),
    Row::new(500, "", ErrorKind::Unavailable, "the machine's metadata service failed"),
    Row::new(503, "", ErrorKind::Unavailable, "the machine's metadata service is not available"),
];

/// The identity endpoint of App Service, Functions and Container Apps.
pub(super) const APP_SERVICE: &[Row] = &[
    Row::new(
        400,
        "",
        ErrorKind::Unauthenticated,
        "the app has no such identity; assign it one, or look at the id in `auth`",
    ),
    Row::new(401, "", ErrorKind::Unauthenticated, "the app's identity endpoint does not accept IDENTITY_HEADER"),
    Row::new(403, "", ErrorKind::Unauthenticated, "the app's identity endpoint does not accept IDENTITY_HEADER"),
    Row::new(429, "", ErrorKind::Throttled, "the app's identity endpoint is asked too often"),
    Row::new(500, "", ErrorKind::Unavailable, "the app's identity endpoint failed"),
    Row::new(503, "", ErrorKind::Unavailable, "the app's identity endpoint is not available"),
];

#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default)]
    error: Complaint,
}

#[derive(Deserialize, Default)]
struct Complaint {
    #[serde(default)]
    code: String,
    innererror: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
}

/// The error of a vault's answer that is no success.
pub(super) fn of(response: &Response<Bytes>) -> Error {
    let refused: Refused = json::read(response.body()).unwrap_or_default();
    let (outer, inner) = (refused.error.code, refused.error.innererror.map(|inner| inner.code).unwrap_or_default());
    let code = if inner.is_empty() { &outer } else { &inner };
    let error = refusal(VAULT, response.status(), response.headers(), word(code), |row| row == outer || row == inner);
    match response.headers().get("x-ms-request-id").and_then(|id| id.to_str().ok()) {
        Some(id) => error.request_id(id),
        None => error,
    }
}

/// The error of a source of managed identities: what no row knows is what it is of any giver of tokens.
pub(super) fn of_identity(table: &[Row], who: &str, status: StatusCode, headers: &HeaderMap) -> Error {
    if fits(table, status, |_| false) {
        refusal(table, status, headers, "", |_| false)
    } else {
        not_given(who, status, headers)
    }
}
