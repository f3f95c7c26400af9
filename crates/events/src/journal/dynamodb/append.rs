//! Appending: one transaction of ids, entries and heads, tried again with a fresh head when another appender was faster.

use std::error::Error as _;
use std::time::Duration;

use lockstep_core::{Call, Change, Cursor, Error, ErrorKind, Result, fraction, hex};
use lockstep_providers::aws::{Cancellation, Cancelled};
use serde::Serialize;
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::DynamoDbJournal;
use super::item::{HEADS, Head, HeadItem, Value, WrittenItem};
use crate::journal::stored::{Stored, new_epoch};

/// Changes of one transaction: two items each and the heads, of the 100 that DynamoDB takes. Together they also stay far
/// below its 4 MB.
const PER_TRANSACTION: usize = 40;
/// How long an entry and the mark of its id are kept at least. Instances that have slept for longer read a gap.
const RETENTION: Duration = Duration::from_hours(7 * 24);
/// How often one transaction is tried: each time, at least one other appender got through.
const TRIES: u32 = 24;
/// The longest pause before the next try grows by this with each; the pause is drawn at random below it.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Each time that this many entries were appended, one append looks which are left.
const TRIM_EVERY: u64 = 64;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TransactWriteItems<'a> {
    transact_items: Vec<Action<'a>>,
    client_request_token: String,
}

#[derive(Serialize)]
enum Action<'a> {
    Put(Put<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Put<'a> {
    table_name: &'a str,
    item: Item,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition_expression: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expression_attribute_values: Option<Values>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item {
    Head(HeadItem),
    Written(WrittenItem),
}

/// What the condition on the first head compares with.
#[derive(Serialize)]
struct Values {
    #[serde(rename = ":epoch")]
    epoch: Value,
    #[serde(rename = ":seq")]
    seq: Value,
}

impl DynamoDbJournal {
    pub(super) async fn append_all(&self, call: &Call, changes: &[Change]) -> Result<Cursor> {
        let stored = Stored::distinct(changes)?;
        if stored.is_empty() {
            let head = self.head(call, 0).await?;
            return Ok(head.map_or(Cursor { epoch: 0, seq: 0 }, |head| head.cursor()));
        }
        let mut cursor = Cursor { epoch: 0, seq: 0 };
        for part in stored.chunks(PER_TRANSACTION) {
            cursor = self.append_part(call, part.to_vec()).await?;
        }
        Ok(cursor)
    }

    async fn append_part(&self, call: &Call, mut pending: Vec<Stored>) -> Result<Cursor> {
        let expires = call.clock().wall().plus(RETENTION).0 / 1000;
        for attempt in 1..=TRIES {
            call.ensure_time()?;
            let found = self.head(call, 0).await?;
            let is_new = found.is_none();
            let mut head = found.unwrap_or_else(|| Head::of_epoch(new_epoch(&*self.random)));
            if pending.is_empty() {
                return Ok(head.cursor());
            }
            let before = head.cursor();
            if !is_new && (head.seq / TRIM_EVERY) != (head.seq + pending.len() as u64) / TRIM_EVERY {
                head.trimmed_to = self.oldest(call, &head).await?.map_or(head.seq, |oldest| oldest.saturating_sub(1));
                head.trimmed_to = head.trimmed_to.min(head.seq);
            }
            let next = head.advanced(&pending);
            let condition = (!is_new).then_some(before);
            match self.write(call, condition, &next, &pending, expires).await {
                Ok(()) => return Ok(next.cursor()),
                Err(error) => self.after(call, error, &mut pending, attempt).await?,
            }
        }
        let message = format!(
            "{TRIES} tries to append met other appenders each time; append fewer changes at once, or from fewer places"
        );
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// What is left to do after a failure, or the failure itself when trying again does not help.
    async fn after(&self, call: &Call, error: Error, pending: &mut Vec<Stored>, attempt: u32) -> Result<()> {
        match error.source().and_then(|source| source.downcast_ref::<Cancelled>()) {
            Some(Cancelled(reasons)) => {
                if reasons.contains(&Cancellation::Refused) {
                    let message = "the table does not take the journal's items; its partition key is `pk` (a string) and \
                                   its sort key `sk` (a number)";
                    return Err(Error::new(ErrorKind::Config, message));
                }
                // The ids come first, in the order of what is pending: which of them are there already?
                let mut reasons = reasons.iter();
                pending.retain(|_| reasons.next() != Some(&Cancellation::Condition));
            }
            // It may have been written all the same: then its ids say so at the next try.
            None if error.is_transient() || error.kind() == ErrorKind::Conflict => {
                if attempt == TRIES {
                    return Err(error);
                }
            }
            None => return Err(error),
        }
        let longest = (PAUSE * attempt).min(LONGEST_PAUSE);
        call.clock().sleep(longest.mul_f64(fraction(&*self.random)).min(call.remaining())).await;
        Ok(())
    }

    /// One transaction. Its ids stand first, then its entries, then the heads; the first of those holds the condition for
    /// all: whoever wrote another head in between wins.
    async fn write(
        &self,
        call: &Call,
        before: Option<Cursor>,
        next: &Head,
        pending: &[Stored],
        expires: u64,
    ) -> Result<()> {
        let table_name = self.table.as_str();
        let put = |item: Item, condition_expression, expression_attribute_values| {
            Action::Put(Put { table_name, item, condition_expression, expression_attribute_values })
        };
        let absent = Some("attribute_not_exists(pk)");
        let ids =
            pending.iter().map(|stored| put(Item::Written(WrittenItem::id(next.epoch, stored, expires)), absent, None));
        let numbers = next.seq + 1 - pending.len() as u64..;
        let entries = numbers
            .zip(pending)
            .map(|(seq, stored)| put(Item::Written(WrittenItem::entry(next.epoch, seq, stored, expires)), None, None));
        let heads = (0..HEADS).map(|place| {
            let item = Item::Head(next.item(place));
            match (place, before) {
                (0, None) => put(item, absent, None),
                (0, Some(before)) => {
                    let values = Values { epoch: Value::number(before.epoch), seq: Value::number(before.seq) };
                    put(item, Some("epoch = :epoch AND seq = :seq"), Some(values))
                }
                _ => put(item, None, None),
            }
        });
        let transact_items: Vec<_> = ids.chain(entries).chain(heads).collect();
        let input = TransactWriteItems { transact_items, client_request_token: self.token() };
        let first: Result<IgnoredAny> = self.send(call, "TransactWriteItems", &input).await;
        let outcome = match first {
            // Nobody knows whether it was written. The same request again is one write for DynamoDB: its token says so.
            Err(error) if error.kind() == ErrorKind::Network || error.kind() == ErrorKind::Timeout => {
                call.ensure_time().map_err(|_| error)?;
                self.send::<IgnoredAny>(call, "TransactWriteItems", &input).await
            }
            outcome => outcome,
        };
        outcome.map(|_| ())
    }

    /// A token that no other transaction has, within the 36 characters of one.
    fn token(&self) -> String {
        let mut nonce = [0; 32];
        self.random.fill(&mut nonce);
        hex::text(&Sha256::digest(nonce)[..16])
    }
}
