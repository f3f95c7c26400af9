//! `metrics.cloudwatch_namespace`: the numbers as lines of a log.

use std::sync::Arc;

use lockstep_api::MetricLines;

use super::Assembly;
use crate::config::Config;
use crate::problem::Problems;

const KEY: &str = "metrics.cloudwatch_namespace";
/// CloudWatch's own limit.
const MAX_NAMESPACE: usize = 255;

impl Config {
    /// What writes the numbers of an assembled resolver into the log, if the configuration names a namespace for them.
    ///
    /// # Errors
    /// CloudWatch takes no such namespace, or nothing is counted.
    pub fn metric_lines(&self, assembly: &Assembly) -> Result<Option<MetricLines>, Problems> {
        let Some(namespace) = &self.settings().metrics.cloudwatch_namespace else { return Ok(None) };
        let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || " .-_/#:".contains(letter);
        if !(1..=MAX_NAMESPACE).contains(&namespace.len())
            || !namespace.chars().all(is_allowed)
            || namespace.trim().is_empty()
        {
            let message = "write 1 to 255 letters, digits, spaces and `.-_/#:`, such as \"Lockstep\"";
            return Err(self.problem(KEY, message).into());
        }
        if namespace.starts_with("AWS/") {
            return Err(self
                .problem(KEY, "`AWS/…` is AWS's own; write another namespace, such as \"Lockstep\"")
                .into());
        }
        let Some(metrics) = &assembly.metrics else {
            return Err(self.problem(KEY, "nothing is counted; leave `metrics.enabled = false` out").into());
        };
        Ok(Some(MetricLines::new(Arc::clone(metrics), namespace.clone())))
    }
}
