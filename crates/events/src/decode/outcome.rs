//! [`Decoded`]: what a delivery means, and what was left out of it and why.

use std::collections::BTreeMap;
use std::fmt;

use lockstep_core::Change;

use super::sns::SnsConfirmation;

/// What a delivery means.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decoded {
    /// The Changes, in the order of their records.
    pub changes: Vec<Change>,
    /// Rotations that failed, for people to look at. They are among those that are left out too: nothing has changed.
    pub failed: Vec<Change>,
    /// The records that mean none, in their order.
    pub ignored: Vec<Ignored>,
    /// What its sender wants to be answered before it sends anything.
    pub confirm: Option<Handshake>,
}

/// A record that means no Change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// Which one, from 0. A body that is no batch is record 0.
    pub record: usize,
    /// How the batch calls it, for its answer: a `messageId` of SQS, an `ackId` of Pub/Sub.
    pub item: Option<Box<str>>,
    /// Why.
    pub reason: Reason,
}

impl Decoded {
    /// How many records mean no Change, by the word of each reason.
    pub fn reasons(&self) -> BTreeMap<&'static str, u64> {
        let mut reasons = BTreeMap::new();
        for ignored in &self.ignored {
            *reasons.entry(ignored.reason.as_str()).or_default() += 1;
        }
        reasons
    }

    /// The items of a batch that could not be read, each once. On Lambda they are the `batchItemFailures`: the queue hands
    /// them out again, and at last moves them to its dead-letter queue. What was read and left out is not among them.
    ///
    /// ```
    /// use lockstep_events::decode::{Decoded, Ignored, Reason};
    /// let ignored = |item: &str, reason| Ignored { record: 0, item: Some(item.into()), reason };
    /// let decoded = Decoded {
    ///     ignored: vec![ignored("a", Reason::NoNews), ignored("b", Reason::NotJson)],
    ///     ..Decoded::default()
    /// };
    /// assert_eq!(decoded.item_failures(), ["b"]);
    /// ```
    pub fn item_failures(&self) -> Vec<&str> {
        let unreadable = self.ignored.iter().filter(|ignored| ignored.reason.is_unreadable());
        let mut items: Vec<&str> = unreadable.filter_map(|ignored| ignored.item.as_deref()).collect();
        items.dedup();
        items
    }
}

/// Why a record means no Change. The words are those of metrics, so no name stands in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// It is larger, deeper or has more in it than any notification.
    TooLarge,
    /// There are more records than a batch has; the rest was not looked at.
    TooMany,
    /// An envelope in an envelope in an envelope.
    TooNested,
    /// It is no JSON.
    NotJson,
    /// It is JSON, but nothing that this source sends.
    UnknownShape,
    /// It is a notification, and a part that it needs is missing or can't be one.
    Malformed,
    /// No secret can have the name.
    InvalidName,
    /// Nothing tells it from the same notification sent once more: it has no id and no time.
    Unidentified,
    /// It is about another account, region, project, vault or namespace than those that are known.
    Foreign,
    /// It comes from a topic or subscription that nobody expects.
    Unexpected,
    /// It is about a key, a policy or something else that is no secret.
    NotASecret,
    /// It is about a secret whose value stayed as it was.
    NoNews,
    /// A kind of event that is not known to change a secret.
    UnknownEvent,
    /// A call that failed changed nothing.
    FailedCall,
    /// A rotation failed: the value stayed as it was, and somebody should look.
    RotationFailed,
    /// A test of the connection.
    Test,
    /// The same Change stood in this delivery before.
    Duplicate,
    /// The subscription has ended; nothing more will come.
    Unsubscribed,
}

impl Reason {
    /// Every reason, for tables of counts.
    pub const ALL: [Self; 18] = [
        Self::TooLarge,
        Self::TooMany,
        Self::TooNested,
        Self::NotJson,
        Self::UnknownShape,
        Self::Malformed,
        Self::InvalidName,
        Self::Unidentified,
        Self::Foreign,
        Self::Unexpected,
        Self::NotASecret,
        Self::NoNews,
        Self::UnknownEvent,
        Self::FailedCall,
        Self::RotationFailed,
        Self::Test,
        Self::Duplicate,
        Self::Unsubscribed,
    ];

    /// The word for it in metrics and in JSON.
    pub fn as_str(self) -> &'static str {
        self.words().0
    }

    /// Whether it could not be read, so that somebody should look at it. Everything else was read, and is no news.
    pub fn is_unreadable(self) -> bool {
        use Reason::{InvalidName, Malformed, NotJson, TooLarge, TooMany, TooNested, Unidentified, UnknownShape};
        matches!(self, TooLarge | TooMany | TooNested | NotJson | UnknownShape | Malformed | InvalidName | Unidentified)
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::TooLarge => ("too_large", "it is larger, deeper or has more in it than any notification"),
            Self::TooMany => ("too_many", "there are more records than a batch has; the rest was not looked at"),
            Self::TooNested => ("too_nested", "too many envelopes stand inside each other"),
            Self::NotJson => ("not_json", "it is no JSON"),
            Self::UnknownShape => ("unknown_shape", "it is nothing that this source sends"),
            Self::Malformed => ("malformed", "a part that it needs is missing, or can't be one"),
            Self::InvalidName => ("invalid_name", "no secret can have its name"),
            Self::Unidentified => ("unidentified", "it has neither an `id` nor a time `at`; send one of them"),
            Self::Foreign => ("foreign", "it is about another account, region, project, vault or namespace"),
            Self::Unexpected => ("unexpected", "it comes from a topic or subscription that nobody expects"),
            Self::NotASecret => ("not_a_secret", "it is about something that is no secret"),
            Self::NoNews => ("no_news", "the secret's value stayed as it was"),
            Self::UnknownEvent => ("unknown_event", "this kind of event is not known to change a secret"),
            Self::FailedCall => ("failed_call", "the call that it tells of failed"),
            Self::RotationFailed => ("rotation_failed", "a rotation failed, so the value stayed as it was"),
            Self::Test => ("test", "it is a test of the connection"),
            Self::Duplicate => ("duplicate", "the same change stands before it"),
            Self::Unsubscribed => ("unsubscribed", "the subscription has ended, and nothing more will come"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)
    }
}

/// What a sender wants to be answered before it sends anything. It is here only where the topic or subscription is an
/// expected one; whoever answers has to know before that the delivery is genuine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handshake {
    /// SNS: ask for [`SnsConfirmation::uri`].
    Sns(SnsConfirmation),
    /// Event Grid: answer 200 with [`Handshake::answer`].
    EventGrid {
        /// What is to be sent back.
        code: Box<str>,
    },
}

impl Handshake {
    /// The JSON to answer with, where that is what is wanted.
    pub fn answer(&self) -> Option<String> {
        match self {
            Self::Sns(_) => None,
            Self::EventGrid { code } => Some(serde_json::json!({ "validationResponse": code }).to_string()),
        }
    }
}
