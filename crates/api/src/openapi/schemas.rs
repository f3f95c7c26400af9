//! What goes in and comes out, as JSON Schema (OpenAPI 3.1).

use lockstep_core::{MAX_KEY_BYTES, MAX_NAME_BYTES, MAX_SELECTOR_BYTES};
use serde_json::{Value, json};

use crate::ApiLimits;

/// No empty, `.` or `..` segment, none that ends in a dot or begins or ends in a space; no backslash, and of ASCII no
/// control character. What looks like something else (Unicode NFKC would change it) is refused too, which no pattern says.
const NAME: &str = r"^/?[^/\\%;\x00-\x20\x7f-\x9f.]([^/\\%;\x00-\x1f\x7f-\x9f]*[^/\\%;\x00-\x20\x7f-\x9f.])?(/[^/\\%;\x00-\x20\x7f-\x9f.]([^/\\%;\x00-\x1f\x7f-\x9f]*[^/\\%;\x00-\x20\x7f-\x9f.])?)*$";
/// The same of one segment, which is what a path parameter holds: what is escaped in a path may be neither `/` nor `?` nor `#`.
const SEGMENT: &str = r"^[^/\\?#%;\x00-\x20\x7f-\x9f.]([^/\\?#%;.\x00-\x1f\x7f-\x9f]*[^/\\?#%;\x00-\x20\x7f-\x9f.])?$";
/// A member's name, or a JSON Pointer of at most 32 levels.
const KEY: &str = r"^([^/\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*|(/([^~/\x00-\x1f\x7f-\x9f]|~[01])*){1,32})$";
const ALIAS: &str = "^[a-z][a-z0-9_-]{0,62}$";

pub(super) fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES, "pattern": NAME })
}

pub(super) fn segment() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_BYTES, "pattern": SEGMENT })
}

pub(super) fn provider() -> Value {
    json!({ "type": "string", "pattern": ALIAS })
}

pub(super) fn version() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_SELECTOR_BYTES, "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$" })
}

pub(super) fn key() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": KEY })
}

