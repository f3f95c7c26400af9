//! Nothing is appended twice, and nothing that was taken is lost.

use lockstep_core::Change;

use super::{ALL, JournalHarness, change, changes, expected, ids, named};

/// Appenders at once.
const APPENDERS: usize = 6;
/// Changes that each of them appends, one by one.
const EACH: usize = 5;

pub(super) async fn idempotent(harness: &dyn JournalHarness) {
    let first = harness.append("again", &changes(3)).await;
    let again = harness.append("again", &changes(3)).await;
    assert_eq!(again, first, "the same ids are no news");
    let overlapping = harness.append("again", &[change(2), change(3), change(0), change(4)]).await;
    assert!(overlapping.seq > first.seq);
    let feed = harness.since("again", None, ALL).await;
    assert_eq!(ids(&feed), expected(0..5), "what is new among them is appended, in its order");
    let mut other = change(0);
    other.name = lockstep_core::ChangedName::One("another".into());
    assert_eq!(harness.append("again", &[other]).await, overlapping, "the id alone decides");
    assert_eq!(harness.since("again", None, ALL).await.changes, feed.changes, "and what is there stays");
}

pub(super) async fn a_batch(harness: &dyn JournalHarness) {
    // Larger than one transaction of any backend, with an id twice.
    let mut batch = changes(130);
    batch.insert(77, change(3));
    let head = harness.append("batch", &batch).await;
    let feed = harness.since("batch", None, ALL).await;
    assert_eq!((ids(&feed), feed.head), (expected(0..130), head), "a long batch is appended whole, an id once");
}

pub(super) async fn answer_lost(harness: &dyn JournalHarness) {
    harness.append("unheard", &changes(1)).await;
    for (before, nth) in [(false, 1), (true, 2), (false, 3)] {
        let sent = [change(nth)];
        harness.append_unheard("unheard", &sent, before).await;
        harness.append("unheard", &sent).await;
        let feed = harness.since("unheard", None, ALL).await;
        assert_eq!(
            ids(&feed),
            expected(0..nth + 1),
            "a retry of what nobody heard of appends once (cut before: {before})"
        );
    }
}

pub(super) async fn concurrent(harness: &dyn JournalHarness) {
    let before = harness.append("crowd", &changes(1)).await;
    let appender = |who: usize| async move {
        let journal = harness.open("crowd").await;
        let mut last = 0;
        for nth in 0..EACH {
            let own = named(&format!("{who}-{nth}"), "own");
            // Two of them also tell what the others tell: many watchers see one change.
            let shared = named(&format!("shared-{nth}"), "shared");
            let both: &[Change] = if who < 2 { &[own, shared] } else { &[own] };
            let cursor = journal.append(&harness.call(), both).await;
            let cursor = cursor.unwrap_or_else(|error| panic!("an append beside others is taken: {error}"));
            assert!(cursor.seq > last, "the head goes on");
            last = cursor.seq;
        }
    };
    let reader = async {
        let journal = harness.open("crowd").await;
        let (mut cursor, mut seen) = (before, Vec::new());
        while seen.len() < APPENDERS * EACH + EACH {
            let feed = journal.since(&harness.call(), Some(cursor), 3).await;
            let feed = feed.unwrap_or_else(|error| panic!("a read beside appends is answered: {error}"));
            assert!(!feed.gap, "appends are no gap");
            seen.extend(ids(&feed));
            if let Some((seq, _)) = feed.changes.last() {
                cursor.seq = *seq;
            }
        }
        seen
    };
    let appenders = joined((0..APPENDERS).map(appender).collect());
    let (seen, ()) = both(reader, appenders).await;
    let whole = harness.since("crowd", Some(before), ALL).await;
    assert_eq!(ids(&whole), seen, "who reads along sees the order that is there at the end: nothing comes in between");
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), APPENDERS * EACH + EACH, "every Change is there once: {seen:?}");
    for who in 0..APPENDERS {
        let own: Vec<_> = seen.iter().filter(|id| id.starts_with(&format!("{who}-"))).cloned().collect();
        let sent: Vec<_> = (0..EACH).map(|nth| format!("{who}-{nth}")).collect();
        assert_eq!(own, sent, "an appender's own Changes are in its order");
    }
}

/// Polls them all, in turns, until each has ended. One task, so that the suite also runs where there is no runtime.
async fn joined<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut waiting: Vec<_> = futures.into_iter().map(|future| Some(Box::pin(future))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut waiting {
            if slot.as_mut().is_some_and(|future| future.as_mut().poll(context).is_ready()) {
                *slot = None;
            }
        }
        if waiting.iter().all(Option::is_none) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

async fn both<A, B>(one: impl Future<Output = A>, other: impl Future<Output = B>) -> (A, B) {
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if second.is_none()
            && let std::task::Poll::Ready(value) = other.as_mut().poll(context)
        {
            second = Some(value);
        }
        if first.is_none()
            && let std::task::Poll::Ready(value) = one.as_mut().poll(context)
        {
            first = Some(value);
        }
        match (first.take(), second.take()) {
            (Some(one), Some(other)) => std::task::Poll::Ready((one, other)),
            (one, other) => {
                (first, second) = (one, other);
                std::task::Poll::Pending
            }
        }
    })
    .await
}
