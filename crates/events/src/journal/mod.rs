//! The journals that several processes share: where [`Change`](lockstep_core::Change)s are kept for every instance to read.
//!
//! | file | job |
//! |---|---|
//! | `stored` | a Change as it is kept, within bounds |
//! | `dynamodb` | a table of DynamoDB (feature `dynamodb`) |
//! | `redis` | a stream of Redis (feature `redis`) |
//!
//! Each is [`Journal`](lockstep_core::Journal) and keeps the one contract in `lockstep_testkit::journal`. What somebody
//! else has written into the storage is an error or a gap, never a panic, and never read as if nothing had happened.
//! Whoever can append can cause refetches and nothing else, since a Change holds no value. Nothing here reads a clock or a
//! socket but through core's ports. What a check and an append cost stands in `docs/journal.md`.

#[cfg(feature = "dynamodb")]
mod dynamodb;
#[cfg(feature = "redis")]
mod redis;
mod stored;

#[cfg(feature = "dynamodb")]
pub use self::dynamodb::{DynamoDbJournal, DynamoDbSettings};
#[cfg(feature = "redis")]
pub use self::redis::{RedisJournal, RedisPorts, RedisSettings};
pub use self::stored::MAX_CHANGE_BYTES;
