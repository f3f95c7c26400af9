//! The calls of every client, as data: `calls.json`. The suite makes them over HTTP; a client's runner makes them through
//! the client and hands back what came of each, in the same form.
//!
//! | in the file | is |
//! |---|---|
//! | `$P`, `$PROVIDER`, `$ODD` | the prefix, and the aliases of the two providers |
//! | `$DENIED`, `$DENIED_KIND` | how what is denied is told here |
//! | `<text>`, `<number>` | any text that is not empty; any number |
//! | an object to be expected | has these members, and may have others |
//!
//! An outcome is `{"value": …}`, or `{"error": {"kind", "code", "status", "requestId", "failures"}}`, where `kind` is the
//! name of the class that clients throw.

use serde_json::{Map, Value, json};

use crate::endpoint::{Endpoint, Inputs, Said, Verdict, component};

/// The file.
pub const CALLS: &str = include_str!("../calls.json");

/// A call, and what has to come of it.
#[derive(Debug, Clone)]
pub struct Call {
    /// The call as a runner gets it.
    pub told: Value,
    expected: Value,
}

/// The calls, with everything filled in; without those that this endpoint has nothing for.
///
/// # Errors
/// The file is no list of calls.
pub fn calls(inputs: &Inputs) -> Result<Vec<Call>, String> {
    let all: Vec<Value> = serde_json::from_str(CALLS).map_err(|error| format!("calls.json: {error}"))?;
    let is_here = |call: &Value| inputs.odd_provider.is_some() || !call.to_string().contains("$ODD");
    all.into_iter()
        .filter(is_here)
        .map(|call| {
            let Value::Object(mut told) = fill(&call, inputs) else { return Err(format!("no call: {call}")) };
            let expected = match (told.remove("expect"), told.remove("error")) {
                (Some(value), None) => json!({ "value": value }),
                (None, Some(error)) => json!({ "error": error }),
                _ => return Err(format!("a call expects a value or an error: {call}")),
            };
            Ok(Call { told: Value::Object(told), expected })
        })
        .collect()
}

fn fill(value: &Value, inputs: &Inputs) -> Value {
    let (denied, kind) =
        if inputs.hides_denied { ("not_found", "SecretNotFoundError") } else { ("denied", "AccessError") };
    match value {
        Value::String(text) => {
            let odd = inputs.odd_provider.as_deref().unwrap_or_default();
            let text = text.replace("$DENIED_KIND", kind).replace("$DENIED", denied).replace("$ODD", odd);
            Value::String(text.replace("$PROVIDER", &inputs.provider).replace("$P", &inputs.prefix))
        }
        Value::Array(items) => items.iter().map(|item| fill(item, inputs)).collect(),
        Value::Object(members) => {
            members.iter().map(|(name, member)| (name.clone(), fill(member, inputs))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

impl Call {
    /// Its sentence.
    pub fn sentence(&self) -> &str {
        self.told["sentence"].as_str().unwrap_or_default()
    }

    /// Whether this came of it.
    ///
    /// # Errors
    /// What is different.
    pub fn check(&self, outcome: &Value) -> Result<(), String> {
        if fits(&self.expected, outcome) {
            return Ok(());
        }
        Err(format!("{}:\n  expected {}\n  found    {outcome}", self.sentence(), self.expected))
    }
}

fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), found) if any == "<text>" => found.as_str().is_some_and(|text| !text.is_empty()),
        (Value::String(any), found) if any == "<number>" => found.is_number(),
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(name, member)| found.get(name).is_some_and(|found| fits(member, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(one, other)| fits(one, other))
        }
        (expected, found) => expected == found,
    }
}

