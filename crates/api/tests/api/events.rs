//! Notifications as the front door sees them: what is looked at before anything is computed, and what becomes of failures.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;
use lockstep_api::EventSource;
use lockstep_core::{Call, Change, Cursor, Error, ErrorKind, Feed, Journal, MemoryJournal, Peer, Result, SecretValue};
use lockstep_events::decode::Accepted;
use lockstep_events::intake::{Intake, Sender};
use lockstep_events::verify::GitHubVerifier;
use ring::hmac;

use crate::house::{House, bare, notified, with};

const SECRET: &str = "the-secret-of-the-webhook";
const BODY: &str =
    r#"{"changes": [{"provider": "aws-secrets-manager", "name": "db/creds", "kind": "updated", "id": "1"}]}"#;

fn hook() -> EventSource {
    let verifier = GitHubVerifier::new(vec![SecretValue::from(SECRET.as_bytes())]).unwrap();
    let intake = Intake { sender: Sender::GitHub(verifier), accepted: Accepted::anything() };
    EventSource { name: "hook".into(), intake, senders: Vec::new() }
}

fn signature(body: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), body.as_bytes());
    tag.as_ref().iter().fold("sha256=".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

async fn deliver(house: &House, address: &str, signature: &str) -> u16 {
    let peer = Peer { address: Some(address.into()), ..Peer::default() };
    let request = bare(Method::POST, "/api/v1/events/hook").map(|_| BODY.into());
    let request = with(request, &[("x-hub-signature-256", signature), ("content-length", "1")]);
    house.send_from(&peer, request).await.status
}

async fn kept(journal: &dyn Journal, house: &House) -> usize {
    journal.since(&lockstep_testkit::call(&house.clock), None, 100).await.unwrap().changes.len()
}

/// E6. Break: count only requests that log in (`is_limited`).
#[tokio::test]
async fn e6_unsigned_deliveries_are_turned_away_by_their_address_and_a_genuine_one_is_taken() {
    let journal = Arc::new(MemoryJournal::new(1, 100));
    let house = notified(journal.clone(), vec![hook()]);
    let mut statuses = Vec::new();
    for _ in 0..1000 {
        statuses.push(deliver(&house, "192.0.2.7:1", "sha256=00").await);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 3);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 997);
    assert_eq!(deliver(&house, "192.0.2.8:1", &signature(BODY)).await, 200);
    assert_eq!(kept(&*journal, &house).await, 1);
}

/// A journal that is out.
struct Out;

#[async_trait]
impl Journal for Out {
    async fn append(&self, _: &Call, _: &[Change]) -> Result<Cursor> {
        Err(Error::new(ErrorKind::Unavailable, "the journal is out"))
    }
    async fn since(&self, _: &Call, _: Option<Cursor>, _: usize) -> Result<Feed> {
        Err(Error::new(ErrorKind::Unavailable, "the journal is out"))
    }
}

/// Break: acknowledge before the append.
#[tokio::test]
async fn what_the_journal_did_not_take_is_to_be_sent_again() {
    let house = notified(Arc::new(Out), vec![hook()]);
    assert_eq!(deliver(&house, "192.0.2.8:1", &signature(BODY)).await, 503);
    assert!(!house.metrics.render().contains("changed"));
}

/// Break: leave a name or a value of the body in the answer, the audit or the metrics.
#[tokio::test]
async fn what_a_delivery_tells_is_in_no_record_but_the_journal() {
    let journal = Arc::new(MemoryJournal::new(1, 100));
    let house = notified(journal, vec![hook()]);
    assert_eq!(deliver(&house, "192.0.2.8:1", &signature(BODY)).await, 200);
    let audit = house.audit();
    let record = audit.iter().find(|record| record.action == "event").unwrap();
    assert_eq!((&*record.principal, &*record.name, record.count), ("event:hook", "hook", 1));
    assert!(audit.iter().all(|record| !record.to_json().contains("creds")));
    let text = house.metrics.render();
    assert!(
        text.contains("lockstep_events_total{source=\"hook\",result=\"changed\"} 1\n") && !text.contains("creds"),
        "{text}"
    );
}
