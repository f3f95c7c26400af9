//! The journal in DynamoDB, on ministack and moto.
//!
//! Both refuse a transaction as a whole when one of its conditions does not hold, and say which. ministack also honours the
//! token of a request that comes again; moto does not, so there the marks of the ids alone keep a retry from appending
//! twice. ministack answers "no such item" for a key of another shape; moto refuses it, as AWS does. moto takes a
//! transaction back by putting the whole table as it was before, so appenders at once can lose each other's writes there:
//! for those, ministack alone is asked.

use std::sync::Arc;
use std::time::Duration;

use lockstep_core::{ErrorKind, Journal as _};
use lockstep_testkit::fake::Cut;
use lockstep_testkit::journal::{JournalHarness as _, change, changes, run, run_damaged};
use lockstep_testkit::servers::{self, SigningServer};
use lockstep_testkit::{FakeTransport, Reply, require};
use serde_json::json;

use crate::call_of;
use crate::table::{DAMAGES, Tables, journal_over};

async fn moto() -> Option<Tables> {
    match servers::moto() {
        Ok(url) => Some(Tables::on(SigningServer { url, key_id: "test".into(), secret_key: "test".into() }).await),
        Err(missing) => {
            servers::skip(&missing);
            None
        }
    }
}

/// Break: any condition, the order of the transaction, a bound of `range` or `newest`, `trimmed_to`.
#[tokio::test]
async fn the_journal_in_dynamodb_keeps_the_contract_on_ministack() {
    let tables = Tables::on(require!(servers::ministack())).await;
    let ran = run(&tables).await;
    assert_eq!(ran.len(), 14, "{ran:?}");
}

/// Break: any check in `Head::of_item`, `EntryItem::entry` or `stored::read`, or the one for a hole in `range`.
#[tokio::test]
async fn e7_whoever_writes_to_the_table_causes_gaps_and_errors_and_nothing_else() {
    let tables = Tables::on(require!(servers::ministack())).await;
    assert_eq!(run_damaged(&tables).await, DAMAGES.len());
}

/// Break: leave the look at the oldest entry out, or `trimmed_to` out of the condition for a gap.
#[tokio::test]
async fn once_in_a_while_an_append_notes_what_is_trimmed_so_that_the_head_alone_says_gap() {
    let tables = Tables::on(require!(servers::ministack())).await;
    let first = tables.append("noted", &changes(1)).await;
    for part in changes(60)[1..].chunks(30) {
        tables.append("noted", part).await;
    }
    tables.trim("noted", 10).await;
    let last: Vec<_> = (60..70).map(change).collect();
    tables.append("noted", &last).await;
    let heads = tables.items("noted").await;
    let head = heads.iter().find(|item| item["pk"]["S"] == "head#0").unwrap();
    assert_eq!(head["trimmed_to"]["N"], "50");
    tables.proxy.arm(Cut::BeforeTaken, "DynamoDB_20120810.Query", usize::MAX);
    assert!(tables.since("noted", Some(first), 1).await.gap);
}

