//! The load: wrk on one URL with keep-alive, for a fixed time.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::contender::{Contender, headers};
use crate::failure::{Failure, Outcome};
use crate::process;
use crate::tools::Wrk;

/// What presses.
pub(super) struct Load<'a> {
    pub(super) wrk: &'a Wrk,
    pub(super) duration: Duration,
}

/// What is asked for, again and again.
#[derive(Clone, Copy)]
pub(super) enum What<'a> {
    /// One secret, by the route that all three have.
    Drop,
    /// One secret, by the native API.
    Native,
    /// What this script of wrk's asks the native API.
    Batch(&'a Path),
}

impl Load<'_> {
    /// Presses `contender`; gives how many requests were answered, every one with 200.
    pub(super) fn press(&self, contender: &Contender, connections: u32, what: What<'_>) -> Outcome<f64> {
        let mut command = Command::new(&self.wrk.program);
        command.env("LD_LIBRARY_PATH", &self.wrk.libraries);
        command.args(["-t", "1", "-c", &connections.to_string(), "-d", &format!("{}s", self.duration.as_secs())]);
        for header in headers().lines() {
            command.args(["-H", header]);
        }
        if let What::Batch(script) = what {
            command.arg("-s").arg(script);
        }
        let url = match what {
            What::Drop => contender.url("/secretsmanager/get?secretId=bench/s0007"),
            What::Native => contender.url("/api/v1/secrets/bench/s0007"),
            What::Batch(_) => contender.url("/api/v1/secrets:batch"),
        };
        let said = process::capture(command.arg(url))?;
        answered(&said).map_err(|what| Failure::new(format!("{}: {what}:\n{said}", contender.name())))
    }
}

/// The count of wrk's report; an answer that was not 2xx, or a broken connection, makes the round worthless.
fn answered(said: &str) -> Result<f64, &'static str> {
    if said.contains("Non-2xx") {
        return Err("not every answer was 200");
    }
    if said.contains("Socket errors") {
        return Err("connections broke");
    }
    let count = said.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
    count.filter(|count| *count > 0.0).ok_or("wrk reported no requests")
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 3s test @ http://127.0.0.1:1/\n  1 threads and 1 connections\n  \
                          110000 requests in 3.10s, 40.00MB read\nRequests/sec:  35483.87\n";

    #[test]
    fn requests_are_counted_and_a_bad_answer_spoils_the_round() {
        assert_eq!(answered(REPORT), Ok(110_000.0));
        assert!(answered(&format!("{REPORT}  Non-2xx or 3xx responses: 3\n")).is_err());
        assert!(answered(&format!("{REPORT}  Socket errors: connect 0, read 1\n")).is_err());
        assert!(answered("").is_err());
    }
}
