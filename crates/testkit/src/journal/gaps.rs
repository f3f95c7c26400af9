//! What is missing is called a gap, and what is no journal is never taken for one.

use lockstep_core::Cursor;

use super::{ALL, JournalHarness, change, changes, expected, ids};

pub(super) async fn another_epoch(harness: &dyn JournalHarness) {
    let head = harness.append("epoch", &changes(4)).await;
    for epoch in [head.epoch.wrapping_add(1), head.epoch.wrapping_sub(1), 0, u64::MAX] {
        for seq in [0, 2, head.seq, u64::MAX] {
            let feed = harness.since("epoch", Some(Cursor { epoch, seq }), ALL).await;
            assert!(feed.gap, "a cursor of another epoch is a gap: {epoch}.{seq} of {head:?}");
            assert_eq!((feed.head, ids(&feed)), (head, expected(0..4)), "and the newest Changes come with it");
        }
    }
    let feed = harness.since("epoch", Some(Cursor { epoch: head.epoch.wrapping_add(1), seq: 1 }), 2).await;
    assert_eq!(ids(&feed), expected(2..4), "the newest, as many as asked for");
}

pub(super) async fn head_behind(harness: &dyn JournalHarness) {
    let head = harness.append("behind", &changes(4)).await;
    for seq in [head.seq + 1, u64::from(u32::MAX), u64::MAX] {
        let feed = harness.since("behind", Some(Cursor { seq, ..head }), ALL).await;
        assert!(feed.gap && feed.head == head, "a head behind the cursor is a gap: {seq} of {head:?}");
    }
}

pub(super) async fn trimmed(harness: &dyn JournalHarness) {
    let first = harness.append("trimmed", &changes(1)).await;
    for part in changes(100)[1..].chunks(33) {
        harness.append("trimmed", part).await;
    }
    let before = harness.since("trimmed", None, ALL).await;
    harness.trim("trimmed", 5).await;
    let feed = harness.since("trimmed", Some(first), ALL).await;
    assert!(feed.gap, "a cursor before what was trimmed is a gap");
    let left = feed.changes.len();
    assert!((5..99).contains(&left), "what is left comes with it, and no more: {left}");
    assert_eq!(ids(&feed), expected(100 - left..100));
    // A journal may keep the newest Changes in two places. Who has applied all before them has missed nothing; who has not,
    // has.
    let after = |nth: usize| Cursor { seq: before.changes[nth].0, ..before.head };
    let at_the_edge = harness.since("trimmed", Some(after(99 - left)), ALL).await;
    assert!(!at_the_edge.gap, "who has applied all that was trimmed has missed nothing");
    assert_eq!(ids(&at_the_edge), expected(100 - left..100));
    let one_before = harness.since("trimmed", Some(after(98 - left)), ALL).await;
    assert!(one_before.gap, "who has missed one of them has a gap");
    let head = harness.append("trimmed", &[change(100)]).await;
    let on = harness.since("trimmed", Some(before.head), ALL).await;
    assert_eq!((on.gap, on.head, ids(&on)), (false, head, expected(100..101)), "it goes on after a trim");
}

pub(super) async fn lost(harness: &dyn JournalHarness) {
    let head = harness.append("lost", &changes(6)).await;
    harness.lose("lost").await;
    let feed = harness.since("lost", Some(head), ALL).await;
    assert!(feed.gap && feed.changes.is_empty(), "a journal that has lost everything is a gap: {feed:?}");
    // As many as before: the numbers alone tell nobody that these are others.
    let again: Vec<_> = (10..16).map(change).collect();
    harness.append("lost", &again).await;
    let feed = harness.since("lost", Some(head), ALL).await;
    assert!(feed.gap, "and stays one when it has grown to the same length again");
    assert_eq!(ids(&feed), expected(10..16));
    let same = harness.append("lost", &changes(1)).await;
    let feed = harness.since("lost", Some(feed.head), ALL).await;
    assert_eq!((feed.head, ids(&feed)), (same, expected(0..1)), "what was lost can be appended again");
}

pub(super) async fn restored(harness: &dyn JournalHarness) {
    harness.append("restored", &changes(3)).await;
    harness.save("restored").await;
    let mut head = harness.append("restored", &changes(6)).await;
    head.seq = head.seq.max(1);
    harness.restore("restored").await;
    let feed = harness.since("restored", Some(head), ALL).await;
    assert!(feed.gap, "a journal that went back is a gap for whoever was ahead: {feed:?}");
    assert_eq!(ids(&feed), expected(0..3));
}

/// Whoever can write to the storage can at most stop the feed or cause a gap: it is never read as if nothing had happened,
/// and nothing panics.
pub(super) async fn damaged(harness: &dyn JournalHarness, damage: &str) {
    let name = format!("damaged {damage}");
    let first = harness.append(&name, &changes(1)).await;
    for part in changes(60)[1..].chunks(30) {
        harness.append(&name, part).await;
    }
    harness.damage(&name, damage).await;
    for cursor in [Some(first), None] {
        match harness.try_since(&name, cursor, ALL).await {
            Err(error) => {
                let text = format!("{error} {error:?}");
                assert!(!text.contains(super::super::contract::CANARY), "an error quotes nothing: {text}");
                assert!(text.len() < 2000, "an error is short: {}", text.len());
            }
            Ok(feed) => {
                let whole = ids(&feed) == expected(60 - feed.changes.len()..60);
                assert!(
                    feed.gap || (whole && (cursor.is_none() || feed.changes.len() == 59)),
                    "{damage}: what is missing is a gap: {}",
                    ids(&feed).len()
                );
            }
        }
    }
    // An append says that it can't, or the feed is sound afterwards.
    let appended = harness.open(&name).await.append(&harness.call(), &[change(500)]).await;
    if let Ok(head) = appended {
        let feed = harness.try_since(&name, Some(Cursor { seq: head.seq.saturating_sub(1), ..head }), ALL).await;
        if let Ok(feed) = feed {
            assert!(feed.gap || ids(&feed) == ["id-500"], "{damage}: what was taken is read: {:?}", ids(&feed));
        }
    }
}
