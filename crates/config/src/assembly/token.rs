//! Where the local token comes from: `listen.token`, else the first variable of `aws.ssrf_env_variables` that is set,
//! else it is made.

use lockstep_auth::{LocalToken, TokenOrigin};

use super::Ports;
use crate::config::Config;
use crate::problem::Problem;
use crate::settings::Credential;

/// Loads the token.
pub(super) fn load(config: &Config, ports: &Ports) -> Result<LocalToken, Problem> {
    let settings = config.settings();
    let (key, origins) = match &settings.listen.token {
        Some(Credential::Env(name)) => ("listen.token", vec![TokenOrigin::Variable(name.clone())]),
        Some(Credential::File(path)) => {
            ("listen.token", vec![TokenOrigin::File(config.path(path).to_string_lossy().into_owned())])
        }
        None => {
            let variables = settings.aws.ssrf_env_variables.iter().cloned().map(TokenOrigin::Variable);
            ("aws.ssrf_env_variables", variables.chain([TokenOrigin::Made]).collect())
        }
    };
    LocalToken::load(&origins, &*ports.env, &*ports.files, &*ports.random)
        .map_err(|error| config.problem(key, error.message()))
}
