//! Callers that are identities of AWS.
//!
//! [`IamLogin`] takes a `GetCallerIdentity` that the caller has signed and not sent: we send it to STS, and STS says who
//! signed it (the form of Vault's AWS method). [`AwsAccounts::principal`] takes what Lambda has found out in front of a function
//! URL. Either way the principal is `iam:<arn>`.
//!
//! | file | job |
//! |---|---|
//! | `login` | the way from a proof to a caller |
//! | `proof` | what a signed request may look like |
//! | `endpoint` | the endpoints of STS that are asked |
//! | `answer` | what STS says |
//! | `identity` | whom an ARN names, and whose accounts count |

mod answer;
mod endpoint;
mod identity;
mod login;
mod proof;

pub use self::identity::AwsAccounts;
pub use self::login::{IamLogin, IamSettings};
pub use self::proof::{MAX_PROOF_BYTES, SERVER_ID_HEADER};

#[cfg(test)]
mod tests;
