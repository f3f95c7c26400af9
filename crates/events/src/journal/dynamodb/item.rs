//! The items of the table: what stands in them, and how they are written and read.
//!
//! Who else can write to the table can write anything, so every member is checked when it is read.

use lockstep_core::{Change, Cursor, Result};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::journal::stored::{Stored, malformed, read};

/// Copies of the head. It is the same number for everyone who uses a table: who wrote fewer would leave old copies behind
/// for others to read, so each head says how many there are.
pub(super) const HEADS: u64 = 4;
/// Bytes of the newest Changes in a head. With its other members it stays below the 4 KB that one read unit covers.
const NEWEST_BYTES: usize = 3700;

/// A member of an item: a number is text in DynamoDB's JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Value {
    S(String),
    N(String),
}

impl Value {
    pub(super) fn number(number: u64) -> Self {
        Self::N(number.to_string())
    }

    fn as_number(&self) -> Option<u64> {
        match self {
            Self::N(digits) => digits.parse().ok(),
            Self::S(_) => None,
        }
    }
}

/// What an item is found by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Key {
    pk: Value,
    sk: Value,
}

/// The key of one copy of the head.
pub(super) fn head_key(place: u64) -> Key {
    Key { pk: Value::S(format!("head#{place}")), sk: Value::number(0) }
}

/// The partition of the entries of a life of the journal.
pub(super) fn entries_of(epoch: u64) -> Value {
    Value::S(format!("entry#{epoch}"))
}

/// A head as it is written and read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HeadItem {
    pub(super) pk: Value,
    pub(super) sk: Value,
    epoch: Value,
    seq: Value,
    trimmed_to: Value,
    heads: Value,
    newest: Value,
}

/// How far the journal has come, and the newest of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) epoch: u64,
    /// The number of the newest entry.
    pub(super) seq: u64,
    /// Entries up to this number may be gone.
    pub(super) trimmed_to: u64,
    /// The newest entries as JSON, the last of which has the number `seq`: as many as there is room for.
    newest: Vec<String>,
}

impl Head {
    /// The head of a journal that has just begun to live.
    pub(super) fn of_epoch(epoch: u64) -> Self {
        Self { epoch, seq: 0, trimmed_to: 0, newest: Vec::new() }
    }

    pub(super) fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch, seq: self.seq }
    }

    /// The number of the oldest entry that the head holds; one past `seq` when it holds none.
    pub(super) fn first(&self) -> u64 {
        self.seq + 1 - self.newest.len() as u64
    }

    /// The entries that it holds, from this number on.
    ///
    /// # Errors
    /// `Malformed` when one is no Change.
    pub(super) fn newest_from(&self, from: u64) -> Result<Vec<(u64, Change)>> {
        let numbered = (self.first()..).zip(&self.newest).filter(|(seq, _)| *seq >= from);
        numbered.map(|(seq, json)| Ok((seq, read(json)?))).collect()
    }

    /// The head after these entries.
    pub(super) fn advanced(&self, appended: &[Stored]) -> Self {
        let all = self.newest.iter().chain(appended.iter().map(|stored| &stored.json));
        let mut room = NEWEST_BYTES;
        let mut newest: Vec<String> = Vec::new();
        for json in all.rev() {
            // With the comma behind it.
            let Some(left) = room.checked_sub(json.len() + 1) else { break };
            room = left;
            newest.push(json.clone());
        }
        newest.reverse();
        Self { seq: self.seq + appended.len() as u64, newest, ..self.clone() }
    }

    /// One copy of it, as it is written.
    pub(super) fn item(&self, place: u64) -> HeadItem {
        let Key { pk, sk } = head_key(place);
        HeadItem {
            pk,
            sk,
            epoch: Value::number(self.epoch),
            seq: Value::number(self.seq),
            trimmed_to: Value::number(self.trimmed_to),
            heads: Value::number(HEADS),
            newest: Value::S(format!("[{}]", self.newest.join(","))),
        }
    }

    /// Reads a copy.
    ///
    /// # Errors
    /// `Malformed` for what is no head; `Config` for a table that was written with another number of heads.
    pub(super) fn of_item(item: &HeadItem) -> Result<Self> {
        let number = |value: &Value| value.as_number().ok_or_else(|| malformed("a head without its numbers"));
        if number(&item.heads)? != HEADS {
            return Err(malformed(&format!("a head that is not one of {HEADS}, as this version writes them")));
        }
        let Value::S(newest) = &item.newest else { return Err(malformed("a head without its changes")) };
        let newest: Vec<&RawValue> =
            serde_json::from_str(newest).map_err(|_| malformed("a head whose changes are no list"))?;
        let newest: Vec<String> = newest.into_iter().map(|json| json.get().to_owned()).collect();
        let (epoch, seq, trimmed_to) = (number(&item.epoch)?, number(&item.seq)?, number(&item.trimmed_to)?);
        // The next number must be one too, and what it lists must have numbers.
        if epoch == 0 || seq >= u64::MAX - 1000 || newest.len() as u64 > seq || trimmed_to > seq {
            return Err(malformed("a head that can't be one"));
        }
        Ok(Self { epoch, seq, trimmed_to, newest })
    }
}

/// An entry as it is read.
#[derive(Debug, Deserialize)]
pub(super) struct EntryItem {
    sk: Value,
    change: Value,
}

impl EntryItem {
    /// Its number and its Change.
    ///
    /// # Errors
    /// `Malformed` for what is no entry.
    pub(super) fn entry(&self) -> Result<(u64, Change)> {
        match (self.sk.as_number(), &self.change) {
            (Some(seq), Value::S(json)) => Ok((seq, read(json)?)),
            _ => Err(malformed("an entry of another shape")),
        }
    }

    /// Its number.
    pub(super) fn seq(&self) -> Option<u64> {
        self.sk.as_number()
    }
}

/// An entry, or the mark of an id, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct WrittenItem {
    pk: Value,
    sk: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Value>,
    /// When DynamoDB may remove it, in seconds since 1970.
    expires: Value,
}

impl WrittenItem {
    pub(super) fn entry(epoch: u64, seq: u64, stored: &Stored, expires: u64) -> Self {
        Self {
            pk: entries_of(epoch),
            sk: Value::number(seq),
            change: Some(Value::S(stored.json.clone())),
            expires: Value::number(expires),
        }
    }

    pub(super) fn id(epoch: u64, stored: &Stored, expires: u64) -> Self {
        Self {
            pk: Value::S(format!("id#{epoch}#{}", stored.key)),
            sk: Value::number(0),
            change: None,
            expires: Value::number(expires),
        }
    }
}
