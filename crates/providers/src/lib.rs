//! The providers: one folder each, one file per credential source.
//!
//! A provider is wire format and error mapping, nothing else. It builds an `http::Request`, hands it to core's
//! `Transport` and maps the answer. It reads no clock, no file and no environment variable but through core's ports,
//! and retries nothing: the upstream stack does.

#![forbid(unsafe_code)]

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store"))]
pub mod aws;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "vault")]
pub mod vault;

#[cfg(feature = "vault")]
mod credential;
#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store", feature = "vault"))]
mod exchange;
#[cfg(any(feature = "file", feature = "mock", feature = "vault"))]
mod paging;
#[cfg(any(feature = "file", feature = "mock"))]
mod payload;
#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store", feature = "vault"))]
mod wiped;

#[cfg(feature = "vault")]
pub use self::credential::Credential;