#[expect(clippy::needless_pass_by_value, reason = "`json!` makes it on the spot")]
fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Every schema by its name. `codes` are those of all problems.
pub(super) fn all(codes: &[&str]) -> Value {
    let limits = ApiLimits::default();
    let text = || json!({ "type": "string" });
    let time = || json!({ "type": "string", "format": "date-time" });
    let order = || json!({ "type": "integer", "minimum": 0, "description": "Higher is newer; only where the provider numbers its versions." });
    let labels = || json!({ "type": "array", "items": { "type": "string" } });
    let next = || json!({ "type": "string", "description": "Ask for the next page with `page=`; without it this one is the last." });
    let secret = || {
        json!({
            "name": text(),
            "id": { "type": "string", "description": "The name that the provider knows it by, such as an ARN." },
            "provider": { "type": "string", "description": "The alias of the provider that answered." },
            "key": { "type": "string", "description": "The part that was asked for." },
            "value": { "type": "string", "description": "The value, as `encoding` says." },
            "encoding": { "enum": ["utf-8", "base64"] },
            "version": text(),
            "order": order(),
            "labels": labels(),
            "created": time(),
            "expires": time(),
            "lease": object(&["seconds", "renewable"], json!({
                "seconds": { "type": "integer", "minimum": 0 },
                "renewable": { "type": "boolean" },
            })),
        })
    };
    let problem = || {
        json!({
            "type": { "type": "string", "description": "`urn:lockstep:problem:` and the code." },
            "title": text(),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "What failed and what to do about it. Never a value." },
            "code": { "enum": codes },
            "request_id": text(),
            "provider": text(),
            "name": text(),
        })
    };
    let maybe = || json!({ "type": ["string", "null"] });
    let item = object(&["name"], json!({ "name": text(), "provider": maybe(), "version": maybe(), "key": maybe() }));
    let alias = || json!({ "type": ["string", "null"], "pattern": ALIAS });
    json!({
        "Secret": object(&["name", "id", "provider", "value", "encoding", "labels"], secret()),
        "SecretList": object(&["secrets"], json!({
            "secrets": { "type": "array", "items": reference("Metadata") },
            "next": next(),
        })),
        "Metadata": object(&["name", "id", "provider", "type", "tags"], json!({
            "name": text(),
            "id": text(),
            "provider": text(),
            "type": { "type": "string", "description": "The provider's type, such as `aws-secrets-manager`." },
            "version": text(),
            "order": order(),
            "description": text(),
            "tags": { "type": "object", "additionalProperties": { "type": "string" } },
            "created": time(),
            "changed": time(),
            "next_rotation": time(),
            "rotation_enabled": { "type": "boolean" },
            "deleted": time(),
        })),
        "VersionList": object(&["name", "versions"], json!({
            "name": text(),
            "versions": { "type": "array", "items": object(&["version", "labels", "state"], json!({
                "version": text(),
                "order": order(),
                "labels": labels(),
                "created": time(),
                "state": { "enum": ["enabled", "disabled", "deleted", "destroyed"] },
            })) },
            "next": next(),
        })),
        "BatchRequest": object(&["secrets"], json!({
            "secrets": { "type": "array", "items": item, "minItems": 1, "maxItems": limits.batch_items },
        })),
        "BatchAnswer": object(&["results"], json!({
            "results": { "type": "array", "items": { "oneOf": [
                object(&["name", "secret", "cache"], json!({
                    "name": text(),
                    "secret": reference("Secret"),
                    "cache": { "enum": ["hit", "miss", "stale"] },
                })),
                object(&["name", "error"], json!({ "name": text(), "error": reference("Problem") })),
            ] } },
        })),
        "InvalidateRequest": {
            "oneOf": [
                object(&["name"], json!({ "name": name(), "prefix": { "type": "null" }, "provider": alias() })),
                object(&["prefix"], json!({ "prefix": name(), "name": { "type": "null" }, "provider": alias() })),
            ],
        },
        "Changes": object(&["changes", "cursor", "head", "gap", "more", "age_ms"], json!({
            "changes": { "type": "array", "items": object(&["seq", "change"], json!({
                "seq": { "type": "integer", "minimum": 0 },
                "change": { "type": "object", "description": "The change, as the journal keeps it: `id`, `source`, `name`, `label`, `version`, `kind` and `at` in milliseconds since 1970." },
            })) },
            "cursor": { "type": "string", "description": "Go on from here, with `after`." },
            "head": { "type": "string", "description": "The newest there is." },
            "gap": { "type": "boolean", "description": "Something between `after` and `changes` is missing: take nothing that is cached for fresh." },
            "more": { "type": "boolean", "description": "There are more than were asked for." },
            "age_ms": { "type": "integer", "minimum": 0, "description": "How old the head may be." },
        })),
        "Invalidated": object(&["invalidated"], json!({ "invalidated": { "type": "integer", "minimum": 0 } })),
        "Report": object(&["version"], json!({
            "version": { "type": "string", "minLength": 1, "description": "The version that no longer works, as it was answered." },
        })),
        "Reported": object(&["name", "outcome"], json!({
            "name": text(),
            "outcome": {
                "enum": ["refetching", "recent", "newer", "not_held", "leased"],
                "description": "Whether the provider is asked when the secret is read next, and else why not.",
            },
        })),
        "Rotation": object(&["name"], json!({ "name": text(), "version": text(), "order": order() })),
        "Notification": {
            "description": "As its sender has it: an event, or a batch of them.",
            "type": ["object", "array"],
        },
        "Delivered": { "oneOf": [
            object(&["changes", "ignored"], json!({
                "changes": { "type": "integer", "minimum": 0, "description": "Changes that are in the journal now." },
                "ignored": {
                    "type": "object",
                    "description": "Records that mean no change, by the reason.",
                    "additionalProperties": { "type": "integer", "minimum": 1 },
                },
            })),
            object(&["validationResponse"], json!({ "validationResponse": text() })),
        ] },
        "Ready": object(&["status", "providers", "failing"], json!({
            "status": { "enum": ["ready", "unavailable"] },
            "providers": { "type": "integer", "minimum": 0 },
            "failing": { "type": "integer", "minimum": 0 },
        })),
        "Live": object(&["status"], json!({ "status": { "const": "live" } })),
        "Problem": object(&["type", "title", "status", "code"], problem()),
    })
}
