//! Signed tokens (JWT, RFC 7519) of issuers that the operator has written down.
//!
//! | file | job |
//! |---|---|
//! | `login` | the way from bytes to a caller |
//! | `issuer`, `profile`, `pattern` | what is accepted, and from whom |
//! | `token`, `claims` | what a token says, read strictly |
//! | `algorithm`, `key`, `jwks` | signatures and public keys |
//! | `keys`, `fetch` | an issuer's keys: kept, and fetched |

mod algorithm;
mod claims;
mod fetch;
mod issuer;
mod jwks;
mod key;
mod keys;
mod login;
mod pattern;
mod profile;
mod token;

pub use self::algorithm::Algorithm;
pub use self::issuer::{IssuerSettings, KeySource, MAX_LEEWAY};
pub use self::keys::KeySettings;
pub use self::login::{JwtLogin, JwtSettings};
pub use self::pattern::ClaimPattern;
pub use self::profile::{EntraVersion, Profile};
pub use self::token::MAX_JWT_BYTES;

#[cfg(test)]
mod tests;
