//! The surface as a front door sees it: whole requests against a real resolver over a provider in memory.

// The attribute tells clippy that helpers are tests too, so they may unwrap.
#[cfg(test)]
mod aws;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod events;
#[cfg(test)]
mod house;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod native;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod vault;
