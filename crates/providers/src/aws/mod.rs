//! AWS: Secrets Manager and Parameter Store, DynamoDB for a journal, and what they share: credentials, endpoints, signatures, errors.
//!
//! One [`Session`] is one login in one region; any number of providers use it. Wire facts are those of AWS's service
//! models (Secrets Manager 2017-10-17, SSM 2014-11-06, STS 2011-06-15,
//! DynamoDB 2012-08-10). Nothing here retries: an error says whether
//! trying again helps, and the upstream stack does it.

mod addresses;
mod arn;
mod clock;
mod credentials;
#[cfg(feature = "aws-dynamodb")]
mod dynamodb;
mod endpoint;
mod errors;
#[cfg(feature = "vault")]
pub(crate) mod identity;
mod json;
mod region;
mod role;
mod session;
mod shared;
mod sign;
mod sts;
mod web_identity_tokens;

#[cfg(feature = "aws-parameter-store")]
mod parameter_store;
#[cfg(feature = "aws-secrets-manager")]
mod secrets_manager;

#[cfg(test)]
mod fake;

#[cfg(feature = "aws-dynamodb")]
pub use self::dynamodb::{Cancellation, Cancelled, DynamoDb};
#[cfg(feature = "aws-parameter-store")]
pub use self::parameter_store::{ParameterStore, ParameterStoreSettings};
pub use self::role::{ExternalId, Role};
#[cfg(feature = "aws-rotation")]
pub use self::secrets_manager::{RotatedSecret, RotationSecrets, Staged};
#[cfg(feature = "aws-secrets-manager")]
pub use self::secrets_manager::{SecretsManager, SecretsManagerSettings};
pub use self::session::{ServiceSettings, Session, SessionSettings};
pub use self::web_identity_tokens::{SigningAlgorithm, WebIdentityTokenSettings, WebIdentityTokens};
