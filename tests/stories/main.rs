//! Stories through `lockstep serve` as a real process, against real servers and hostile ones.
//!
//! Each test says in its name what a user sees, with the security property that it shows, and in "Break:" which line to
//! break to see it fail. No test measures time: each waits for an outcome, and a limit that is not under test is long.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod audit;
mod authenticated;
mod aws_account;
mod chain;
mod chained;
mod clients;
mod cloud_fakes;
mod clouds;
mod cluster;
mod conformance;
mod demo;
mod description;
mod edits;
mod fake_aws;
mod flight;
mod journals;
mod limits;
mod listener;
mod log_lines;
mod logins;
mod metrics;
mod notifications;
mod notified;
mod openbao;
mod openbao_lease;
mod outage;
mod outbound;
mod policies;
mod revoked;
mod roles;
mod rotation;
mod simulation;
mod systemd;
mod tls;
mod traces;
mod unix_socket;
mod vault_surface;
