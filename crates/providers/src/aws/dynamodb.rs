//! [`DynamoDb`]: calls of DynamoDB's JSON protocol, for what is kept in a table. Wire facts: its service model 2012-08-10.
//!
//! What the items mean is the caller's. Nothing is retried here.

use std::fmt;
use std::sync::Arc;

use lockstep_core::{Call, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::endpoint::Service;
use super::json::JsonClient;
use super::session::{ServiceSettings, Session};
use crate::body::Body;

/// The actions of one transaction at most (`TransactWriteItems`).
const MAX_ACTIONS: usize = 100;

/// A client of DynamoDB in the region of its session.
pub struct DynamoDb(JsonClient);

impl DynamoDb {
    /// A client. Nothing is sent yet.
    ///
    /// # Errors
    /// `Config` when the endpoint is wrong.
    pub fn new(session: Arc<Session>, settings: &ServiceSettings) -> Result<Self> {
        JsonClient::new(session, Service::DynamoDb, settings).map(Self)
    }

    /// Calls an operation, such as `GetItem`.
    ///
    /// # Errors
    /// What the table of AWS's errors says: `Config` for a table that is not there or has another key, `Conflict` for a
    /// transaction that was cancelled, with [`Cancelled`] as its cause; `Malformed` for an answer of another shape.
    pub async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        operation: &'static str,
        input: &impl Serialize,
    ) -> Result<T> {
        let body: Body = self.0.send(call, operation, None, input).await?;
        body.json()
    }
}

impl fmt::Debug for DynamoDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDb").field("session", self.0.session()).finish()
    }
}

/// Why a transaction was cancelled: one reason per action, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled(pub Vec<Cancellation>);

/// What stood against one action of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancellation {
    /// Nothing.
    None,
    /// Its condition does not hold.
    Condition,
    /// Another write of the item was under way.
    Conflict,
    /// The table's or the account's rate.
    Throttled,
    /// The item itself was refused: its key, its size.
    Refused,
}

impl Cancelled {
    /// The reasons in an answer with this code; none in another's.
    pub(super) fn of(code: &str, body: &Body) -> Option<Self> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "CancellationReasons")]
            reasons: Vec<Reason>,
        }
        #[derive(Deserialize)]
        struct Reason {
            #[serde(rename = "Code")]
            code: Option<String>,
        }
        if code != "TransactionCanceledException" {
            return None;
        }
        let answer: Answer = body.json().ok()?;
        if answer.reasons.len() > MAX_ACTIONS {
            return None;
        }
        let reason = |reason: Reason| match reason.code.as_deref() {
            None | Some("None") => Cancellation::None,
            Some("ConditionalCheckFailed") => Cancellation::Condition,
            Some("TransactionConflict") => Cancellation::Conflict,
            Some("ProvisionedThroughputExceeded" | "ThrottlingError" | "RequestLimitExceeded") => {
                Cancellation::Throttled
            }
            Some(_) => Cancellation::Refused,
        };
        Some(Self(answer.reasons.into_iter().map(reason).collect()))
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let against = self.0.iter().filter(|reason| **reason != Cancellation::None).count();
        write!(f, "{against} of {} actions of the transaction could not be done", self.0.len())
    }
}

impl std::error::Error for Cancelled {}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use bytes::Bytes;
    use http::Response;
    use lockstep_core::ErrorKind;

    use super::super::json::failure;
    use super::*;

    use Cancellation::{Condition, Conflict, None, Refused, Throttled};

    /// Break: any arm of `reason`, or the code that is looked for.
    #[test]
    fn the_reasons_of_a_cancelled_transaction_come_with_the_error_and_no_word_of_it() {
        let cancelled = |code: &str, reasons: &str| {
            let body = format!(
                r#"{{"__type":"com.amazonaws.dynamodb.v20120810#{code}","message":"c4n4ry","CancellationReasons":[{reasons}]}}"#
            );
            let answer = Response::builder().status(400).body(Bytes::from(body)).unwrap();
            failure(Service::DynamoDb, answer).error
        };
        let reasons = r#"{"Code":"None"},{"Code":"ConditionalCheckFailed","Message":"c4n4ry","Item":{"pk":{"S":"c4n4ry"}}},
            {},{"Code":"TransactionConflict"},{"Code":"ThrottlingError"},{"Code":"ValidationError"}"#;
        let error = cancelled("TransactionCanceledException", reasons);
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(!format!("{error} {error:?}").contains("c4n4ry"), "{error:?}");
        let found = error.source().and_then(|source| source.downcast_ref::<Cancelled>()).unwrap();
        assert_eq!(found.0, [None, Condition, None, Conflict, Throttled, Refused]);
        assert_eq!(found.to_string(), "4 of 6 actions of the transaction could not be done");
        assert!(cancelled("ValidationException", reasons).source().is_none());
        assert!(cancelled("TransactionCanceledException", "17").source().is_none());
        let many = vec![r#"{"Code":"None"}"#; 101].join(",");
        assert!(cancelled("TransactionCanceledException", &many).source().is_none());
    }
}
