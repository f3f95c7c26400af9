//! What a policy looks at, from its parsed form and not from its text. In doubt it looks at everything.

use serde_json::Value;

/// Whether an expression may look at the tags of the secret: every look at tags that is not plainly at the caller's.
pub(super) fn tags(policy: &Value) -> bool {
    any(policy, &|name, inner| {
        let is_look = name == "hasTag" || name == "getTag";
        is_look && inner.pointer("/left/Var") != Some(&Value::from("principal"))
    })
}

/// Whether an expression may look at the context: time, address, certificate.
pub(super) fn context(policy: &Value) -> bool {
    any(policy, &|name, inner| name == "Var" && inner == "context")
}

fn any(value: &Value, found: &impl Fn(&str, &Value) -> bool) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, inner)| found(name, inner) || any(inner, found)),
        Value::Array(items) => items.iter().any(|inner| any(inner, found)),
        _ => false,
    }
}
