//! Events of CloudTrail about Secrets Manager: what somebody has called, and what the service did by itself.
//!
//! Only kinds that are known to change a secret mean a Change. Reads reach rules that ask for them, our own among them:
//! taken for changes, each refetch would be the reason of the next.

use lockstep_core::ChangeKind;
use serde_json::Value;

use super::arn::{Arn, Suffixed};
use super::aws::{Event, SECRETS_MANAGER, labelled};
use super::fields::{first, has, text, texts};
use super::gathered::Gathered;
use super::outcome::Reason;

/// Where the service has written the secret's ARN: whole, with what it appends.
const ANSWERED: [&str; 8] = [
    "/responseElements/arn",
    // As it was written until 2024.
    "/responseElements/aRN",
    "/responseElements/ARN",
    "/additionalEventData/SecretId",
    "/additionalEventData/secretId",
    "/serviceEventDetails/secretId",
    "/serviceEventDetails/SecretId",
    "/responseElements/name",
];
/// Where the caller's own spelling stands: a name, an ARN, or an ARN without its end.
const ASKED: [&str; 2] = ["/requestParameters/secretId", "/requestParameters/name"];

/// The secret that an event is about.
struct Named<'v> {
    arn: Option<Arn<'v>>,
    name: &'v str,
    /// What it is called if nothing was appended to the ARN.
    or: Option<&'v str>,
}

/// Something that was called.
pub(super) fn api_call(event: Event<'_>, gathered: &mut Gathered<'_>) {
    let Some(detail) = detail(&event, gathered) else { return };
    let Some(name) = text(detail, "/eventName") else { return gathered.ignore(Reason::Malformed) };
    let asked = |pointer: &str| text(detail, pointer);
    let answered_version = first(detail, &["/responseElements/versionId", "/responseElements/VersionId"]);
    match name {
        // The version has the id that the caller sent, and its labels; with none it is current.
        "PutSecretValue" => {
            let version = answered_version.or_else(|| asked("/requestParameters/clientRequestToken"));
            let mut labels = texts(detail, "/requestParameters/versionStages");
            if labels.is_empty() {
                labels.push("AWSCURRENT");
            }
            tell(&event, detail, ChangeKind::Updated, &labels, version, gathered);
        }
        // Whether there was a new value in it is not told, so no version is expected that the answer does not name.
        "UpdateSecret" | "CreateSecret" => {
            tell(&event, detail, ChangeKind::Updated, &["AWSCURRENT"], answered_version, gathered);
        }
        "UpdateSecretVersionStage" => {
            let label = asked("/requestParameters/versionStage");
            let Some(label) = label else { return gathered.ignore(Reason::Malformed) };
            let version = asked("/requestParameters/moveToVersionId");
            tell(&event, detail, ChangeKind::Updated, &[label], version, gathered);
        }
        "DeleteSecret" => {
            let force = detail.pointer("/requestParameters/forceDeleteWithoutRecovery").and_then(Value::as_bool);
            let kind = if force == Some(true) { ChangeKind::Destroyed } else { ChangeKind::Deleted };
            tell(&event, detail, kind, &["AWSCURRENT"], None, gathered);
        }
        "RestoreSecret" => tell(&event, detail, ChangeKind::Unknown, &["AWSCURRENT"], None, gathered),
        // A rotation begins here; its end is told by itself. Then rights and tags; then reads.
        "RotateSecret"
        | "CancelRotateSecret"
        | "ReplicateSecretToRegions"
        | "TagResource"
        | "UntagResource"
        | "PutResourcePolicy"
        | "DeleteResourcePolicy"
        | "ValidateResourcePolicy"
        | "GetSecretValue"
        | "BatchGetSecretValue"
        | "DescribeSecret"
        | "ListSecrets"
        | "ListSecretVersionIds"
        | "GetResourcePolicy"
        | "GetRandomPassword" => gathered.ignore(Reason::NoNews),
        _ => gathered.ignore(Reason::UnknownEvent),
    }
}

