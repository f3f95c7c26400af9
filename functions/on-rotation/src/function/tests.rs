//! What is answered, and where may be written to. How it goes through a queue and a table: `tests/lambda/on_rotation.rs`.

use lockstep_events::decode::Reason;

use super::*;

fn decoded(ignored: &[(Option<&str>, Reason)]) -> Decoded {
    let ignored = ignored.iter().enumerate().map(|(record, (item, reason))| Ignored {
        record,
        item: item.map(Into::into),
        reason: *reason,
    });
    Decoded { ignored: ignored.collect(), ..Decoded::default() }
}

fn told(source: SourceKind, ignored: &[(Option<&str>, Reason)]) -> Result<String, Failed> {
    answer(source, &decoded(ignored)).map(|told| told.get().to_owned())
}

/// E7. Break: `is_unreadable` or `unnamed` in `answer`.
#[test]
fn e7_what_can_not_be_read_is_named_or_fails_and_what_is_no_news_is_done_with() {
    use Reason::{Foreign, Malformed, NoNews, NotJson};
    let none = r#"{"batchItemFailures":[]}"#;
    assert_eq!(told(SourceKind::Sqs, &[]).as_deref(), Ok(none));
    assert_eq!(told(SourceKind::Sqs, &[(Some("a"), NoNews), (Some("b"), Foreign)]).as_deref(), Ok(none));
    assert_eq!(
        told(SourceKind::Sqs, &[(Some("a"), NotJson), (Some("b"), NoNews), (Some("c"), Malformed)]).as_deref(),
        Ok(r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}"#)
    );
    assert_eq!(told(SourceKind::Sqs, &[(Some("a"), NotJson), (None, NotJson)]), Err(Failed::Unreadable("not_json")));
    for source in [SourceKind::EventBridge, SourceKind::Sns] {
        assert_eq!(told(source, &[(None, NoNews), (Some("a"), Foreign)]).as_deref(), Ok("null"));
        assert_eq!(told(source, &[(Some("a"), Malformed)]), Err(Failed::Unreadable("malformed")));
    }
}

/// Break: any arm of `writable`.
#[test]
fn a_journal_that_nobody_else_could_read_is_no_place_for_a_change() {
    for (journal, expected) in [
        (None, "set LOCKSTEP_JOURNAL"),
        (Some(Written::Memory), "ends with this sandbox"),
        (Some(Written::Endpoint("https://lockstep.example.com".to_owned())), "is read, and not written"),
    ] {
        let refused = writable(journal.as_ref()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Config);
        assert!(refused.message().contains(expected), "{refused}");
    }
}
