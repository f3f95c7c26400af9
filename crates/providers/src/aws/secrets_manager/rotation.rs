//! Asking for a rotation, and telling apart why AWS refuses it.

use lockstep_core::{Call, Error, ErrorKind, Random, Result, Rotation, SecretName, Version};

use super::wire::{RotateSecret, Rotated};
use super::{SecretsManager, like, region_of};

pub(super) async fn rotate(provider: &SecretsManager, call: &Call, name: &SecretName) -> Result<Rotation> {
    let token = uuid_v4(&*provider.client.session().ports.random);
    let input = RotateSecret { secret_id: name.as_str(), client_request_token: &token };
    match provider.client.send(call, "RotateSecret", region_of(name)?.as_ref(), &input).await {
        Ok(body) => {
            let rotated: Rotated = body.json()?;
            Ok(Rotation { version: rotated.version_id.map(Version::unordered) })
        }
        Err(error) => Err(explained(provider, call, name, error).await),
    }
}

/// The secret's state says why; AWS's words only where `DescribeSecret` is not granted.
async fn explained(provider: &SecretsManager, call: &Call, name: &SecretName, error: Error) -> Error {
    if error.upstream_code() != Some("InvalidRequestException") {
        return error;
    }
    let Ok(entry) = provider.entry(call, name).await else { return error };
    let (kind, message) = if entry.is_deleted() {
        (ErrorKind::Deleted, "the secret is scheduled for deletion; restore it first")
    } else if !entry.has_rotation() {
        (ErrorKind::RotationNotConfigured, "the secret has no rotation; set one up first")
    } else if entry.is_rotating() {
        (ErrorKind::RotationInProgress, "a rotation is already under way; wait until it ends, or cancel it")
    } else {
        return error;
    };
    like(&error, kind, message)
}

/// What makes the request idempotent, and the id of the version that it makes.
fn uuid_v4(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
