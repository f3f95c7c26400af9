//! What is tested of a whole login: forged tokens, an issuer's keys, what is remembered.

pub(super) mod forge;
mod forged;
mod profiles;
mod refresh;