/// Makes a call over HTTP. `None`: it is one that clients put together from others.
///
/// # Errors
/// There was no answer.
pub fn outcome_over_http(endpoint: &Endpoint, call: &Call) -> Verdict<Option<Value>> {
    let (told, options) = (&call.told, &call.told["options"]);
    let text = |value: &Value| value.as_str().map(component);
    let path = text(&told["path"]).unwrap_or_default();
    let query = |start: String, pairs: &[(&str, Option<String>)]| {
        pairs.iter().fold(start, |query, (name, value)| match value {
            Some(value) => format!("{query}&{name}={value}"),
            None => query,
        })
    };
    let said = match told["call"].as_str().unwrap_or_default() {
        "getSecret" | "getSecretKey" => {
            let version = text(&options["version"]).or(text(&options["stage"]));
            let pairs = [("provider", text(&options["provider"])), ("version", version), ("key", text(&told["key"]))];
            let ask = endpoint.ask("GET", query(format!("/api/v1/secrets?name={path}"), &pairs));
            let skip = options["skipCache"] == true;
            endpoint.send(&if skip { ask.with("cache-control", "no-cache") } else { ask })?
        }
        // A page may hold fewer than its limit, so "at most so many" takes more than one.
        "listSecrets" if !options["maxResults"].is_null() => return Ok(None),
        "listSecrets" => {
            let tags = options["tags"].as_object().and_then(|tags| tags.iter().next());
            let tag = tags.map(|(name, value)| component(&format!("{name}={}", value.as_str().unwrap_or_default())));
            let pairs = [("provider", text(&options["provider"])), ("tag", tag)];
            endpoint.get(query(format!("/api/v1/secrets?prefix={path}"), &pairs))?
        }
        "describeSecret" => endpoint.get(format!("/api/v1/metadata?name={path}"))?,
        "rotateSecret" => endpoint.send(&endpoint.ask("POST", format!("/api/v1/rotate?name={path}")))?,
        "invalidateCache" => endpoint.post("/api/v1/invalidate", &json!({ "name": told["path"] }))?,
        "invalidateCachePrefix" => endpoint.post("/api/v1/invalidate", &json!({ "prefix": told["path"] }))?,
        _ => return Ok(None),
    };
    Ok(Some(outcome(told, &said)))
}

/// What a client makes of an answer. The class that it throws is its own, and not in the answer.
fn outcome(told: &Value, said: &Said) -> Value {
    let body: Value = serde_json::from_slice(&said.body).unwrap_or_default();
    if said.status != 200 {
        let request_id = body["request_id"].is_string();
        let expected_kind = kind(told, body["code"].as_str().unwrap_or_default());
        return json!({ "error": {
            "kind": expected_kind, "code": body["code"], "status": said.status, "requestId": request_id,
        }});
    }
    let value = match told["call"].as_str().unwrap_or_default() {
        "getSecret" => json!({
            "value": body["value"], "encoding": body["encoding"], "name": body["name"], "version": body["version"],
            "hasTime": body["created"].is_string(), "bytes": hex(&body),
        }),
        "getSecretKey" => body["value"].clone(),
        "listSecrets" => {
            let all = body["secrets"].as_array().into_iter().flatten();
            let mut names: Vec<_> = all.filter_map(|item| item["name"].as_str()).collect();
            names.sort_unstable();
            json!({ "names": names })
        }
        "describeSecret" => json!({ "name": body["name"], "tags": body["tags"] }),
        "rotateSecret" => json!({ "triggered": true }),
        _ => Value::Null,
    };
    json!({ "value": value })
}

/// The class for a code, for those of the table alone.
fn kind(told: &Value, code: &str) -> &'static str {
    if told["call"].as_str().is_some_and(|call| call.starts_with("invalidate")) {
        return "CacheError";
    }
    match code {
        "denied" => "AccessError",
        "not_found" | "version_not_found" => "SecretNotFoundError",
        "invalid_name" => "ParseError",
        _ => "",
    }
}

fn hex(body: &Value) -> String {
    use base64::Engine as _;
    let text = body["value"].as_str().unwrap_or_default();
    let bytes = if body["encoding"] == "base64" {
        base64::engine::general_purpose::STANDARD.decode(text).unwrap_or_default()
    } else {
        text.as_bytes().to_vec()
    };
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_fits_what_has_it_and_nothing_else() {
        let expected = json!({ "value": { "a": "<text>", "b": ["<number>", 2] } });
        assert!(fits(&expected, &json!({ "value": { "a": "x", "b": [1, 2], "c": 3 } })));
        for other in [
            json!({ "error": {} }),
            json!({ "value": { "a": "", "b": [1, 2] } }),
            json!({ "value": { "a": "x", "b": [1] } }),
            json!({ "value": { "a": "x", "b": ["1", 2] } }),
            json!({ "value": { "b": [1, 2] } }),
        ] {
            assert!(!fits(&expected, &other), "{other}");
        }
    }

    #[test]
    fn every_call_is_filled_in_and_expects_one_thing() {
        let inputs = Inputs {
            prefix: "p".into(),
            provider: "aws".into(),
            odd_provider: Some("odd".into()),
            ..Inputs::default()
        };
        let all = calls(&inputs).unwrap();
        assert!(all.iter().all(|call| !call.told.to_string().contains('$') && !call.sentence().is_empty()));
        let fewer = calls(&Inputs { odd_provider: None, ..inputs }).unwrap();
        assert_eq!(fewer.len(), all.len() - 1);
    }
}