/// Break: leave the second try out of `DynamoDbJournal::send`.
#[tokio::test]
async fn a_credential_that_was_refused_is_loaded_anew_and_the_call_is_made_once_more() {
    let refused = || Reply::json(400, &json!({ "__type": "com.amazon.coral.service#ExpiredTokenException" }));
    let mut first = true;
    let once =
        FakeTransport::by(move |_| if std::mem::take(&mut first) { refused() } else { Reply::json(200, &json!({})) });
    let journal = journal_over(once.clone());
    let feed = journal.since(&call_of(Duration::from_secs(5)), None, 10).await.unwrap();
    assert!(feed.changes.is_empty() && !feed.gap);
    let bodies: Vec<_> =
        once.requests().iter().map(|request| String::from_utf8(request.body().to_vec()).unwrap()).collect();
    assert!(
        bodies.iter().all(|body| body.contains(r#""ConsistentRead":true"#)),
        "no read may be a late one: {bodies:?}"
    );

    let always = FakeTransport::by(move |_| refused());
    let journal = journal_over(always.clone());
    let error = journal.since(&call_of(Duration::from_secs(5)), None, 10).await.unwrap_err();
    assert_eq!((error.kind(), always.count()), (ErrorKind::Unauthenticated, 2), "{error:?}");
}

/// Break: leave the condition on the ids out.
#[tokio::test]
async fn a_connection_cut_before_or_after_the_answer_appends_once_on_both() {
    for tables in [Some(Tables::on(require!(servers::ministack())).await), moto().await].into_iter().flatten() {
        for (nth, cut) in [(0, Cut::BeforeTaken), (1, Cut::AfterTaken), (2, Cut::AfterTaken)] {
            for times in [1, 2, 3] {
                let before = tables.proxy.cuts();
                tables.proxy.arm(cut, "TransactWriteItems", times);
                let id = nth * 3 + times - 1;
                let head = tables.append("cut", &[change(id)]).await;
                assert_eq!(tables.proxy.cuts(), before + times, "{} {cut:?}", tables.server.url);
                assert_eq!(
                    head.seq,
                    id as u64 + 1,
                    "{} {cut:?}: an append that was cut is there once",
                    tables.server.url
                );
            }
        }
        let feed = tables.since("cut", None, 100).await;
        let ids: Vec<_> = feed.changes.iter().map(|(_, change)| change.id.to_string()).collect();
        assert_eq!(ids, changes(9).iter().map(|change| change.id.to_string()).collect::<Vec<_>>());
        let heads: Vec<_> = tables.items("cut").await;
        let count =
            |prefix: &str| heads.iter().filter(|item| item["pk"]["S"].as_str().unwrap().starts_with(prefix)).count();
        assert_eq!((count("head#"), count("entry#"), count("id#")), (4, 9, 9), "and nothing else is left of it");
    }
}

/// Break: another place of `head` in the first read, or a `GetItem` that is not consistent.
#[tokio::test]
async fn one_get_item_answers_a_check_and_the_head_stays_below_one_read_unit() {
    let tables = Tables::on(require!(servers::ministack())).await;
    let mut from = tables.append("cheap", &changes(1)).await;
    for nth in 1..60 {
        let head = tables.append("cheap", &[change(nth)]).await;
        // Whatever else is asked for is cut, and the check would fail.
        let count = tables.proxy.cuts();
        for other in ["Query", "Scan", "Batch", "Transact"] {
            tables.proxy.arm(Cut::BeforeTaken, &format!("DynamoDB_20120810.{other}"), usize::MAX);
            let feed = tables.since("cheap", Some(from), 256).await;
            assert_eq!((feed.head, feed.changes.len(), feed.gap), (head, 1, false));
        }
        assert_eq!(tables.proxy.cuts(), count);
        tables.proxy.disarm();
        from = head;
    }
    for item in tables.items("cheap").await {
        let size: usize = item
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                name.len() + value.as_object().unwrap().values().next().unwrap().as_str().unwrap().len()
            })
            .sum();
        assert!(size < 4096, "an item of {size} bytes: {item}");
    }
}

#[tokio::test]
async fn every_copy_of_the_head_says_the_same() {
    let tables = Tables::on(require!(servers::ministack())).await;
    tables.append("copies", &changes(7)).await;
    let mut heads: Vec<_> = tables
        .items("copies")
        .await
        .into_iter()
        .filter(|item| item["pk"]["S"].as_str().unwrap().starts_with("head#"))
        .collect();
    assert_eq!(heads.len(), 4);
    for head in &mut heads {
        head["pk"] = "any".into();
    }
    assert!(heads.windows(2).all(|pair| pair[0] == pair[1]), "{heads:?}");
}

/// Instances with places of their own read on when one copy is gone, and an append writes it again.
#[tokio::test]
async fn a_copy_that_is_gone_stops_nobody_and_comes_back() {
    let tables = Tables::on(require!(servers::ministack())).await;
    let head = tables.append("gone", &changes(3)).await;
    for place in 1..4 {
        tables.remove("gone", &json!({ "pk": { "S": format!("head#{place}") }, "sk": { "N": "0" } })).await;
    }
    for _ in 0..8 {
        let feed = tables.since("gone", Some(head), 10).await;
        assert_eq!((feed.head, feed.gap), (head, false));
    }
    tables.append("gone", &[change(3)]).await;
    assert_eq!(tables.items("gone").await.len(), 4 + 4 + 4);
}

/// Break: a row of DynamoDB in the table of AWS's errors.
#[tokio::test]
async fn a_table_that_is_missing_or_has_another_key_is_said_so() {
    let Some(moto) = moto().await else { return };
    for tables in [moto, Tables::on(require!(servers::ministack())).await] {
        let journal = tables.journal("lockstep-not-there");
        for error in [
            journal.since(&tables.call(), None, 10).await.unwrap_err(),
            journal.append(&tables.call(), &changes(1)).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains("there is no such table"), "{error}");
        }
        let other = servers::unique("other-key");
        tables.create(&other, [("id", "S"), ("at", "N")]).await;
        let error = tables.journal(&other).append(&tables.call(), &changes(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error:?}");
        assert!(error.message().contains("partition key is `pk`"), "{error}");
    }
}

/// Break: try for ever, or not again.
#[tokio::test]
async fn a_journal_that_is_not_there_fails_within_the_calls_time() {
    let tables = Tables::on(require!(servers::ministack())).await;
    let journal: Arc<_> = tables.open("down").await;
    tables.proxy.arm(Cut::BeforeTaken, "DynamoDB_20120810", usize::MAX);
    let error = journal.since(&call_of(Duration::from_millis(300)), None, 10).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let error = journal.append(&call_of(Duration::from_millis(300)), &changes(1)).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
}
