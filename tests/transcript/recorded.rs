//! `agent-3.1.2.json`: what was asked of the agent, and its answers.

use serde::Deserialize;

use crate::shared::script::Request;

/// A request and its answer. The placeholders are those of `shared/world.rs`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exchange {
    pub(crate) name: String,
    upstream: String,
    method: String,
    target: String,
    headers: Vec<String>,
    sent: String,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: String,
}

impl Exchange {
    /// A request that is asked now.
    pub(crate) fn without_answer(request: &Request) -> Self {
        Self {
            name: request.name.clone(),
            upstream: request.upstream.word().to_owned(),
            method: request.method.clone(),
            target: request.target.clone(),
            headers: request.headers.clone(),
            sent: request.body.clone(),
            ..Self::default()
        }
    }

    /// What was asked, the answer left out.
    pub(crate) fn asked(&self) -> Self {
        Self { status: 0, content_type: None, body: String::new(), ..self.clone() }
    }
}

/// The whole transcript.
pub(crate) fn recorded() -> Vec<Exchange> {
    serde_json::from_str(include_str!("agent-3.1.2.json")).expect("`cargo xtask transcript` writes this file")
}
