//! `lockstep events decode`: what a person sees of a notification.

use std::io::Write as _;
use std::process::{Output, Stdio};

use crate::{lockstep, stderr, stdout};

const EVENT: &str = r#"{"version":"0","id":"6a7e8feb","detail-type":"Secret Label Updated","source":"aws.secretsmanager",
    "account":"012345678901","time":"2024-02-06T16:43:48Z","region":"us-west-2",
    "resources":["arn:aws:secretsmanager:us-west-2:012345678901:secret:mySecret-a1b2c3"],
    "detail":{"name":"mySecret","labelUpdated":"AWSCURRENT","versionId":"a1b2c3d4-5678"}}"#;

fn decode(arguments: &[&str], input: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = lockstep(folder.path(), &[]);
    command.args(["events", "decode"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    // Whoever has a usage error does not read it.
    let _ = running.stdin.take().unwrap().write_all(input.as_bytes());
    running.wait_with_output().unwrap()
}

/// Break: the note, or a part of the sentence.
#[test]
fn events_decode_says_what_a_notification_means_and_that_nothing_was_verified() {
    let output = decode(&["-"], EVENT);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "source: eventbridge (by its shape)",
            "change: updated mySecret, version a1b2c3d4-5678, of aws-secrets-manager account 012345678901 in us-west-2",
        ]
    );
    assert!(lines[2].starts_with("        at 2024-02-06T16:43:48Z, id aws-6a7e8feb-"), "{text}");
    assert_eq!(lines.len(), 3);
    assert!(stderr(&output).contains("no signature was verified"), "{}", stderr(&output));
    assert_eq!(stderr(&decode(&["-", "-q"], EVENT)), "");
}

#[test]
fn events_decode_in_json_has_the_changes_as_a_journal_keeps_them() {
    let output = decode(&["-", "--json", "--source", "eventbridge"], EVENT);
    let answer: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["source"], "eventbridge");
    assert_eq!((&answer["guessed"], &answer["verified"]), (&false.into(), &false.into()));
    assert_eq!(answer["changes"][0]["name"]["name"], "mySecret");
    assert_eq!(answer["changes"][0]["kind"], "updated");
    assert_eq!((answer["ignored"].as_array().unwrap().len(), &answer["confirm"]), (0, &serde_json::Value::Null));
}

/// Break: the count of what can't be read, or `guess`.
#[test]
fn events_decode_ends_as_its_help_says() {
    let no_news = EVENT.replace("aws.secretsmanager", "aws.ssm");
    let batch = serde_json::json!({ "Records": [
        { "messageId": "m-1", "body": no_news },
        { "messageId": "m\u{1b}[31m", "body": "junk" },
    ] })
    .to_string();
    let confirmation =
        r#"{"Type":"SubscriptionConfirmation","TopicArn":"arn:aws:sns:eu-west-1:123456789012:t","Token":"2336"}"#;
    for (arguments, input, code, said) in [
        (
            &["-"][..],
            no_news.as_str(),
            0,
            "ignored: record 1: this kind of event is not known to change a secret [unknown_event]",
        ),
        (&["-"], batch.as_str(), 1, "ignored: record 2 (m\\u{1b}[31m): it is no JSON [not_json]"),
        (&["-", "--source", "sns"], EVENT, 0, "source: sns\nchange: updated mySecret"),
        (&["-", "--source", "vault"], EVENT, 1, "it is nothing that this source sends"),
        (&["-"], confirmation, 0, "wants: a GET of https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&"),
        (&["-"], r#"{"receivedMessages":[]}"#, 0, "nothing is in it"),
        (&["-"], "junk", 2, "name that with `--source`"),
        (&["-", "--source", "github"], "junk", 1, "it is no JSON"),
        (&["-", "--source", "carrier-pigeon"], EVENT, 2, "write `eventbridge`, `sqs`"),
        (&["-", "--header", "junk"], EVENT, 2, "a header is none"),
        (&["-"], "[".repeat((6 << 20) + 1).as_str(), 1, "it has more than 6 MiB"),
        (&["gone.json"], "", 2, "can't read gone.json"),
        (&[], "", 2, "<FILE>"),
    ] {
        let output = decode(arguments, input);
        let all = format!("{}{}", stdout(&output), stderr(&output));
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {all}");
        assert!(all.contains(said), "{arguments:?} {all}");
    }
}

/// A signed id is the Changes' own.
#[test]
fn events_decode_takes_the_headers_that_a_notification_came_with() {
    let body = r#"{"changes":[{"provider":"vault","name":"secret/db","kind":"rotated"}]}"#;
    let arguments = ["-", "--source", "standard-webhooks", "--header", "webhook-id: msg_1"];
    let output = decode(&arguments, body);
    assert!(stdout(&output).contains("change: rotated secret/db, of vault\n"), "{}", stdout(&output));
    assert!(stdout(&output).contains("id webhook-msg_1-"), "{}", stdout(&output));
}
