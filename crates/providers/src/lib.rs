//! The providers: one folder each, one file per credential source.
//!
//! A provider is wire format and error mapping, nothing else. It builds an `http::Request`, hands it to core's
//! `Transport` and maps the answer. It reads no clock, no file and no environment variable but through core's ports,
//! and retries nothing: the upstream stack does.

#![forbid(unsafe_code)]

#[cfg(any(feature = "aws-secrets-manager", feature = "aws-parameter-store", feature = "aws-dynamodb"))]
pub mod aws;
#[cfg(feature = "azure-key-vault")]
pub mod azure;
#[cfg(feature = "cloudflare-secrets-store")]
pub mod cloudflare;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "gcp-secret-manager")]
pub mod gcp;
#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "lockstep")]
pub mod lockstep;
#[cfg(feature = "mock")]
pub mod mock;
#[cfg(feature = "simulation")]
pub mod simulation;
#[cfg(feature = "vault")]
pub mod vault;

#[cfg(any(feature = "gcp-secret-manager", feature = "kubernetes", feature = "lockstep", feature = "vault"))]
mod address;
#[cfg(any(feature = "remote", feature = "simulation"))]
mod binary;
#[cfg(feature = "remote")]
mod body;
#[cfg(any(feature = "remote", feature = "simulation"))]
mod credential;
#[cfg(feature = "remote")]
mod exchange;
#[cfg(feature = "remote")]
mod form;
#[cfg(any(feature = "remote", feature = "file"))]
mod json;
#[cfg(feature = "remote")]
mod jwt;
#[cfg(feature = "remote")]
mod login;
#[cfg(feature = "remote")]
mod oauth;
#[cfg(any(
    feature = "azure-key-vault",
    feature = "cloudflare-secrets-store",
    feature = "file",
    feature = "mock",
    feature = "vault"
))]
mod paging;
#[cfg(any(feature = "file", feature = "lockstep", feature = "mock", feature = "simulation"))]
mod payload;
#[cfg(feature = "remote")]
mod ports;
#[cfg(feature = "remote")]
mod refusal;
#[cfg(any(feature = "aws-secrets-manager", feature = "vault"))]
mod resting;
#[cfg(any(feature = "file", feature = "kubernetes"))]
mod tree;
#[cfg(feature = "remote")]
mod wiped;
#[cfg(any(feature = "file", feature = "kubernetes"))]
mod yaml;

#[cfg(any(feature = "remote", feature = "simulation"))]
pub use self::credential::Credential;
#[cfg(feature = "remote")]
pub use self::ports::Ports;
