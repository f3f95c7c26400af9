//! What callers may do: the allow-list, and the policies behind it.

use std::sync::Arc;

use lockstep_auth::AllowList;
#[cfg(feature = "policy")]
use lockstep_auth::{Policies, PolicySource};
use lockstep_core::Authorizer;

use super::Ports;
use crate::config::Config;
#[cfg(feature = "policy")]
use crate::problem::Problem;
use crate::problem::Problems;

/// Bytes of a file with policies.
#[cfg(feature = "policy")]
const MAX_POLICY_BYTES: usize = 1 << 20;

impl Config {
    pub(super) fn authorizer(&self, ports: &Ports) -> Result<Arc<dyn Authorizer>, Problems> {
        #[cfg(feature = "policy")]
        if let Some(policies) = self.policies(ports)? {
            return Ok(Arc::new(policies));
        }
        let _ = ports;
        Ok(Arc::new(self.allow_list()?.alone()))
    }

    pub(super) fn allow_list(&self) -> Result<AllowList, Problems> {
        let rules = self.settings().auth.allow.iter().map(|rule| &rule.0);
        Ok(AllowList::parse(rules).map_err(|error| self.problem("auth.allow", error.message()))?)
    }

    /// The policies, if some are written.
    ///
    /// # Errors
    /// What is wrong with them, with its place.
    #[cfg(feature = "policy")]
    pub fn policies(&self, ports: &Ports) -> Result<Option<Policies>, Problems> {
        let auth = &self.settings().auth;
        if !auth.has_policies() {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let mut sources = Vec::new();
        for (index, path) in auth.policies.iter().enumerate() {
            match self.policy_file(ports, index, path) {
                Ok(source) => sources.push(source),
                Err(problem) => problems.push(problem),
            }
        }
        if let Some(problems) = Problems::from_list(problems) {
            return Err(problems);
        }
        sources.extend(auth.policy.clone().map(|text| PolicySource { name: "auth.policy".to_owned(), text }));
        let key = if auth.policies.is_empty() { "auth.policy" } else { "auth.policies" };
        let made = Policies::new(&sources, self.allow_list()?, Arc::clone(&ports.clock));
        Ok(Some(made.map_err(|error| self.problem(key, error.message()))?))
    }

    #[cfg(feature = "policy")]
    fn policy_file(&self, ports: &Ports, index: usize, path: &std::path::Path) -> Result<PolicySource, Problem> {
        let key = format!("auth.policies.{index}");
        let read = ports.files.read(&self.path(path), MAX_POLICY_BYTES);
        let content = read.map_err(|error| self.problem(&key, error.message()))?;
        let text = std::str::from_utf8(&content.bytes);
        let text = text.map_err(|_| self.problem(&key, "this is no UTF-8 text; write policies in Cedar"))?;
        Ok(PolicySource { name: path.display().to_string(), text: text.to_owned() })
    }
}
