//! `requests.toml` and `seed.toml`: what is asked, and what stands there before.

use serde::Deserialize;

/// Whom the subject reads from.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Upstream {
    /// The seeded imitation of AWS.
    #[default]
    Moto,
    /// A port that nobody listens on.
    Down,
    /// `faulty.rs`.
    Faulty,
}

impl Upstream {
    pub(crate) const ALL: [Self; 3] = [Self::Moto, Self::Down, Self::Faulty];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Moto => "moto",
            Self::Down => "down",
            Self::Faulty => "faulty",
        }
    }
}

/// A call to the imitation of AWS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The secret whose ARN the answer brings.
    pub(crate) name: Option<String>,
    /// An operation of Secrets Manager.
    pub(crate) action: String,
    /// Its JSON.
    pub(crate) body: String,
}

/// One request, with its placeholders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) upstream: Upstream,
    #[serde(default = "get")]
    pub(crate) method: String,
    pub(crate) target: String,
    #[serde(default = "usual_headers")]
    pub(crate) headers: Vec<String>,
    #[serde(default)]
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) before: Vec<Call>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    request: Vec<Request>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seed {
    call: Vec<Call>,
}

fn get() -> String {
    "GET".to_owned()
}

fn usual_headers() -> Vec<String> {
    ["Host: localhost:{port}", "X-Aws-Parameters-Secrets-Token: {token}"].map(str::to_owned).to_vec()
}

/// Every request, in order.
pub(crate) fn requests() -> Result<Vec<Request>, String> {
    let script: Requests =
        toml::from_str(include_str!("../requests.toml")).map_err(|error| format!("requests.toml: {error}"))?;
    Ok(script.request)
}

/// The calls that make the world.
pub(crate) fn seed() -> Result<Vec<Call>, String> {
    let seed: Seed = toml::from_str(include_str!("../seed.toml")).map_err(|error| format!("seed.toml: {error}"))?;
    Ok(seed.call)
}
