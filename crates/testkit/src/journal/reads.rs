//! What was appended is read, once and in order.

use lockstep_core::{Change, ChangeKind, ChangedName, Cursor, Source, UnixMillis};

use super::{ALL, JournalHarness, change, changes, expected, ids};

pub(super) async fn empty(harness: &dyn JournalHarness) {
    let feed = harness.since("empty", None, ALL).await;
    assert!(feed.changes.is_empty() && !feed.gap, "an empty journal has no gap for whoever comes first: {feed:?}");
    let again = harness.since("empty", Some(feed.head), ALL).await;
    assert!(again.changes.is_empty() && !again.gap && again.head == feed.head, "nor later: {again:?}");
    harness.append("empty", &changes(1)).await;
    // A journal that has had no life yet may call its first Change a gap; it may not leave it out.
    let first = harness.since("empty", Some(feed.head), ALL).await;
    assert_eq!(ids(&first), expected(0..1), "whoever has seen it empty gets the first Change");
    let next = harness.since("empty", Some(first.head), ALL).await;
    assert!(next.changes.is_empty() && !next.gap, "and is then at the head: {next:?}");
    let none = harness.append("empty", &[]).await;
    assert_eq!(none, first.head, "an append of nothing answers the head");
}

pub(super) async fn order(harness: &dyn JournalHarness) {
    let mut last: Option<Cursor> = None;
    for nth in 0..20 {
        let cursor = harness.append("order", &[change(nth)]).await;
        assert!(last.is_none_or(|last| last.epoch == cursor.epoch && last.seq < cursor.seq), "every append is after");
        last = Some(cursor);
        let feed = harness.since("order", None, ALL).await;
        assert_eq!((feed.head, ids(&feed)), (cursor, expected(0..nth + 1)), "what is appended is there at once");
    }
    let feed = harness.since("order", None, ALL).await;
    for (position, (seq, _)) in feed.changes.iter().enumerate() {
        let from = Cursor { epoch: feed.head.epoch, seq: *seq };
        let rest = harness.since("order", Some(from), ALL).await;
        assert!(!rest.gap, "a cursor of the feed is none of a gap");
        assert_eq!(ids(&rest), expected(position + 1..20), "after a cursor comes what is after it");
    }
}

pub(super) async fn whole_changes(harness: &dyn JournalHarness) {
    let kinds =
        [ChangeKind::Updated, ChangeKind::Rotated, ChangeKind::Deleted, ChangeKind::Destroyed, ChangeKind::Unknown];
    let of = |nth: usize, kind| Change {
        id: format!("whole \"{nth}\" é\u{1F511}\n\\").into(),
        source: Source {
            provider: "aws-secrets-manager".to_owned(),
            account: String::new(),
            region: "eu/west".to_owned(),
        },
        name: if nth == 0 { ChangedName::All } else { ChangedName::One(format!("a/b c\u{0}#{nth}").into()) },
        label: (!nth.is_multiple_of(2)).then(|| "AWSPENDING".into()),
        version: nth.is_multiple_of(2).then(|| "18446744073709551615".into()),
        kind,
        at: UnixMillis(u64::from(u32::MAX) + nth as u64),
    };
    let sent: Vec<_> = kinds.into_iter().enumerate().map(|(nth, kind)| of(nth, kind)).collect();
    harness.append("whole", &sent).await;
    let feed = harness.since("whole", None, ALL).await;
    let read: Vec<_> = feed.changes.into_iter().map(|(_, change)| change).collect();
    assert_eq!(read, sent, "every member of a Change comes back");
}

pub(super) async fn paging(harness: &dyn JournalHarness) {
    harness.append("paging", &changes(1)).await;
    let from = harness.since("paging", None, ALL).await.head;
    // More than a cached head can hold, so that older storage has to be read too.
    for part in changes(301)[1..].chunks(60) {
        harness.append("paging", part).await;
    }
    for limit in [1, 7, 100, 300, 301] {
        let mut cursor = from;
        let mut read = Vec::new();
        for _ in 0..=300 {
            let feed = harness.since("paging", Some(cursor), limit).await;
            assert!(!feed.gap && feed.changes.len() <= limit, "a page has at most {limit}, and no gap: {}", feed.gap);
            read.extend(ids(&feed));
            let Some((seq, _)) = feed.changes.last() else { break };
            cursor.seq = *seq;
            if feed.changes.len() < limit {
                assert_eq!(cursor, feed.head, "a page that is not full ends at the head");
                break;
            }
        }
        assert_eq!(read, expected(1..301), "pages of {limit} are the whole feed, once");
    }
}

pub(super) async fn first_contact(harness: &dyn JournalHarness) {
    for part in changes(150).chunks(50) {
        harness.append("contact", part).await;
    }
    for limit in [1, 10, 149, 150, 151] {
        let feed = harness.since("contact", None, limit).await;
        assert!(!feed.gap, "who had no cursor has missed nothing");
        assert_eq!(ids(&feed), expected(150 - limit.min(150)..150), "without a cursor come the newest {limit}");
    }
}
