//! Who calls a Lockstep, and what they may do.
//!
//! A caller shows one of these, and is a [`Principal`](lockstep_core::Principal) from then on:
//!
//! | login | what is shown | feature |
//! |---|---|---|
//! | [`LocalToken`] | the one token of this machine | |
//! | [`ApiKeys`] | a key that the operator has handed out | |
//! | `JwtLogin` | a signed token of an issuer | `jwt` |
//! | `IamLogin`, `AwsAccounts` | an identity of AWS | `aws-iam` |
//! | `CertificateLogin` | a certificate that TLS has verified | `mtls` to read one |
//!
//! [`Callers`] has them all, and is the one way from a request to a principal.
//!
//! The environment, files, random bytes, time and HTTP come in through core's ports; nothing here reads a clock or a
//! socket. What is decided here is recorded by the resolver, as [`AuditRecord`](lockstep_core::AuditRecord)s;
//! [`AuditDelivery`] sends those to another system.

#![forbid(unsafe_code)]

mod allow_list;
mod api_keys;
mod callers;
mod certificate;
mod delivery;
mod local_token;
mod refused;

#[cfg(feature = "aws-iam")]
mod aws_iam;
#[cfg(feature = "jwt")]
mod jwt;
#[cfg(feature = "policy")]
mod policy;
#[cfg(any(feature = "jwt", feature = "aws-iam"))]
mod remembered;
#[cfg(feature = "strict-json")]
mod strict_json;
#[cfg(any(feature = "jwt", feature = "aws-iam"))]
mod subject;

pub use self::allow_list::AllowList;
pub use self::api_keys::{API_KEY_PREFIX, ApiKeyHash, ApiKeySettings, ApiKeys, MAX_API_KEY_HASHES, NewApiKey};
pub use self::callers::{Callers, Shown};
pub use self::certificate::{
    CertificateFacts, CertificateLogin, CertificateMatch, CertificateRule, CloudflareCertificate,
};
pub use self::delivery::{AuditDelivery, BATCH_HEADER, DeliveryLimits, DeliveryParts, DeliveryToken};
pub use self::local_token::{LocalToken, MAX_TOKEN_BYTES, TOKEN_VARIABLES, TokenOrigin};
pub use self::refused::{Refused, RefusedKind};

#[cfg(feature = "aws-iam")]
pub use self::aws_iam::{AwsAccounts, IamLogin, IamSettings, MAX_PROOF_BYTES, SERVER_ID_HEADER};
#[cfg(feature = "jwt")]
pub use self::jwt::{
    Algorithm, ClaimPattern, EntraVersion, IssuerSettings, JwtLogin, JwtSettings, KeySettings, KeySource,
    MAX_JWT_BYTES, MAX_LEEWAY, Profile,
};
#[cfg(feature = "policy")]
pub use self::policy::{Explanation, POLICY_SCHEMA, Policies, PolicySource};
#[cfg(any(feature = "jwt", feature = "aws-iam"))]
pub use self::remembered::RememberedSettings;
