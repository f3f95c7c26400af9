//! A journal in a table of DynamoDB.
//!
//! The table has the partition key `pk` (a string) and the sort key `sk` (a number), and a time to live on `expires`:
//!
//! | `pk` | `sk` | holds |
//! |---|---|---|
//! | `head#0` … `head#3` | 0 | epoch, number of the newest entry, and the newest Changes, below 4 KB |
//! | `entry#EPOCH` | its number | one Change |
//! | `id#EPOCH#HASH` | 0 | that this id was appended |
//!
//! An append is one transaction of all of that, so an entry is never there without its head, and an id never without its
//! entry. The heads are copies of each other: an instance reads one of them, so that a thousand instances are not one hot
//! partition. A head answers almost every check; what it does not reach back to is read from the entries. Numbers have no
//! holes here, so a hole is what was trimmed.

mod append;
mod item;
mod read;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use lockstep_core::{Call, Change, Cursor, Error, ErrorKind, Feed, Journal, Random, Result, Retry};
use lockstep_providers::aws::{DynamoDb, ServiceSettings, Session};

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::item::HEADS;

/// The longest and shortest name of a table.
const TABLE_NAME: std::ops::RangeInclusive<usize> = 3..=255;

/// Which table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DynamoDbSettings {
    /// Its name.
    pub table: String,
    /// Endpoint and limits of a call.
    pub service: ServiceSettings,
}

/// A journal in a table of DynamoDB. It makes no table: `docs/journal.md` says how.
pub struct DynamoDbJournal {
    client: DynamoDb,
    table: String,
    random: Arc<dyn Random>,
    /// Which copy of the head this instance reads.
    place: u64,
}

impl DynamoDbJournal {
    /// A journal that has not been asked yet.
    ///
    /// # Errors
    /// `Config` when the name can't be a table's, or the endpoint is wrong.
    pub fn new(settings: &DynamoDbSettings, session: Arc<Session>, random: Arc<dyn Random>) -> Result<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if !TABLE_NAME.contains(&settings.table.len()) || !settings.table.bytes().all(fits) {
            let message =
                "the name of a table has 3 to 255 letters, digits, `_`, `.` and `-`; write `dynamodb://TABLE`";
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut place = [0; 8];
        random.fill(&mut place);
        Ok(Self {
            client: DynamoDb::new(session, &settings.service)?,
            table: settings.table.clone(),
            random,
            place: u64::from_le_bytes(place) % HEADS,
        })
    }

    /// One call, and once more when the credential was refused and another one may do.
    async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        operation: &'static str,
        input: &(impl Serialize + Sync),
    ) -> Result<T> {
        match self.client.send(call, operation, input).await {
            Err(error) if error.retry_hint() == Retry::OnceWithFreshCredentials => {
                self.client.send(call, operation, input).await
            }
            outcome => outcome,
        }
    }
}

impl fmt::Debug for DynamoDbJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbJournal")
            .field("table", &self.table)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Journal for DynamoDbJournal {
    async fn append(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        self.append_all(call, changes).await
    }

    async fn since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        self.read_since(call, cursor, limit).await
    }
}
