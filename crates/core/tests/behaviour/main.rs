//! How a resolver behaves, seen from outside: every row of the cache's table, the bound, the fences and the chains.

#![expect(clippy::disallowed_methods, reason = "a test's own tasks belong to no call")]
#![expect(clippy::unwrap_used, reason = "what a test sets up is there")]

mod access;
mod cache;
mod chain;
mod flight;
mod freshness;
mod journal;
mod lag;
mod lease;
mod promise;
mod relay;
mod report;
mod slow;
#[cfg(feature = "spans")]
mod spans;
mod tags;
mod template;
mod upstream;
mod world;