/// Something that the service did by itself.
pub(super) fn service_event(event: Event<'_>, gathered: &mut Gathered<'_>) {
    let Some(detail) = detail(&event, gathered) else { return };
    match text(detail, "/eventName") {
        Some("RotationSucceeded") => tell(&event, detail, ChangeKind::Rotated, &["AWSCURRENT"], None, gathered),
        // A version is gone, or the secret; which one is not told in a way that is known.
        Some("EndSecretVersionDelete" | "EndSecretDelete" | "SecretVersionDeletion") => {
            tell(&event, detail, ChangeKind::Unknown, &["AWSCURRENT"], None, gathered);
        }
        Some("RotationFailed") => {
            let named = named(&event, detail);
            let source = |arn| event.source(SECRETS_MANAGER, arn);
            gathered.failed(named.map(|named| event.draft(source(named.arn), named.name, ChangeKind::Unknown)));
        }
        Some(
            "RotationStarted"
            | "RotationAbandoned"
            | "TestRotationStarted"
            | "TestRotationSucceeded"
            | "TestRotationFailed"
            | "StartSecretVersionDelete"
            | "CancelSecretVersionDelete"
            | "StartSecretDelete",
        ) => gathered.ignore(Reason::NoNews),
        Some(_) => gathered.ignore(Reason::UnknownEvent),
        None => gathered.ignore(Reason::Malformed),
    }
}

/// The details of what came to pass.
fn detail<'v>(event: &Event<'v>, gathered: &mut Gathered<'_>) -> Option<&'v Value> {
    let detail = event.whole.get("detail").filter(|detail| detail.is_object());
    let reason = match detail {
        None => Reason::Malformed,
        Some(detail) if text(detail, "/eventSource") != Some("secretsmanager.amazonaws.com") => Reason::UnknownShape,
        // A rotation that failed says here why it did.
        Some(detail) if text(detail, "/eventName") == Some("RotationFailed") => return Some(detail),
        Some(detail) if has(detail, "/errorCode") || has(detail, "/errorMessage") => Reason::FailedCall,
        Some(detail) => return Some(detail),
    };
    gathered.ignore(reason);
    None
}

fn tell<'v>(
    event: &Event<'v>,
    detail: &'v Value,
    kind: ChangeKind,
    labels: &[&'v str],
    version: Option<&'v str>,
    gathered: &mut Gathered<'_>,
) {
    let Some(named) = named(event, detail) else { return gathered.ignore(Reason::Malformed) };
    for name in std::iter::once(named.name).chain(named.or) {
        for label in labels {
            let draft = event.draft(event.source(SECRETS_MANAGER, named.arn), name, kind);
            gathered.change(labelled(draft, label, version));
        }
    }
}

/// The secret, from wherever it is named. What the service has written comes first: it is whole.
fn named<'v>(event: &Event<'v>, detail: &'v Value) -> Option<Named<'v>> {
    let mut plain = None;
    let resource = || {
        let listed = text(detail, "/resources/0/ARN").and_then(Arn::parse).filter(|arn| arn.secret().is_some());
        event.resource().or(listed)
    };
    for pointer in ANSWERED {
        let Some(found) = text(detail, pointer) else { continue };
        match Arn::parse(found).map(|arn| (arn, arn.secret())) {
            Some((arn, Some(secret))) => return Some(whole(arn, secret)),
            // Of another service.
            Some((_, None)) => {}
            None => plain = plain.or(Some(found)),
        }
    }
    if let Some((arn, secret)) = resource().and_then(|arn| Some((arn, arn.secret()?))) {
        return Some(whole(arn, secret));
    }
    if let Some(name) = plain {
        return Some(Named { arn: None, name, or: None });
    }
    let asked = first(detail, &ASKED)?;
    let Some(arn) = Arn::parse(asked) else { return Some(Named { arn: None, name: asked, or: None }) };
    let secret = arn.secret()?;
    // With or without its end: one of the two is a secret, and the other Change names nothing.
    let or = secret.name().map(|_| secret.whole());
    Some(Named { or, ..whole(arn, secret) })
}

fn whole<'v>(arn: Arn<'v>, secret: Suffixed<'v>) -> Named<'v> {
    Named { arn: Some(arn), name: secret.name().unwrap_or(secret.whole()), or: None }
}
