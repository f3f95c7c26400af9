//! Reading: one consistent `GetItem` of a head, and a `Query` of entries when the head does not reach back far enough.

use std::collections::BTreeMap;

use lockstep_core::{Call, Change, Cursor, Error, ErrorKind, Feed, Result};
use serde::{Deserialize, Serialize};

use super::DynamoDbJournal;
use super::item::{EntryItem, Head, HeadItem, Key, Value, entries_of, head_key};

/// The cursor of a journal that nobody has appended to. Its first life has another epoch: that is a gap once, since a
/// journal that was lost twice in between looks the same.
const EMPTY: Cursor = Cursor { epoch: 0, seq: 0 };
/// Queries that one read of entries makes at most: one answers 1 MB, which is thousands of entries.
const MAX_QUERIES: usize = 64;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetItem<'a> {
    table_name: &'a str,
    key: Key,
    consistent_read: bool,
}

#[derive(Deserialize)]
struct Got {
    #[serde(rename = "Item")]
    item: Option<HeadItem>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Query<'a> {
    table_name: &'a str,
    key_condition_expression: &'a str,
    expression_attribute_values: BTreeMap<&'a str, Value>,
    consistent_read: bool,
    scan_index_forward: bool,
    limit: usize,
}

#[derive(Deserialize)]
struct Found {
    #[serde(rename = "Items")]
    items: Vec<EntryItem>,
    #[serde(rename = "LastEvaluatedKey")]
    more: Option<serde::de::IgnoredAny>,
}

impl DynamoDbJournal {
    pub(super) async fn read_since(&self, call: &Call, cursor: Option<Cursor>, limit: usize) -> Result<Feed> {
        // A copy that is gone is written again by the next append. Until then the first one speaks for it.
        let head = match self.head(call, self.place).await? {
            None if self.place != 0 => self.head(call, 0).await?,
            head => head,
        };
        let Some(head) = head else {
            return Ok(feed(Vec::new(), EMPTY, cursor.is_some_and(|cursor| cursor != EMPTY), limit));
        };
        let Some(cursor) = cursor else {
            return Ok(feed(self.newest(call, &head, limit).await?, head.cursor(), false, limit));
        };
        if cursor.epoch == head.epoch && (head.trimmed_to..=head.seq).contains(&cursor.seq) {
            let (from, to) = (cursor.seq + 1, head.seq.min(cursor.seq.saturating_add(limit as u64)));
            if let Some(changes) = self.range(call, &head, from, to).await? {
                return Ok(feed(changes, head.cursor(), false, limit));
            }
        }
        Ok(feed(self.newest(call, &head, limit).await?, head.cursor(), true, limit))
    }

    /// One copy of the head, as it is now.
    ///
    /// # Errors
    /// What DynamoDB says, and `Malformed` for what is no head.
    pub(super) async fn head(&self, call: &Call, place: u64) -> Result<Option<Head>> {
        let input = GetItem { table_name: &self.table, key: head_key(place), consistent_read: true };
        let got: Got = self.send(call, "GetItem", &input).await?;
        got.item.as_ref().map(Head::of_item).transpose()
    }

    /// The entries of these numbers, both included; `None` when one of them is gone.
    async fn range(&self, call: &Call, head: &Head, from: u64, to: u64) -> Result<Option<Vec<(u64, Change)>>> {
        let mut entries = Vec::new();
        let mut next = from;
        let before_head = to.min(head.first() - 1);
        for _ in 0..MAX_QUERIES {
            if next > before_head {
                break;
            }
            let found = self.query(call, head.epoch, next, before_head, true).await?;
            for item in &found.items {
                if next > before_head || item.seq() != Some(next) {
                    return Ok(None);
                }
                entries.push(item.entry()?);
                next += 1;
            }
            if found.items.is_empty() || (found.more.is_none() && next <= before_head) {
                return Ok(None);
            }
        }
        if next <= before_head {
            let message = "the journal's entries come in pieces too small to be read; look at the endpoint";
            return Err(Error::new(ErrorKind::Malformed, message));
        }
        let newest = head.newest_from(next.max(from))?.into_iter().take_while(|(seq, _)| *seq <= to);
        entries.extend(newest);
        Ok(Some(entries))
    }

    /// The newest entries, as many as asked for and as are there without a hole.
    async fn newest(&self, call: &Call, head: &Head, limit: usize) -> Result<Vec<(u64, Change)>> {
        let from = head.seq.saturating_sub(limit as u64) + 1;
        let mut entries = head.newest_from(from)?;
        let mut next = head.first() - 1;
        for _ in 0..MAX_QUERIES {
            if next < from.max(head.trimmed_to + 1) {
                break;
            }
            let found = self.query(call, head.epoch, from, next, false).await?;
            let mut older = Vec::new();
            for item in found.items.iter().take_while(|item| {
                let is_next = next >= from && item.seq() == Some(next);
                next -= u64::from(is_next);
                is_next
            }) {
                older.push(item.entry()?);
            }
            let is_whole = !older.is_empty() && older.len() == found.items.len() && found.more.is_some();
            older.reverse();
            entries.splice(0..0, older);
            if !is_whole {
                break;
            }
        }
        Ok(entries)
    }

    /// Entries of these numbers, in this order; DynamoDB answers as many as make 1 MB.
    async fn query(&self, call: &Call, epoch: u64, from: u64, to: u64, forward: bool) -> Result<Found> {
        let values = [(":pk", entries_of(epoch)), (":from", Value::number(from)), (":to", Value::number(to))];
        let input = Query {
            table_name: &self.table,
            key_condition_expression: "pk = :pk AND sk BETWEEN :from AND :to",
            expression_attribute_values: values.into(),
            consistent_read: true,
            scan_index_forward: forward,
            limit: usize::try_from(to - from + 1).unwrap_or(usize::MAX).min(1 << 20),
        };
        self.send(call, "Query", &input).await
    }

    /// The number of the oldest entry that is left.
    ///
    /// # Errors
    /// What DynamoDB says.
    pub(super) async fn oldest(&self, call: &Call, head: &Head) -> Result<Option<u64>> {
        let input = Query {
            table_name: &self.table,
            key_condition_expression: "pk = :pk",
            expression_attribute_values: [(":pk", entries_of(head.epoch))].into(),
            consistent_read: true,
            scan_index_forward: true,
            limit: 1,
        };
        let found: Found = self.send(call, "Query", &input).await?;
        Ok(found.items.first().and_then(EntryItem::seq))
    }
}

fn feed(changes: Vec<(u64, Change)>, head: Cursor, gap: bool, limit: usize) -> Feed {
    Feed { cut: changes.len() >= limit, changes, head, gap, head_age: std::time::Duration::ZERO }
}
