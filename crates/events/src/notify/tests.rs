//! What is told, to whom, and how often it is tried.

use lockstep_core::{ChangedName, Source, UnixMillis};
use lockstep_testkit::{FakeTransport, ManualClock, Reply};
use serde_json::{Value, json};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TIME: Duration = Duration::from_secs(30);

fn change(name: &str, kind: ChangeKind) -> Change {
    Change {
        id: format!("aws-{name}").into(),
        source: Source {
            provider: "aws-secrets-manager".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
        },
        name: ChangedName::One(name.into()),
        label: None,
        version: Some("v2".into()),
        kind,
        at: UnixMillis(1_767_225_600_000),
    }
}

fn signed() -> Form {
    Form::Signed(StandardWebhooksVerifier::new(&[SecretValue::from(SECRET)]).unwrap())
}

fn subscriber(form: Form, on: &[Occasion]) -> Subscriber {
    let address = SecretValue::from("https://hooks.example.com/services/T0/B0/canary");
    Subscriber::new("ops", &address, form, on.to_vec(), false).unwrap()
}

fn with(
    form: Form,
    on: &[Occasion],
    script: impl FnMut(&Request<Bytes>) -> Reply + Send + 'static,
) -> (Subscribers, Arc<FakeTransport>, Arc<ManualClock>) {
    let (transport, clock) = (FakeTransport::by(script), ManualClock::new());
    (Subscribers::new(vec![subscriber(form, on)], transport.clone(), clock.clone()), transport, clock)
}

/// Break: sign another id, another time or another body than what is sent.
#[tokio::test]
async fn a_signed_message_is_what_our_own_verifier_and_our_own_webhook_take() {
    let (told, transport, clock) = with(signed(), &Occasion::ALL, |_| Reply::new(204, ""));
    told.tell(Occasion::Rotated, &[change("db", ChangeKind::Rotated)], TIME).await;
    let sent = transport.requests().pop().unwrap();
    let Form::Signed(verifier) = signed() else { unreachable!() };
    assert_eq!(verifier.verify(sent.headers(), sent.body(), clock.wall()), Ok(()));
    let body: Value = serde_json::from_slice(sent.body()).unwrap();
    assert_eq!(body["type"], "secret.rotated");
    assert_eq!(
        body["data"]["changes"][0],
        json!({ "id": "aws-db", "provider": "aws-secrets-manager", "account": "123456789012", "region": "eu-west-1",
            "name": "db", "version": "v2", "kind": "rotated", "at": "2026-01-01T00:00:00Z" })
    );
    // What is told again is the same.
    told.tell(Occasion::Rotated, &[change("db", ChangeKind::Rotated)], TIME).await;
    told.tell(Occasion::Failed, &[change("db", ChangeKind::Rotated)], TIME).await;
    let ids: Vec<_> = transport.requests().iter().map(|sent| sent.headers()["webhook-id"].clone()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2]);
}

/// Break: any arm of `plain`, or `MAX_NAMED`.
#[tokio::test]
async fn slack_gets_a_line_for_each_and_no_mark_from_a_name() {
    let (told, transport, _) = with(Form::Slack, &Occasion::ALL, |_| Reply::new(200, "ok"));
    let mut all = vec![change("a<!channel>`&\u{1b}", ChangeKind::Updated)];
    all.extend((0..30).map(|at| change(&format!("db/{at}"), ChangeKind::Updated)));
    told.tell(Occasion::Rotated, &all, TIME).await;
    let sent = transport.requests().pop().unwrap();
    let body: Value = serde_json::from_slice(sent.body()).unwrap();
    let text = body["text"].as_str().unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines[0], lines.len(), lines[21]), ("*Rotated*", 22, "• and 11 more"));
    assert_eq!(
        lines[1],
        "• `a&lt;!channel&gt;'&amp; ` of aws-secrets-manager, 123456789012, eu-west-1, version `v2`, at 2026-01-01T00:00:00Z"
    );
    assert!(!sent.headers().contains_key("webhook-signature"));
}

/// Break: `is_new_value`, or the look at `on`.
#[tokio::test]
async fn who_did_not_ask_is_not_told_and_what_is_no_new_value_is_no_rotation() {
    let (told, transport, _) = with(signed(), &[Occasion::Failed], |_| Reply::new(200, ""));
    assert!(told.want(Occasion::Failed) && !told.want(Occasion::Rotated));
    told.tell(Occasion::Rotated, &[change("db", ChangeKind::Rotated)], TIME).await;
    assert_eq!(transport.requests().len(), 0);
    let (told, transport, _) = with(signed(), &Occasion::ALL, |_| Reply::new(200, ""));
    let label = Change { label: Some("blue".into()), ..change("db", ChangeKind::Updated) };
    told.tell(Occasion::Rotated, &[label, change("db", ChangeKind::Deleted), change("db", ChangeKind::Unknown)], TIME)
        .await;
    assert_eq!(transport.requests().len(), 0);
    told.tell(Occasion::Failed, &[change("db", ChangeKind::Unknown)], TIME).await;
    assert_eq!(transport.requests().len(), 1);
}

/// Break: `may_pass`, `ATTEMPTS`, or the look at what is left of the time.
#[tokio::test]
async fn what_may_pass_is_tried_again_within_the_time_and_nothing_else_is() {
    for (status, retry_after, time, tries) in [
        (503, None, TIME, 4),
        (429, Some("1"), TIME, 4),
        (429, Some("86400"), TIME, 3),
        (408, None, TIME, 4),
        (503, None, Duration::from_millis(600), 2),
        (400, None, TIME, 1),
        (404, None, TIME, 1),
        (302, None, TIME, 1),
        (401, None, TIME, 1),
    ] {
        let (told, transport, clock) = with(signed(), &Occasion::ALL, move |_| {
            let reply = Reply::new(status, "no");
            match retry_after {
                Some(seconds) => reply.header("retry-after", seconds),
                None => reply,
            }
        });
        let changes = [change("db", ChangeKind::Rotated)];
        let telling = told.tell(Occasion::Rotated, &changes, time);
        let mut telling = std::pin::pin!(telling);
        // The clock goes on whenever somebody sleeps.
        while futures_util::poll!(&mut telling).is_pending() {
            clock.advance(Duration::from_millis(250));
        }
        assert_eq!(transport.requests().len(), tries, "{status} {retry_after:?}");
    }
}

/// M1. Break: repeat the address in an error or in `Debug`.
#[test]
fn m1_an_address_that_is_a_secret_is_never_repeated() {
    for (address, insecure, expected) in [
        ("https://hooks.example.com/canary", false, None),
        ("http://127.0.0.1:9/canary", false, None),
        ("http://hooks.example.com/canary", true, None),
        ("http://hooks.example.com/canary", false, Some("in the clear")),
        ("ftp://hooks.example.com/canary", false, Some("neither")),
        ("/canary", false, Some("neither")),
        ("can ary", false, Some("is none")),
    ] {
        let made = Subscriber::new("ops", &SecretValue::from(address), Form::Slack, Vec::new(), insecure);
        assert!(!format!("{made:?}").contains("canary"), "{address}");
        match (made, expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => assert!(error.message().contains(expected), "{error}"),
            (made, _) => panic!("{address}: {made:?}"),
        }
    }
}
