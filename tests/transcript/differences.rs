//! `differences.toml`: where our answer is not the agent's, what it is instead, and why.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::recorded::Exchange;
use crate::shared::wire::Answer;

/// What differs: each part of our answer that is not the agent's, and nothing of what is equal.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ours {
    status: Option<u16>,
    content_type: Option<String>,
    /// The body, where it is neither a failure nor a secret.
    text: Option<String>,
    /// The failure's `__type`.
    r#type: Option<String>,
    /// The same failure in other words.
    message: bool,
    /// The name of the secret, where the agent gave none.
    secret: Option<String>,
    /// The fields of the secret that are missing, more, or other.
    fields: Vec<String>,
}

enum Body {
    Text(String),
    Failure { r#type: String, message: Option<Value> },
    Secret(Map<String, Value>),
}

impl Body {
    fn of(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(Value::Object(fields)) => match fields.get("__type").and_then(Value::as_str) {
                // Anything beside these two would be a field that the agent's callers never saw.
                Some(kind) if fields.keys().all(|key| key == "__type" || key == "message") => {
                    Self::Failure { r#type: kind.to_owned(), message: fields.get("message").cloned() }
                }
                None if fields.contains_key("ARN") => Self::Secret(fields),
                _ => Self::Text(text.to_owned()),
            },
            _ => Self::Text(text.to_owned()),
        }
    }
}

impl Ours {
    /// Compares.
    pub(crate) fn of(agents: &Exchange, answer: &Answer) -> Self {
        let mut ours = Self {
            status: (answer.status != agents.status).then_some(answer.status),
            content_type: (answer.content_type != agents.content_type)
                .then(|| answer.content_type.clone().unwrap_or_default()),
            ..Self::default()
        };
        match (Body::of(&agents.body), Body::of(&answer.body)) {
            (Body::Text(theirs), Body::Text(text)) => ours.text = (text != theirs).then_some(text),
            (Body::Failure { r#type: theirs, message: said }, Body::Failure { r#type, message }) => {
                ours.message = r#type == theirs && message != said;
                ours.r#type = (r#type != theirs).then_some(r#type);
            }
            (Body::Secret(theirs), Body::Secret(secret)) => {
                let names: BTreeSet<&String> = theirs.keys().chain(secret.keys()).collect();
                ours.fields =
                    names.into_iter().filter(|name| theirs.get(*name) != secret.get(*name)).cloned().collect();
                // The same fields in another order, or with other escapes: no reader of JSON sees it, a reader of text does.
                if ours.fields.is_empty() && answer.body != agents.body {
                    ours.fields.push("(spelling)".to_owned());
                }
            }
            (_, Body::Text(text)) => ours.text = Some(text),
            (_, Body::Failure { r#type, .. }) => ours.r#type = Some(r#type),
            (_, Body::Secret(secret)) => ours.secret = secret["Name"].as_str().map(str::to_owned),
        }
        ours
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    requests: Vec<String>,
    reason: String,
    /// `serve` or `extension`, when only one of them differs.
    only: Option<String>,
    ours: Ours,
}

/// The list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differences {
    difference: Vec<Difference>,
}

impl Differences {
    pub(crate) fn read() -> Self {
        toml::from_str(include_str!("differences.toml")).unwrap_or_else(|error| panic!("differences.toml: {error}"))
    }

    /// What is listed for a request.
    pub(crate) fn of(&self, request: &str, subject: &str) -> Option<&Ours> {
        let listed = self.difference.iter().find(|difference| {
            difference.only.as_deref().is_none_or(|only| only == subject)
                && difference.requests.iter().any(|name| name == request)
        });
        listed.map(|difference| &difference.ours)
    }

    /// What is wrong with the list itself.
    pub(crate) fn faults(&self, requests: &BTreeSet<String>) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for difference in &self.difference {
            if difference.reason.trim().len() < 10 {
                faults.push(format!("{:?} differ without a reason", difference.requests));
            }
            if difference.ours == Ours::default() {
                faults.push(format!("{:?} are listed, and nothing differs", difference.requests));
            }
            for name in &difference.requests {
                if !requests.contains(name) {
                    faults.push(format!("\"{name}\" is not asked"));
                }
                let subjects = match difference.only.as_deref() {
                    None => vec!["serve", "extension"],
                    Some(only @ ("serve" | "extension")) => vec![only],
                    Some(other) => {
                        faults.push(format!("there is no subject \"{other}\""));
                        vec![]
                    }
                };
                for subject in subjects {
                    if !seen.insert((subject, name.as_str())) {
                        faults.push(format!("\"{name}\" is listed twice for {subject}"));
                    }
                }
            }
        }
        faults
    }
}
